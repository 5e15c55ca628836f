"""Database triggers that guard the trail: installed after every migrate, checked ever after.

- *append-only*: history and ledger tables refuse UPDATE, DELETE, TRUNCATE and replacement;
- *pending*: each new record enters the pending list in its own transaction, whatever wrote it, and
  must carry the database's own time to within ``CLOCK_SLACK_S``;
- *guard*: a live row of a tracked model must equal its newest history row, so the history row is
  written first, and a write that skips it (raw SQL, a bulk update) is refused.

One module per database holds the SQL; both offer ``install`` and ``faults``.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.audit.sources import Source, sources
from apps.common.models import APPEND_ONLY

CLOCK_SLACK_S = 300


def _database(connection: BaseDatabaseWrapper) -> ModuleType:
    from apps.audit.triggers import postgresql, sqlite

    return {"postgresql": postgresql, "sqlite": sqlite}[connection.vendor]


def protected_tables() -> dict[str, list[tuple[str, ...]]]:
    """Append-only table -> its unique keys (column tuples), primary key first."""
    tables: dict[str, list[tuple[str, ...]]] = {}
    for model in [source.model for source in sources().values()] + list(APPEND_ONLY):
        options = model._meta
        keys: list[tuple[str, ...]] = [(str(options.pk.column),)]
        keys += [
            (str(f.column),) for f in options.concrete_fields if f.unique and not f.primary_key
        ]
        for constraint in options.total_unique_constraints:
            fields: list[Any] = [options.get_field(name) for name in constraint.fields]
            keys.append(tuple(str(field.column) for field in fields))
        tables[options.db_table] = keys
    return tables


def present_sources(connection: BaseDatabaseWrapper) -> list[Source]:
    """Sources whose tables stand (a half-migrated database has fewer)."""
    tables = set(connection.introspection.table_names())
    return [s for s in sources().values() if s.table in tables]


def install(connection: BaseDatabaseWrapper) -> None:
    """Put every trigger in place, as the models stand now. Safe to repeat."""
    tables = set(connection.introspection.table_names())
    _database(connection).install(connection, tables)


def step_aside(connection: BaseDatabaseWrapper) -> None:
    """Before a migration: remove the triggers where tables are changed by remaking them."""
    _database(connection).step_aside(connection)


def faults(connection: BaseDatabaseWrapper) -> list[tuple[str, str]]:
    """(table, what is wrong) for each trigger that is missing, switched off or altered."""
    tables = set(connection.introspection.table_names())
    found: list[tuple[str, str]] = _database(connection).faults(connection, tables)
    return found


def live_columns(source: Source) -> list[str]:
    """Columns that the live table and its history share, the key first."""
    assert source.live is not None
    shared = {f.column for f in source.model._meta.concrete_fields}
    return [str(f.column) for f in source.live._meta.concrete_fields if f.column in shared]
