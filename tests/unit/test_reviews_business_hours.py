"""Working minutes: against a walk minute by minute, through every odd thing that clocks do."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.common.errors import BadInput
from apps.reviews.domain.business_hours import Calendar, add_minutes, minutes_between
from apps.reviews.domain.calendar_reading import parse_calendar

MINUTE = timedelta(minutes=1)
NINE_TO_FIVE = {day: [("09:00", "17:00")] for day in range(5)}
BERLIN = Calendar("Europe/Berlin", NINE_TO_FIVE, frozenset({date(2026, 12, 25)}))


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        ("2026-11-02T10:00", 60, "2026-11-02T11:00"),  # a Monday
        ("2026-11-02T16:30", 60, "2026-11-03T09:30"),
        ("2026-11-02T16:00", 60, "2026-11-02T17:00"),  # ends at closing time, not next morning
        ("2026-11-06T16:30", 60, "2026-11-09T09:30"),  # over the weekend
        ("2026-11-07T12:00", 1, "2026-11-09T09:01"),
        ("2026-12-24T16:30", 60, "2026-12-28T09:30"),  # a holiday, a Friday, then the weekend
        ("2026-11-02T03:00", 480, "2026-11-02T17:00"),
        ("2026-11-02T03:00", 480 * 5 + 1, "2026-11-09T09:01"),
    ],
)
def test_minutes_count_in_working_hours(start: str, minutes: float, end: str) -> None:
    assert add_minutes(BERLIN, berlin(start), minutes) == berlin(end)
    assert minutes_between(BERLIN, berlin(start), berlin(end)) == minutes


def test_round_the_clock_is_plain_time() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert add_minutes(None, start, 1440) == start + timedelta(days=1)
    assert minutes_between(None, start, start + timedelta(hours=2)) == 120


def test_no_minutes_end_at_once_even_at_night() -> None:
    night = berlin("2026-11-02T03:00")
    assert add_minutes(BERLIN, night, 0) == night


def test_the_way_back_is_negative() -> None:
    early, late = berlin("2026-11-02T10:00"), berlin("2026-11-03T10:00")
    assert minutes_between(BERLIN, late, early) == -480
    assert minutes_between(None, late, early) == -1440


def around_the_clock(zone: str) -> Calendar:
    return Calendar(zone, {day: [("00:00", "24:00")] for day in range(7)})


@pytest.mark.parametrize(
    ("zone", "day", "minutes"),
    [
        ("Europe/Berlin", "2026-03-29", 23 * 60),
        ("Europe/Berlin", "2026-10-25", 25 * 60),
        ("Australia/Lord_Howe", "2026-10-04", 23 * 60 + 30),
        ("America/Sao_Paulo", "2018-11-04", 23 * 60),  # midnight itself is skipped
        ("Pacific/Apia", "2011-12-30", 0),  # the date line moved: the day never was
    ],
)
def test_a_day_is_as_long_as_it_is(zone: str, day: str, minutes: float) -> None:
    noon_before = datetime.fromisoformat(f"{day}T12:00") - timedelta(days=1)
    start = noon_before.replace(tzinfo=ZoneInfo(zone))
    end = (noon_before + timedelta(days=2)).replace(tzinfo=ZoneInfo(zone))
    if minutes == 0:
        assert (end - start.astimezone(UTC)) / MINUTE == 1440  # 48 hours on the wall
    only = Calendar(zone, {date.fromisoformat(day).weekday(): [("00:00", "24:00")]})
    assert minutes_between(only, start, end) == minutes
    whole = (end.astimezone(UTC) - start.astimezone(UTC)) / MINUTE
    assert minutes_between(around_the_clock(zone), start, end) == whole


@pytest.mark.parametrize(
    ("zone", "day", "hours", "minutes"),
    [
        # 02:00 to 03:00 is skipped: what opens in it opens at 03:00, what closes in it at 03:00
        ("Europe/Berlin", date(2026, 3, 29), ("02:30", "04:00"), 60),
        ("Europe/Berlin", date(2026, 3, 29), ("01:00", "02:30"), 60),
        ("Europe/Berlin", date(2026, 3, 29), ("02:10", "02:50"), 0),
        # 02:00 to 03:00 comes twice: what opens or closes in it does so the first time
        ("Europe/Berlin", date(2026, 10, 25), ("02:30", "04:00"), 150),
        ("Europe/Berlin", date(2026, 10, 25), ("01:00", "02:30"), 90),
        ("America/Sao_Paulo", date(2018, 11, 4), ("00:30", "02:00"), 60),
        ("Australia/Lord_Howe", date(2026, 10, 4), ("02:15", "03:00"), 30),
    ],
)
def test_hours_that_the_clock_skips_or_repeats(
    zone: str, day: date, hours: tuple[str, str], minutes: float
) -> None:
    calendar = Calendar(zone, {day.weekday(): [hours]})
    start = datetime.combine(day - timedelta(days=1), datetime.min.time(), UTC)
    assert minutes_between(calendar, start, start + timedelta(days=3)) == minutes


@cache
def highest_walls(zone: str, first: datetime, days: int) -> list[datetime]:
    """For each minute, the highest that the local clock has read so far."""
    moments = (first + place * MINUTE for place in range(days * 1440))
    local = (moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in moments)
    return list(accumulate(local, max))


class Walk:
    """What is open, minute by minute, over a few days: the definition spelled out."""

    def __init__(self, calendar: Calendar, first: datetime, days: int) -> None:
        self.first = first
        walls = highest_walls(calendar.timezone, first, days)
        self.open = [False] * len(walls)
        day = walls[0].date()
        while day <= walls[-1].date():
            if day not in calendar.holidays:
                for start, end in calendar.hours.get(day.weekday(), ()):
                    begin, stop = (self._reached(walls, day, clock) for clock in (start, end))
                    self.open[begin:stop] = [True] * max(0, stop - begin)
            day += timedelta(days=1)

    @staticmethod
    def _reached(walls: list[datetime], day: date, clock: str) -> int:
        hours, minutes = map(int, clock.split(":"))
        wanted = datetime.combine(day, datetime.min.time()) + timedelta(
            hours=hours, minutes=minutes
        )
        return bisect_left(walls, wanted)

    def between(self, start: datetime, end: datetime) -> int:
        a, b = ((moment - self.first) // MINUTE for moment in (start, end))
        return sum(self.open[a:b])


TURNS = [  # a zone, and a day on which its clocks are moved
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Sao_Paulo", date(2018, 2, 18)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kathmandu", date(2026, 6, 1)),
]
clocks = st.lists(st.integers(0, 96), min_size=0, max_size=6, unique=True).map(sorted)


def as_clock(quarters: int) -> str:
    return f"{quarters // 4:02}:{quarters % 4 * 15:02}"


def as_intervals(points: list[int]) -> list[tuple[str, str]]:
    pairs = zip(points[::2], points[1::2], strict=False)
    return [(as_clock(start), as_clock(end)) for start, end in pairs]


@st.composite
def situations(draw: st.DrawFn) -> tuple[Calendar, datetime, datetime, Walk]:
    zone, turn = draw(st.sampled_from(TURNS))
    hours = {day: as_intervals(draw(clocks)) for day in range(7)}
    holidays = draw(st.frozensets(st.integers(-1, 1).map(lambda n: turn + timedelta(days=n))))
    calendar = Calendar(zone, hours, holidays)
    first = datetime.combine(turn - timedelta(days=4), datetime.min.time(), UTC)
    # a day is kept clear at both ends, so that no interval of the walk is cut
    start = first + draw(st.integers(1440, 4 * 1440)) * MINUTE
    end = start + draw(st.integers(0, 3 * 1440)) * MINUTE
    return calendar, start, end, Walk(calendar, first, 9)


@settings(max_examples=60, deadline=None)
@given(situations())
def test_minutes_are_those_of_a_walk_minute_by_minute(
    situation: tuple[Calendar, datetime, datetime, Walk],
) -> None:
    calendar, start, end, walk = situation
    expected = walk.between(start, end)
    assert minutes_between(calendar, start, end) == expected
    if expected:
        due = add_minutes(calendar, start, expected)
        assert due <= end
        assert walk.between(start, due) == expected
        assert walk.between(start, due - MINUTE) == expected - 1  # none earlier would do


@settings(max_examples=60, deadline=None)
@given(situations(), st.floats(0, 3000), st.floats(0, 3000))
def test_minutes_add_up(
    situation: tuple[Calendar, datetime, datetime, Walk], first: float, second: float
) -> None:
    calendar, start, _, _ = situation
    if not any(calendar.hours.values()):
        return
    first, second = round(first, 2), round(second, 2)
    at_once = add_minutes(calendar, start, first + second)
    in_turn = add_minutes(calendar, add_minutes(calendar, start, first), second)
    assert minutes_between(calendar, start, at_once) == pytest.approx(first + second, abs=1e-6)
    assert abs(minutes_between(calendar, in_turn, at_once)) < 1e-6


@pytest.mark.parametrize(
    ("calendar", "minutes", "message"),
    [
        (BERLIN, -1, "minutes=-1"),
        (BERLIN, float("nan"), "minutes=nan"),
        (Calendar("UTC", {0: []}), 1, "no working hours"),
    ],
)
def test_what_has_no_end_is_refused(calendar: Calendar, minutes: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        add_minutes(calendar, berlin("2026-11-02T10:00"), minutes)


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 11, 2, 10)
    with pytest.raises(ValueError, match="2026-11-02T10:00:00 has no time zone"):
        add_minutes(BERLIN, naive, 1)
    with pytest.raises(ValueError, match="no time zone"):
        minutes_between(None, berlin("2026-11-02T10:00"), naive)


def test_the_result_is_in_utc_whatever_zone_the_start_has() -> None:
    start = datetime(2026, 11, 2, 15, tzinfo=timezone(timedelta(hours=6)))
    found = add_minutes(BERLIN, start, 30)
    assert (found.tzinfo, found) == (UTC, start + timedelta(minutes=30))


DOCUMENT: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "hours": {"0": [["09:00", "12:00"], ["13:00", "24:00"]], "6": []},
    "holidays": ["2026-12-25"],
}


def test_a_calendar_is_read_as_written() -> None:
    hours = {0: (("09:00", "12:00"), ("13:00", "24:00")), 6: ()}
    expected = Calendar("Europe/Berlin", hours, frozenset({date(2026, 12, 25)}))
    assert parse_calendar(DOCUMENT) == expected
    assert parse_calendar({**DOCUMENT, "holidays": None}).holidays == frozenset()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"timezone": "../etc/passwd"}, "/timezone"),
        ({"timezone": ""}, "/timezone"),
        ({"timezone": None}, "/timezone"),
        ({"hours": None}, "/hours"),
        ({"hours": {}}, "/hours"),
        ({"hours": {"0": []}}, "/hours"),
        ({"hours": {"7": []}}, "/hours/7"),
        ({"hours": {"0": "9-5"}}, "/hours/0"),
        ({"hours": {"0": [["09:00", "17:00"]] * 13}}, "/hours/0"),
        ({"hours": {"0": [["17:00", "09:00"]]}}, "/hours/0/0"),
        ({"hours": {"0": [["09:00", "09:00"]]}}, "/hours/0/0"),
        ({"hours": {"0": [["9:00", "17:00"]]}}, "/hours/0/0"),
        ({"hours": {"0": [["09:00", "24:01"]]}}, "/hours/0/0"),
        ({"hours": {"0": [["24:00", "24:00"]]}}, "/hours/0/0"),
        ({"hours": {"0": [["09:00"]]}}, "/hours/0/0"),
        ({"hours": {"0": [["09:00", "12:00"], ["11:00", "13:00"]]}}, "/hours/0/1"),
        ({"holidays": "2026-12-25"}, "/holidays"),
        ({"holidays": ["2026-02-30"]}, "/holidays/0"),
        ({"holidays": ["20261225"]}, "/holidays/0"),
        ({"holidays": ["2026-W52-5"]}, "/holidays/0"),
        ({"holidays": ["2026-12-25"] * 1001}, "/holidays"),
        ({"breaks": []}, "/breaks"),
    ],
)
def test_a_fault_of_a_calendar_is_named_with_its_place(
    change: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(BadInput) as refused:
        parse_calendar({**DOCUMENT, **change})
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_every_fault_of_a_calendar_is_named_at_once() -> None:
    with pytest.raises(BadInput) as refused:
        parse_calendar({"hours": {"0": [["x", "y"]], "8": []}, "holidays": [1]})
    found = {error.pointer for error in refused.value.errors}
    assert found == {"/timezone", "/hours/0/0", "/hours/8", "/holidays/0"}
    with pytest.raises(BadInput, match="the calendar is \\[\\]"):
        parse_calendar([])
