"""The clock of a service level, its pauses, and what a lapse leads to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.reviews.domain.business_hours import Calendar, add_minutes
from apps.reviews.domain.sla import Clock, Step, clock, next_step

START = datetime(2026, 11, 2, 9, tzinfo=UTC)  # a Monday
OFFICE = Calendar("UTC", {day: [("09:00", "17:00")] for day in range(5)})


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def read(now: float, *pauses: tuple[float, float | None], **more: Any) -> Clock:
    """A limit of 100 minutes round the clock, 30 of which may be added by pauses."""
    spans = [(at(begin), None if end is None else at(end)) for begin, end in pauses]
    return clock(
        more.pop("calendar", None),
        START,
        more.pop("minutes", 100),
        spans,
        at(now),
        pause_limit_minutes=more.pop("limit", 30),
    )


def test_a_chain_is_climbed_step_by_step_and_ends_in_the_fallback() -> None:
    chain = ["senior_reviewer", "risk_lead"]
    steps = [next_step(chain, level, "withhold") for level in range(4)]
    assert steps[:2] == [Step("escalate", "senior_reviewer"), Step("escalate", "risk_lead")]
    assert steps[2:] == [Step("fallback", None, "withhold")] * 2
    assert next_step([], 0, "release") == Step("fallback", None, "release")


@pytest.mark.parametrize(("level", "fallback"), [(-1, "withhold"), (0, "shrug")])
def test_a_step_that_cannot_be_is_refused(level: int, fallback: str) -> None:
    with pytest.raises(ValueError, match="="):
        next_step(["risk_lead"], level, fallback)


def test_without_a_pause_the_clock_just_runs() -> None:
    assert read(40) == Clock(at(100), False, 0.0, None, 60.0)
    assert read(130).left_minutes == -30


def test_a_pause_that_ended_moves_the_due_time_by_its_length() -> None:
    assert read(40, (10, 25)) == Clock(at(115), False, 15.0, None, 75.0)


def test_a_pause_that_lasts_holds_the_clock_until_its_limit() -> None:
    assert read(25, (10, None)) == Clock(at(115), True, 15.0, at(40), 90.0)
    assert read(40, (10, None)) == Clock(at(130), False, 30.0, None, 90.0)
    assert read(200, (10, None)) == Clock(at(130), False, 30.0, None, -70.0)


def test_the_limit_is_for_all_pauses_together() -> None:
    assert read(60, (0, 20), (40, None)) == Clock(at(130), False, 30.0, None, 70.0)
    assert read(45, (0, 20), (40, None)).resumes_at == at(50)
    assert read(90, (0, 20), (40, 80)).paused_minutes == 30


def test_pauses_that_overlap_count_once() -> None:
    assert read(60, (10, 20), (15, 25), (12, 13)).paused_minutes == 15
    assert read(30, (10, None), (15, 20)) == read(30, (10, None))
    assert read(30, (10, 20), (15, None)) == read(30, (10, None))


def test_a_pause_counts_from_the_start_and_until_now() -> None:
    assert read(10, (-20, 5)).paused_minutes == 5
    assert read(10, (20, 30)).paused_minutes == 0
    assert read(10, (5, 30)) == read(10, (5, None))


def test_pauses_and_limits_count_in_working_time() -> None:
    # paused from 16:50: ten minutes on Monday, the night is free, twenty on Tuesday
    found = read(17 * 60, (470, None), calendar=OFFICE, minutes=480, limit=30)
    assert found.resumes_at == datetime(2026, 11, 3, 9, 20, tzinfo=UTC)
    assert (found.paused, found.paused_minutes) == (True, 10.0)
    assert found.due_at == datetime(2026, 11, 3, 9, 10, tzinfo=UTC)


def test_without_a_limit_nothing_is_due() -> None:
    assert read(25, (10, None), minutes=None) == Clock(None, True, 15.0, at(40), None)


def test_no_pause_is_allowed_where_its_limit_is_0() -> None:
    assert read(25, (10, None), limit=0) == Clock(at(100), False, 0.0, None, 75.0)


@pytest.mark.parametrize(
    ("pause", "more"), [((20, 10), {}), ((0, 1), {"limit": -1}), ((0, 1), {"minutes": -1})]
)
def test_what_cannot_be_is_refused(pause: tuple[float, float], more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="ends before it begins|=-1"):
        read(30, pause, **more)


spans = st.lists(
    st.tuples(st.integers(-50, 3000), st.one_of(st.none(), st.integers(0, 500))), max_size=5
)


@given(spans, st.integers(0, 4000), st.integers(0, 300))
def test_pauses_give_time_within_their_limit_and_never_take_any(
    pauses: list[tuple[int, int | None]], now: int, limit: int
) -> None:
    ends = [(begin, None if length is None else begin + length) for begin, length in pauses]
    found = read(now, *ends, calendar=OFFICE, limit=limit)
    assert 0 <= found.paused_minutes <= limit
    assert found.due_at == add_minutes(OFFICE, START, 100 + found.paused_minutes)
    assert found.paused == (found.resumes_at is not None)
    assert found == read(now, *reversed(ends), calendar=OFFICE, limit=limit)
    if found.resumes_at is not None:
        assert found.resumes_at >= at(now)
