"""Calibration: whether a confidence of 0.8 means right in 8 of 10 cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from apps.metrics.domain.estimates import (
    AGRESTI_COULL,
    LEVEL,
    Estimate,
    bounded_mean_of_sums,
    not_enough,
    standing_for,
    wilson,
)

Floats = npt.NDArray[np.float64]

BINS: Final = 15
WILSON_BINS: Final = "wilson_bins"
NO_CONFIDENCE: Final = "no decision has a confidence, a label and a known outcome"


def brier(
    confidence: Sequence[float], right: Sequence[bool], counts: Sequence[int] | None = None
) -> Estimate:
    """The mean squared error of the confidence.

    Definition: mean((confidence - right)^2), right being 1 or 0: the Brier score of the statement
    "this label is right". Its interval is that of a bounded mean. Neutral value: 0; lower is
    better; always saying 0.5 gives 0.25.
    Parameters: ``confidence`` in [0, 1] and ``right``, shape (n,); ``counts``, shape (n,): how many
    cases each entry stands for, one where it is not given.
    Returns: Estimate, null for n = 0.
    Source: G. W. Brier, Monthly Weather Review 78 (1950) 1, for a statement with two answers.
    """
    each = standing_for(counts, len(confidence))
    errors = (np.asarray(confidence, dtype=float) - np.asarray(right, dtype=float)) ** 2
    return brier_of_sums(int(each.sum()), float(each @ errors), float(each @ errors**2))


def brier_of_sums(n: int, squares: float, fourths: float) -> Estimate:
    """The Brier score from sums, which add up over days.

    Definition: squares / n, as ``brier``.
    Parameters: ``n`` cases; the sums of (confidence - right)^2 and ^4 over them.
    Returns: Estimate, null for n = 0.
    """
    if not n:
        return not_enough(NO_CONFIDENCE, AGRESTI_COULL)
    interval = bounded_mean_of_sums(n, squares, fourths, 0.0, 1.0)
    return Estimate(squares / n, *interval, n, AGRESTI_COULL)


def ece(
    confidence: Sequence[float],
    right: Sequence[bool],
    bins: int = BINS,
    counts: Sequence[int] | None = None,
) -> Estimate:
    """The expected calibration error.

    Definition: the bins [b/B, (b+1)/B), the last with its upper end; ECE = sum over bins of
    n_b / n times |share right in b - mean confidence in b| (the mean, not the bin's middle).
    Interval: each used bin's share has a Wilson interval at 1 - 0.05 / (used bins), and the ends
    are the least and the largest ECE within all of these, which holds at 95 % or more whatever
    the truth. The value itself tends upward on few cases. Neutral value: 0; lower is better.
    Parameters: ``confidence`` in [0, 1] and ``right``, shape (n,); ``bins`` B >= 1; ``counts``,
    shape (n,): how many cases each entry stands for, one where it is not given.
    Returns: Estimate with ``bins`` besides: of each used one low, high, n, confidence, accuracy.
    Null for n = 0, without bins.
    Source: M. P. Naeini et al., AAAI 2015; equal widths as in Guo et al., ICML 2017.
    """
    each = standing_for(counts, len(confidence))
    given, hits = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    place = np.minimum((given * bins).astype(np.intp), bins - 1)
    n, said, hit = (
        np.bincount(place, each * one, bins).astype(np.float64)
        for one in (np.ones(len(given)), given, hits)
    )
    return ece_of_bins(n, said, hit)


def ece_of_bins(counts: Floats, confidence: Floats, right: Floats) -> Estimate:
    """The expected calibration error from sums by bin.

    Definition: as ``ece``, for as many equal bins as there are entries.
    Parameters: shape (B,) each: ``counts`` of cases, the sum of their ``confidence``, and how many
    are ``right``.
    Returns: as ``ece``.
    """
    bins, n = len(counts), int(counts.sum())
    if not n:
        return not_enough(NO_CONFIDENCE, WILSON_BINS, more={"bins": []})
    sums = (counts, confidence, right)
    used = [_bin(b, bins, *(float(one[b]) for one in sums)) for b in range(bins) if counts[b]]
    gaps = [_gaps(one, 1 - (1 - LEVEL) / len(used)) for one in used]
    value, low, high = (
        sum(one["n"] * gap[i] for one, gap in zip(used, gaps, strict=True)) / n for i in range(3)
    )
    return Estimate(value, low, high, n, WILSON_BINS, more={"bins": used})


def _bin(number: int, bins: int, n: float, confidence: float, right: float) -> dict[str, Any]:
    return {
        "low": number / bins,
        "high": (number + 1) / bins,
        "n": int(n),
        "confidence": confidence / n,
        "accuracy": right / n,
    }


def _gaps(one: dict[str, Any], level: float) -> tuple[float, float, float]:
    """A bin's gap, and the least and the largest one within its share's interval."""
    n, stated = one["n"], one["confidence"]
    low, high = wilson(round(one["accuracy"] * n), n, level)
    least = max(0.0, low - stated, stated - high)
    return abs(one["accuracy"] - stated), least, max(abs(low - stated), abs(high - stated))
