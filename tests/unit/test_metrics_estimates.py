"""Estimates and their intervals, against published numbers and the field's libraries."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from apps.metrics.domain.estimates import (
    Estimate,
    bounded_mean,
    not_enough,
    share,
    share_by_case,
    wilson,
    wilson_of_share,
    z_of,
)

# 95 % score intervals: 81/263 and 15/148 as in R. G. Newcombe, Stat. Med. 17 (1998) 857, table I;
# at 0 and n of n successes they are 0 to z^2/(n + z^2) and n/(n + z^2) to 1.
PUBLISHED = [
    (0, 10, 0.0, 0.27753),
    (81, 263, 0.25529, 0.36621),
    (15, 148, 0.06239, 0.16049),
    (95, 100, 0.88825, 0.97846),
    (20, 20, 0.83887, 1.0),
]
counts = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
groups = st.lists(
    st.integers(1, 30).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))),
    min_size=1,
    max_size=40,
)


@pytest.mark.parametrize(("successes", "n", "low", "high"), PUBLISHED)
def test_wilson_gives_the_published_intervals(
    successes: int, n: int, low: float, high: float
) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-6)


@given(counts, st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_wilson_is_that_of_statsmodels(count: tuple[int, int], level: float) -> None:
    successes, n = count
    expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert wilson(successes, n, level) == pytest.approx(expected, abs=1e-12)


@given(counts)
def test_wilson_holds_the_share_and_stays_within_0_and_1(count: tuple[int, int]) -> None:
    low, high = wilson(*count)
    assert 0 <= low <= count[0] / count[1] <= high <= 1


@given(counts)
def test_wilson_of_the_failures_is_the_mirror_of_that_of_the_successes(
    count: tuple[int, int],
) -> None:
    low, high = wilson(*count)
    assert wilson(count[1] - count[0], count[1]) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_wilson_ends_exactly_at_0_and_1() -> None:
    assert wilson(0, 7)[0] == 0.0
    assert wilson(7, 7)[1] == 1.0


def test_nothing_is_known_without_a_trial() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (1, inf)])
def test_wilson_refuses_counts_that_cannot_be(successes: float, n: float) -> None:
    with pytest.raises(ValueError, match="successes="):
        wilson(successes, n)


def test_a_share_that_is_known_exactly_has_no_width() -> None:
    assert wilson_of_share(0.3, inf) == (0.3, 0.3)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0])
def test_a_level_outside_0_and_1_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level="):
        z_of(level)


def test_a_share_is_a_json_object_of_five_members() -> None:
    assert share(639, 1000, "").document() == {
        "value": 0.639,
        "low": pytest.approx(0.608752, abs=5e-7),
        "high": pytest.approx(0.668184, abs=5e-7),
        "n": 1000,
        "method": "wilson",
    }


def test_without_data_the_value_is_null_and_says_why() -> None:
    assert share(0, 0, "nobody looked").document() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 0,
        "method": "wilson",
        "why": "not enough data (n = 0): nobody looked",
    }


def test_what_a_figure_states_besides_stands_beside_it() -> None:
    estimate = not_enough("no bins", "wilson_bins", more={"bins": []})
    assert estimate.document()["bins"] == []
    assert estimate == Estimate(
        None, None, None, 0, "wilson_bins", "not enough data (n = 0): no bins", {"bins": []}
    )


# --- Shares by case -------------------------------------------------------------------------


def test_judgements_of_one_case_each_are_independent_trials() -> None:
    # p = 6/10; V = 10/9 (6 x 0.4^2 + 4 x 0.6^2) / 100 = 10/9 x 0.024; p (1 - p) / V = 9
    found = share_by_case([1] * 6 + [0] * 4, [1] * 10, "")
    assert found.value == 0.6
    assert found.more["n_eff"] == pytest.approx(9.0)
    assert (found.low, found.high) == pytest.approx(wilson(5.4, 9))


def test_judgements_that_copy_each_other_count_as_one_a_case() -> None:
    # Ten cases, each judged alike by 50 people: not 500 trials but 9.
    found = share_by_case([50] * 6 + [0] * 4, [50] * 10, "")
    assert (found.n, found.more["cases"]) == (500, 10)
    assert found.more["n_eff"] == pytest.approx(9.0)


def test_an_effective_number_is_worked_out_by_hand() -> None:
    # p = 4/6; residuals 2 - 4/3, 2 - 2, 0 - 2/3 = 2/3, 0, -2/3; V = 3/2 x 8/9 / 36 = 1/27
    # n_eff = 2/9 x 27 = 6, which is n
    found = share_by_case([2, 2, 0], [2, 3, 1], "")
    assert found.more == {"cases": 3, "n_eff": pytest.approx(6.0)}


@pytest.mark.parametrize("hits", [[4, 5], [0, 0]])
def test_where_all_agree_the_number_of_cases_stands_for_the_evidence(hits: list[int]) -> None:
    found = share_by_case(hits, [4, 5], "")
    assert found.more["n_eff"] == 2.0
    assert found.low is not None and found.high is not None
    assert found.high - found.low > 0.5


@given(groups)
def test_a_share_by_case_is_the_plain_share_of_no_more_trials_than_there_are(
    rows: list[tuple[int, int]],
) -> None:
    hits, sizes = zip(*rows, strict=True)
    found = share_by_case(hits, sizes, "")
    assert found.value == pytest.approx(sum(hits) / sum(sizes))
    assert 0 < found.more["n_eff"] <= found.n
    assert found.low <= found.value <= found.high  # type: ignore[operator]


def test_without_a_case_there_is_no_share_by_case() -> None:
    assert share_by_case([], [], "no one judged").why == "not enough data (n = 0): no one judged"


def test_the_interval_by_case_covers_where_the_plain_one_does_not() -> None:
    """300 samples of 60 cases whose difficulty differs, 15 judgements each; the truth is 0.6."""
    random = np.random.default_rng(7)
    covered = plain = 0
    for _ in range(300):
        ease = random.beta(1.2, 0.8, 60)
        hits = random.binomial(15, ease)
        found = share_by_case(hits.tolist(), [15] * 60, "")
        covered += found.low <= 0.6 <= found.high  # type: ignore[operator]
        low, high = wilson(int(hits.sum()), 900)
        plain += low <= 0.6 <= high
    # 95 % of 300 is 285 with a standard deviation of 3.8
    assert covered >= 272
    assert plain < 200


# --- Means of bounded values ----------------------------------------------------------------


@given(counts)
def test_the_interval_of_a_mean_of_zeros_and_ones_is_that_of_agresti_and_coull(
    count: tuple[int, int],
) -> None:
    successes, n = count
    n = min(n, 400)
    successes = min(successes, n)
    low, high = bounded_mean([1.0] * successes + [0.0] * (n - successes), 0.0, 1.0)
    expected = proportion_confint(successes, n, method="agresti_coull")
    assert (low, high) == pytest.approx((max(0, expected[0]), min(1, expected[1])), abs=1e-9)


@given(st.lists(st.floats(0, 1), max_size=50))
def test_the_interval_of_a_mean_holds_it_and_is_never_without_width(values: list[float]) -> None:
    low, high = bounded_mean(values, 0.0, 1.0)
    assert 0 <= low < high <= 1
    if values:
        assert low - 1e-12 <= float(np.mean(values)) <= high + 1e-12


def test_without_a_value_the_mean_may_be_anything() -> None:
    assert bounded_mean([], -1.0, 1.0) == pytest.approx((-1.0, 1.0))
