"""Health checks of the containers: ``python docker/health.py web|worker|scheduler``. Exit 0 is well.

They use what the process itself needs, and none of Django, so that a check costs little. Started
through ``docker/entrypoint.sh``, as the process was, since an address may come as a file.
"""

import os
import sys
import time
import urllib.request
from pathlib import Path

BEAT_SCHEDULE = Path("/tmp/beat-schedule")  # noqa: S108 - a tmpfs of the container's own
STALE_S = 600  # the scheduler writes its schedule down every three minutes


def web() -> bool:
    """The process answers, through the checks of host and scheme that every request passes."""
    host = os.environ["ALLOWED_HOSTS"].split(",")[0].strip().lstrip(".")
    request = urllib.request.Request("http://127.0.0.1:8000/healthz")
    request.add_header("Host", host)
    request.add_header("X-Forwarded-Proto", "https")
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return bool(answer.status == 200)


def worker() -> bool:
    """The main process has its pool, and the broker answers."""
    from kombu import Connection

    children = Path("/proc/1/task/1/children").read_text(encoding="ascii").split()
    with Connection(os.environ["CELERY_BROKER_URL"], connect_timeout=5) as broker:
        broker.ensure_connection(max_retries=1)
    return bool(children)


def scheduler() -> bool:
    files = BEAT_SCHEDULE.parent.glob(f"{BEAT_SCHEDULE.name}*")
    return any(time.time() - file.stat().st_mtime < STALE_S for file in files)


if __name__ == "__main__":
    checks = {"web": web, "worker": worker, "scheduler": scheduler}
    sys.exit(0 if checks[sys.argv[1]]() else 1)
