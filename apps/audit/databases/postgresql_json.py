"""A record's canonical JSON (RFC 8785) as an SQL expression, so that the server writes it.

It gives the bytes that FlatRecordEncoder gives, several times as fast, or NULL where SQL has no
exact words for a value: those few records are written in Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import dumps

from apps.audit.domain.canonical import MAX_SAFE_INTEGER

# Column -> the JSON text of a value that is not NULL. PostgreSQL escapes exactly what RFC 8785
# section 3.2.2.2 escapes, and in the same form.
VALUES = {
    "text": "to_json({0}::text)::text",
    "int": f"CASE WHEN {{0}} BETWEEN -{MAX_SAFE_INTEGER} AND {MAX_SAFE_INTEGER} THEN {{0}}::text END",
    "bool": "{0}::text",
    "uuid": "'\"' || {0}::text || '\"'",
    "time": "'\"' || to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') || '\"'",
    "date": "'\"' || to_char({0}, 'YYYY-MM-DD') || '\"'",
    "bytes": "'\"' || encode({0}, 'hex') || '\"'",
    "decimal4": "'\"' || ({0}::numeric * 0.0001)::text || '\"'",
    # As Python's repr: a point or an exponent always. From 1e15 to 1e16 the two differ in form.
    "float": (
        "CASE WHEN abs({0}) < 1e15 THEN '\"' || {0}::text || "
        "CASE WHEN {0} = trunc({0}) THEN '.0\"' ELSE '\"' END "
        "WHEN abs({0}) >= 1e16 AND abs({0}) < 'Infinity' THEN '\"' || {0}::text || '\"' END"
    ),
}


def record_expression(
    record_type: str, schema: int, columns: Mapping[str, str], kinds: Mapping[str, str]
) -> str:
    """SQL for the JSON text of a row ``h``. ``columns``: field -> its column; ``kinds``: its kind."""
    constants = {"type": dumps(record_type), "schema": str(schema)}
    parts = list(_parts(constants, columns, kinds))
    return " || ".join([*parts, "'}'"])


def _parts(
    constants: Mapping[str, str], columns: Mapping[str, str], kinds: Mapping[str, str]
) -> Iterator[str]:
    separator = "{"
    for name in sorted({*constants, *columns}):
        member = f"{separator}{dumps(name)}:"
        if name in constants:
            yield f"'{member}{constants[name]}'"
        else:
            column = f'h."{columns[name]}"'
            value = VALUES[kinds[name]].format(column)
            yield f"'{member}'"
            missing = f"CASE WHEN {column} IS NULL THEN 'null' END"
            yield f"coalesce({value}, {missing})"
        separator = ","
