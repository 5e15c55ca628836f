"""Rows that belong to some thousand decisions: one parameter, whatever their number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Expression, F


class Among(Expression):
    """Whether a column of ids holds one of ``ids``.

    ``column IN (...)`` would send each id as a parameter of its own: slow, and on SQLite bounded.
    """

    output_field = BooleanField()
    conditional = True

    def __init__(self, column: str, ids: Sequence[UUID]) -> None:
        super().__init__()
        self.column: Any = F(column)
        self.ids = ids

    def get_source_expressions(self) -> list[Any]:
        return [self.column]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.column,) = exprs

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        sql, params = compiler.compile(self.column)
        return f"{sql} = ANY(%s::uuid[])", [*params, f"{{{','.join(map(str, self.ids))}}}"]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        sql, params = compiler.compile(self.column)
        listed = json.dumps([key.hex for key in self.ids])
        return f"{sql} IN (SELECT value FROM json_each(%s))", [*params, listed]  # noqa: S608
