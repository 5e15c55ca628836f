"""Real workers beside the suite: same database, same ledger key, a broker of the test's choice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
CI = os.environ.get("CI") == "true"
OWN_NAMES = ("PATH", "HOME", "LANG", "TMPDIR")


def need_server(name: str, port: int) -> None:
    """Leave the test out, in one line, where no such broker listens; in CI that is a failure."""
    with socket.socket() as probe:
        probe.settimeout(2)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return
    message = f"left out: no {name} listens on port {port}"
    if CI:
        pytest.fail(message)
    pytest.skip(message)


def database_url() -> str:
    """The database that this test uses now, its rights included, as DATABASE_URL has it."""
    entry = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{quote(str(Path(entry['NAME']).absolute()))}"
    login = quote(entry["USER"], safe="")
    if entry["PASSWORD"]:
        login += ":" + quote(entry["PASSWORD"], safe="")
    query = {"host": entry["HOST"], **entry["OPTIONS"]}
    port = f":{entry['PORT']}" if entry["PORT"] else ""
    return f"postgresql://{login}@{port}/{entry['NAME']}?{urlencode(query)}"


def environment(folder: Path, broker: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in OWN_NAMES if name in os.environ}
    return {
        **inherited,
        "DATA_DIR": str(folder),
        "DATABASE_URL": database_url(),
        "CELERY_BROKER_URL": broker,
        "LEDGER_KEY_FILE": str(settings.LEDGER_KEY_FILE),
        "LEDGER_ORIGIN": settings.LEDGER_ORIGIN,
        "PSEUDONYM_KEY": settings.PSEUDONYM_KEY,
        "WITNESS_DIR": str(settings.WITNESS_DIR),
    }


def until(condition: Callable[[], object], what: str, seconds: float = 90) -> None:
    """Wait for ``condition``; fail with ``what`` when the time is up. The machine may be busy."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"within {seconds:.0f} s not seen: {what}")
        time.sleep(0.05)


class Worker:
    """One worker process with its children, in a process group of its own."""

    def __init__(self, folder: Path, broker: str, words: tuple[str, ...]) -> None:
        self.log = folder / "worker.log"
        command = [sys.executable, "-m", "celery", "-A", "hitl_platform", "worker"]
        command += ["--pool", "prefork", "-c", "1", "--without-gossip", "--without-mingle"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--loglevel", "INFO", *words],
                cwd=ROOT,
                env=environment(folder, broker),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """Let it finish and acknowledge what it has in hand; kill it if it will not."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """kill -9 for the worker and its children alike: nobody gets to clean up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


@contextmanager
def worker(folder: Path, broker: str, *words: str) -> Iterator[Worker]:
    """A worker that is ready; stopped at the end, its log shown where the test fails."""
    started = Worker(folder, broker, words)
    try:
        until(lambda: " ready." in started.said(), "a worker that is ready")
        yield started
    except BaseException:
        print(started.said())
        raise
    finally:
        if started.process.poll() is None:
            started.stop()
