"""What the ledger does differently on SQLite: BEGIN IMMEDIATE is the lock, values converted here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

CHUNK = 900  # below SQLite's smallest limit of variables


def _uuid(value: str | None) -> str | None:
    if value is None:
        return None
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"


def _time(value: str | None) -> str | None:
    if value is None:
        return None
    day, clock = value[:10], value[11:]
    seconds, _, fraction = clock.partition(".")
    return f"{day}T{seconds}.{fraction.ljust(6, '0')}Z"


def _bool(value: int | None) -> bool | None:
    return None if value is None else bool(value)


CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "uuid": _uuid,
    "time": _time,
    "bool": _bool,
    "bytes": lambda value: None if value is None else bytes(value).hex(),
}


def expression(column: str, kind: str) -> str:
    # CAST AS TEXT keeps Django's own converters away: the stored text is what is wanted.
    return f"CAST({column} AS TEXT)" if kind in {"uuid", "time", "date"} else column


def converter(kind: str) -> Callable[[Any], Any] | None:
    return CONVERTERS.get(kind)


def lock_ledger(cursor: Any) -> None:
    """Nothing: transactions begin IMMEDIATE, so there is one writer at a time."""


def take_pending(cursor: Any, limit: int) -> list[tuple[int, str, int]]:
    cursor.execute(
        "SELECT id, record_type, record_id FROM audit_pendingrecord ORDER BY id LIMIT %s", [limit]
    )
    taken: list[tuple[int, str, int]] = cursor.fetchall()
    if taken:
        # One writer at a time: all pending rows up to the last are exactly those just read.
        cursor.execute("DELETE FROM audit_pendingrecord WHERE id <= %s", [taken[-1][0]])
    return taken


def select_by_key(
    cursor: Any, columns: Sequence[str], table: str, key: str, ids: Sequence[int]
) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(ids), CHUNK):
        part = list(ids[start : start + CHUNK])
        marks = ", ".join(["%s"] * len(part))
        cursor.execute(
            f'SELECT {", ".join(columns)} FROM "{table}" WHERE "{key}" IN ({marks})',  # noqa: S608
            part,
        )
        found += cursor.fetchall()
    return found


def insert_leaves(
    cursor: Any, reader: Any, entries: Sequence[tuple[int, int]]
) -> list[tuple[int, bytes]]:
    """Make the leaves of (leaf index, record id); returns (leaf index, leaf hash) of those made."""
    rows = list(reader.leaves(cursor, entries))
    cursor.executemany(
        'INSERT INTO audit_leaf ("index", record_type, record_id, "schema", at, actor_id, use_case, '
        "data, leaf_hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [(*row[:4], f"{row[4][:10]} {row[4][11:-1]}", *row[5:]) for row in rows],
    )
    return [(row[0], row[-1]) for row in rows]


def hashed_leaves(cursor: Any, after: int, limit: int) -> list[tuple[int, bytes, bytes]]:
    """(index, data, leaf hash) of the leaves behind ``after``, in order."""
    cursor.execute(
        'SELECT "index", CAST(data AS BLOB), leaf_hash FROM audit_leaf '
        'WHERE "index" > %s ORDER BY "index" LIMIT %s',
        [after, limit],
    )
    return cursor.fetchall()  # type: ignore[no-any-return]


def unlike_rows(
    cursor: Any, reader: Any, leaves: tuple[int, int], records: tuple[int, int]
) -> list[int] | None:
    """None: here every leaf is compared by the one who asks."""
    return None


def insert_nodes(cursor: Any, rows: Iterable[tuple[int, bytes]]) -> None:
    cursor.executemany("INSERT INTO audit_node (position, hash) VALUES (%s, %s)", list(rows))
