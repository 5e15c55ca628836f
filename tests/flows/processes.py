"""Processes that the flows start, watch and kill: senders, a web server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.tasks.workers import ROOT, environment, until


class Group:
    """Processes that were started together, in a process group of their own."""

    def __init__(self, folder: Path, jobs: list[dict[str, Any]], env: dict[str, str]) -> None:
        self._said, self._errors = folder / "said", folder / "errors"
        with self._said.open("ab") as said, self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.flows.senders", *map(json.dumps, jobs)],
                cwd=ROOT,
                env={**env, "DJANGO_SETTINGS_MODULE": "hitl_platform.settings"},
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=errors,
                start_new_session=True,
            )

    def said(self, name: str | None = None) -> list[dict[str, Any]]:
        """What they have said so far, all of them or one."""
        lines = [json.loads(line) for line in self._said.read_text().splitlines()]
        return [line for line in lines if name in (None, line.get("name"))]

    def errors(self) -> str:
        return self._errors.read_text(errors="replace")

    def start(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def end(self, *, code: int = 0) -> list[dict[str, Any]]:
        """Tell those that go on to finish, wait for all, and give what they said."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == code, self.errors()
        return [line for line in self.said() if "name" in line]

    def kill(self) -> None:
        """kill -9 for all of them: nobody gets to clean up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


@contextmanager
def group(
    folder: Path, *jobs: dict[str, Any], env: dict[str, str] | None = None
) -> Iterator[Group]:
    """One process a job, loaded and waiting for ``start``; none is left over at the end."""
    folder.mkdir(exist_ok=True)
    made = Group(folder, list(jobs), env or environment(folder, "filesystem://"))
    try:
        until(lambda: made.said() or made.process.poll() is not None, "processes that are ready")
        assert made.process.poll() is None, made.errors()
        yield made
    except BaseException:
        print(made.errors())
        raise
    finally:
        if made.process.poll() is None:
            made.kill()
        if made.process.stdin is not None:
            made.process.stdin.close()


@contextmanager
def web(folder: Path, port: int) -> Iterator[None]:
    """One gunicorn with one worker on ``tests.flows.mortal_web``; a worker that dies is replaced."""
    with (folder / "web.log").open("ab") as log:
        served = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "tests.flows.mortal_web:application"),
                *("--bind", f"127.0.0.1:{port}", "--workers", "1", "--preload"),
            ],
            cwd=ROOT,
            env={
                **environment(folder, "filesystem://"),
                "DJANGO_SETTINGS_MODULE": "hitl_platform.settings",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until(lambda: served.poll() is not None or listens(port), "a web server that answers")
        yield
    except BaseException:
        print((folder / "web.log").read_text(errors="replace"))
        raise
    finally:
        if served.poll() is None:
            os.killpg(served.pid, signal.SIGKILL)
        served.wait(timeout=10)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
