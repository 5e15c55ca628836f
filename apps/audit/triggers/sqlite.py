"""The guarding triggers in SQLite's words."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.audit.sources import Source, sources
from apps.audit.triggers import CLOCK_SLACK_S, live_columns, protected_tables
from apps.audit.triggers.references import Reference, references

PREFIX = "hitl_"


def _trigger(name: str, when: str, table: str, condition: str, body: str) -> tuple[str, str, str]:
    condition = f" WHEN {condition}" if condition else ""
    sql = f'CREATE TRIGGER "{PREFIX}{name}" {when} ON "{table}" FOR EACH ROW{condition} BEGIN {body}; END'
    return f"{PREFIX}{name}", table, sql


def _refuse(message: str) -> str:
    return f"SELECT RAISE(ABORT, '{message}')"


def _append_only(table: str, keys: list[tuple[str, ...]]) -> Iterator[tuple[str, str, str]]:
    for verb in ("UPDATE", "DELETE"):
        message = f"append-only table {table}: {verb} is refused"
        yield _trigger(f"{verb.lower()}_{table}", f"BEFORE {verb}", table, "", _refuse(message))
    # REPLACE would delete the old row without firing its DELETE trigger: refuse the second key.
    same = " OR ".join(
        "(" + " AND ".join(f'"{column}" = NEW."{column}"' for column in key) + ")" for key in keys
    )
    yield _trigger(
        f"replace_{table}",
        "BEFORE INSERT",
        table,
        f'EXISTS (SELECT 1 FROM "{table}" WHERE {same})',
        _refuse(f"append-only table {table}: a row with this key exists"),
    )


def _pending(source: Source) -> Iterator[tuple[str, str, str]]:
    seconds = f"strftime('%s', NEW.\"{source.time}\") - strftime('%s', 'now')"
    yield _trigger(
        f"clock_{source.table}",
        "BEFORE INSERT",
        source.table,
        f"coalesce(abs({seconds}), {CLOCK_SLACK_S} + 1) > {CLOCK_SLACK_S}",
        _refuse(f"{source.table}: {source.time} differs from the database clock"),
    )
    yield _trigger(
        f"pending_{source.table}",
        "AFTER INSERT",
        source.table,
        "",
        "INSERT INTO audit_pendingrecord (record_type, record_id) "
        f"VALUES ('{source.type}', NEW.\"{source.key}\")",
    )


def _guard(source: Source) -> Iterator[tuple[str, str, str]]:
    assert source.live is not None
    table, key = source.live._meta.db_table, source.live._meta.pk.column
    same = " AND ".join(f'h."{c}" IS NEW."{c}"' for c in live_columns(source))
    newest = f'SELECT max(m.history_id) FROM "{source.table}" m WHERE m."{key}" = '
    recorded = (
        f'EXISTS (SELECT 1 FROM "{source.table}" h WHERE h.history_id = ({newest}NEW."{key}") '
        f"AND h.history_type <> '-' AND {same})"
    )
    ended = (
        f'EXISTS (SELECT 1 FROM "{source.table}" h WHERE h.history_id = ({newest}OLD."{key}") '
        f"AND h.history_type = '-')"
    )
    message = _refuse(
        f"{table}: the row differs from its newest history row; unrecorded writes are refused"
    )
    yield _trigger(f"guard_insert_{table}", "AFTER INSERT", table, f"NOT {recorded}", message)
    moved = f'OLD."{key}" <> NEW."{key}" OR NOT {recorded}'
    yield _trigger(f"guard_update_{table}", "AFTER UPDATE", table, moved, message)
    yield _trigger(f"guard_delete_{table}", "AFTER DELETE", table, f"NOT {ended}", message)


def _reference(reference: Reference) -> Iterator[tuple[str, str, str]]:
    table, column, target, key = reference
    lost = (
        f'NEW."{column}" IS NOT NULL AND NOT EXISTS '
        f'(SELECT 1 FROM "{target}" t WHERE t."{key}" = NEW."{column}")'
    )
    refused = _refuse(f"{table}: {column} refers to no row of {target}")
    name = f"refers_{table}_{column}"
    yield _trigger(f"{name}_insert", "AFTER INSERT", table, lost, refused)
    yield _trigger(f"{name}_update", f'AFTER UPDATE OF "{column}"', table, lost, refused)
    held = f'EXISTS (SELECT 1 FROM "{table}" r WHERE r."{column}" = OLD."{key}")'
    refused = _refuse(f"{target}: a row is referred to by {column} of {table}")
    name = f"referred_{target}_by_{table}_{column}"
    yield _trigger(f"{name}_delete", "AFTER DELETE", target, held, refused)
    moved = f'OLD."{key}" <> NEW."{key}" AND {held}'
    yield _trigger(f"{name}_key", f'AFTER UPDATE OF "{key}"', target, moved, refused)


def expected(tables: set[str]) -> dict[str, tuple[str, str]]:
    """Trigger name -> (table, CREATE statement) for the tables that stand."""
    wanted: list[tuple[str, str, str]] = []
    for table, keys in protected_tables().items():
        wanted += _append_only(table, keys)
    for source in sources().values():
        wanted += _pending(source)
        if source.live is not None and source.table in tables:
            wanted += _guard(source)
    for reference in references(tables):
        wanted += _reference(reference)
    return {name: (table, sql) for name, table, sql in wanted if table in tables}


def _present(connection: BaseDatabaseWrapper) -> dict[str, tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
        return {name: (table, sql) for name, table, sql in cursor.fetchall()}


def install(connection: BaseDatabaseWrapper, tables: set[str]) -> None:
    wanted, present = expected(tables), _present(connection)
    with connection.cursor() as cursor:
        for name in present:
            if name.startswith(PREFIX) and present[name] != wanted.get(name):
                cursor.execute(f'DROP TRIGGER "{name}"')
        for name, (_table, sql) in wanted.items():
            if present.get(name) != wanted[name]:
                cursor.execute(sql)


def step_aside(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for name in _present(connection):
            if name.startswith(PREFIX):
                cursor.execute(f'DROP TRIGGER "{name}"')


def faults(connection: BaseDatabaseWrapper, tables: set[str]) -> list[tuple[str, str]]:
    present = _present(connection)
    found = []
    for name, (table, sql) in expected(tables).items():
        if name not in present:
            found.append((table, f"trigger {name} is missing"))
        elif present[name] != (table, sql):
            found.append((table, f"trigger {name} was altered"))
    return found
