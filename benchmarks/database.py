"""A database and a data folder of the benchmarks' own, gone when they end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parents[1]
STANDARD = "postgresql://postgres@127.0.0.1:5432/postgres"


@contextmanager
def own_database(what: str = "") -> Iterator[dict[str, str]]:
    """The environment in which the platform runs on a fresh, migrated database; ``what`` tells it
    apart from others of this run."""
    server = os.environ.get("TEST_DATABASE_URL", STANDARD)
    name = f"hitl_bench_{os.getpid()}{what and '_'}{what}"
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    _execute(server, f'CREATE DATABASE "{name}"')
    try:
        with tempfile.TemporaryDirectory(prefix="hitl-bench-") as folder:
            environment = {**os.environ, "DATABASE_URL": url, "DATA_DIR": folder}
            environment |= {"PLATFORM_MODE": "embedded", "LOG_LEVEL": "WARNING"}
            environment |= {"DJANGO_SETTINGS_MODULE": "hitl_platform.settings"}
            command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
            yield environment
    finally:
        _execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _execute(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
