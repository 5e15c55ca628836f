"""A use case's calendar as people write it, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apps.common.errors import BadInput, FieldError
from apps.reviews.domain.business_hours import Calendar

MAX_HOLIDAYS: Final = 1000
MAX_INTERVALS: Final = 12
WEEKDAYS: Final = ("0", "1", "2", "3", "4", "5", "6")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_KEYS: Final = ("timezone", "hours", "holidays")


def parse_calendar(document: object) -> Calendar:
    """A calendar from its document.

    Definition: {"timezone": IANA name, "hours": {"0": [["09:00", "17:00"], ...], ...}, "holidays":
    ["2026-12-25", ...]}; weekdays "0" (Monday) to "6" (Sunday), a missing one has no hours;
    intervals start before they end, lie in order and do not overlap; "24:00" is allowed as an end;
    an overnight shift is two intervals. Holidays may be left out. There is at least one interval.
    Parameters: ``document``, parsed JSON. Returns: Calendar.
    Errors: BadInput with every fault, each with its JSON pointer.
    """
    if not isinstance(document, Mapping):
        raise BadInput(f"the calendar is {_shown(document)}; an object is allowed")
    faults = [
        FieldError(f"/{name}", f"{name} is not known; allowed are: {', '.join(_KEYS)}")
        for name in document
        if name not in _KEYS
    ]
    zone = _timezone(document.get("timezone"), faults)
    hours = _hours(document.get("hours"), faults)
    holidays = _holidays(document.get("holidays"), faults)
    if faults:
        raise BadInput(faults)
    return Calendar(zone, hours, holidays)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _timezone(value: object, faults: list[FieldError]) -> str:
    try:
        if isinstance(value, str):
            return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass  # said below, as for a value that is no text
    detail = f"timezone is {_shown(value)}; an IANA name such as Europe/Berlin is allowed"
    faults.append(FieldError("/timezone", detail))
    return ""


def _hours(value: object, faults: list[FieldError]) -> dict[int, tuple[tuple[str, str], ...]]:
    if not isinstance(value, Mapping):
        detail = f"hours is {_shown(value)}; an object of weekdays 0 to 6 is allowed"
        faults.append(FieldError("/hours", detail))
        return {}
    found: dict[int, tuple[tuple[str, str], ...]] = {}
    before = len(faults)
    for name, intervals in value.items():
        if name in WEEKDAYS:
            found[int(name)] = _intervals(intervals, f"/hours/{name}", faults)
        else:
            detail = f"the weekday is {_shown(name)}; 0 (Monday) to 6 (Sunday) are allowed"
            faults.append(FieldError(f"/hours/{name}", detail))
    if len(faults) == before and not any(found.values()):
        faults.append(FieldError("/hours", "no weekday has hours; at least one interval is needed"))
    return found


def _intervals(
    value: object, pointer: str, faults: list[FieldError]
) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list | tuple) or len(value) > MAX_INTERVALS:
        detail = f"the hours are {_shown(value)}; a list of up to {MAX_INTERVALS} is allowed"
        faults.append(FieldError(pointer, detail))
        return ()
    found: list[tuple[str, str]] = []
    for place, item in enumerate(value):
        pair = _interval(item)
        if pair is None:
            detail = f'the interval is {_shown(item)}; ["HH:MM", "HH:MM"], start first, is allowed'
            faults.append(FieldError(f"{pointer}/{place}", detail))
        elif found and pair[0] < found[-1][1]:
            detail = (
                f"the interval from {pair[0]} begins before the one ahead ends, at {found[-1][1]}"
            )
            faults.append(FieldError(f"{pointer}/{place}", detail))
        else:
            found.append(pair)
    return tuple(found)


def _interval(item: object) -> tuple[str, str] | None:
    if not isinstance(item, list | tuple) or len(item) != 2:
        return None
    start, end = item
    if not isinstance(start, str) or not isinstance(end, str) or not _CLOCK.fullmatch(start):
        return None
    # two digits each: texts compare as times do
    ends = end == "24:00" or _CLOCK.fullmatch(end)
    return (start, end) if ends and start < end else None


def _holidays(value: object, faults: list[FieldError]) -> frozenset[date]:
    if value is None:
        return frozenset()
    if not isinstance(value, list | tuple) or len(value) > MAX_HOLIDAYS:
        detail = f"holidays is {_shown(value)}; a list of up to {MAX_HOLIDAYS} dates is allowed"
        faults.append(FieldError("/holidays", detail))
        return frozenset()
    found: set[date] = set()
    for place, item in enumerate(value):
        try:
            # the basic and week forms of ISO 8601 are not offered: one spelling a date
            if not isinstance(item, str) or not _DATE.fullmatch(item):
                raise ValueError
            found.add(date.fromisoformat(item))
        except ValueError:
            detail = f"the holiday is {_shown(item)}; a date YYYY-MM-DD is allowed"
            faults.append(FieldError(f"/holidays/{place}", detail))
    return frozenset(found)
