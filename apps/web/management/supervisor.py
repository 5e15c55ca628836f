"""Runs a few programs side by side: all of them live, or all of them end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_S = 0.1
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 30.0
PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """In the child, on Linux: SIGTERM when the supervisor dies, so that kill -9 orphans nothing."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Starts ``programs`` (name -> command), each in a session of its own, and ends them together.

    A session of its own keeps the terminal's Ctrl-C from the programs' helper processes: only each
    main process is told to stop, and it ends its helpers itself. (A signal to a Celery worker's
    whole group kills the pool under it, and the worker then never ends.)
    """

    def __init__(
        self,
        programs: Mapping[str, Sequence[str]],
        say: Callable[[str], Any],
        *,
        folder: Path,
        stop_timeout_s: float = STOP_TIMEOUT_S,
    ) -> None:
        self.programs, self.say, self.folder = programs, say, folder
        self.stop_timeout_s = stop_timeout_s
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.stop_requests = 0

    def run(self, health: urllib.request.Request, on_ready: Callable[[], None]) -> int:
        """Until told to stop (0), or until a program dies or never gets healthy (1)."""
        with self._stop_signals():
            try:
                self._start()
                if self._wait_healthy(health):
                    on_ready()
                    self._watch()
                fault = self._first_dead()
                return 0 if self.stop_requests and not fault else 1
            finally:
                self._stop()

    @contextlib.contextmanager
    def _stop_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._request_stop) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requests += 1

    def _start(self) -> None:
        on_linux = sys.platform == "linux"
        for name, command in self.programs.items():
            self.children[name] = subprocess.Popen(  # noqa: S603
                command,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_end_with_parent if on_linux else None,
            )

    def _wait_healthy(self, health: urllib.request.Request) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.stop_requests and not self._first_dead():
            if _answers(health):
                return True
            if time.monotonic() > deadline:
                self.say(f"{health.full_url} did not answer within {START_TIMEOUT_S:.0f} s")
                return False
            time.sleep(POLL_S)
        return False

    def _watch(self) -> None:
        while not self.stop_requests and not self._first_dead():
            time.sleep(POLL_S)

    def _first_dead(self) -> str:
        return next((n for n, child in self.children.items() if child.poll() is not None), "")

    def _stop(self) -> None:
        dead = self._first_dead()
        if dead:
            self.say(f"{dead} {how_it_ended(self.children[dead])}: stopping the others")
        living = {n: c for n, c in self.children.items() if c.poll() is None}
        for child in living.values():
            child.terminate()
        self._wait_for_end(living)
        for name, child in self.children.items():
            if child.poll() is None:
                self.say(f"{name} did not end when told to: killed")
            _kill_session(child)
            child.wait()

    def _wait_for_end(self, living: Mapping[str, subprocess.Popen[bytes]]) -> None:
        """Give them time; a second Ctrl-C takes it away."""
        deadline, patience = time.monotonic() + self.stop_timeout_s, self.stop_requests + 1
        while any(child.poll() is None for child in living.values()):
            if time.monotonic() > deadline or self.stop_requests > patience:
                return
            time.sleep(POLL_S)


def how_it_ended(child: subprocess.Popen[bytes]) -> str:
    if child.returncode < 0:
        return f"(process {child.pid}) was ended by {signal.Signals(-child.returncode).name}"
    return f"(process {child.pid}) ended with exit code {child.returncode}"


def _kill_session(child: subprocess.Popen[bytes]) -> None:
    """What a killed main process left behind: pool workers, which nobody else would end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _answers(health: urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(health, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
