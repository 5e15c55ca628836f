"""Accuracy where the truth is known of the randomly audited decisions alone.

From rows (``audit_weighted``) or from strata, which are cells of one chance each: they add up over
days, and a decision that was reviewed for certain is in a stratum of chance 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from apps.metrics.domain.estimates import Estimate, not_enough, wilson_of_share

AUDIT_WEIGHTED: Final = "audit_weighted"
POST_STRATIFIED: Final = "post_stratified"
DIFFERENCE: Final = "difference"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Strata:
    """Decisions by their chance of review; arrays of shape (H,).

    ``chance`` in (0, 1], one for all decisions of a stratum; ``size``: decisions that came to the
    draw; ``drawn``; ``known``: drawn ones with an outcome; ``right``: of these, how many. 0 <= right
    <= known <= drawn <= size. ``expected``: what a model says of the chance that an output of this
    stratum is right, in [0, 1]; the same chance can then stand in several strata.
    """

    chance: Floats
    size: Ints
    drawn: Ints
    known: Ints
    right: Ints
    expected: Floats | None = None


class Weighed(NamedTuple):
    """An estimate of a share: ``value``, its ``variance``, and the variance that it would have if
    each answer were a coin of chance 1/2, times 4, for a value at which none shows: ``unit``."""

    value: float
    variance: float
    unit: float


def audit_weighted(
    chance: Sequence[float], right: Sequence[bool], drawn: int, lane: int
) -> Estimate:
    """The share of right outputs in a lane, from its random audits.

    Definition (Hajek): A = sum(right / chance) / sum(1 / chance) over the audited decisions, and
    V = sum((1 - chance) / chance^2 (right - A)^2) / sum(1 / chance)^2; the interval is Wilson's
    with n_eff = A (1 - A) / V. Where all audited are right, or all wrong, (right - A)^2 is replaced
    by its expectation, which leaves n_eff = sum(1/chance)^2 / sum((1 - chance) / chance^2).
    Draws whose outcome is not known yet count as a second draw at the rate answered / drawn: each
    chance is multiplied by it. The value stays, the interval widens.
    It says how the decisions of this window went, so that a lane audited whole is known exactly.
    Neutral value: 1; higher is better.
    Parameters: ``chance`` in (0, 1] and ``right``, shape (n,), of the drawn decisions with an
    outcome; ``drawn`` >= n, all that were drawn; ``lane``, the decisions that came to a draw.
    Returns: Estimate with n audited, and ``n_eff`` (None where nothing is left to chance),
    ``drawn`` and ``lane`` besides. Null for n = 0.
    Source: J. Hajek, discussion in Foundations of Statistical Inference (1971) 236; Sarndal,
    Swensson, Wretman, Model Assisted Survey Sampling (1992), sections 5.7 and 9.8.
    """
    n = len(right)
    more = {"drawn": drawn, "lane": lane}
    if n == 0:
        return not_enough(_why(drawn, lane), AUDIT_WEIGHTED, more={"n_eff": 0.0, **more})
    p, hits = np.asarray(chance, dtype=float) * n / drawn, np.asarray(right, dtype=float)
    weights = 1 / p
    value = min(1.0, float((weights * hits).sum() / weights.sum()))
    spread = (1 - p) * weights**2
    errors = float((spread * (hits - value) ** 2).sum())
    one_sided = value in (0.0, 1.0)
    above, below = (1.0, float(spread.sum())) if one_sided else (value * (1 - value), errors)
    n_eff = above * float(weights.sum()) ** 2 / below if below > 0 else inf
    rests_on = {"n_eff": None if n_eff == inf else n_eff, **more}
    return Estimate(value, *wilson_of_share(value, n_eff), n, AUDIT_WEIGHTED, more=rests_on)


def _why(drawn: int, lane: int) -> str:
    if drawn:
        return f"none of the {drawn} decisions drawn for audit has an outcome"
    if lane:
        return f"nothing was audited: none of {lane} decisions was drawn"
    return "nothing was audited: no decision had a chance of being drawn"


def hajek(strata: Strata) -> Weighed:
    """The ratio of weighted sums.

    Definition: A = sum(right / chance) / sum(known / chance), V = sum((1 - chance) / chance^2 (y -
    A)^2) / sum(known / chance)^2 over the answers y. Drawn ones without an outcome lower all
    chances alike, by answered / drawn. Neutral value: 1; higher is better.
    Parameters: ``strata`` with at least one answer. Returns: Weighed.
    Source: as ``audit_weighted``, of which it is the form for cells.
    """
    chance = strata.chance * (strata.known.sum() / strata.drawn.sum())
    weights = 1 / chance
    total = float(weights @ strata.known)
    value = min(1.0, float(weights @ strata.right) / total)
    spread = (1 - chance) * weights**2
    wrong = strata.known - strata.right
    squares = strata.right * (1 - value) ** 2 + wrong * value**2
    return Weighed(
        value, float(spread @ squares) / total**2, float(spread @ strata.known) / total**2
    )


def post_stratified(strata: Strata) -> Weighed:
    """The mean of the strata's shares, each by its known size.

    Definition: A = sum(N_h / N ybar_h), V = sum((N_h / N)^2 (1 - n_h / N_h) s_h^2 / n_h), s_h^2 with
    n_h - 1. Its chances need not be known, only that the answers of a stratum are a random part of
    it. Neutral value: 1; higher is better.
    Parameters: ``strata``, those with decisions having two answers or all of them (see
    ``stratified_gap``). Returns: Weighed.
    Source: W. G. Cochran, Sampling Techniques (1977), section 5A.9.
    """
    used = strata.size > 0
    size, n, right = strata.size[used], strata.known[used], strata.right[used]
    part, share = size / size.sum(), right / n
    left = part**2 * (1 - n / size) / n
    variance = np.where(n > 1, share * (1 - share) * n / np.maximum(n - 1, 1), 0.0)
    return Weighed(float(part @ share), float(left @ variance), float(left.sum()))


def stratified_gap(strata: Strata) -> str | None:
    """Why ``post_stratified`` cannot be had: a stratum that no answer, or a single one, speaks for.

    Parameters: ``strata``. Returns: a sentence, or None: it can be had.
    """
    for chance, size, known in zip(strata.chance, strata.size, strata.known, strict=True):
        if size > 0 and known < min(2, size):
            return f"{known} of {size} decisions with a chance of {chance:g} have an outcome"
    return None


def difference(strata: Strata) -> Weighed:
    """A model's mean, corrected by what the audits say of it (AIPW).

    Definition: A = sum(N_h m_h) / N + sum over answers (y - m_h) / chance / N, V = sum over answers
    (1 - chance) / chance^2 (y - m_h)^2 / N^2. Right in the mean whatever the model says; the better
    the model, the narrower. Drawn ones without an outcome lower the chances as in ``hajek``.
    Neutral value: 1; higher is better.
    Parameters: ``strata`` with ``expected`` and at least one answer. Returns: Weighed.
    Source: C.-E. Sarndal et al. (1992), section 6.3; J. Robins et al., JASA 89 (1994) 846.
    """
    assert strata.expected is not None
    chance = strata.chance * (strata.known.sum() / strata.drawn.sum())
    model, n = strata.expected, int(strata.size.sum())
    wrong = strata.known - strata.right
    errors = strata.right * (1 - model) - wrong * model
    value = (float(strata.size @ model) + float(errors @ (1 / chance))) / n
    spread = (1 - chance) / chance**2
    squares = strata.right * (1 - model) ** 2 + wrong * model**2
    unit = float(spread @ strata.known) / n**2
    return Weighed(min(1.0, max(0.0, value)), float(spread @ squares) / n**2, unit)


ESTIMATORS: Final[Mapping[str, Callable[[Strata], Weighed]]] = {
    AUDIT_WEIGHTED: hajek,
    POST_STRATIFIED: post_stratified,
    DIFFERENCE: difference,
}


def audited_share(strata: Strata, method: str = AUDIT_WEIGHTED) -> Estimate:
    """The share of right outputs among all decisions of the strata, from those that were reviewed.

    Definition: one of ESTIMATORS; the interval is Wilson's with n_eff = A (1 - A) / V. Where V is 0
    because all answers agree, n_eff = 1 / unit, which takes each answer for a coin. It speaks of
    the decisions of this window; for the model's accuracy in the long run A (1 - A) / N comes on
    top of V. It does not cover answers that are wrong themselves or were given with the AI's
    output in sight. Neutral value: 1; higher is better.
    Parameters: ``strata``; ``method``, a key of ESTIMATORS.
    Returns: Estimate with n answers, ``n_eff`` (None: everything is known), ``drawn`` and ``lane``
    besides. Null without an answer, or where a stratum has none for ``post_stratified``.
    Errors: KeyError for another method.
    """
    estimator, n = ESTIMATORS[method], int(strata.known.sum())
    drawn, lane = int(strata.drawn.sum()), int(strata.size.sum())
    more: dict[str, Any] = {"drawn": drawn, "lane": lane}
    why = _why(drawn, lane) if n == 0 else None
    if why is None and method == POST_STRATIFIED:
        why = stratified_gap(strata)
    if why is not None:
        return not_enough(why, method, n=n, more={"n_eff": 0.0, **more})
    found = estimator(strata)
    n_eff = effective_number(found)
    rests_on = {"n_eff": None if n_eff == inf else n_eff, **more}
    return Estimate(found.value, *wilson_of_share(found.value, n_eff), n, method, more=rests_on)


def effective_number(found: Weighed) -> float:
    """The number of independent answers that would be as sure.

    Definition: A (1 - A) / V; where A is 0 or 1, or V is 0, 1 / unit.
    Parameters: ``found``. Returns: > 0; infinite where nothing is left to chance.
    """
    if found.unit <= 0:
        return inf
    if found.variance > 0 and 0 < found.value < 1:
        return found.value * (1 - found.value) / found.variance
    return 1 / found.unit
