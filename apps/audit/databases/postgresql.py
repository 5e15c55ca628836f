"""What the ledger does differently on PostgreSQL: advisory lock, COPY, records made by the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg

from apps.audit.databases.postgresql_json import record_expression

LOCK = 0x4849544C  # "HITL": one sealer at a time in this database

EXPRESSIONS = {
    "uuid": "{0}::text",
    "time": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    "date": "to_char({0}, 'YYYY-MM-DD')",
    "bytes": "encode({0}, 'hex')",
}
CONVERTERS: dict[str, Callable[[Any], Any]] = {}


def expression(column: str, kind: str) -> str:
    return EXPRESSIONS.get(kind, "{0}").format(column)


def converter(kind: str) -> Callable[[Any], Any] | None:
    return CONVERTERS.get(kind)


def lock_ledger(cursor: Any) -> None:
    """One sealer at a time; and floats in their shortest exact form, whatever the server's setting."""
    cursor.execute(
        "SELECT pg_advisory_xact_lock(%s), set_config('extra_float_digits', '1', true)", [LOCK]
    )


def take_pending(cursor: Any, limit: int) -> list[tuple[int, str, int]]:
    """The oldest pending rows that this transaction sees, removed: one statement, one snapshot.

    By their place in the table, since by id the server would scan all that wait, batch after batch.
    """
    cursor.execute(
        "DELETE FROM audit_pendingrecord WHERE ctid = ANY(ARRAY("
        "SELECT ctid FROM audit_pendingrecord ORDER BY id LIMIT %s)) "
        "RETURNING id, record_type, record_id",
        [limit],
    )
    taken: list[tuple[int, str, int]] = cursor.fetchall()
    return sorted(taken)


def select_by_key(
    cursor: Any, columns: Sequence[str], table: str, key: str, ids: Sequence[int]
) -> list[tuple[Any, ...]]:
    cursor.execute(
        f'SELECT {", ".join(columns)} FROM "{table}" WHERE "{key}" = ANY(%s::bigint[])',  # noqa: S608
        [_array(ids)],
    )
    return cursor.fetchall()  # type: ignore[no-any-return]


def _array(numbers: Iterable[int]) -> str:
    """An array literal: the driver's own takes longer than the query."""
    return "{" + ",".join(map(str, numbers)) + "}"


def insert_leaves(
    cursor: Any, reader: Any, entries: Sequence[tuple[int, int]]
) -> list[tuple[int, bytes]]:
    """Make the leaves of (leaf index, record id); returns (leaf index, leaf hash) of those made.

    The server writes and hashes the records; the few that it has no exact words for, and none
    that has no row, come from ``reader``.
    """
    cursor.execute(*_insertion(reader, entries))
    made = [(index, bytes(digest)) for index, digest in cursor.fetchall()]
    if len(made) < len(entries):
        done = {index for index, _digest in made}
        rows = list(reader.leaves(cursor, [entry for entry in entries if entry[0] not in done]))
        _copy_leaves(cursor, rows)
        made += [(row[0], row[-1]) for row in rows]
    return made


def _insertion(reader: Any, entries: Sequence[tuple[int, int]]) -> tuple[str, dict[str, int | str]]:
    """The statement and its values.

    OFFSET 0 keeps the server from writing each record twice, once to see whether it is NULL.
    """
    source, listed = reader.source, _listed(reader.source)
    leaf_index, origin, values = _numbered(f'h."{source.key}"', entries)
    statement = f"""
        INSERT INTO audit_leaf
          ("index", record_type, record_id, "schema", at, actor_id, use_case, data, leaf_hash)
        SELECT leaf_index, '{source.type}', id, {reader.schema.number}, at, actor, use_case, data,
          sha256('\\x00'::bytea || convert_to(data, 'UTF8'))
        FROM (
          SELECT {leaf_index} AS leaf_index, h."{source.key}" AS id, {listed["at"]} AS at,
            {listed["actor_id"]} AS actor, {listed["use_case"]} AS use_case,
            {_expression(reader)} AS data
          FROM "{source.table}" h {origin}
          WHERE h."{source.key}" BETWEEN %(low)s AND %(high)s OFFSET 0) r
        WHERE data IS NOT NULL
        RETURNING "index", leaf_hash"""  # noqa: S608
    return statement, values


def _numbered(
    key: str, entries: Sequence[tuple[int, int]]
) -> tuple[str, str, dict[str, int | str]]:
    """(SQL of a row's leaf index, of what to join for it, values) of (leaf index, record id).

    Records that follow each other without a gap, as bulk writes leave them, need no list: their
    leaf index is their id, moved. The bounds of the key let the server read a run of rows in order
    instead of looking up each.
    """
    ids = [record_id for _index, record_id in entries]
    values: dict[str, int | str] = {"low": min(ids), "high": max(ids)}
    distances = {index - record_id for index, record_id in entries}
    if len(distances) == 1:
        return f"{key} + %(distance)s", "", values | {"distance": distances.pop()}
    values |= {"ids": _array(ids), "indexes": _array(index for index, _id in entries)}
    listed = "unnest(%(indexes)s::bigint[], %(ids)s::bigint[]) AS p (leaf_index, id)"
    return "p.leaf_index", f"JOIN {listed} ON p.id = {key}", values


def _expression(reader: Any) -> str:
    return record_expression(
        *(reader.source.type, reader.schema.number),
        *(reader.columns, reader.schema.fields, reader.never_null),
    )


def _listed(source: Any) -> dict[str, str]:
    """The columns that a leaf is listed by, as its row ``h`` gives them."""
    return {
        "at": f'h."{source.time}"',
        "actor_id": f'h."{source.actor}"::text' if source.actor else "''",
        "use_case": f"nullif(h.\"{source.use_case}\"::text, '')" if source.use_case else "NULL",
    }


def hashed_leaves(cursor: Any, after: int, limit: int) -> list[tuple[int, bytes, bytes]]:
    """(index, data, leaf hash) of the leaves behind ``after``, in order.

    In the driver's binary format, which spares both sides most of the work.
    """
    with cursor.db.wrap_database_errors, psycopg.Cursor(cursor.db.connection) as binary:
        binary.execute(
            "SELECT \"index\", convert_to(data, 'UTF8'), leaf_hash FROM audit_leaf "
            'WHERE "index" > %s ORDER BY "index" LIMIT %s',
            [after, limit],
            binary=True,
        )
        return binary.fetchall()


def unlike_rows(
    cursor: Any, reader: Any, leaves: tuple[int, int], records: tuple[int, int]
) -> list[int] | None:
    """Indexes of the leaves, first to last, that are not what their rows give or not listed so.

    Only leaves under the reader's schema, whose records lie in ``records``; what is found here is
    looked at again, value by value. None where the rows cannot give the whole record any more.
    """
    if reader.missing:
        return None
    source, listed = reader.source, _listed(reader.source)
    cursor.execute(
        f"""
        SELECT l."index" FROM audit_leaf l LEFT JOIN "{source.table}" h
          ON h."{source.key}" = l.record_id AND h."{source.key}" BETWEEN %s AND %s
        WHERE l."index" BETWEEN %s AND %s AND l.record_type = %s AND l."schema" = %s
          AND (l.data = {_expression(reader)} AND l.at = {listed["at"]}
            AND l.actor_id = {listed["actor_id"]}
            AND l.use_case IS NOT DISTINCT FROM {listed["use_case"]}) IS NOT TRUE
        ORDER BY l."index"
        """,  # noqa: S608
        [*records, *leaves, source.type, reader.schema.number],
    )
    return [index for (index,) in cursor.fetchall()]


def _copy_leaves(
    cursor: Any, rows: Iterable[tuple[int, str, int, int, str, str, str | None, str, bytes]]
) -> None:
    """(index, type, id, schema, time, actor, use case, data, hash) by COPY."""
    lines = []
    for index, record_type, record_id, schema, at, actor, use_case, data, leaf_hash in rows:
        case = "\\N" if use_case is None else use_case.replace("\\", "\\\\")
        # JSON escapes tabs and newlines itself; only its backslashes need doubling.
        lines.append(
            f"{index}\t{record_type}\t{record_id}\t{schema}\t{at}\t{_text(actor)}\t{case}\t"
            f"{data.replace(chr(92), chr(92) * 2)}\t\\\\x{leaf_hash.hex()}\n"
        )
    statement = (
        'COPY audit_leaf ("index", record_type, record_id, "schema", at, actor_id, use_case, data, '
        "leaf_hash) FROM STDIN"
    )
    with cursor.copy(statement) as copy:
        copy.write("".join(lines))


def _text(value: str) -> str:
    return (
        value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    )


def insert_nodes(cursor: Any, rows: Iterable[tuple[int, bytes]]) -> None:
    with cursor.copy("COPY audit_node (position, hash) FROM STDIN") as copy:
        copy.write("".join([f"{position}\t\\\\x{digest.hex()}\n" for position, digest in rows]))
