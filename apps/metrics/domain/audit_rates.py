"""What-if over the rate of the random audit: what is seen, what stays unseen, how sure one is."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Final

from apps.metrics.domain.estimates import Estimate, not_enough, wilson_of_share
from apps.metrics.domain.frontier import IMPUTED, NO_OUTCOME, Prices
from apps.metrics.domain.levels import Levels, filled

RATES: Final = (
    *(0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2),
    *(0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)


def unseen_error(kept: Levels) -> Estimate:
    """The share of the AI's errors among the decisions that a threshold lets pass.

    Definition: 1 - (right ones + those without an outcome x the mean of their confidence bin) / all.
    Wilson's interval with the number of outcomes, since what is filled in adds nothing. Lower is
    better; 0 is neutral.
    Parameters: ``kept``: the levels of these decisions. Returns: Estimate; null without an outcome.
    """
    n, known = int(kept.n.sum()), int(kept.known.sum())
    if not known:
        return not_enough(NO_OUTCOME, IMPUTED, more={"imputed": n})
    right = float(filled(kept, kept.right, kept.known).sum()) / n
    error = min(1.0, max(0.0, 1 - right))
    low, high = wilson_of_share(error, known)
    return Estimate(error, low, high, known, IMPUTED, more={"imputed": n - known})


def audit_points(
    kept: Levels, decisions: int, prices: Prices, rates: Sequence[float] = RATES
) -> list[dict[str, Any]]:
    """What each rate of the random audit would give.

    Definition: of the K decisions that the threshold lets pass (of N) the audit takes a share r
    unseen by it, so that their error is that of all K. ``automatic_share`` = (1 - r) K / N;
    ``unseen_errors`` = (1 - r) K error per 1,000 decisions; ``width``: that of the 95 % interval of
    the lane's accuracy as r K audits would estimate it, Wilson's with n_eff = r K / (1 - r), which
    is 0 where all are audited and 1 where none is; hours are a reviewer's per 1,000 decisions, for
    what is below the threshold and for the audits.
    Parameters: ``kept``, levels of what the threshold lets pass; ``decisions`` N of the window;
    ``prices``; ``rates`` in [0, 1]. Returns: an object a rate; [] without a decision.
    """
    n = int(kept.n.sum())
    if not decisions:
        return []
    error = unseen_error(kept)
    hours = prices.review_minutes / 60 * prices.reviewers * 1000 / decisions
    found = []
    for rate in rates:
        audited, wrong = rate * n, error.value
        errors = None if wrong is None else (1 - rate) * n * wrong * 1000 / decisions
        found.append(
            {
                "audit_rate": rate,
                "audited": audited,
                "automatic_share": (1 - rate) * n / decisions,
                "unseen_errors": errors,
                "width": None if wrong is None else audited_width(1 - wrong, n, rate),
                "reviewer_hours": (decisions - n + audited) * hours,
            }
        )
    return found


def audited_width(accuracy: float, lane: int, rate: float) -> float:
    """How wide the interval of a lane's accuracy is when a share of it is audited.

    Definition: the width of Wilson's 95 % interval with n_eff = m / (1 - m / lane), m = rate x lane
    audits: the finite population's, so that a lane audited whole is known exactly.
    Parameters: ``accuracy`` in [0, 1]; ``lane``, decisions; ``rate`` in [0, 1]. Returns: 0..1.
    """
    if rate <= 0 or not lane:
        return 1.0
    effective = inf if rate >= 1 else rate * lane / (1 - rate)
    low, high = wilson_of_share(accuracy, effective)
    return high - low
