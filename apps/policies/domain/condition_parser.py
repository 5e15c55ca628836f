"""Reading conditions: data in, a typed tree or every fault out."""

import math
import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, cast

from apps.policies.domain.conditions import (
    LEVEL_OPS,
    ORDER_OPS,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Not,
    Op,
    Operand,
    Scalar,
)
from apps.policies.domain.patterns import SafePattern, UnsafePatternError
from apps.policies.domain.schema import FieldType, InvalidDocumentError, Problem, UseCaseSchema

MAX_DEPTH: Final = 64
MAX_LIST: Final = 1_000
# Fourteen digits before the point keep every amount within 64 bits of 1/10,000.
_AMOUNT: Final = re.compile(r"-?[0-9]{1,14}(\.[0-9]{1,4})?")

_ORDERED: Final = (*LEVEL_OPS, *ORDER_OPS)
OPS_OF_TYPE: Final[dict[FieldType, tuple[Op, ...]]] = {
    "number": _ORDERED,
    "amount": _ORDERED,
    "date": _ORDERED,
    "category": (*LEVEL_OPS, "matches"),
    "text": (*LEVEL_OPS, "matches"),
    "boolean": ("==", "!=", "is_missing"),
    "any": (*_ORDERED, "matches"),
}
_NAMING_OPS: Final = ("==", "!=", "in", "not_in")
ALL_OPS: Final = OPS_OF_TYPE["any"]


def parse_condition(data: object, schema: UseCaseSchema, pointer: str = "") -> Condition:
    """Return a condition read from data.

    Definition: a comparison has exactly `field`, `op`, `value` (`is_missing` may leave `value`
    out: true); `all` and `any` hold a list, `not` one condition. `{"all": []}` holds always, an
    empty `any` is refused. `matches` searches anywhere in the text, see the patterns module.
    Parameters: `data`, decoded JSON; `schema`, the use case's fields and types; `pointer`, JSON
    pointer of `data` in its document.
    Returns: a frozen, typed condition, at most 64 levels deep.
    Errors: InvalidDocumentError with every fault, its JSON pointer, the value seen and what is
    allowed.
    """
    problems: list[Problem] = []
    condition = read_condition(data, schema, pointer, problems)
    if condition is None or problems:
        raise InvalidDocumentError(problems)
    return condition


def read_condition(
    data: object, schema: UseCaseSchema, pointer: str, problems: list[Problem]
) -> Condition | None:
    """Return a condition, or None after adding every fault to `problems`.

    Parameters: as for `parse_condition`; `problems`, extended in place.
    """
    return _Reader(schema, problems).condition(data, pointer, 1)


def shown(value: object) -> str:
    """Return a value as a message quotes it: on one line and not longer than 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class _Reader:
    def __init__(self, schema: UseCaseSchema, problems: list[Problem]) -> None:
        self.schema = schema
        self.problems = problems

    def fault(self, pointer: str, detail: str) -> None:
        self.problems.append(Problem(pointer, detail))

    def condition(self, data: object, pointer: str, depth: int) -> Condition | None:
        if depth > MAX_DEPTH:
            self.fault(pointer, f"conditions nest deeper than {MAX_DEPTH} levels")
            return None
        if not isinstance(data, dict):
            self.fault(pointer, f"{shown(data)} is not a condition: an object is needed")
            return None
        word = next((word for word in ("all", "any", "not") if word in data), None)
        if word is None:
            return self.comparison(data, pointer)
        if len(data) > 1:
            others = sorted(str(key) for key in data if key != word)
            self.fault(pointer, f"'{word}' stands alone, here are also {shown(others)}")
        if word == "not":
            part = self.condition(data["not"], f"{pointer}/not", depth + 1)
            return None if part is None else Not(part)
        return self.parts(word, data[word], f"{pointer}/{word}", depth)

    def parts(self, word: str, data: object, pointer: str, depth: int) -> Condition | None:
        if not isinstance(data, list):
            self.fault(pointer, f"{shown(data)} is not a list of conditions")
            return None
        if word == "any" and not data:
            self.fault(pointer, "an empty 'any' can never hold; name at least one condition")
            return None
        read = [self.condition(one, f"{pointer}/{k}", depth + 1) for k, one in enumerate(data)]
        parts = tuple(part for part in read if part is not None)
        if len(parts) < len(data):
            return None
        return AllOf(parts) if word == "all" else AnyOf(parts)

    def comparison(self, data: dict[str, Any], pointer: str) -> Condition | None:
        before = len(self.problems)
        for key in sorted(set(map(str, data)) - {"field", "op", "value"}):
            self.fault(f"{pointer}/{escaped(key)}", f"unknown key {shown(key)}")
        field_type = self.field_type(data, pointer)
        op = self.operator(data, field_type, pointer)
        if field_type is None or op is None:
            return None
        value = self.operand(data, field_type, op, f"{pointer}/value")
        if data["field"] == "label" and op in _NAMING_OPS:
            self.check_labels(value, f"{pointer}/value")
        if len(self.problems) > before or value is None:
            return None
        resolved = _open_type(value, op) if field_type == "any" else field_type
        return Comparison(data["field"], resolved, op, value)

    def check_labels(self, value: Operand | None, pointer: str) -> None:
        for label in value if isinstance(value, tuple) else (value,):
            if label is not None and label not in self.schema.labels:
                known = ", ".join(self.schema.labels)
                self.fault(pointer, f"{shown(label)} is not a label; the labels are: {known}")

    def field_type(self, data: dict[str, Any], pointer: str) -> FieldType | None:
        name = data.get("field")
        found = self.schema.field_type(name) if isinstance(name, str) else None
        if found is None:
            known = ", ".join(self.schema.field_names())
            self.fault(f"{pointer}/field", f"unknown field {shown(name)}; known are: {known}")
        return found

    def operator(
        self, data: dict[str, Any], field_type: FieldType | None, pointer: str
    ) -> Op | None:
        op = data.get("op")
        allowed = ALL_OPS if field_type is None else OPS_OF_TYPE[field_type]
        if isinstance(op, str) and op in allowed:
            return op
        choices = ", ".join(allowed)
        about = "" if field_type in (None, "any") else f" for a {field_type} field"
        detail = f"{shown(op)} is not an operator{about}; allowed are: {choices}"
        self.fault(f"{pointer}/op", detail)
        return None

    def operand(
        self, data: dict[str, Any], field_type: FieldType, op: Op, pointer: str
    ) -> Operand | None:
        if op == "is_missing":
            value = data.get("value", True)
            if not isinstance(value, bool):
                self.fault(pointer, f"{shown(value)} is not true or false")
                return None
            return value
        if "value" not in data:
            self.fault(pointer, f"'{op}' needs a value")
            return None
        value = data["value"]
        if op == "matches":
            return self.pattern(value, pointer)
        if op in ("in", "not_in"):
            return self.listed(value, field_type, pointer)
        if op == "between":
            return self.bounds(value, field_type, pointer)
        return self.scalar(value, field_type, pointer, ordered=op in ORDER_OPS)

    def pattern(self, value: object, pointer: str) -> SafePattern | None:
        if not isinstance(value, str):
            self.fault(pointer, f"{shown(value)} is not a pattern: text is needed")
            return None
        try:
            return SafePattern(value)
        except UnsafePatternError as error:
            self.fault(pointer, f"the pattern {shown(value)} is refused: {error}")
            return None

    def listed(
        self, value: object, field_type: FieldType, pointer: str
    ) -> tuple[Scalar, ...] | None:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_LIST:
            self.fault(pointer, f"{shown(value)} is not a list of 1 to {MAX_LIST} values")
            return None
        return self.scalars(value, field_type, pointer)

    def bounds(
        self, value: object, field_type: FieldType, pointer: str
    ) -> tuple[Scalar, ...] | None:
        if not isinstance(value, list) or len(value) != 2:
            self.fault(pointer, f"{shown(value)} is not [low, high]")
            return None
        found = self.scalars(value, field_type, pointer, ordered=True)
        if found is not None and cast(Any, found[0]) > found[1]:
            self.fault(pointer, f"the low bound {shown(value[0])} is above {shown(value[1])}")
            return None
        return found

    def scalars(
        self, values: Sequence[object], field_type: FieldType, pointer: str, ordered: bool = False
    ) -> tuple[Scalar, ...] | None:
        read = [
            self.scalar(one, field_type, f"{pointer}/{k}", ordered=ordered)
            for k, one in enumerate(values)
        ]
        found = tuple(one for one in read if one is not None)
        if len(found) < len(values):
            return None
        if len({type(one) for one in found}) > 1:
            self.fault(pointer, f"{shown(values)} mixes types")
            return None
        return found

    def scalar(
        self, value: object, field_type: FieldType, pointer: str, *, ordered: bool
    ) -> Scalar | None:
        wanted, read = _SCALAR_READERS[field_type]
        found = read(value)
        if found is None or (field_type == "any" and ordered and not isinstance(found, float)):
            wanted = "a finite number" if field_type == "any" and ordered else wanted
            self.fault(pointer, f"{shown(value)} is not {wanted}")
            return None
        return found


def escaped(key: str) -> str:
    """Return a key as a segment of a JSON pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def _open_type(value: Operand, op: Op) -> FieldType:
    """Return the type that a field without a declared one takes from what it is compared with."""
    if op == "is_missing":
        return "any"
    one = value[0] if isinstance(value, tuple) else value
    if isinstance(one, bool):
        return "boolean"
    return "number" if isinstance(one, float) else "text"


def read_number(value: object) -> float | None:
    """Return a finite number as a double, None for anything else (booleans are not numbers)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _amount(value: object) -> Decimal | None:
    """Return an amount; one below 0 is read too, so that its rule can be named as unmatchable."""
    return Decimal(value) if isinstance(value, str) and _AMOUNT.fullmatch(value) else None


def _date(value: object) -> str | None:
    if not isinstance(value, str) or len(value) != 10 or value[4] != "-":
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _open(value: object) -> Scalar | None:
    return value if isinstance(value, str | bool) else read_number(value)


_SCALAR_READERS: Final[dict[FieldType, tuple[str, Callable[[object], Scalar | None]]]] = {
    "number": ("a finite number", read_number),
    "amount": ('a decimal string such as "50000.00" with at most four decimals', _amount),
    "date": ('a date such as "2026-01-31"', _date),
    "category": ("text", _text),
    "text": ("text", _text),
    "boolean": ("true or false", _boolean),
    "any": ("a finite number, text, true or false", _open),
}
