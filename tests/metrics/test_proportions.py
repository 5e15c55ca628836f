"""Two shares side by side, against published numbers, SciPy and statsmodels."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from apps.metrics.domain.proportions import (
    Part,
    difference,
    katz,
    newcombe,
    significance,
)

part = st.integers(1, 3_000).flatmap(lambda n: st.builds(Part, st.integers(0, n), st.just(n)))
inner = st.integers(2, 3_000).flatmap(lambda n: st.builds(Part, st.integers(1, n - 1), st.just(n)))


def test_newcombe_gives_the_published_interval() -> None:
    # R. G. Newcombe, Stat. Med. 17 (1998) 873, table II (a): 56/70 less 48/80
    assert newcombe(Part(56, 70), Part(48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@settings(deadline=None)
@given(part, part, st.sampled_from([0.9, 0.95, 0.99]))
def test_newcombe_is_that_of_statsmodels(one: Part, other: Part, level: float) -> None:
    expected = confint_proportions_2indep(
        one.k, one.n, other.k, other.n, method="newcomb", compare="diff", alpha=1 - level
    )
    assert newcombe(one, other, level) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(inner, inner)
def test_katz_is_that_of_statsmodels(one: Part, other: Part) -> None:
    expected = confint_proportions_2indep(*one, *other, method="log", compare="ratio")
    assert katz(one, other) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)
@given(part, part)
def test_katz_holds_the_ratio_and_is_never_of_width_0(one: Part, other: Part) -> None:
    low, high = katz(one, other)
    assert 0 <= low < high
    if other.k:
        assert low <= one.rate / other.rate <= high
    else:
        assert high == inf


@settings(deadline=None)
@given(part, part)
def test_tests_are_those_of_statsmodels_and_scipy(one: Part, other: Part) -> None:
    found = significance(one, other)
    assert found is not None
    if 0 < one.k + other.k < one.n + other.n:
        z, p = proportions_ztest([one.k, other.k], [one.n, other.n])
        assert (found.z, found.p_z) == pytest.approx((z, p), abs=1e-9)
    else:
        assert (found.z, found.p_z) == (0, 1)
    table = [[one.k, one.n - one.k], [other.k, other.n - other.k]]
    assert found.p_fisher == pytest.approx(fisher_exact(table).pvalue, abs=1e-9)


def test_a_known_case_of_both_tests() -> None:
    found = significance(Part(12, 40), Part(48, 80))
    assert found is not None
    # pooled 60/120: z = -0.3 / sqrt(0.25 (1/40 + 1/80)) = -3.0984
    assert found.z == pytest.approx(-3.0984, abs=5e-5)
    assert found.p_z == pytest.approx(0.001946, abs=5e-7)
    assert found.p_fisher == pytest.approx(0.003409, abs=5e-7)
    assert (found.test, found.p, found.n) == ("z", found.p_z, 120)


def test_fisher_decides_where_an_expected_count_is_below_five() -> None:
    # pooled 3/20: the smaller group of 10 expects 1.5
    found = significance(Part(3, 10), Part(0, 10))
    assert found is not None
    assert (found.test, found.p) == ("fisher", found.p_fisher)


def test_above_ten_thousand_cases_the_exact_test_is_left_out() -> None:
    found = significance(Part(1_000, 6_000), Part(900, 5_000))
    assert found is not None
    assert (found.p_fisher, found.test) == (None, "z")


def test_without_cases_nothing_is_tested() -> None:
    assert significance(Part(0, 0), Part(1, 2)) is None
    found = difference(Part(0, 0), Part(1, 2))
    assert (found.value, found.low, found.n) == (None, None, 2)
    assert found.why == "not enough data (n = 2): one of the two groups has no cases"


def coverage(n1: int, n2: int, rate: float, draws: int = 2_000) -> float:
    """How often the interval of a difference holds 0, where there is none."""
    random = np.random.default_rng(1)
    k1, k2 = random.binomial(n1, rate, draws), random.binomial(n2, rate, draws)
    ends = [newcombe(Part(int(a), n1), Part(int(b), n2)) for a, b in zip(k1, k2, strict=True)]
    return sum(low <= 0 <= high for low, high in ends) / draws


@pytest.mark.parametrize(("n1", "n2", "rate"), [(1_000, 1_000, 0.3), (2_000, 50, 0.02)])
def test_newcombe_covers_no_gap_where_there_is_none(n1: int, n2: int, rate: float) -> None:
    assert 0.93 < coverage(n1, n2, rate) < 0.98
