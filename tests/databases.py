"""Copies of the migrated test database, for tests that must commit."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection, connections

ROOT = Path(__file__).resolve().parents[1]
APP_ROLE = f"hitl_suite_app_{os.getpid()}"
AUDITOR_ROLE = f"hitl_suite_auditor_{os.getpid()}"


def migrated(folder: Path) -> Path:
    """The migrated SQLite database of ``folder``; whoever comes first makes it, the others wait."""
    made = folder / "migrated"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            fresh = folder / "migrating"
            kept = {
                name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ
            }
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
                cwd=ROOT,
                env={**kept, "DATA_DIR": str(fresh)},
                check=True,
            )
            fresh.rename(made)
    return made / "platform.sqlite3"


def copy_sqlite(source: str | Path, target: str | Path) -> None:
    """Through SQLite, which knows what still stands in the write-ahead log."""
    original, copy = sqlite3.connect(source), sqlite3.connect(target)
    original.backup(copy)
    original.close()
    copy.close()


def server_connection(database: str) -> psycopg.Connection[Any]:
    """A connection of its own, as the owner, outside Django."""
    settings = connection.settings_dict
    return psycopg.connect(
        dbname=database,
        user=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
        host=settings["HOST"] or None,
        port=settings["PORT"] or None,
        autocommit=True,
    )


@contextmanager
def fresh_copy() -> Iterator[None]:
    """Point Django at a fresh copy of the migrated database; on PostgreSQL as the app role."""
    template = connection.settings_dict["NAME"]
    options = connection.settings_dict["OPTIONS"]
    connections.close_all()
    make = _sqlite_copy if connection.vendor == "sqlite" else _postgresql_copy
    with make(template) as name:
        connection.settings_dict["NAME"] = name
        if connection.vendor == "postgresql":
            connection.settings_dict["OPTIONS"] = {**options, "options": f"-c role={APP_ROLE}"}
        try:
            yield
        finally:
            connections.close_all()
            connection.settings_dict["NAME"] = template
            connection.settings_dict["OPTIONS"] = options


@contextmanager
def _sqlite_copy(template: str) -> Iterator[str]:
    name = f"{template}.{uuid.uuid4().hex[:8]}"
    copy_sqlite(template, name)
    try:
        yield name
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(name + suffix).unlink(missing_ok=True)


@contextmanager
def _postgresql_copy(template: str) -> Iterator[str]:
    from apps.audit.databases.roles import grant_statements

    name = f"hitl_copy_{uuid.uuid4().hex[:12]}"
    with server_connection("postgres") as server:
        _make_roles(server)
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        # Nobody takes the server's power away here: a commit need not wait for the disk.
        server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    try:
        with server_connection(name) as owner:
            # As docker/roles.sh does: what the app may do, the grants below must say.
            owner.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
            for statement in grant_statements(APP_ROLE, AUDITOR_ROLE):
                owner.execute(statement)
        yield name
    finally:
        with server_connection("postgres") as server:
            server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _make_roles(server: psycopg.Connection[Any]) -> None:
    for role in (APP_ROLE, AUDITOR_ROLE):
        if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            server.execute(f'CREATE ROLE "{role}" NOLOGIN')


def drop_roles() -> None:
    if connection.vendor == "postgresql":
        with server_connection("postgres") as server:
            for role in (APP_ROLE, AUDITOR_ROLE):
                server.execute(f'DROP ROLE IF EXISTS "{role}"')


@contextmanager
def owner_cursor() -> Iterator[Any]:
    """A cursor of the database's owner, committing each statement: the attacker with all rights."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        raw = sqlite3.connect(name, isolation_level=None, timeout=30)
        try:
            yield raw.cursor()
        finally:
            raw.close()
    else:
        with server_connection(name) as raw, raw.cursor() as cursor:
            yield cursor
