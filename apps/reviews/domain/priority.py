"""The rank of a review task: a time, fixed when the task is made, earliest first."""

from __future__ import annotations

from datetime import datetime, timedelta

TIER_MINUTES = {"minimal": 0, "limited": 60, "high": 240}
UNCERTAINTY_MINUTES = 60
WITHOUT_LIMIT = timedelta(days=7)


def rank(
    created_at: datetime, due_at: datetime | None, risk_tier: str, confidence: float | None
) -> datetime:
    """When a task would be overdue, moved forward by its risk and its uncertainty.

    Definition: due_at (a week after creation where there is no limit), minus minutes for the risk
    tier, minus up to an hour in proportion to 1 - confidence (a missing one counts as 0).
    Parameters: aware times; ``risk_tier`` minimal, limited or high; ``confidence`` in [0, 1].
    Returns: an aware time; it does not move with the clock, so one index serves the queue.
    Errors: KeyError for another tier.
    """
    minutes = TIER_MINUTES[risk_tier] + UNCERTAINTY_MINUTES * (1 - (confidence or 0.0))
    return (due_at or created_at + WITHOUT_LIMIT) - timedelta(minutes=minutes)
