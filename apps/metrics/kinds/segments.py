"""Accuracy by segment, and over time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np

from apps.metrics.domain.accuracy import NO_EFFECT, NO_OUTCOME
from apps.metrics.domain.bias import SMALLEST
from apps.metrics.domain.drift import accuracy_over_time
from apps.metrics.domain.estimates import Estimate, share
from apps.metrics.domain.tables import Table, where
from apps.metrics.kinds.reading import GROUP, Cells, attributes_of, counted, documents, periods
from apps.metrics.kinds.sides import ai_share, combined_share, with_outcome

SEGMENTS: Final = ("version", "lane")


def segments(outcome: Table) -> dict[str, Any]:
    """The AI's accuracy and that of what took effect, by model version, lane and group.

    Returns: dimension -> its value -> {"n", "with_outcome", "ai", "combined"}; below 30 with an
    outcome a segment says so. Decisions whose value is unknown are in none.
    """
    columns = (*SEGMENTS, *(f"{GROUP}{name}" for name in attributes_of(outcome)))
    found: dict[str, Any] = {}
    for column in columns:
        text = outcome.texts[column]
        found[column] = {
            name: _segment(where(outcome, text.codes == code))
            for code, name in enumerate(text.names)
            if (text.codes == code).any()
        }
    return found


def _segment(outcome: Table) -> dict[str, Any]:
    known = counted(outcome.ints("n"), with_outcome(outcome))
    found: dict[str, Any] = {"n": int(outcome.ints("n").sum()), "with_outcome": known}
    found |= documents({"ai": ai_share(outcome), "combined": combined_share(outcome)})
    if known < SMALLEST:
        found["too_small"] = f"n = {known} is below the minimum of {SMALLEST}"
    return found


def over_time(cells: Cells) -> dict[str, Any]:
    """Accuracy by period (see ``periods``), and whether it changes.

    Returns: {"periods": [{"from", "to", "n", "ai", "combined"}], "trend": {"ai", "combined"}}.
    """
    series: list[dict[str, Any]] = []
    sums: dict[str, list[tuple[int, int]]] = {"right": [], "right_final": []}
    by_day = cells.per_day("outcome")
    for first, last, days in periods(by_day):
        tables = [by_day[day] for day in days]
        parts = {column: _sums_of(tables, column) for column in sums}
        for column, part in parts.items():
            sums[column].append(part)
        ai, combined = share(*parts["right"], NO_OUTCOME), share(*parts["right_final"], NO_EFFECT)
        n = sum(int(table.ints("n").sum()) for table in tables)
        series.append(_period(first, last, n, {"ai": ai, "combined": combined}))
    trend = {
        name: accuracy_over_time(
            *(np.array([p[i] for p in sums[column]], np.int64) for i in (0, 1))
        )
        for name, column in (("ai", "right"), ("combined", "right_final"))
    }
    return {"periods": series, "trend": trend}


def _period(first: date, last: date, n: int, figures: Mapping[str, Estimate]) -> dict[str, Any]:
    return {"from": first.isoformat(), "to": last.isoformat(), "n": n, **documents(figures)}


def _sums_of(tables: list[Table], column: str) -> tuple[int, int]:
    """(right, known) of some days."""
    right = sum(counted(table.ints("n"), table.ints(column) == 1) for table in tables)
    return right, sum(counted(table.ints("n"), table.ints(column) != -1) for table in tables)
