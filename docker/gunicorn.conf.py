"""The web server in production: two processes of four threads, behind a reverse proxy."""

bind = "0.0.0.0:8000"
worker_class = "gthread"
workers = 2
threads = 4
# A worker's heartbeat file on disk can stall it; this folder is memory.
worker_tmp_dir = "/dev/shm"  # noqa: S108
graceful_timeout = 30
# The control socket would be opened in the home directory, which is read-only.
control_socket_disable = True
accesslog = "-"


def post_worker_init(worker: object) -> None:
    """Load every page's code before the first request, which would wait for it by seconds."""
    from django.urls import get_resolver

    _ = get_resolver().url_patterns
