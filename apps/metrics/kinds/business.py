"""Value from cells: the cost model at work."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from apps.metrics.domain.money import cost_model
from apps.metrics.domain.value import Volume, value_report
from apps.metrics.kinds.classes import verdict_pairs
from apps.metrics.kinds.operations import count_of
from apps.metrics.kinds.reading import UNKNOWN, Cells, Facts, judged_of, label_set, pairs

FAMILIES: Final = ("outcome", "people", "flow")
DAY: Final = timedelta(days=1)


def report(cells: Cells, facts: Facts) -> dict[str, Any]:
    """Every figure of value.

    Definition: ``domain.value.value_report``. A window that is open at a side ends there with its
    first or its last day that holds a decision.
    Parameters: ``cells`` with FAMILIES; ``facts``: labels, cost_model, begin, end.
    Returns: a JSON object, money as decimal text. A figure without data is null and says why.
    """
    labels = label_set(facts)
    outcome = cells.table("outcome")
    counts = cells.table("flow", "counts")
    sides = {
        "ai": pairs(outcome, "given", outcome.ints("right") != UNKNOWN),
        "human": verdict_pairs(judged_of(cells.table("people"), labels)),
        "combined": pairs(outcome, "final", outcome.ints("right_final") != UNKNOWN),
    }
    volume = Volume(
        decisions=cells.decisions,
        automatic=count_of(counts, "automatic").n,
        review_seconds=round(count_of(counts, "review_seconds").total),
        untimed_reviews=count_of(counts, "untimed").n,
        days=days_of(cells, facts),
    )
    return value_report(cost_model(facts["cost_model"]), volume, sides, labels.event)


def days_of(cells: Cells, facts: Facts) -> Decimal:
    """The length of the window in days; 1 where it is open and holds no decision."""
    begin, end = (_moment(facts[name]) for name in ("begin", "end"))
    days = cells.days
    if days:
        begin = begin or _midnight(days[0])
        end = end or _midnight(days[-1]) + DAY
    if begin is None or end is None or end <= begin:
        return Decimal(1)
    return Decimal((end - begin) // timedelta(seconds=1)) / Decimal(86_400)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
