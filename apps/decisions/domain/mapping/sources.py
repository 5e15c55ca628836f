"""Where a member of a record comes from: the closed set of sources and their validation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from operator import ge, gt, le, lt

from apps.common.errors import FieldError
from apps.decisions.domain.faults import pointer_to, shown, unknown_keys
from apps.decisions.domain.mapping.casts import CASTS, Cast, time_cast, to_decimal

Comparison = Callable[[Decimal, Decimal], bool]


@dataclass(frozen=True, slots=True)
class Threshold:
    """``then`` where the cell compares with the bound as said, else ``otherwise``."""

    word: str
    bound: Decimal
    then: object
    otherwise: object


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """A cell, and what is done to it; see the description of this package."""

    column: str
    default: object = None
    values: dict[str, object] | None = None
    threshold: Threshold | None = None
    linear: tuple[Decimal, Decimal] | None = None
    cast: Cast | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ConstantSource:
    """The same in every record."""

    value: object


@dataclass(frozen=True, slots=True)
class OneMinus:
    """1 minus the score of another label."""

    label: str


@dataclass(frozen=True, slots=True)
class MaxOfScores:
    """The largest score."""


Source = ColumnSource | ConstantSource | OneMinus | MaxOfScores
Node = Source | dict[str, "Node"] | list["Node"]


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The features or the subject attributes: which columns, under which names and types."""

    columns: tuple[str, ...] = ()
    others: bool = False
    rename: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    more: dict[str, Source] = field(default_factory=dict)


COMPARISONS: dict[str, Comparison] = {"above": gt, "at_least": ge, "below": lt, "at_most": le}
SOURCE_WORDS = ("column", "constant", "one_minus", "max_of")

_COLUMN_KEYS = frozenset(
    {
        "column", "default", "values", *COMPARISONS, "then", "else",
        "offset", "scale", "cast", "zone", "prefix",
    }
)  # fmt: skip
_ZONE = re.compile(r"UTC|[+-]\d\d:\d\d", re.ASCII)
_SCALARS = (str, int, float, Decimal)


def is_source(data: object) -> bool:
    """Whether a value of a mapping is a source, not a table of members.

    Parameters: ``data``, from the TOML file. Returns: True or False.
    """
    return isinstance(data, str) or (
        isinstance(data, dict) and any(word in data for word in SOURCE_WORDS)
    )


def read_source(errors: list[FieldError], pointer: str, data: object) -> Source:
    """A source in its checked form.

    Parameters: ``errors``, appended to; ``pointer`` of ``data`` in the mapping; ``data``.
    Returns: a Source; meaningless once a fault was appended.
    """
    if isinstance(data, str):
        data = {"column": data}
    if not isinstance(data, dict):
        words = ", ".join(SOURCE_WORDS)
        detail = f"is {shown(data)}; a column's name or a table with one of {words} is allowed"
        errors.append(FieldError(pointer, f"{pointer.rpartition('/')[2]} {detail}"))
        return ConstantSource(None)
    if "column" in data:
        return _read_column(errors, pointer, data)
    word = next((word for word in SOURCE_WORDS if word in data), "constant")
    unknown_keys(errors, pointer, data, frozenset({word}))
    value = data.get(word)
    if word == "constant":
        return ConstantSource(_read_scalar(errors, pointer, word, value))
    if word == "max_of":
        if value != "scores":
            detail = f'max_of is {shown(value)}; "scores" is allowed'
            errors.append(FieldError(f"{pointer}/max_of", detail))
        return MaxOfScores()
    return OneMinus(read_word(errors, pointer, word, value))


def read_word(errors: list[FieldError], pointer: str, key: str, value: object) -> str:
    """Text that is not empty; another value is appended to ``errors``.

    Parameters: ``pointer`` of the table; ``key`` in it; ``value``. Returns: the text, or "".
    """
    if isinstance(value, str) and value:
        return value
    detail = f"{key} is {shown(value)}; text that is not empty is allowed"
    errors.append(FieldError(pointer_to(pointer, key), detail))
    return ""


def _read_scalar(errors: list[FieldError], pointer: str, key: str, value: object) -> object:
    if not isinstance(value, _SCALARS):
        detail = f"{key} is {shown(value)}; text, a number, true or false is allowed"
        errors.append(FieldError(pointer_to(pointer, key), detail))
    return _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _read_column(errors: list[FieldError], pointer: str, data: dict[str, object]) -> ColumnSource:
    unknown_keys(errors, pointer, data, _COLUMN_KEYS)
    threshold = _read_threshold(errors, pointer, data)
    linear = _read_linear(errors, pointer, data)
    values = _read_values(errors, pointer, data)
    if sum(item is not None for item in (threshold, linear, values)) > 1:
        detail = "at most one of values, a threshold, and offset with scale is allowed"
        errors.append(FieldError(pointer, detail))
    default = None
    if "default" in data:
        default = _read_scalar(errors, pointer, "default", data["default"])
    prefix = data.get("prefix", "")
    return ColumnSource(
        read_word(errors, pointer, "column", data["column"]),
        default,
        values,
        threshold,
        linear,
        _read_cast(errors, pointer, data),
        read_word(errors, pointer, "prefix", prefix) if "prefix" in data else "",
    )


def _read_values(
    errors: list[FieldError], pointer: str, data: dict[str, object]
) -> dict[str, object] | None:
    if "values" not in data:
        return None
    table = data["values"]
    place = f"{pointer}/values"
    if not isinstance(table, dict) or not table:
        errors.append(FieldError(place, f"values is {shown(table)}; a table is allowed"))
        return None
    return {text: _read_scalar(errors, place, text, value) for text, value in table.items()}


def _read_threshold(
    errors: list[FieldError], pointer: str, data: dict[str, object]
) -> Threshold | None:
    words = [word for word in COMPARISONS if word in data]
    branches = [word for word in ("then", "else") if word in data]
    if not words and not branches:
        return None
    if len(words) != 1 or len(branches) != 2:
        detail = f"a threshold needs then, else and exactly one of {', '.join(COMPARISONS)}"
        errors.append(FieldError(pointer, detail))
        return None
    then = _read_scalar(errors, pointer, "then", data["then"])
    otherwise = _read_scalar(errors, pointer, "else", data["else"])
    return Threshold(words[0], _read_decimal(errors, pointer, words[0], data), then, otherwise)


def _read_linear(
    errors: list[FieldError], pointer: str, data: dict[str, object]
) -> tuple[Decimal, Decimal] | None:
    if "offset" not in data and "scale" not in data:
        return None
    offset = _read_decimal(errors, pointer, "offset", {"offset": 0, **data})
    return offset, _read_decimal(errors, pointer, "scale", {"scale": 1, **data})


def _read_decimal(
    errors: list[FieldError], pointer: str, key: str, data: dict[str, object]
) -> Decimal:
    value = data[key]
    number = None if isinstance(value, str) else to_decimal(value)
    if number is None:
        errors.append(
            FieldError(f"{pointer}/{key}", f"{key} is {shown(value)}; a number is allowed")
        )
        return Decimal(0)
    return number


def _read_cast(errors: list[FieldError], pointer: str, data: dict[str, object]) -> Cast | None:
    cast, zone = data.get("cast"), data.get("zone")
    if cast is not None and (not isinstance(cast, str) or cast not in CASTS):
        detail = f"cast is {shown(cast)}; allowed are: {', '.join(CASTS)}"
        errors.append(FieldError(f"{pointer}/cast", detail))
        return None
    if zone is None:
        return CASTS[cast] if isinstance(cast, str) else None
    if not isinstance(zone, str) or not _ZONE.fullmatch(zone) or cast not in (None, "time"):
        detail = f'zone is {shown(zone)}; "UTC" or "+02:00" is allowed, and only with cast time'
        errors.append(FieldError(f"{pointer}/zone", detail))
        return None
    return time_cast(zone)
