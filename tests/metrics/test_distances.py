"""Distances of distributions, against hand-worked sums, SciPy and statsmodels."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon
from statsmodels.stats.multitest import multipletests

from apps.metrics.domain.distances import (
    benjamini_hochberg,
    chi_squared,
    decile_bins,
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_tail,
    psi,
    psi_null,
    standard_deviation,
    wasserstein,
)
from apps.metrics.domain.histograms import count_numbers, freeze_number

counts = st.integers(2, 30).flatmap(
    lambda k: st.tuples(
        *(st.lists(st.integers(0, 500), min_size=k, max_size=k).filter(any) for _ in range(2))
    )
)


def array(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_psi_is_worked_out_by_hand() -> None:
    # (.35 - .4) ln(.35/.4) + (.25 - .3) ln(.25/.3) + (.4 - .3) ln(.4/.3)
    #   = .006677 + .009116 + .028768
    assert psi(array(40, 30, 30), array(35, 25, 40)) == pytest.approx(0.0445609, abs=5e-8)
    # two halved, two half as much again: 2 (.05 ln 2) + 2 (.05 ln 1.5)
    tenths = array(*[10] * 10)
    moved = array(5, 5, 10, 10, 10, 10, 10, 10, 15, 15)
    assert psi(tenths, moved) == pytest.approx(0.1 * (log(2) + log(1.5)), abs=1e-12)
    assert psi(tenths, moved) == pytest.approx(0.1098612, abs=5e-8)


def test_an_empty_bin_counts_as_a_ten_thousandth() -> None:
    assert psi(array(5, 5, 0), array(4, 5, 1)) == pytest.approx(0.7123991, abs=5e-8)


def test_jensen_shannon_is_in_bits() -> None:
    found = jensen_shannon(array(40, 30, 30), array(35, 25, 40))
    assert found == pytest.approx(0.0895264, abs=5e-8)
    assert found * sqrt(log(2)) == pytest.approx(0.0745356, abs=5e-8)
    assert jensen_shannon(array(5, 0), array(0, 7)) == 1.0


@settings(deadline=None)
@given(counts)
def test_jensen_shannon_is_scipy_s(pair: tuple[list[int], list[int]]) -> None:
    p, q = (np.array(one) for one in pair)
    assert jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, base=2), abs=1e-7)


@settings(deadline=None)
@given(counts)
def test_chi_squared_is_scipy_s_contingency_test(pair: tuple[list[int], list[int]]) -> None:
    p, q = (np.array(one) for one in pair)
    table = np.vstack([p, q])[:, (p + q) > 0]
    found = chi_squared(p, q)
    if table.shape[1] < 2:
        assert (found.p, found.freedom) == (1.0, 0)
        return
    expected = stats.chi2_contingency(table, correction=False)
    assert (found.statistic, found.freedom) == (pytest.approx(expected.statistic), expected.dof)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.cramer_v == pytest.approx(stats.contingency.association(table), abs=1e-9)


@pytest.mark.parametrize("levels", [2, 3, 6, 12, 25, 60])
def test_chi_squared_alarms_falsely_in_a_twentieth_of_cases(levels: int) -> None:
    """4,000 pairs of windows of 5,000 without drift: the Monte-Carlo error is 0.0034."""
    random = np.random.default_rng(levels)
    shares = 1 / np.arange(1, levels + 1) ** 0.8
    p, q = random.multinomial(5_000, shares / shares.sum(), size=(2, 4_000))
    together = (p + q) / 2
    statistic = ((p - together) ** 2 / together + (q - together) ** 2 / together).sum(axis=1)
    # The vectorised statistic is the function's own, on a few of the pairs
    for i in range(20):
        assert chi_squared(p[i], q[i]).statistic == pytest.approx(statistic[i])
    alarms = float((stats.chi2.sf(statistic, levels - 1) < 0.05).mean())
    assert 0.04 <= alarms <= 0.06
    # The reference as exact truth: the fault that other tools have
    naive = ((q - p) ** 2 / np.maximum(p, 1)).sum(axis=1)
    assert float((stats.chi2.sf(naive, levels - 1) < 0.05).mean()) > 0.15


def test_psi_without_drift_stays_below_its_null_quantile_in_19_of_20_cases() -> None:
    random = np.random.default_rng(0)
    p, q = random.multinomial(1_000, [0.1] * 10, size=(2, 1_500))
    found = np.array([psi(a, b) for a, b in zip(p, q, strict=True)])
    assert psi_null(10, 1_000, 1_000) == pytest.approx(0.0338, abs=5e-5)
    assert found.mean() == pytest.approx(9 * 2 / 1_000, rel=0.03)  # (k - 1)(1/n + 1/m)
    assert (found <= psi_null(10, 1_000, 1_000)).mean() == pytest.approx(0.95, abs=0.017)
    assert psi_null(1, 10, 10) == 0


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=40))
def test_q_values_are_statsmodels(p_values: list[float]) -> None:
    found = benjamini_hochberg(p_values)
    expected = multipletests(p_values, method="fdr_bh")[1] if p_values else []
    assert found == pytest.approx(list(expected), abs=1e-12)


@pytest.mark.parametrize("n", [1_001, 5_000, 20_000])
def test_the_tail_of_large_samples_is_that_of_the_exact_law(n: int) -> None:
    assert kolmogorov_tail(0.02, 500) == stats.kstwo.sf(0.02, 500)
    for x in (0.3, 0.6, 1.0, 1.36, 2.0):
        exact = stats.kstwo.sf(x / sqrt(n), n)
        assert kolmogorov_tail(x / sqrt(n), n) == pytest.approx(exact, abs=2e-5)


# --- From histograms against SciPy on the values --------------------------------------------

SHAPES = {
    "normal": lambda random, n: random.standard_normal(n),
    "log-normal": lambda random, n: np.exp(0.5 * random.standard_normal(n)),
    "heavy tails": lambda random, n: random.standard_t(4, n),
    "ties": lambda random, n: np.round(random.gamma(3.0, 8.0, n)),
    "many zeros": lambda random, n: np.where(random.random(n) < 0.3, 0, random.standard_normal(n)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shift", [0.0, 0.2, 30.0])
def test_histograms_give_scipy_s_figures_within_a_cell(shape: str, shift: float) -> None:
    random = np.random.default_rng(11)
    one = SHAPES[shape](random, 20_000)
    other = SHAPES[shape](random, 20_000) * (1 + shift / 10) + shift
    edges = freeze_number(one)
    assert edges is not None
    p, q = count_numbers(one, edges), count_numbers(other, edges)
    exact = stats.ks_2samp(one, other).statistic
    ks = kolmogorov_smirnov(p.counts[:-1], q.counts[:-1])
    assert ks.distance <= exact + 1e-12
    assert exact <= ks.distance + ks.error + 1e-12
    assert ks.distance == pytest.approx(exact, abs=6e-4)
    spread = one.std()
    assert standard_deviation(p, edges.centres) == pytest.approx(spread, rel=2e-3)
    moved = stats.wasserstein_distance(one, other)
    assert wasserstein(p, q, edges) / spread == pytest.approx(moved / spread, abs=2e-3, rel=1e-3)


def test_ks_of_large_samples_is_within_a_ten_thousandth() -> None:
    random = np.random.default_rng(4)
    one, other = random.standard_normal((2, 300_000))
    other += 0.05
    edges = freeze_number(one)
    assert edges is not None
    p, q = (count_numbers(x, edges).counts[:-1] for x in (one, other))
    found = kolmogorov_smirnov(p, q)
    exact = stats.ks_2samp(one, other)
    assert found.distance == pytest.approx(exact.statistic, abs=1e-4)


def test_deciles_are_the_reference_s_with_open_ends() -> None:
    # a hundred cells of one each: ten bins of ten
    p, q = decile_bins(np.ones(100, dtype=np.int64), np.arange(100))
    assert p.tolist() == [10] * 10
    assert q.tolist() == [sum(range(i, i + 10)) for i in range(0, 100, 10)]


def test_heavy_ties_make_fewer_bins() -> None:
    # 75 % in the second cell: the deciles 1 to 7 end there
    p, _ = decile_bins(array(5, 75, 10, 10), array(1, 1, 1, 1))
    assert p.tolist() == [80, 10, 10]
    alone, _ = decile_bins(array(0, 50, 0), array(3, 4, 5))
    assert alone.tolist() == [50, 0]
