"""How far two distributions lie apart: PSI, Jensen-Shannon, chi-squared, KS, Wasserstein."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from apps.metrics.domain.histograms import ABOVE, BELOW, NumberEdges, NumberHistogram

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FLOOR: Final = 1e-4
DECILES: Final = 10
EXACT_TAIL: Final = 1000

DEFINITIONS: Final = {
    "psi": "sum((q - p) ln(q / p)) over the reference's deciles with open ends, or over levels; "
    "shares below 0.0001 are set to it",
    "psi_null_95": "(1/n + 1/m) times the 95 % quantile of chi-squared(k - 1): what psi stays "
    "below in 19 of 20 cases when nothing drifted",
    "js": "square root of the Jensen-Shannon divergence, base 2, over the same bins, unsmoothed",
    "ks": "largest difference of the distribution functions at the cells' edges; the exact figure "
    "lies at most ks_error above",
    "wasserstein": "first Wasserstein distance over the reference's standard deviation (ddof 0), "
    "values at their cells' middles, tails at their means",
    "p_value": "numbers: two-sided Kolmogorov-Smirnov; categories: chi-squared of the 2 x k table, "
    "without Yates' correction",
    "effect": "numbers: ks; categories: Cramer's V",
    "q_value": "Benjamini-Hochberg over all tests of the report",
}


def psi(reference: Ints, current: Ints) -> float:
    """The population stability index of two counts over the same bins.

    Definition: sum((q - p) ln(q / p)), p and q the shares, each at least 1e-4. Neutral value: 0,
    lower is better; without any drift its mean is (k - 1)(1/n + 1/m), see ``psi_null``.
    Parameters: ``reference``, ``current``, shape (k,), each with a sum above 0.
    Returns: >= 0.
    Source: N. Siddiqi, Credit Risk Scorecards (2006), ch. 9.
    """
    p = np.maximum(reference / reference.sum(), FLOOR)
    q = np.maximum(current / current.sum(), FLOOR)
    return float(((q - p) * np.log(q / p)).sum())


def psi_null(bins: int, n: int, m: int, level: float = 0.95) -> float:
    """What PSI stays below when nothing drifted.

    Definition: (1/n + 1/m) times the quantile of chi-squared with k - 1 degrees of freedom, the
    law of PSI for two samples of one distribution when all cells are filled.
    Parameters: ``bins`` k >= 1; ``n``, ``m`` >= 1 cases; ``level``.
    Returns: >= 0; 0 for one bin.
    Source: B. Yurdakul, J. Naranjo, J. Risk Model Validation 14 (2020) 89.
    """
    if bins < 2:
        return 0.0
    return (1 / n + 1 / m) * float(special.chdtri(bins - 1, 1 - level))


def jensen_shannon(reference: Ints, current: Ints) -> float:
    """The Jensen-Shannon distance of two counts over the same bins.

    Definition: sqrt(H((p + q) / 2) - (H(p) + H(q)) / 2), H in bits. Neutral value: 0; 1 for
    distributions that share nothing; lower is better.
    Parameters: ``reference``, ``current``, shape (k,), each with a sum above 0.
    Returns: in [0, 1].
    Source: J. Lin, IEEE Trans. Inf. Theory 37 (1991) 145; D. Endres, J. Schindelin, 49 (2003) 1858.
    """
    p, q = reference / reference.sum(), current / current.sum()
    middle = (p + q) / 2
    entropies = (special.rel_entr(p, middle).sum() + special.rel_entr(q, middle).sum()) / 2
    return sqrt(min(1.0, max(0.0, float(entropies) / log(2))))


class ChiSquared(NamedTuple):
    """``statistic``, ``freedom`` (degrees), two-sided ``p``, and ``cramer_v`` in [0, 1]."""

    statistic: float
    freedom: int
    p: float
    cramer_v: float


def chi_squared(reference: Ints, current: Ints) -> ChiSquared:
    """The test that two counts come from one distribution.

    Definition: the contingency statistic of the 2 x k table, no continuity correction, levels that
    neither has left out; V = sqrt(statistic / n). Taking the reference as the exact truth instead
    alarms far too often (a fifth to all of the time at 5 %).
    Parameters: ``reference``, ``current``, shape (k,), each with a sum above 0.
    Returns: ChiSquared; with one level nothing can differ: 0, p = 1.
    Source: K. Pearson, Biometrika 8 (1911) 250; H. Cramer (1946), ch. 21.
    """
    table = np.vstack([reference, current])
    table = table[:, table.sum(axis=0) > 0].astype(np.float64)
    freedom = table.shape[1] - 1
    if freedom < 1:
        return ChiSquared(0.0, 0, 1.0, 0.0)
    n = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    statistic = float(((table - expected) ** 2 / expected).sum())
    p = float(special.chdtrc(freedom, statistic))
    return ChiSquared(statistic, freedom, p, sqrt(statistic / n))


class KolmogorovSmirnov(NamedTuple):
    """``distance`` at the cells' edges, the ``error`` by which the exact one may be larger, ``p``."""

    distance: float
    error: float
    p: float


def kolmogorov_smirnov(reference: Ints, current: Ints) -> KolmogorovSmirnov:
    """The largest difference of two distribution functions, from histograms.

    Definition: D = max |F - G| at the cells' edges. Within a cell F - G moves at most by the cell's
    own shares, which bounds what the exact D can be above it; a cell that holds one value adds
    nothing in truth. p is that of the two-sided test at n m / (n + m) cases.
    Neutral value: 0; lower is better.
    Parameters: ``reference``, ``current``, shape (k,), cells in order, each with a sum above 0.
    Returns: KolmogorovSmirnov.
    Source: J. L. Hodges, Arkiv Mat. 3 (1958) 469.
    """
    n, m = int(reference.sum()), int(current.sum())
    p, q = reference / n, current / m
    gap = np.cumsum(p - q)
    before = np.concatenate([[0.0], gap[:-1]])
    distance = float(np.abs(gap).max())
    bound = float(max((before + p).max(), (q - before).max(), distance))
    value = kolmogorov_tail(distance, max(1, round(n * m / (n + m))))
    return KolmogorovSmirnov(distance, min(1.0, bound) - distance, value)


def kolmogorov_tail(distance: float, n: int) -> float:
    """The chance that the Kolmogorov statistic of n cases is at least ``distance``.

    Definition: exact up to 1,000 cases; above, the limit law at x + 1/(6 sqrt(n)) + (x - 1)/(4n),
    x = sqrt(n) distance, which is within 1e-5 of it and does not take a second.
    Parameters: ``distance`` in [0, 1]; ``n`` >= 1. Returns: p in [0, 1].
    Source: J. Vrbik, Pioneer J. Theor. Appl. Stat. 15 (2018) 15; scipy.stats.kstwo.
    """
    if n <= EXACT_TAIL:
        from scipy import stats  # a second to load, in every process, for what few ask

        value = float(stats.kstwo.sf(distance, n))
    else:
        x = sqrt(n) * distance
        value = float(special.kolmogorov(x + 1 / (6 * sqrt(n)) + (x - 1) / (4 * n)))
    return min(1.0, max(0.0, value))


def standard_deviation(histogram: NumberHistogram, centres: Floats) -> float:
    """The standard deviation (ddof 0) of a histogram's values.

    Definition: values at their cells' middles, the tails at their means.
    Parameters: ``histogram`` with a value; ``centres``, shape (4096,).
    Returns: >= 0, in the feature's unit.
    """
    counts = histogram.counts[BELOW : ABOVE + 1]
    points = np.concatenate(
        [[_mean_below(histogram, centres)], centres, [_mean_above(histogram, centres)]]
    )
    n = counts.sum()
    mean = float(counts @ points) / n
    return sqrt(max(0.0, float(counts @ (points - mean) ** 2) / n))


def wasserstein(reference: NumberHistogram, current: NumberHistogram, edges: NumberEdges) -> float:
    """The first Wasserstein distance of two histograms on the same edges.

    Definition: the integral of |F - G|, values at their cells' middles, tails at their means: how
    far the mass has to be moved. Neutral value: 0; lower is better.
    Parameters: ``reference``, ``current``, each with a value; their ``edges``.
    Returns: >= 0, in the feature's unit.
    Source: L. N. Vaserstein (1969); for one dimension see A. Ramdas et al., Entropy 19 (2017) 47.
    """
    centres = edges.centres
    p = reference.counts[BELOW : ABOVE + 1] / reference.counts[BELOW : ABOVE + 1].sum()
    q = current.counts[BELOW : ABOVE + 1] / current.counts[BELOW : ABOVE + 1].sum()
    inside = np.cumsum(p - q)[1:-2]  # between the first and the last middle
    step = (edges.high - edges.low) / len(centres)
    below = _tail(
        (p[0], centres[0] - _mean_below(reference, centres)),
        (q[0], centres[0] - _mean_below(current, centres)),
    )
    above = _tail(
        (p[-1], _mean_above(reference, centres) - centres[-1]),
        (q[-1], _mean_above(current, centres) - centres[-1]),
    )
    return float(np.abs(inside).sum() * step + below + above)


def _tail(one: tuple[float, float], other: tuple[float, float]) -> float:
    """What two tails, (share, distance from the last middle), add to the distance."""
    (a, far), (b, near) = (one, other) if one[1] >= other[1] else (other, one)
    return a * (far - near) + abs(a - b) * near


def _mean_below(histogram: NumberHistogram, centres: Floats) -> float:
    n = int(histogram.counts[BELOW])
    return histogram.below / n if n else float(centres[0])


def _mean_above(histogram: NumberHistogram, centres: Floats) -> float:
    n = int(histogram.counts[ABOVE])
    return histogram.above / n if n else float(centres[-1])


def decile_bins(reference: Ints, current: Ints, bins: int = DECILES) -> tuple[Ints, Ints]:
    """Both histograms put into the reference's deciles, with open ends.

    Definition: a bin ends at the first cell at which the reference's cumulated count reaches i/10
    of it; ends that fall together make one bin (heavy ties).
    Parameters: ``reference`` (sum above 0), ``current``, shape (k,), cells in order; ``bins``.
    Returns: two counts over the same bins, between 1 and ``bins`` of them.
    """
    cumulated = np.cumsum(reference)
    wanted = cumulated[-1] * np.arange(1, bins) / bins
    starts = np.unique(np.searchsorted(cumulated.astype(np.float64), wanted) + 1)
    starts = np.concatenate([[0], starts[starts < len(reference)]])
    return np.add.reduceat(reference, starts), np.add.reduceat(current, starts)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """The q value of each test: the false-discovery rate at which it would be called.

    Definition: with the p values ascending, q_(i) = min over j >= i of p_(j) T / j, at most 1.
    Calling all tests with q <= 0.05 keeps the expected share of false calls at 5 % or less.
    Parameters: ``p_values``, T of them, in any order. Returns: q in the same order; [] for none.
    Source: Y. Benjamini, Y. Hochberg, J. R. Stat. Soc. B 57 (1995) 289.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")[::-1]
    ranks = np.arange(len(p), 0, -1)
    q = np.minimum.accumulate(p[order] * len(p) / ranks)
    found = np.empty(len(p))
    found[order] = np.minimum(q, 1.0)
    return [float(value) for value in found]
