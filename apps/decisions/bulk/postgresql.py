"""Bulk rows on PostgreSQL: COPY into a temporary table, then two inserts inside the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection

from apps.common.columns import one_trip
from apps.decisions.bulk import FEW, go_through

if TYPE_CHECKING:
    from apps.decisions.bulk import Plan, Rows

SLICE = 2_000  # rows that are written out at once
PART = 1_000  # tracked rows that the server writes while the next are written out
STEPS = 3  # of other work done beside each part
NULL = "\\N"


def _escaped(value: str) -> str:
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if "\n" in value or "\t" in value or "\r" in value:
        value = value.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return value


def _other(value: Any) -> str:
    return _escaped(str(value))


# How a value is written in COPY's text format, by its exact type; any other type by ``_other``.
ENCODERS: dict[type, Callable[[Any], str]] = {
    str: _escaped,
    int: str,
    UUID: str,
    bool: lambda value: "t" if value else "f",
    float: repr,
    bytes: lambda value: "\\\\x" + value.hex(),
    memoryview: lambda value: "\\\\x" + bytes(value).hex(),
    datetime: datetime.isoformat,  # aware: with its offset
}


def _text(value: Any) -> str:
    return NULL if value is None else ENCODERS.get(value.__class__, _other)(value)


def _texts(column: tuple[Any, ...]) -> Sequence[str]:
    """A column in COPY's text format.

    By column, not by row: a column is of one type, so that the type is asked for once, the search
    for characters to escape is one, and a repeated time or reference is written once.
    """
    types = set(map(type, column))
    missing = NoneType in types
    types.discard(NoneType)
    if types == {str}:
        whole = "".join([v for v in column if v is not None]) if missing else "".join(column)
        if "\\" in whole or "\n" in whole or "\t" in whole or "\r" in whole:
            return [NULL if value is None else _escaped(value) for value in column]
        return [NULL if value is None else value for value in column] if missing else column
    if types == {datetime} or types == {UUID}:
        places = [*map(id, column)]
        written = {place: _text(v) for place, v in dict(zip(places, column, strict=True)).items()}
        return [written[place] for place in places]
    if len(types) == 1:
        encode = ENCODERS.get(types.pop(), _other)
        if missing:
            return [NULL if value is None else encode(value) for value in column]
        return [*map(encode, column)]
    return [*map(_text, column)]


def _lines(plan: Plan, rows: Rows) -> Iterator[str]:
    """The rows in COPY's text format, some thousand at once."""
    # What every row shares is written once, behind the columns that differ.
    tail = "".join("\t" + _text(value) for value in plan.constants.values()) + "\n"
    for start in range(0, len(rows), SLICE):
        by_column = map(_texts, zip(*rows[start : start + SLICE], strict=True))
        lines = map("\t".join, zip(*by_column, strict=True))
        yield tail.join(lines) + tail


def _copy(cursor: Any, table: str, plan: Plan, lines: Iterable[str]) -> None:
    columns = ", ".join(f'"{column}"' for column in plan.columns)
    statement = f"COPY {table} ({columns}) FROM STDIN"
    # Django wraps the errors of execute alone.
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        for some in lines:
            copy.write(some)


def prepared(plan: Plan, rows: Rows) -> Rows | Iterable[str]:
    """Few rows as they are, many as COPY's text."""
    return rows if len(rows) < FEW else list(_lines(plan, rows))


def insert_rows(cursor: Any, plan: Plan, sent: Any) -> None:
    if isinstance(sent[0], str):
        _copy(cursor, f'"{plan.table}"', plan, sent)
    else:
        _insert(cursor, plan.table, plan.columns, _whole(plan, sent))


def _whole(plan: Plan, rows: Rows) -> list[list[Any]]:
    """The rows with every column of the plan."""
    constants = list(plan.constants.values())
    return [[*row, *constants] for row in rows]


def _insert(cursor: Any, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join(["%s"] * len(names))
    cursor.execute(
        f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([f"({marks})"] * len(rows))}',  # noqa: S608
        [value for row in rows for value in row],
    )


def insert_tracked(
    cursor: Any,
    plan: Plan,
    recorded: Mapping[str, Any],
    rows: Rows,
    meanwhile: Iterator[None],
) -> None:
    if len(rows) < FEW:
        _insert_few(cursor, plan, plan.history, recorded, rows)
        go_through(meanwhile)
        return
    # It stays as long as the connection: making one takes longer than writing fifty rows.
    cursor.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {_stage(plan)} ON COMMIT DELETE ROWS AS "  # noqa: S608
        f'SELECT * FROM "{plan.table}" WITH NO DATA'
    )
    lines = list(_lines(plan, rows[:PART]))
    for start in range(PART, len(rows) + PART, PART):
        with _written(cursor, plan, recorded, lines):
            following = rows[start : start + PART]
            lines = list(_lines(plan, following))
            go_through(meanwhile, STEPS if following else None)


def _stage(plan: Plan) -> str:
    return f'"stage_{plan.table}"'


@contextmanager
def _written(
    cursor: Any, plan: Plan, recorded: Mapping[str, Any], lines: Iterable[str]
) -> Iterator[None]:
    """Rows with their history: sent and not waited for, so that the server writes them while this
    process does what is inside."""
    columns = ", ".join(f'"{column}"' for column in plan.columns)
    shared = ", ".join(f'"{column}"' for column in plan.recorded)
    stage = _stage(plan)
    _copy(cursor, stage, plan, lines)
    names = ", ".join(f'"{name}"' for name in recorded)
    marks = ", ".join(["%s"] * len(recorded))
    with one_trip():
        cursor.execute(
            f'INSERT INTO "{plan.history}" ({shared}, "history_date", {names}) '  # noqa: S608
            f"SELECT {shared}, clock_timestamp(), {marks} FROM {stage}",
            list(recorded.values()),
        )
        cursor.execute(f'INSERT INTO "{plan.table}" ({columns}) SELECT {columns} FROM {stage}')  # noqa: S608
        cursor.execute(f"DELETE FROM {stage}")  # noqa: S608
        yield


def _insert_few(
    cursor: Any, plan: Plan, history: str, recorded: Mapping[str, Any], rows: Rows
) -> None:
    """History rows and rows in one statement, whose triggers fire when both are there: what the
    history has is handed on to the table. A secret is not in it: then the rows are sent apart."""
    keep, values = _keeping(plan, history, recorded, rows)
    if plan.recorded == plan.columns:
        columns = ", ".join(f'"{column}"' for column in plan.columns)
        cursor.execute(
            f"WITH kept AS ({keep} RETURNING {columns}) "  # noqa: S608
            f'INSERT INTO "{plan.table}" ({columns}) SELECT {columns} FROM kept',
            values,
        )
    else:
        cursor.execute(keep, values)
        _insert(cursor, plan.table, plan.columns, _whole(plan, rows))


def _keeping(
    plan: Plan, history: str, recorded: Mapping[str, Any], rows: Rows
) -> tuple[str, list[Any]]:
    """The insert of the history rows, and its values."""
    names = ", ".join(f'"{name}"' for name in [*plan.recorded, *recorded])
    marks = ", ".join(["%s"] * (len(plan.recorded) + len(recorded)))
    each = ", ".join([f"({marks}, clock_timestamp())"] * len(rows))
    places, more = [*map(plan.columns.index, plan.recorded)], list(recorded.values())
    values = [v for row in _whole(plan, rows) for v in (*(row[p] for p in places), *more)]
    return f'INSERT INTO "{history}" ({names}, "history_date") VALUES {each}', values  # noqa: S608
