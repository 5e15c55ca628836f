"""Working time: minutes that count on a use case's calendar, whatever the clocks do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When people work.

    ``timezone``: an IANA name; ``hours``: by weekday (Monday 0 to Sunday 6) the intervals of local
    time, ("09:00", "17:00"), in order and apart, an end of "24:00" being midnight; ``holidays``:
    local dates without hours. ``calendar_reading.parse_calendar`` makes and checks one.
    """

    timezone: str
    hours: Mapping[int, Sequence[tuple[str, str]]]
    holidays: frozenset[date] = frozenset()


def add_minutes(calendar: Calendar | None, start: datetime, minutes: float) -> datetime:
    """When so many working minutes have passed.

    Definition: the earliest instant t >= start with ``minutes_between(calendar, start, t)`` equal
    to ``minutes``; minutes that end at closing time end there, not at the next opening.
    An interval is open from the first instant of its date at which the local clock has reached its
    start until the first at which it has reached its end: an hour that the clock repeats counts
    twice, one that it skips does not count.
    Parameters: ``calendar``, None for round the clock; ``start``, aware; ``minutes`` >= 0.
    Returns: an instant in UTC.
    Errors: ValueError for a naive start, negative minutes, a calendar without hours;
    OverflowError beyond the year 9999. Source: PEP 495 for repeated and skipped times.
    """
    _check_start(start)
    if not minutes >= 0:
        raise ValueError(f"minutes={minutes}; at least 0 is allowed")
    at, left = start.astimezone(UTC), timedelta(minutes=minutes)
    if calendar is None or not left:
        return at + left
    if not any(calendar.hours.values()):
        raise ValueError(f"the calendar of {calendar.timezone} has no working hours")
    for opens, closes in _open_from(calendar, at):
        begin = max(opens, at)
        if left <= closes - begin:
            return begin + left
        left -= max(timedelta(), closes - begin)
    raise OverflowError(f"{minutes} minutes from {start} end beyond the calendar")


def minutes_between(calendar: Calendar | None, start: datetime, end: datetime) -> float:
    """How many working minutes lie between two instants.

    Definition: the length of what is open in [start, end), by ``add_minutes``'s definition of
    open; the negative of the same where the end is before the start.
    Parameters: as for ``add_minutes``; ``end``, aware. Returns: minutes.
    Errors: ValueError for a naive time.
    """
    _check_start(start)
    _check_start(end)
    if end < start:
        return -minutes_between(calendar, end, start)
    if calendar is None:
        return (end - start) / timedelta(minutes=1)
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    total = timedelta()
    for opens, closes in _open_from(calendar, first, last):
        total += max(timedelta(), min(closes, last) - max(opens, first))
    return total / timedelta(minutes=1)


def _check_start(moment: datetime) -> None:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")


def _open_from(
    calendar: Calendar, start: datetime, end: datetime | None = None
) -> Iterator[tuple[datetime, datetime]]:
    """The open intervals in UTC, in order, that end after ``start`` and begin by ``end``."""
    zone = ZoneInfo(calendar.timezone)
    # a day early: an interval of yesterday's date can reach past midnight when clocks go back
    day = start.astimezone(zone).date() - DAY
    last = date.max - DAY if end is None else end.astimezone(zone).date()
    while day <= last:
        for opens, closes in () if day in calendar.holidays else _of_day(calendar, day, zone):
            if closes > start and closes > opens:
                yield opens, closes
        day += DAY


def _of_day(calendar: Calendar, day: date, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    intervals = calendar.hours.get(day.weekday(), ())
    return [(_reached(day, a, zone), _reached(day, b, zone)) for a, b in intervals]


def _reached(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """The first instant at which the local clock has reached this time of this date."""
    local = datetime.combine(day, time(), zone) + DAY  # wall-clock arithmetic: the zone is kept
    if clock != "24:00":
        local = datetime.combine(day, time.fromisoformat(clock), zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    return _skip_end(local.replace(fold=1).astimezone(UTC), instant, zone)


def _skip_end(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the clock jumped, which lies after ``before`` and not past ``after``."""
    old = before.astimezone(zone).utcoffset()
    seconds = (after - before) // SECOND
    low, high = 0, seconds
    while high - low > 1:
        middle = (low + high) // 2
        if (before + middle * SECOND).astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return before + high * SECOND
