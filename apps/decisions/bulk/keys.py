"""Conditions on thousands of keys at once: the keys travel as parameters, not one by one.

Each returns SQL without any value in it, and its parameters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

Condition = tuple[str, list[Any]]
LISTED = "(SELECT value FROM json_each(%s))"
LISTED_PAIRS = (
    "(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(%s))"
)
PAIRED_ARRAYS = "(SELECT * FROM unnest(%s::uuid[], %s::uuid[]))"


def _on_postgresql() -> bool:
    return connection.vendor == "postgresql"


def among_texts(column: str, values: Sequence[str]) -> Condition:
    """``column`` is one of the texts."""
    if _on_postgresql():
        return f"{column} = ANY(%s::text[])", [list(values)]
    return f"{column} IN {LISTED}", [json.dumps(values)]


def by_texts(query: str, column: str, values: Sequence[str]) -> Condition:
    """The rows of ``query``, which ends in a condition, where ``column`` is one of the texts.

    On PostgreSQL one look at the index for each text, whatever the planner thinks that it knows
    of a table that has just grown: ``ANY`` would have it read all cases of a use case each time.
    ``query`` has no parameter before those of its condition; they come behind the texts.
    """
    if _on_postgresql():
        each = f"LATERAL ({query} AND {column} = sought.value OFFSET 0) AS found"
        return f"SELECT found.* FROM unnest(%s::text[]) AS sought(value), {each}", [list(values)]  # noqa: S608
    # SQLite numbers its parameters by place: the texts come first here too
    among = f"{query} AND {column} IN (SELECT value FROM sought)"  # noqa: S608
    return f"WITH sought AS MATERIALIZED {LISTED} {among}", [json.dumps(values)]


def among_uuids(column: str, values: Sequence[str]) -> Condition:
    """``column`` is one of the UUIDs, given as text."""
    if _on_postgresql():
        return f"{column} = ANY(%s::uuid[])", [list(values)]
    return f"{column} IN {LISTED}", [json.dumps([_stored(value) for value in values])]


def among_pairs(first: str, second: str, pairs: Sequence[tuple[str, str]]) -> Condition:
    """The two columns are one of the pairs of UUIDs, given as text."""
    if _on_postgresql():
        arrays = [[pair[0] for pair in pairs], [pair[1] for pair in pairs]]
        return f"({first}, {second}) IN {PAIRED_ARRAYS}", arrays
    listed = json.dumps([(_stored(one), _stored(other)) for one, other in pairs])
    return f"({first}, {second}) IN {LISTED_PAIRS}", [listed]


def _stored(value: str) -> str:
    """SQLite keeps a UUID without hyphens."""
    return value.replace("-", "")
