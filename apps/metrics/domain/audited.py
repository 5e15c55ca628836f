"""Accuracy where the truth is known of the randomly audited decisions alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

import numpy as np

from apps.metrics.domain.estimates import Estimate, not_enough, wilson_of_share

AUDIT_WEIGHTED: Final = "audit_weighted"


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
