"""Figures from counted entries are those of the cases that the entries stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.metrics.domain.calibration import brier, brier_of_sums, ece, ece_of_bins
from apps.metrics.domain.estimates import Estimate, bounded_mean, share_by_case
from apps.metrics.domain.gain import team_gain

answers = st.integers(1, 4).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m)))
entry = st.tuples(st.booleans(), st.integers(0, 10_000), answers, st.integers(0, 5))
entries = st.lists(entry, min_size=1, max_size=15)
Columns = dict[str, list[Any]]

FIGURES: dict[str, Callable[[Columns, Sequence[int] | None], Estimate]] = {
    "people": lambda x, n: share_by_case(x["hits"], x["sizes"], "none", n),
    "gain": lambda x, n: team_gain(x["right"], x["hits"], x["sizes"], "human", n),
    "brier": lambda x, n: brier(x["confidence"], x["right"], n),
    "ece": lambda x, n: ece(x["confidence"], x["right"], counts=n),
}


def columns(rows: list[Any]) -> Columns:
    return {
        "right": [right for right, _, _, _ in rows],
        "confidence": [level / 10_000 for _, level, _, _ in rows],
        "hits": [hits for _, _, (hits, _), _ in rows],
        "sizes": [size for _, _, (_, size), _ in rows],
    }


def same(one: Any, other: Any) -> None:
    """Equal, numbers to 1e-9, whatever they lie in."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            same(*pair)
    else:
        assert one == (pytest.approx(other, abs=1e-9) if isinstance(other, float) else other)


@pytest.mark.parametrize("figure", FIGURES)
@settings(deadline=None)
@given(entries)
def test_an_entry_stands_for_as_many_cases_as_it_counts(figure: str, rows: list[Any]) -> None:
    counts = [n for _, _, _, n in rows]
    repeated = [row for row in rows for _ in range(row[3])]
    counted = FIGURES[figure](columns(rows), counts)
    same(counted.document(), FIGURES[figure](columns(repeated), None).document())
    assert counted.n == (sum(columns(repeated)["sizes"]) if figure == "people" else len(repeated))


def test_the_interval_of_a_mean_is_worked_out_by_hand_from_counts() -> None:
    # 3 ones and 1 naught, with z^2/2 of each added: (3 + 1.92) / (4 + 3.84) +- z sqrt(p (1 - p) / 7.84)
    z2 = 1.959963984540054**2
    p = (3 + z2 / 2) / (4 + z2)
    half = (z2 * p * (1 - p) / (4 + z2)) ** 0.5
    assert bounded_mean([1.0, 0.0], 0.0, 1.0, [3, 1]) == pytest.approx(
        (p - half, min(1.0, p + half))
    )


@settings(deadline=None)
@given(entries)
def test_calibration_from_sums_is_that_of_the_cases(rows: list[Any]) -> None:
    x, n = columns(rows), np.array([row[3] for row in rows], dtype=np.float64)
    given, hits = np.array(x["confidence"]), np.array(x["right"], dtype=np.float64)
    place = np.minimum((given * 15).astype(np.int64), 14)
    sums = [np.bincount(place, each, 15) for each in (n, n * given, n * hits)]
    same(
        ece_of_bins(*sums).document(),
        ece(x["confidence"], x["right"], counts=n.tolist()).document(),
    )
    errors = (given - hits) ** 2
    expected = brier(x["confidence"], x["right"], n.tolist()).document()
    found = brier_of_sums(int(n.sum()), float(n @ errors), float(n @ errors**2))
    same(found.document(), expected)
