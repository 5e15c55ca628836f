"""Erlang C: against published values, sums by hand and the series itself."""

from __future__ import annotations

from fractions import Fraction
from math import exp, factorial, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.reviews.domain.load import erlang_c, staffing_for


def by_the_series(work: Fraction, people: int) -> Fraction:
    """P(wait) = (A^c/c! c/(c-A)) / (sum_{k<c} A^k/k! + A^c/c! c/(c-A)), exactly."""
    top = work**people / factorial(people) * people / (people - work)
    return top / (sum(work**k / Fraction(factorial(k)) for k in range(people)) + top)


def test_one_person_waits_as_the_books_say() -> None:
    # A = 0.8: P(wait) = 0.8, wait = 0.8/0.2 = 4 mean times of 6 minutes
    found = erlang_c(8, 6, 1)
    assert found[:3] == pytest.approx((0.8, 24.0, 0.8))
    assert found.why is None


def test_two_people_at_half_load() -> None:
    # A = 1, c = 2: (1/2 * 2) / (1 + 1 + 1/2 * 2) = 1/3; wait = 1/3 * 6/(2 - 1) = 2 minutes
    found = erlang_c(10, 6, 2)
    assert found[:3] == pytest.approx((1 / 3, 2.0, 0.5))


def test_the_common_example_of_call_centres() -> None:
    # 100 calls in half an hour of 180 seconds: 10 erlangs; with 14 people 17.4 % wait, 7.8 seconds
    # on average, busy 71.4 %
    found = erlang_c(200, 3, 14)
    assert found.probability == pytest.approx(0.174, abs=5e-4)
    assert found.expected_wait_minutes == pytest.approx(7.8 / 60, abs=1e-3)
    assert found.utilisation == pytest.approx(0.714, abs=5e-4)
    # 80 % are to be answered within 20 seconds, that is done within 3 minutes and 20 seconds: 14
    assert staffing_for(200, 3, 3 + 20 / 60, 0.8) == 14


@given(st.integers(1, 400), st.integers(1, 30), st.integers(1, 40))
def test_it_is_the_series(arrivals: int, minutes: int, people: int) -> None:
    work, found = Fraction(arrivals * minutes, 60), erlang_c(arrivals, minutes, people)
    assert found.utilisation == pytest.approx(float(work / people))
    if work < people:
        wait = by_the_series(work, people)
        assert found.probability == pytest.approx(float(wait), rel=1e-9)
        expected = float(wait * minutes / (people - work))
        assert found.expected_wait_minutes == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("people", [0, 1, 2])
def test_an_overloaded_queue_has_no_wait_and_says_why(people: int) -> None:
    found = erlang_c(20, 6, people)
    assert (found.probability, found.expected_wait_minutes) == (1.0, None)
    assert found.utilisation == (2 / people if people else inf)
    assert found.why == f"2.00 people's work comes to {people}: the queue grows without end"


def test_without_arrivals_nobody_waits_and_nobody_is_needed() -> None:
    assert erlang_c(0, 6, 0) == (0.0, 0.0, 0.0, None)
    assert staffing_for(0, 6, 60) == 0


def test_large_teams_do_not_overflow() -> None:
    found = erlang_c(600_000, 6, 60_500)  # 60,000 people's work
    assert 0 < found.probability < 0.1
    assert erlang_c(1, 1, 1000).probability == 0.0
    assert staffing_for(600_000, 6, 12) in range(60_001, 60_500)


@given(st.floats(0.1, 500), st.floats(0.5, 60), st.floats(0, 300), st.floats(0.5, 0.99))
def test_the_staffing_holds_the_limit_and_one_fewer_does_not(
    arrivals: float, minutes: float, spare: float, share: float
) -> None:
    people = staffing_for(arrivals, minutes, minutes + spare, share)
    assert in_time(arrivals, minutes, spare, people) >= share - 1e-9
    assert in_time(arrivals, minutes, spare, people - 1) < share + 1e-9


def in_time(arrivals: float, minutes: float, spare: float, people: int) -> float:
    work = arrivals * minutes / 60
    if work >= people:
        return 0.0
    wait = erlang_c(arrivals, minutes, people).probability
    return 1 - wait * exp(-(people - work) * spare / minutes)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((-1, 6, 1), "arrivals_per_hour=-1"),
        ((inf, 6, 1), "arrivals_per_hour=inf"),
        ((1, 0, 1), "minutes_per_case=0"),
        ((1, 6, -1), "people=-1"),
        ((1, 6, 2_000_000), "people=2000000"),
    ],
)
def test_a_load_that_cannot_be_is_refused(numbers: tuple[float, float, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        erlang_c(*numbers)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((1, 6, 5), "sla_minutes=5: a case takes 6 minutes"),
        ((1, 6, 60, 1.0), "share=1.0"),
        ((1e9, 60, 120), "more than 1,000,000 people"),
    ],
)
def test_a_limit_that_no_team_can_hold_is_refused(numbers: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        staffing_for(*numbers)
