"""Rows that belong to some thousand decisions: one parameter, whatever their number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.db.models import BooleanField, Expression, F


class Keys:
    """Ids as the database writes them, put together once for all the queries that ask for them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    @cached_property
    def as_array(self) -> str:
        return f"{{{','.join(self.texts)}}}"

    @cached_property
    def as_json(self) -> str:
        return json.dumps(self.texts)


class Among(Expression):
    """Whether a column of ids holds one of ``keys``.

    ``column IN (...)`` would send each id as a parameter of its own: slow, and on SQLite bounded.
    """

    output_field = BooleanField()
    conditional = True

    def __init__(self, column: str, keys: Keys) -> None:
        super().__init__()
        self.column: Any = F(column)
        self.keys = keys

    def get_source_expressions(self) -> list[Any]:
        return [self.column]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.column,) = exprs

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        sql, params = compiler.compile(self.column)
        return f"{sql} = ANY(%s::uuid[])", [*params, self.keys.as_array]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        sql, params = compiler.compile(self.column)
        within = "IN (SELECT value FROM json_each(%s))"
        return f"{sql} {within}", [*params, self.keys.as_json]
