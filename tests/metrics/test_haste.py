"""Hasty confirmations: below which time, where that is from, and how many."""

from __future__ import annotations

import numpy as np
import pytest

from apps.metrics.domain.durations import durations_of
from apps.metrics.domain.haste import haste_floor, hasty_part

NONE = durations_of([])


def test_what_the_use_case_states_goes_first() -> None:
    blind = durations_of([60.0] * 50)
    assert haste_floor(blind, 12).document() == {"seconds": 12.0, "from": "use_case", "n": 50}


def test_else_it_is_the_fifth_percentile_of_blind_answers() -> None:
    """Times 1 to 200 s: 5 % of them are at or below 10 s."""
    floor = haste_floor(durations_of(np.arange(1.0, 201.0)))
    assert (floor.source, floor.n) == ("blind_reviews", 200)
    assert floor.seconds == pytest.approx(10, rel=0.018)


@pytest.mark.parametrize(("n", "source"), [(0, "default"), (19, "default"), (20, "blind_reviews")])
def test_on_fewer_than_twenty_blind_answers_it_is_five_seconds(n: int, source: str) -> None:
    floor = haste_floor(durations_of([40.0] * n))
    assert floor.source == source
    assert (floor.seconds == 5) == (source == "default")


def test_confirmations_at_or_above_the_floor_are_not_hasty() -> None:
    times = durations_of([1, 3, 4, 4.5, 5, 5.1, 8, 60])
    assert hasty_part(times, 5) == (4, 8)
    assert hasty_part(times, 4) == (2, 8)
    assert hasty_part(times, 1) == (0, 8)
    assert hasty_part(times, 3600) == (8, 8)
    assert hasty_part(NONE, 5) == (0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_it_misses_only_what_is_within_four_per_cent_below_the_floor(seed: int) -> None:
    random = np.random.default_rng(seed)
    seconds = random.lognormal(3, 1, 2_000)
    for floor in (2.0, 7.3, 20.0, 61.0):
        found = hasty_part(durations_of(seconds), floor).k
        assert (seconds < floor / 1.036).sum() <= found <= (seconds < floor).sum()
