"""Estimates: a value, how sure it is, and on how much it rests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

# the score interval is shared with the desk, which is below; its users here read it from here
from apps.reviews.domain.intervals import LEVEL as LEVEL
from apps.reviews.domain.intervals import wilson as wilson
from apps.reviews.domain.intervals import wilson_of_share as wilson_of_share
from apps.reviews.domain.intervals import z_of as z_of

WILSON: Final = "wilson"
WILSON_BY_CASE: Final = "wilson_by_case"
AGRESTI_COULL: Final = "agresti_coull"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval.

    ``value``, ``low``, ``high``: the estimate and its 95 % interval, None where there is not
    enough; ``n``: what it rests on; ``method``: how the interval is made; ``why``: the reason of a
    missing value; ``more``: what a figure states besides, by name.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    why: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The estimate as a JSON object; ``why`` is there only where the value is null.

        Returns: value, low, high, n, method, and the names of ``more``.
        """
        figure = {"value": self.value, "low": self.low, "high": self.high}
        why = {} if self.why is None else {"why": self.why}
        return {**figure, "n": self.n, "method": self.method, **why, **self.more}


def not_enough(
    why: str, method: str, *, n: int = 0, more: Mapping[str, Any] | None = None
) -> Estimate:
    """An estimate without a value, which says why.

    Parameters: ``why``, what is missing; ``method``, how it would be made; ``n``, what there is.
    Returns: an estimate whose value, low and high are None.
    """
    return Estimate(None, None, None, n, method, f"not enough data (n = {n}): {why}", more or {})


def share(successes: int, n: int, why: str) -> Estimate:
    """A share of independent trials.

    Definition: successes / n with its Wilson interval.
    Parameters: counts; ``why``, said where n is 0. Neutral value and direction are the caller's.
    Returns: Estimate. Without a trial the value is null; with a few the interval is wide.
    """
    if n == 0:
        return not_enough(why, WILSON)
    return Estimate(successes / n, *wilson(successes, n), n, WILSON)


def share_by_case(
    hits: Sequence[int], sizes: Sequence[int], why: str, counts: Sequence[int] | None = None
) -> Estimate:
    """A share of trials that come in groups, such as several judgements of one case.

    Definition: p = sum(hits) / sum(sizes). Judgements of one case resemble each other, so that n
    of them tell less than n: with V = G/(G-1) sum((hits_g - p sizes_g)^2) / n^2 over G cases the
    effective number is p (1 - p) / V, at most n, and the interval is Wilson's for it. Where all
    trials agree V says nothing; the number of cases then stands for it, as does 1 for one case.
    What the trials of one person have in common across cases is not in V.
    Parameters: ``hits`` and ``sizes``, shape (G,), 0 <= hits <= sizes, sizes >= 1; ``why``;
    ``counts``, shape (G,): how many cases each entry stands for, one where it is not given.
    Returns: Estimate with n = sum(sizes), and ``cases`` and ``n_eff`` besides. Null for G = 0.
    Source: the ratio estimator under cluster sampling (Cochran, Sampling Techniques, ch. 9).
    """
    k, m = np.asarray(hits, dtype=float), np.asarray(sizes, dtype=float)
    each = standing_for(counts, len(sizes))
    cases, n = int(each.sum()), int(each @ m)
    if n == 0:
        return not_enough(why, WILSON_BY_CASE, more={"cases": 0})
    p = float(each @ k) / n
    spread = float(each @ (k - p * m) ** 2) / n**2
    n_eff = float(cases)
    if cases > 1 and spread > 0:
        n_eff = min(float(n), p * (1 - p) * (cases - 1) / cases / spread)
    more = {"cases": cases, "n_eff": n_eff}
    return Estimate(p, *wilson_of_share(p, n_eff), n, WILSON_BY_CASE, more=more)


def standing_for(counts: Sequence[int] | None, size: int) -> npt.NDArray[np.float64]:
    """How many cases each of ``size`` entries stands for: ``counts``, or one each."""
    return np.ones(size) if counts is None else np.asarray(counts, dtype=float)


def bounded_mean(
    values: Sequence[float], low: float, high: float, counts: Sequence[int] | None = None
) -> tuple[float, float]:
    """An interval of a mean of values that have bounds.

    Definition: z^2/2 values at each bound are added, then mean +- z sd / sqrt(n + z^2) of all. For
    values 0 and 1 this is the interval of Agresti and Coull. It always holds the plain mean, has
    never the width 0, and is cut at the bounds.
    Parameters: ``values``, shape (n,), within the bounds (a few may lie outside when they are
    pseudo-values of a difference); n = 0 gives the bounds; ``counts``, shape (n,): how many values
    each stands for, one where it is not given.
    Returns: (low, high) at 95 %.
    Source: A. Agresti, B. A. Coull, Am. Stat. 52 (1998) 119, carried over to bounded values.
    """
    each, x = standing_for(counts, len(values)), np.asarray(values, dtype=float)
    return bounded_mean_of_sums(float(each.sum()), float(each @ x), float(each @ x**2), low, high)


def bounded_mean_of_sums(
    n: float, total: float, squares: float, low: float, high: float
) -> tuple[float, float]:
    """``bounded_mean`` of values of which the sums are known.

    Parameters: ``n`` values, their sum ``total``, the sum of their ``squares``; the bounds.
    Returns: (low, high) at 95 %.
    """
    z = z_of(LEVEL)
    weight = n + z * z
    mean = (total + z * z * (low + high) / 2) / weight
    around = max(0.0, squares - 2 * mean * total + n * mean * mean)
    around += z * z / 2 * ((low - mean) ** 2 + (high - mean) ** 2)
    half = z * sqrt(around / weight / weight)
    return max(low, mean - half), min(high, mean + half)
