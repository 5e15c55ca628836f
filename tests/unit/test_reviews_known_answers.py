"""When a known answer is mixed in, and what known answers say of a reviewer."""

from __future__ import annotations

import hashlib
import hmac
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.reviews.domain.known_answers import Standing, due, standing

KEY = b"a secret of the use case"


def draw_by_the_standard_library(reviewer: str, nth: int) -> float:
    digest = hmac.new(KEY, f"known:{nth}:{reviewer}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest, "big") / 2**256


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 10**6), st.floats(0, 1))
def test_the_draw_is_a_keyed_hash_of_reviewer_and_claim(
    reviewer: str, nth: int, rate: float
) -> None:
    share = min(1.0, 2 * rate) if nth <= 20 else rate
    assert due(KEY, reviewer, nth, rate) == (draw_by_the_standard_library(reviewer, nth) < share)


@given(st.integers(1, 1000), st.lists(st.floats(0, 1), min_size=2, max_size=5).map(sorted))
def test_a_higher_rate_keeps_every_case_of_a_lower_one(nth: int, rates: list[float]) -> None:
    drawn = [due(KEY, "r", nth, rate) for rate in rates]
    assert all(not lower or higher for lower, higher in pairwise(drawn))


def test_the_rate_is_kept_and_is_doubled_at_first() -> None:
    later = sum(due(KEY, "r", nth, 0.1) for nth in range(21, 5021))
    # 5,000 draws at 0.1: mean 500, sd sqrt(5000 * 0.09) = 21.2; five of these are 106
    assert abs(later - 500) < 106
    first = sum(due(KEY, f"r{who}", nth, 0.1) for who in range(250) for nth in range(1, 21))
    # 5,000 draws at 0.2: mean 1,000, sd sqrt(5000 * 0.16) = 28.3
    assert abs(first - 1000) < 142


def test_no_rate_gives_no_case_and_a_full_one_all() -> None:
    assert not any(due(KEY, "r", nth, 0.0) for nth in range(1, 100))
    assert all(due(KEY, "r", nth, 1.0) for nth in range(1, 100))


def test_another_key_gives_other_draws() -> None:
    ours = [due(KEY, "r", nth, 0.5) for nth in range(1, 101)]
    assert ours != [due(b"another", "r", nth, 0.5) for nth in range(1, 101)]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"nth": 0}, "nth=0"),
        ({"rate": 1.5}, "rate=1.5"),
        ({"rate": float("nan")}, "rate=nan"),
        ({"first_cases": -1}, "first_cases=-1"),
        ({"first_factor": -2.0}, "first_factor=-2.0"),
    ],
)
def test_numbers_out_of_range_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        due(KEY, "r", **{"nth": 1, "rate": 0.1, **more})


def test_a_reviewer_is_below_only_where_the_whole_interval_is() -> None:
    # Wilson, 95 %: 15/148 is [0.06239, 0.16049] (Newcombe 1998)
    found = standing(15, 148, 0.17)
    assert (found.low, found.high) == pytest.approx((0.06239, 0.16049), abs=5e-6)
    assert (found.value, found.n, found.below) == (15 / 148, 148, True)
    assert not standing(15, 148, 0.16).below


def test_a_few_misses_are_no_ground() -> None:
    assert not standing(1, 3, 0.7).below  # upper end 0.79
    assert standing(10, 30, 0.7).below  # upper end 0.51


def test_without_an_answer_nothing_is_known() -> None:
    assert standing(0, 0, 1.0) == Standing(None, 0.0, 1.0, 0, False)


@pytest.mark.parametrize(("right", "n", "floor"), [(2, 1, 0.5), (-1, 1, 0.5), (1, 1, 1.5)])
def test_counts_that_cannot_be_are_refused(right: int, n: int, floor: float) -> None:
    with pytest.raises(ValueError, match="="):
        standing(right, n, floor)
