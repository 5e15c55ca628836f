"""Accuracy estimated without outcomes, from the confidence alone (CBPE).

It uses no truth of the window: when the world changes and the model does not notice, neither does
this. It is shown beside the audited figure, never in its place.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from apps.metrics.domain.estimates import LEVEL, Estimate, not_enough, z_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CBPE: Final = "cbpe"
SMALLEST: Final = 30
ALARM: Final = 2.0
NOTE: Final = "no outcome of this window was used: a change of what is true does not show"


def calibration(levels: Floats, n: Ints, hits: Ints) -> Floats | None:
    """How often a confidence or score came true, made to rise with it.

    Definition: isotonic regression of the hits on the level, weighted by n: the same as on the
    rows. Between levels that the reference holds it is linear, beyond them constant.
    Parameters: ``levels``, shape (L,), ascending; ``n`` and ``hits``, shape (L,), 0 <= hits <= n,
    of a reference with outcomes.
    Returns: shape (L,), in [0, 1]; None where the reference has no case.
    Source: B. Zadrozny, C. Elkan, KDD 2002.
    """
    kept = n > 0
    if not kept.any():
        return None
    from scipy.optimize import isotonic_regression  # long to load, and asked by few

    rising = isotonic_regression(hits[kept] / n[kept], weights=n[kept].astype(np.float64)).x
    found: Floats = np.interp(levels, levels[kept], np.clip(rising, 0.0, 1.0))
    return found


def estimated_accuracy(chance: Floats | None, n: Ints, reference: int) -> Estimate:
    """The accuracy to be expected of a window from its confidences.

    Definition: A = sum(n q) / sum(n), q the calibrated chance that an answer of the level is right.
    The interval is A +- z sqrt(sum(n q (1 - q))) / sum(n): chance within the window, if the
    calibration still holds; it does not cover that it may not. Neutral value: 1; higher is better.
    Parameters: ``chance`` q, shape (L,), None without a reference; ``n``, shape (L,), the window's
    decisions; ``reference``, the cases that q rests on.
    Returns: Estimate with ``truth_used`` False and a ``note``. Null below 30 reference cases or
    without a decision, and why.
    Source: J. Bialek et al., arXiv 2401.08348 (2024): confidence-based performance estimation.
    """
    total = int(n.sum())
    more: dict[str, Any] = {"truth_used": False, "note": NOTE, "reference": reference}
    if chance is None or reference < SMALLEST:
        why = f"the reference has {reference} cases with an outcome, fewer than {SMALLEST}"
        return not_enough(why, CBPE, n=total, more=more)
    if not total:
        return not_enough("no decision of the window has a confidence", CBPE, more=more)
    # added by numpy, not by a BLAS whose threads add in an order of the machine's own
    value = float((n * chance).sum()) / total
    spread = float((n * (chance * (1 - chance))).sum())
    half = z_of(LEVEL) * sqrt(max(0.0, spread)) / total
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), total, CBPE, more=more)


def accuracy_of_confidence(levels: Floats, n: Ints, right: Ints, window: Ints) -> Estimate:
    """CBPE for any number of labels, from the confidence in the label given.

    Definition: q is calibrated on "the label given was right" at each confidence.
    Parameters: ``levels``, shape (L,), ascending in [0, 1]; ``n`` and ``right`` of the reference's
    cases with an outcome; ``window``, the window's decisions; each of shape (L,).
    Returns: as ``estimated_accuracy``.
    """
    return estimated_accuracy(calibration(levels, n, right), window, int(n.sum()))


def accuracy_of_scores(
    levels: Floats, n: Ints, positives: Ints, given_positive: Ints, given_negative: Ints
) -> Estimate:
    """CBPE for two labels, from the score of the positive one.

    Definition: q is calibrated on "the case is positive" at each score; a decision given the
    positive label counts q, one given the negative label 1 - q.
    Parameters: ``levels``, shape (L,), ascending in [0, 1]; ``n`` and ``positives`` of the
    reference's cases with an outcome; the window's decisions by label given; each of shape (L,).
    Returns: as ``estimated_accuracy``.
    """
    q = calibration(levels, n, positives)
    chance = None if q is None else np.concatenate([q, 1 - q])
    window = np.concatenate([given_positive, given_negative])
    return estimated_accuracy(chance, window, int(n.sum()))


def gap_to_audits(estimated: Estimate, audited: Estimate) -> dict[str, Any]:
    """How far the estimate without outcomes lies from the audited accuracy.

    Definition: gap = estimated - audited, its standard error that of the audited figure, sqrt(A (1
    - A) / n_eff), since that of the other is small beside it. An alarm above 2 standard errors
    either way: the calibration no longer holds. Neutral value: 0.
    Parameters: ``estimated``, a CBPE; ``audited``, an estimate that states ``n_eff``.
    Returns: {"gap", "standard_error", "alarm"}; null, and why, where either is missing or the
    audited figure is certain or all alike.
    """
    n_eff = audited.more.get("n_eff")
    found: dict[str, Any] = {"gap": None, "standard_error": None, "alarm": False}
    if estimated.value is None or audited.value is None:
        missing = estimated if estimated.value is None else audited
        return found | {"why": missing.why}
    gap = estimated.value - audited.value
    spread = audited.value * (1 - audited.value)
    if not n_eff or not spread:
        why = f"not enough data (n = {audited.n}): the audited figure has no standard error"
        return found | {"gap": gap, "why": why}
    error = sqrt(spread / n_eff)
    return found | {"gap": gap, "standard_error": error, "alarm": abs(gap) > ALARM * error}
