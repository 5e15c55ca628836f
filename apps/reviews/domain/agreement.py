"""How far raters agree beyond chance: Cohen's kappa of two, Krippendorff's alpha of any number."""

from __future__ import annotations

from math import sqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apps.reviews.domain.intervals import LEVEL, wilson, z_of

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

RESAMPLES: Final = 1000
_CHUNK: Final = 1 << 20  # numbers drawn at a time, so that memory does not grow with the patterns


class Agreement(NamedTuple):
    """A chance-corrected agreement.

    ``value`` with its 95 % interval ``low``, ``high``, all None where undefined, and then ``why``
    says so; ``n``: the cases that it rests on.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    why: str | None = None


def kappa(table: ArrayLike, *, level: float = LEVEL) -> Agreement:
    """Cohen's kappa of two raters.

    Definition: (p_o - p_e) / (1 - p_e), p_o the share of cases on the diagonal, p_e the sum of the
    products of the margins. Interval: value +- z SE with the asymptotic standard error away from
    kappa = 0, cut at -1 and 1. Where the SE is 0 (all agree, or none) it says nothing; the
    interval then is that of p_o by Wilson, carried over at the same p_e.
    Parameters: ``table``: counts >= 0, shape (K, K), [first rater, second rater]; ``level``, the
    coverage. Neutral value 0, as by chance; 1 is full agreement; below 0 less than by chance. It
    falls with one-sided margins: compare only like with like.
    Returns: Agreement; undefined without a case, and where both raters use one and the same label.
    Errors: ValueError for another shape or a negative count.
    Source: J. Cohen, Educ. Psychol. Meas. 20 (1960) 37; J. L. Fleiss, J. Cohen, B. S. Everitt,
    Psychol. Bull. 72 (1969) 323, eq. 13.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or (counts < 0).any():
        raise ValueError(f"the table has shape {counts.shape}; counts >= 0 of (K, K) are needed")
    n = round(float(counts.sum()))
    if n == 0:
        return Agreement(None, None, None, 0, "no case was rated by both")
    p = counts / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, expected = float(np.trace(p)), float(rows @ columns)
    if 1 - expected < 1e-12:
        return Agreement(None, None, None, n, "both gave one label to every case")
    value = (observed - expected) / (1 - expected)
    half = z_of(level) * _kappa_error(p, value, expected, n)
    if half == 0 or observed in (0.0, 1.0):
        low, high = ((x - expected) / (1 - expected) for x in wilson(observed * n, n, level))
    else:
        low, high = value - half, value + half
    return Agreement(value, max(-1.0, low), min(1.0, high), n)


def _kappa_error(p: Floats, value: float, expected: float, n: int) -> float:
    """The standard error by equation 13 of Fleiss, Cohen and Everitt."""
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    margins = rows[None, :] + columns[:, None]  # [i, j]: p.i + pj.
    diagonal = np.diag(p) * (1 - np.diag(margins) * (1 - value)) ** 2
    off = (p * margins**2).sum() - (np.diag(p) * np.diag(margins) ** 2).sum()
    rest = (value - expected * (1 - value)) ** 2
    spread = float(diagonal.sum() + (1 - value) ** 2 * off - rest)
    return sqrt(max(0.0, spread) / n) / (1 - expected)


def cross_table(first: ArrayLike, second: ArrayLike, n_labels: int) -> Whole:
    """The counts that ``kappa`` takes, from the labels of two raters case by case.

    Parameters: ``first``, ``second``: whole numbers in 0..n_labels-1, shape (N,).
    Returns: shape (n_labels, n_labels). Errors: ValueError for labels out of range.
    """
    one, other = _codes(first, "first", n_labels), _codes(second, "second", n_labels)
    if len(one) != len(other):
        raise ValueError(f"{len(one)} labels by the first rater and {len(other)} by the second")
    counts = np.bincount(one * n_labels + other, minlength=n_labels**2)
    return counts.reshape(n_labels, n_labels)


def unit_counts(cases: ArrayLike, labels: ArrayLike, n_labels: int) -> Whole:
    """How often each label was given to each case, which is what ``alpha`` takes.

    Parameters: ``cases``, whole numbers from 0, and ``labels`` in 0..n_labels-1, shape (M,), one
    row a label given; who did not rate a case has no row there.
    Returns: shape (N, n_labels). Errors: ValueError for numbers out of range.
    """
    case, label = _codes(cases, "cases", None), _codes(labels, "labels", n_labels)
    if len(case) != len(label):
        raise ValueError(f"{len(case)} cases and {len(label)} labels")
    n_cases = int(case.max(initial=-1)) + 1
    counts = np.bincount(case * n_labels + label, minlength=n_cases * n_labels)
    return counts.reshape(n_cases, n_labels)


def _codes(values: ArrayLike, name: str, below: int | None) -> Whole:
    array: NDArray[Any] = np.asarray(values)
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.min() < 0:
        raise ValueError(f"{name}: whole numbers from 0, of shape (N,), are needed")
    if below is not None and array.max() >= below:
        raise ValueError(f"{name} hold {array.max()}; 0 to {below - 1} are allowed")
    return array.astype(np.int64)


def alpha(
    counts: ArrayLike,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    copies: ArrayLike | None = None,
) -> Agreement:
    """Krippendorff's alpha for nominal data: any number of raters, any of them missing.

    Definition: 1 - D_o / D_e over the cases with two ratings or more, which hold n ratings, n_c of
    label c: D_o = (1/n) sum over cases u of (m_u^2 - sum_c n_uc^2) / (m_u - 1), m_u its ratings;
    D_e = (n^2 - sum_c n_c^2) / (n (n - 1)). Interval: the quantiles of alpha over ``resamples``
    draws of the cases with replacement, which keeps the ratings of one case together; draws in
    which it is undefined are left out. Where all agree in every case all draws say 1: the low end
    then is 1 - (1 - w) / D_e, w the low end of Wilson's interval for that share of the cases.
    Parameters: ``counts``: whole numbers >= 0, shape (N, K), cases by labels; ``seed``, of the
    draws, so that the same counts give the same interval; ``resamples`` >= 1; ``level``;
    ``copies``, whole numbers >= 0, shape (N,): how many cases each row stands for, one where it is
    not given; the figures are those of the rows written out.
    Neutral value 0, as by chance; 1 is full agreement; below 0 less than by chance.
    Returns: Agreement, n the cases with two ratings or more; undefined without one, and where all
    their ratings are one label. From few cases the interval is wide, and rough.
    Errors: ValueError for another shape, a negative count or a bad number of draws.
    Source: K. Krippendorff, Content Analysis (2004), ch. 11; "Computing Krippendorff's
    Alpha-Reliability" (2011), section D.
    """
    table = np.asarray(counts)
    if table.ndim != 2 or (table < 0).any() or resamples < 1:
        raise ValueError(
            f"shape {table.shape}, resamples={resamples}; counts >= 0 of (N, K), at least 1 draw"
        )
    twice = table.sum(axis=1) >= 2
    each = np.ones(len(table), dtype=np.int64) if copies is None else np.asarray(copies)
    twice &= each > 0
    units, each = table[twice], each[twice].astype(np.int64)
    n = int(each.sum())
    if n == 0:
        return Agreement(None, None, None, 0, "no case was rated twice")
    patterns, of_pattern = _patterns(units, each)
    value, expected = (float(x[0]) for x in _alphas(patterns, of_pattern[None, :]))
    if np.isnan(value):
        return Agreement(None, None, None, n, "all ratings are one and the same label")
    if value == 1.0:
        low = 1 - (1 - wilson(n, n, level)[0]) / expected
        return Agreement(1.0, max(-1.0, low), 1.0, n)
    drawn = _resampled(patterns, of_pattern, seed, resamples)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Agreement(value, min(value, float(low)), max(value, float(high)), n)


def _patterns(units: Whole, each: Whole) -> tuple[Whole, Whole]:
    """The rows that differ, sorted, and how many cases they stand for together."""
    base = int(units.max()) + 1
    if base ** units.shape[1] > np.iinfo(np.int64).max:
        patterns, places = np.unique(units, axis=0, return_inverse=True)
    else:
        # rows read as the digits of one number sort and compare like the rows, many times faster
        digits = np.array([base**place for place in reversed(range(units.shape[1]))])
        _, first, places = np.unique(units @ digits, return_index=True, return_inverse=True)
        patterns = units[first]
    # weights of bincount are floats, exact up to 2^53
    copies = np.bincount(places.reshape(-1), each, minlength=len(patterns))
    return patterns, copies.astype(np.int64)


def _alphas(patterns: Whole, copies: Whole) -> tuple[Floats, Floats]:
    """Alpha and D_e of each sample: ``copies`` of shape (B, P), how often it holds each pattern."""
    sizes = patterns.sum(axis=1)
    apart = (sizes**2 - (patterns**2).sum(axis=1)) / (sizes - 1)
    of_label = (copies @ patterns).astype(np.float64)
    n = of_label.sum(axis=1)
    expected = (n**2 - (of_label**2).sum(axis=1)) / (n * (n - 1))
    observed = (copies @ apart) / n
    undefined = np.full(len(n), np.nan)
    share = np.divide(observed, expected, out=undefined, where=expected > 0)
    return 1 - share, expected


def _resampled(patterns: Whole, copies: Whole, seed: int, resamples: int) -> Floats:
    """Alpha of each draw; cases that look alike are drawn together, by the multinomial law."""
    random = np.random.default_rng(seed)
    n = int(copies.sum())
    found: list[Floats] = []
    step = max(1, _CHUNK // len(copies))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        found.append(_alphas(patterns, random.multinomial(n, copies / n, size=size))[0])
    drawn = np.concatenate(found)
    return np.asarray(drawn[~np.isnan(drawn)])
