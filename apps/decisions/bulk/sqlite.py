"""Bulk rows on SQLite: one prepared statement for the history, one for the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils import timezone

from apps.decisions.bulk import go_through

if TYPE_CHECKING:
    from apps.decisions.bulk import Plan, Rows


def _time(value: Any) -> Any:
    """As Django writes a time: naive UTC, the fraction only where there is one."""
    return str(value.astimezone(UTC).replace(tzinfo=None)) if isinstance(value, datetime) else value


def _uuid(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    return value.replace("-", "") if isinstance(value, str) else value


ENCODERS: dict[str, Callable[[Any], Any]] = {"time": _time, "uuid": _uuid}


def _encoded(plan: Plan, rows: Rows) -> list[list[Any]]:
    """The rows with every column of the plan, as SQLite keeps them."""
    special = [
        (place, ENCODERS[plan.kinds[column]])
        for place, column in enumerate(plan.columns)
        if plan.kinds[column] in ENCODERS
    ]
    constants = list(plan.constants.values())
    found = []
    for row in rows:
        values = [*row, *constants]
        for place, encode in special:
            values[place] = encode(values[place])
        found.append(values)
    return found


def _insert(cursor: Any, table: str, names: list[str], rows: list[Any]) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join(["%s"] * len(names))
    cursor.executemany(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', rows)  # noqa: S608


def prepared(plan: Plan, rows: Rows) -> list[list[Any]]:
    return _encoded(plan, rows)


def insert_rows(cursor: Any, plan: Plan, sent: list[list[Any]]) -> None:
    _insert(cursor, plan.table, plan.columns, sent)


def insert_tracked(
    cursor: Any,
    plan: Plan,
    recorded: Mapping[str, Any],
    rows: Rows,
    meanwhile: Iterator[None],
) -> None:
    tail = [*recorded.values(), _time(timezone.now())]
    names = [*plan.recorded, *recorded, "history_date"]
    take = itemgetter(*(plan.columns.index(column) for column in plan.recorded))
    encoded = _encoded(plan, rows)
    _insert(cursor, plan.history, names, [(*take(values), *tail) for values in encoded])
    _insert(cursor, plan.table, plan.columns, encoded)
    go_through(meanwhile)
