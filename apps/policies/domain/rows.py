"""Decisions as their senders write them, read into columns.

A value that does not have its field's declared type counts as missing here; whoever accepts
decisions refuses it before.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np

from apps.policies.domain.columns import (
    Column,
    Columns,
    FloatArray,
    NumberColumn,
    PresenceColumn,
    amount_column,
    confidence_column,
    level_column,
)
from apps.policies.domain.schema import FieldType

Decision = Mapping[str, Any]
_NAN: Final = math.nan
_MAX_DIGITS: Final = 30  # "1e999999999" is a short string and an enormous integer
_EMPTY: Final[Mapping[str, Any]] = {}


def columns_from_decisions(decisions: Sequence[Decision]) -> Columns:
    """Return decisions as lazily read columns.

    Parameters: `decisions`, objects with `external_id`, `model_version`, `kind`, `output` (None
    when no model has answered yet), and optionally `amount` (decimal string or Decimal),
    `features`, and `subject` with `attributes`.
    Returns: columns of the same length and order.
    """
    unanswered = [decision.get("output") is None for decision in decisions]
    return Columns(
        len(decisions),
        load=_Reader(decisions),
        external_ids=[decision["external_id"] for decision in decisions],
        no_output=np.array(unanswered) if True in unanswered else None,
    )


class _Reader:
    """Makes the column of a field out of the decisions."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self.decisions = decisions

    def __call__(self, name: str, field_type: FieldType) -> Column | None:
        if name == "novelty":
            return None  # needs a reference profile, which the decisions do not carry
        prefix, _, feature = name.partition(".")
        if prefix == "feature":
            values = [found.get(feature) for found in self._features]
        else:
            read = _reader_of(name)
            values = [read(decision) for decision in self.decisions]
        if name == "confidence":
            return confidence_column(_numbers(values))
        return _COLUMN_OF_TYPE[field_type](values)

    @cached_property
    def _features(self) -> list[Mapping[str, Any]]:
        return [decision.get("features") or _EMPTY for decision in self.decisions]


@lru_cache(maxsize=4096)
def _reader_of(name: str) -> Callable[[Decision], Any]:
    """Return what reads a field from a decision; remembered, since routing asks for each call."""
    prefix, _, rest = name.partition(".")
    if prefix == "subject":
        return lambda decision: _attributes(decision).get(rest)
    if prefix == "output":
        return lambda decision: _output_value(decision, rest)
    return _PLAIN_READERS[name]


def _attributes(decision: Decision) -> Mapping[str, Any]:
    return (decision.get("subject") or _EMPTY).get("attributes") or _EMPTY


def _label(decision: Decision) -> Any:
    return (decision.get("output") or _EMPTY).get("label")


def _confidence(decision: Decision) -> float:
    """Return the sender's confidence; for named fields the lowest, missing when one is missing."""
    output = decision.get("output") or _EMPTY
    if decision.get("kind") != "fields":
        return _number(output.get("confidence"))
    each = [_number((one or _EMPTY).get("confidence")) for one in _named_fields(output).values()]
    # A missing confidence counts as 0 and so is the lowest.
    return min(each) if each and not any(map(math.isnan, each)) else _NAN


def _named_fields(output: Mapping[str, Any]) -> Mapping[str, Any]:
    return output.get("fields") or _EMPTY


def _margin(decision: Decision) -> float:
    """Return the difference of the two largest scores, missing with fewer than two."""
    scores = (decision.get("output") or _EMPTY).get("scores") or _EMPTY
    usable = [score for score in map(_number, scores.values()) if score == score]  # not NaN
    usable.sort()
    return usable[-1] - usable[-2] if len(usable) > 1 else _NAN


def _output_value(decision: Decision, name: str) -> Any:
    output = decision.get("output") or _EMPTY
    kind = decision.get("kind")
    if kind == "fields":
        return (_named_fields(output).get(name) or _EMPTY).get("value")
    if kind == "action" and name != "name":
        return (output.get("arguments") or _EMPTY).get(name)
    if name.startswith("scores."):
        return (output.get("scores") or _EMPTY).get(name.removeprefix("scores."))
    return output.get(name)


_PLAIN_READERS: Final[dict[str, Callable[[Decision], Any]]] = {
    "confidence": _confidence,
    "margin": _margin,
    "label": _label,
    "amount": lambda decision: decision.get("amount"),
    "model_version": lambda decision: decision.get("model_version"),
}


def _number(value: Any) -> float:
    """Return a finite number as a double, NaN for anything else (a boolean is not a number)."""
    if type(value) is float:
        return value if math.isfinite(value) else _NAN
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return _NAN
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return _NAN
    return number if math.isfinite(number) else _NAN


def _numbers(values: list[Any]) -> FloatArray:
    """Return ``_number`` of each; nearly always all are doubles, which need no look one by one."""
    if set(map(type, values)) != {float}:
        return np.array([_number(value) for value in values])
    doubles = np.array(values)
    doubles[~np.isfinite(doubles)] = _NAN
    return doubles


def _category(value: Any) -> str | None:
    """Return a level's name; whole numbers and booleans, as senders code levels, by their text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None


def _date(value: Any) -> str | None:
    """Return the date part of an ISO 8601 date or time, as written."""
    if not isinstance(value, str):
        return value.isoformat()[:10] if isinstance(value, date) else None
    try:
        return date.fromisoformat(value[:10]).isoformat() if value[4:5] == "-" else None
    except ValueError:
        return None


def read_amount(value: Any) -> Decimal | None:
    """Return a non-negative amount of money exactly, None for anything else.

    Parameters: `value`, a decimal string, Decimal or whole number; a double is refused, since it
    does not hold cents exactly.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    plausible = (
        amount.is_finite() and amount >= 0 and -_MAX_DIGITS < amount.adjusted() < _MAX_DIGITS
    )
    return amount if plausible else None


_COLUMN_OF_TYPE: Final[dict[FieldType, Callable[[list[Any]], Column]]] = {
    "number": lambda values: NumberColumn(_numbers(values)),
    "category": lambda values: level_column(map(_category, values)),
    "boolean": lambda values: level_column(v if isinstance(v, bool) else None for v in values),
    "text": lambda values: level_column(v if isinstance(v, str) else None for v in values),
    "date": lambda values: level_column(map(_date, values)),
    "amount": lambda values: amount_column([read_amount(value) for value in values]),
    "any": lambda values: PresenceColumn(np.array([value is None for value in values])),
}
