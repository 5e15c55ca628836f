"""From the text of a cell to the type a record wants.

A cast never fails: what it cannot read it leaves as it is, so that the record's own check names
the value that was seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

Cast = Callable[[object], object]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_DIGITS = re.compile(r"[+-]?[0-9]{1,18}")
_BOOLEANS = {
    "true": True,
    "t": True,
    "yes": True,
    "y": True,
    "1": True,
    "false": False,
    "f": False,
    "no": False,
    "n": False,
    "0": False,
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ZONE = re.compile(r"(?:[Zz]|[+-]\d\d:\d\d)$", re.ASCII)


def to_decimal(value: object) -> Decimal | None:
    """The number in a cell, exact; None where there is none.

    Parameters: ``value``, text or a number; a float counts as its shortest decimal.
    Returns: a finite Decimal or None.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float | Decimal):
        read = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
        return read if read.is_finite() else None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    return None


def to_json_number(value: Decimal) -> int | float:
    """A Decimal as a JSON number: an integer where it is whole, else the nearest float.

    Parameters: ``value``, finite. Returns: int or float.
    """
    whole = value == value.to_integral_value() and abs(value) < 10**18
    return int(value) if whole else float(value)


def to_number(value: object) -> object:
    """A number from its text (``1``, ``-0.5``, ``2e-3``).

    Parameters: ``value`` of a cell. Returns: int or float, or ``value`` itself.
    """
    if isinstance(value, str):
        text = value.strip()
        if _DIGITS.fullmatch(text):
            return int(text)
        return float(text) if _NUMBER.fullmatch(text) else value
    return to_json_number(value) if isinstance(value, Decimal) else value


def to_text(value: object) -> object:
    """Text from a cell that a typed file holds as a number or a truth value.

    Parameters: ``value`` of a cell. Returns: text, or ``value`` itself for a list or an object.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else str(value)
    return format(value, "f") if isinstance(value, Decimal) else value


def to_boolean(value: object) -> object:
    """True or false from true, t, yes, y, 1 and their opposites, in any case.

    Parameters: ``value`` of a cell. Returns: a bool, or ``value`` itself.
    """
    if isinstance(value, bool):
        return value
    text = to_text(value)
    return _BOOLEANS.get(text.strip().lower(), value) if isinstance(text, str) else value


def to_date(value: object) -> object:
    """A date from text; the midnight that a typed file adds to a date is taken off.

    Parameters: ``value`` of a cell. Returns: text.
    """
    return value.strip().removesuffix("T00:00:00") if isinstance(value, str) else value


def time_cast(zone: str | None) -> Cast:
    """A cast to RFC 3339 that adds a zone to times written without one.

    Definition: a date alone is its first moment. Parameters: ``zone``, ``UTC`` or ``+02:00``; None
    leaves such times as they are. Returns: a cast.
    """
    suffix = "Z" if zone == "UTC" else zone

    def to_time(value: object) -> object:
        if not isinstance(value, str):
            return value
        text = value.strip()
        if suffix is None or _ZONE.search(text[10:]):
            return text
        return f"{text}T00:00:00{suffix}" if _DATE.fullmatch(text) else f"{text}{suffix}"

    return to_time


CASTS: dict[str, Cast] = {
    "number": to_number,
    "text": to_text,
    "category": to_text,
    "boolean": to_boolean,
    "date": to_date,
    "time": time_cast(None),
}
