"""Checks of single values, shared by every record that comes in.

Each check takes any value and returns it in its normal form, or raises ``RefusedError`` with a
phrase that follows the field's name: "is 1.2; a number from 0 to 1 is allowed". The caller knows
the field and its JSON pointer, and goes on to the next, so that all faults are reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Final

from apps.common.errors import FieldError
from apps.decisions.domain.faults import RefusedError, member, pointer_to, shown

# The largest integer that every JSON reader keeps exactly (RFC 8259 section 6, RFC 7493 2.2).
MAX_SAFE_INTEGER = 2**53 - 1
MIN_SAFE_INTEGER = -MAX_SAFE_INTEGER
MAX_DEPTH = 32
MAX_NAME = 200
MAX_TEXT = 262_144
MAX_CONTENT = 1_048_576
CLOCK_SLACK = timedelta(minutes=5)
# a name for the pair: a union written in isinstance is made anew at each call
_NUMBERS: Final = (float, int)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_AMOUNT_DIGITS = 14  # before the point: what a 64-bit integer of ten-thousandths holds
_AMOUNT = re.compile(rf"[0-9]{{1,{MAX_AMOUNT_DIGITS}}}(?:\.[0-9]{{1,4}})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def check_clean(value: str) -> str:
    """Text without NUL and without lone surrogates, neither of which a database can store.

    Parameters: ``value``. Returns: it, unchanged. Errors: RefusedError.
    Source: RFC 8259 section 8.2.
    """
    if "\0" in value:
        raise RefusedError("holds the character U+0000, which is not allowed")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RefusedError("holds a lone surrogate, which is not a character") from None
    return value


def check_number(value: object) -> int | float:
    """A finite number; a whole one becomes an integer, so that 1 and 1.0 are one content.

    Parameters: ``value``; integers within ±(2^53 - 1). Returns: int or float. Errors: RefusedError.
    """
    # asking for the exact type tells a truth value from an integer in one step
    if type(value) is int:
        if MIN_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            return value
        raise RefusedError(f"is {shown(value)}; integers up to 9007199254740991 are allowed")
    if type(value) is float and isfinite(value):
        whole = value.is_integer() and MIN_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER
        return int(value) if whole else value
    raise RefusedError(f"is {shown(value)}; a finite number is allowed")


def check_unit(value: object) -> float:
    """A share: a finite number in [0, 1].

    Parameters: ``value``. Returns: a float. Errors: RefusedError.
    """
    if isinstance(value, _NUMBERS) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise RefusedError(f"is {shown(value)}; a number from 0 to 1 is allowed")


def check_boolean(value: object) -> bool:
    """True or false, and nothing that stands for them.

    Parameters: ``value``. Returns: it. Errors: RefusedError.
    """
    if isinstance(value, bool):
        return value
    raise RefusedError(f"is {shown(value)}; true or false is allowed")


def check_text(value: object) -> str:
    """Text of at most 262,144 characters.

    Parameters: ``value``. Returns: it, unchanged. Errors: RefusedError.
    """
    if not isinstance(value, str):
        raise RefusedError(f"is {shown(value)}; text is allowed")
    if len(value) > MAX_TEXT:
        raise RefusedError(f"has {len(value):,} characters; at most {MAX_TEXT:,} are allowed")
    return check_clean(value)


def check_content(value: object) -> str:
    """Text bounded by the size of a body alone: 1,048,576 characters.

    Parameters: ``value``. Returns: it, unchanged. Errors: RefusedError.
    """
    if not isinstance(value, str):
        raise RefusedError(f"is {shown(value)}; text is allowed")
    if len(value) > MAX_CONTENT:
        raise RefusedError(f"has {len(value):,} characters; at most {MAX_CONTENT:,} are allowed")
    return check_clean(value)


def check_category(value: object) -> str:
    """A level of a category: text of at most 200 characters.

    Parameters: ``value``. Returns: it, unchanged. Errors: RefusedError.
    """
    if isinstance(value, str) and len(value) <= MAX_NAME:
        # most levels are plain ASCII: one call less for each categorical feature
        return value if value.isascii() and "\0" not in value else check_clean(value)
    raise _text_refused(value, "a category, written as text,")


def check_name(value: object) -> str:
    """A name or an identifier: 1 to 200 characters, not all blank, without control characters.

    Parameters: ``value``. Returns: it, unchanged. Errors: RefusedError.
    """
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise _text_refused(value, "text")
    if not value or value.isspace():
        raise RefusedError("is empty; at least one character that is not blank is needed")
    if not value.isprintable():
        control = _CONTROL.search(value)
        if control:
            raise RefusedError(
                f"holds the control character U+{ord(control[0]):04X}, not allowed here"
            )
        check_clean(value)
    return value


def _text_refused(value: object, wanted: str) -> RefusedError:
    if isinstance(value, str):
        return RefusedError(f"has {len(value):,} characters; at most {MAX_NAME} are allowed")
    return RefusedError(f"is {shown(value)}; {wanted} is allowed")


def check_date(value: object) -> str:
    """A calendar date ``YYYY-MM-DD``.

    Parameters: ``value``. Returns: it, unchanged. Errors: RefusedError. Source: RFC 3339 full-date.
    """
    if isinstance(value, str) and len(value) == 10 and value[4] == value[7] == "-":
        try:
            date.fromisoformat(value)
        except ValueError:
            pass
        else:
            return value
    raise RefusedError(f"is {shown(value)}; a date written YYYY-MM-DD is allowed")


def check_amount(value: object) -> Decimal:
    """An amount: a decimal string or a whole number, exact, never negative.

    Definition: at most 14 digits before the point and 4 after it. A JSON number with a fraction
    is refused, since a binary float cannot hold most decimal amounts.
    Parameters: ``value``. Returns: a Decimal with the digits as given. Errors: RefusedError.
    """
    if isinstance(value, float):
        raise RefusedError(
            f'is the number {shown(value)}; write it as text, such as "25000.00", to keep it exact'
        )
    if (
        isinstance(value, int)
        and not isinstance(value, bool)
        and 0 <= value < 10**MAX_AMOUNT_DIGITS
    ):
        return Decimal(value)
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return Decimal(value)
    raise RefusedError(
        f"is {shown(value)}; an amount of 0 or more is allowed, "
        f"with at most {MAX_AMOUNT_DIGITS} digits before the point and 4 after it"
    )


def check_time(value: object) -> datetime:
    """A point in time with its zone.

    Definition: RFC 3339 date-time; a blank may stand for the T, and second 60 (a leap second) is
    the next second. Digits beyond the microsecond are dropped.
    Parameters: ``value``. Returns: an aware datetime in UTC. Errors: RefusedError.
    Source: RFC 3339 section 5.6.
    """
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise RefusedError(
            f"is {shown(value)}; a time with its zone is allowed, such as 2026-11-02T09:30:00Z"
        )
    day, hour_minute, second, fraction, zone = match.groups()
    leap = second == "60"
    written = f"{day}T{hour_minute}{'59' if leap else second}{fraction or ''}{zone.upper()}"
    try:
        read = datetime.fromisoformat(written).astimezone(UTC)
        return read + timedelta(seconds=1) if leap else read
    except (ValueError, OverflowError):
        raise RefusedError(f"is {shown(value)}, which is not a time that exists") from None


def check_past_time(value: object, now: datetime) -> datetime:
    """A point in time from 1970 to now, with 5 minutes of slack for clocks that differ.

    Parameters: ``value``, as for ``check_time``; ``now``, aware. Returns: an aware UTC datetime.
    Errors: RefusedError.
    """
    read = check_time(value)
    if read < EPOCH:
        raise RefusedError(f"is {shown(value)}; a time from 1970 on is allowed")
    if read > now + CLOCK_SLACK:
        raise RefusedError(f"is {shown(value)}, which lies in the future")
    return read


# The types a feature or a subject attribute may have; adding one is a line here.
VALUE_CHECKS: dict[str, Callable[[object], int | float | str | bool]] = {
    "number": check_number,
    "category": check_category,
    "boolean": check_boolean,
    "text": check_text,
    "date": check_date,
}


def check_scalar(value: object) -> int | float | str | bool:
    """A value of a field that no schema describes: a number, text, true or false.

    Parameters: ``value``. Returns: its normal form. Errors: RefusedError.
    """
    if isinstance(value, bool):
        return value
    return check_text(value) if isinstance(value, str) else check_number(value)


def read_tree(errors: list[FieldError], pointer: str, value: object, depth: int = 0) -> object:
    """Any JSON value in its normal form, with every fault in it reported.

    Definition: numbers by ``check_number``, texts and keys by ``check_text``, nesting of at most
    32 levels counted from the root of the body.
    Parameters: ``errors``, appended to; ``pointer`` of ``value``; ``depth`` of ``value`` (levels
    above it). Returns: a copy in normal form; meaningless once a fault was reported.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict | list):
        if depth >= MAX_DEPTH:
            errors.append(FieldError(pointer, f"is nested deeper than {MAX_DEPTH} levels"))
            return None
        if isinstance(value, list):
            return [
                read_tree(errors, f"{pointer}/{index}", item, depth + 1)
                for index, item in enumerate(value)
            ]
        return _read_object(errors, pointer, value, depth)
    try:
        return check_scalar(value)
    except RefusedError as refusal:
        errors.append(FieldError(pointer, f"{pointer.rpartition('/')[2]} {refusal}"))
        return None


def _read_object(
    errors: list[FieldError], pointer: str, data: dict[str, object], depth: int
) -> dict[str, object]:
    for name in data:
        member(errors, pointer, name, check_text, name)
    return {
        name: read_tree(errors, pointer_to(pointer, name), item, depth + 1)
        for name, item in data.items()
    }
