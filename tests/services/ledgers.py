"""What the tests of the ledger share: a small sealed ledger, and an attacker with all rights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from apps.audit import delivery, sealing, triggers, verification
from apps.common.actor import Actor
from apps.registry.services import ai_system_register, ai_system_update

ANN = Actor("person", "1", "ann")


def seal_and_deliver() -> None:
    sealing.seal_all()
    delivery.deliver_all()


def small_ledger() -> None:
    """A dozen records in three checkpoints, delivered to the witness."""
    for name in ("alpha", "beta", "gamma"):
        system = ai_system_register(actor=ANN, name=name, provider=f"{name} ltd")
        ai_system_update(actor=ANN, system=system, reason="moved", provider=f"{name} inc")
        seal_and_deliver()


def findings(*, full: bool = True) -> list[dict[str, str]]:
    """The findings of a verification; each names table, record, kind and detail."""
    return list(verification.verify(full=full).findings)


def kinds(found: list[dict[str, str]]) -> set[str]:
    return {finding["kind"] for finding in found}


@contextmanager
def triggers_off(cursor: Any) -> Iterator[None]:
    """The owner of the database takes every trigger away, and puts them back to hide it."""
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"
        )
        tables = {row[0] for row in cursor.fetchall()}
        for table in tables:
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
        yield
        for table in tables:
            cursor.execute(
                "SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
                "WHERE NOT t.tgisinternal AND c.relname = %s",
                [table],
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER "{name}"')
    else:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        kept = cursor.fetchall()
        for name, _sql in kept:
            cursor.execute(f'DROP TRIGGER "{name}"')
        yield
        for _name, sql in kept:
            cursor.execute(sql)
    assert triggers.faults(connection) == []
