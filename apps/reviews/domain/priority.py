"""The rank of a review task: a time, fixed when the task is made, earliest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from math import isfinite, log10
from typing import Any, Final, NamedTuple

TIER_MINUTES: Final = {"minimal": 0, "limited": 60, "high": 240}
UNCERTAINTY_MINUTES: Final = 60
COST_MINUTES: Final = 20
COST_MINUTES_MAX: Final = 120
WITHOUT_LIMIT: Final = timedelta(days=7)


class RankParts(NamedTuple):
    """What a rank is made of: ``due_at`` (aware) minus the three counts of minutes, each >= 0."""

    due_at: datetime
    tier_minutes: float
    uncertainty_minutes: float
    cost_minutes: float

    @property
    def rank(self) -> datetime:
        return self.due_at - timedelta(minutes=sum(self[1:]))


def rank_parts(
    created_at: datetime,
    due_at: datetime | None,
    risk_tier: str,
    confidence: float | None,
    stake: float = 0.0,
) -> RankParts:
    """When a task would be overdue, and what moves it forward.

    Definition: due_at (a week after creation where there is no limit); minutes for the risk tier;
    up to an hour in proportion to doubt, 1 - confidence (a missing one counts as 0); and
    20 * log10(1 + stake * doubt) minutes for the expected cost of an error, at most 120.
    Parameters: aware times; ``risk_tier`` minimal, limited or high; ``confidence`` in [0, 1];
    ``stake`` >= 0 in the use case's currency, what an error would cost.
    Returns: RankParts; nothing in it moves with the clock, so one index serves the queue.
    Errors: KeyError for another tier.
    """
    doubt = 1 - (confidence or 0.0)
    expected = max(0.0, stake * doubt) if isfinite(stake) else 0.0
    return RankParts(
        due_at or created_at + WITHOUT_LIMIT,
        TIER_MINUTES[risk_tier],
        UNCERTAINTY_MINUTES * doubt,
        min(COST_MINUTES_MAX, COST_MINUTES * log10(1 + expected)),
    )


def rank(
    created_at: datetime,
    due_at: datetime | None,
    risk_tier: str,
    confidence: float | None,
    stake: float = 0.0,
) -> datetime:
    """The sum of ``rank_parts``: an aware time, earliest first. Parameters and errors as there."""
    return rank_parts(created_at, due_at, risk_tier, confidence, stake).rank


def stakes(error_costs: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """What it can cost to give each label.

    Definition: by label given, the largest of its error costs.
    Parameters: ``error_costs``, rows of ``true``, ``given`` and ``cost`` (a decimal as text).
    Returns: label to cost; a label without rows is missing.
    """
    found: dict[str, float] = {}
    for row in error_costs:
        found[row["given"]] = max(found.get(row["given"], 0.0), float(row["cost"]))
    return found


def stake_of(by_label: Mapping[str, float], label: str | None, amount: Any) -> float:
    """What an error on one decision would cost.

    Definition: the stake of its label where the cost model has one, else the amount of the
    decision, else 0. Parameters: ``by_label`` from ``stakes``; ``amount``, a Decimal or None.
    """
    known = by_label.get(label) if label is not None else None
    return known if known is not None else abs(float(amount or 0))
