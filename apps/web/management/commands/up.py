"""``manage.py up``: the whole platform on this machine, with one command."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from apps.common.commands import PlatformCommand
from apps.common.errors import BadInput, Conflict
from apps.web.management.supervisor import Supervisor

HOST = "127.0.0.1"
THREADS = 8
TASK_PROCESSES = 2


class Command(PlatformCommand):
    help = "Migrate, then run web server, worker and scheduler until Ctrl-C (PORT, default 8000)."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, help="default: PORT, else 8000")

    def run(self, **options: Any) -> dict[str, Any]:
        refuse_production()
        port = chosen_port(options["port"])
        with alone():
            refuse_taken(port)
            prepare(self.stderr)
            self.exit_code = serve(
                port,
                say=self.stderr.write,
                on_ready=lambda: self.say(f"Serving on {address(port)}"),
            )
        return {"address": address(port), "exit_code": self.exit_code}


def address(port: int) -> str:
    return f"http://{HOST}:{port}"


def chosen_port(option: int | None = None) -> int:
    raw = str(option) if option is not None else os.environ.get("PORT", "").strip() or "8000"
    if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw) <= 65535:
        raise BadInput(f"PORT={raw!r} is not valid: allowed is a whole number from 1 to 65535")
    return int(raw)


def refuse_production() -> None:
    if settings.PRODUCTION:
        raise Conflict(
            "PLATFORM_MODE=production: there the web server, worker and scheduler run one by one "
            "(docs/running.md)"
        )


def refuse_taken(port: int) -> None:
    """Before anything starts: a web server that cannot listen would only say so in its log."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise Conflict(
                f"{address(port)} cannot be served ({error.strerror}); another: PORT={port + 1}"
            ) from None


@contextmanager
def alone() -> Iterator[None]:
    """One installation a data folder: a second scheduler would send every task twice."""
    folder = Path(settings.DATA_DIR)
    with (folder / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"the platform already runs on {folder}: stop that one, or set another DATA_DIR"
            ) from None
        yield


def prepare(progress: Any) -> None:
    """The schema, and an empty folder of collected files: embedded, the apps' own are served."""
    call_command("migrate", verbosity=0, interactive=False, stdout=progress, stderr=progress)
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    connections.close_all()  # the programs open their own


def serve(port: int, *, say: Callable[[str], Any], on_ready: Callable[[], None]) -> int:
    """Run the three programs until told to stop; 0 then, 1 when one of them died."""
    supervisor = Supervisor(programs(port), say, folder=settings.BASE_DIR)
    return supervisor.run(health_request(port), on_ready)


def programs(port: int) -> dict[str, list[str]]:
    """Web server, worker and scheduler, as commands."""
    level = (os.environ.get("LOG_LEVEL") or "WARNING").lower()
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "hitl_platform"]
    return {
        "web server": [
            *(sys.executable, "-m", "gunicorn", "hitl_platform.wsgi:application"),
            *("--bind", f"{HOST}:{port}", "--worker-class", "gthread"),
            *("--workers", "1", "--threads", str(THREADS), "--graceful-timeout", "10"),
            *("--no-control-socket", "--log-level", level),
        ],
        "worker": [
            *(*celery, "worker", "--pool", "prefork", "--concurrency", str(TASK_PROCESSES)),
            *("--without-gossip", "--without-mingle", "--loglevel", level),
        ],
        "scheduler": [*celery, "beat", "--pidfile=", "--loglevel", level],
    }


def health_request(port: int) -> urllib.request.Request:
    """Asked by a name that ALLOWED_HOSTS lets in."""
    named = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"]
    request = urllib.request.Request(f"{address(port)}/healthz")  # noqa: S310 - http, our own
    request.add_header("Host", (named or [HOST])[0])
    return request
