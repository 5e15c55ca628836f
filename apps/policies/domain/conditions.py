"""Conditions: what a rule or a mandate's scope asks of a decision, as data, never as code.

A condition is a comparison `{"field", "op", "value"}` or `{"all": [...]}`, `{"any": [...]}`,
`{"not": condition}` around others. A missing value makes every comparison false, also `!=` and
`not_in`; only `is_missing` sees it. `not` then turns such a false comparison into true: "not
(income > 5)" holds for a decision without an income. Confidence is the exception: where it is
missing it counts as 0 in comparisons, and `is_missing` still tells.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from apps.policies.domain.columns import BoolArray, Columns, amount_text
from apps.policies.domain.patterns import SafePattern
from apps.policies.domain.schema import FieldType

Op = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not_in", "between", "is_missing", "matches"]
Scalar = float | str | bool | Decimal
Operand = Scalar | tuple[Scalar, ...] | SafePattern

ORDER_OPS: Final[tuple[Op, ...]] = ("<", "<=", ">", ">=", "between")
LEVEL_OPS: Final[tuple[Op, ...]] = ("==", "!=", "in", "not_in", "is_missing")


@dataclass(frozen=True)
class Comparison:
    """One field against a value; `type` is the field's, resolved when the condition was read."""

    field: str
    type: FieldType
    op: Op
    value: Operand

    @cached_property
    def key(self) -> tuple[str, FieldType]:
        """The name and type under which the field's column is kept."""
        return self.field, self.type

    def mask(self, columns: Columns) -> BoolArray:
        column = columns.get(self.key)
        if self.op != "is_missing":
            return column.test(self.op, self.value)
        return column.missing() if self.value else ~column.missing()


@dataclass(frozen=True)
class AllOf:
    """Every part holds; with no part it holds for every decision."""

    parts: tuple["Condition", ...]

    def mask(self, columns: Columns) -> BoolArray:
        if not self.parts:
            return np.ones(columns.n, dtype=np.bool_)
        met = self.parts[0].mask(columns)
        for part in self.parts[1:]:
            if not np.count_nonzero(met):
                break
            met = met & part.mask(columns)
        return met


@dataclass(frozen=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple["Condition", ...]

    def mask(self, columns: Columns) -> BoolArray:
        met = self.parts[0].mask(columns)
        for part in self.parts[1:]:
            met = met | part.mask(columns)
        return met


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: "Condition"

    def mask(self, columns: Columns) -> BoolArray:
        return ~self.part.mask(columns)


Condition = Comparison | AllOf | AnyOf | Not


def evaluate(condition: Condition, columns: Columns) -> BoolArray:
    """Return which decisions meet a condition.

    Definition: as in the module's text; row by row independent, so that a row alone gives the
    same answer as among a million.
    Parameters: `condition`, read by `parse_condition`; `columns`, n decisions.
    Returns: boolean array of shape (n,).
    """
    return condition.mask(columns)


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Yield the comparisons of a condition from left to right.

    Parameters: `condition`, any condition.
    Returns: an iterator, empty for a condition that always holds.
    """
    if isinstance(condition, Comparison):
        yield condition
    elif isinstance(condition, Not):
        yield from comparisons(condition.part)
    else:
        for part in condition.parts:
            yield from comparisons(part)


def condition_data(condition: Condition) -> dict[str, Any]:
    """Return a condition as JSON data in its one normal form; reading that gives it back.

    Parameters: `condition`, any condition.
    Returns: nested objects; amounts as decimal strings, patterns by their source.
    """
    if isinstance(condition, Comparison):
        value = _operand_data(condition.value)
        return {"field": condition.field, "op": condition.op, "value": value}
    if isinstance(condition, Not):
        return {"not": condition_data(condition.part)}
    word = "all" if isinstance(condition, AllOf) else "any"
    return {word: [condition_data(part) for part in condition.parts]}


def _operand_data(value: Operand) -> Any:
    if isinstance(value, tuple):
        return [_operand_data(one) for one in value]
    if isinstance(value, SafePattern):
        return value.source
    if isinstance(value, Decimal):
        return amount_text(value)
    # 5.0 and 5 are one number and are written the same way.
    return int(value) if isinstance(value, float) and value.is_integer() else value
