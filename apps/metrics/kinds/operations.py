"""Operations from cells: lanes, times, service level, edge cases, errors, and the load to come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np

from apps.metrics.domain.capacity import forecast
from apps.metrics.domain.durations import CELLS, Durations, together
from apps.metrics.domain.estimates import share
from apps.metrics.domain.operations import (
    EDGE_KINDS,
    NO_DECISIONS,
    EdgeCases,
    Flow,
    Scores,
    error_rates,
    operations_report,
)
from apps.metrics.domain.proportions import Part
from apps.metrics.domain.tables import Mask, Table
from apps.metrics.domain.tables import labels as texts_of
from apps.metrics.kinds.reading import (
    UNKNOWN,
    Cells,
    Facts,
    Judged,
    counted,
    judged_of,
    label_set,
    periods,
)

FAMILIES: Final = ("flow", "outcome", "people")
WAITING_LANES: Final = ("review", "command")


def report(cells: Cells, facts: Facts) -> dict[str, Any]:
    """Every figure of operations.

    Definition: ``domain.operations.operations_report``; besides: ``error_rates`` of the AI, of
    people (first verdicts) and of what took effect; ``capacity``, see ``domain.capacity``;
    ``queue``, as it stood when the report was made; ``over_time``: decisions and automation by
    period.
    Parameters: ``cells`` with FAMILIES; ``facts``: labels, cost_model, queue, sla_minutes.
    Returns: a JSON object. A figure without data is null and says why.
    """
    counts = cells.table("flow", "counts")
    outcome, people = cells.table("outcome"), judged_of(cells.table("people"), label_set(facts))
    flow = flow_of(counts, cells.table("flow", "times"), facts["queue"]["open_tasks"])
    minutes = float(facts["cost_model"].get("human_minutes_per_decision", 0))
    return operations_report(flow, minutes) | {
        "human_minutes_per_decision": minutes,
        "error_rates": error_rates(*errors_of(outcome, people)),
        "queue": dict(facts["queue"]),
        "capacity": capacity_of(cells, flow, facts["sla_minutes"]),
        "over_time": over_time(cells),
    }


def rows_of(table: Table, name: str) -> Mask:
    """The rows of one name, shape (R,)."""
    text = table.texts["name"]
    code = text.names.index(name) if name in text.names else UNKNOWN - 1
    mask: Mask = text.codes == code
    return mask


def count_of(counts: Table, name: str, a: str | None = None, b: str | None = None) -> Scores:
    """The sums of one name, of one ``a`` and ``b`` where they are given: n, total, squares."""
    mask = rows_of(counts, name)
    for column, wanted in (("a", a), ("b", b)):
        if wanted is not None:
            text = counts.texts[column]
            code = text.names.index(wanted) if wanted in text.names else UNKNOWN - 1
            mask = mask & (text.codes == code)
    total, squares = (float(counts.floats(one)[mask].sum()) for one in ("total", "squares"))
    return Scores(int(counts.ints("n")[mask].sum()), total, squares)


def flow_of(counts: Table, times: Table, open_tasks: int) -> Flow:
    """What went through, from the family ``flow``."""
    lanes: dict[tuple[str, str], int] = {}
    mask = rows_of(counts, "lane")
    rows = zip(mask, texts_of(counts, "a"), texts_of(counts, "b"), counts.ints("n"), strict=True)
    for used, lane, status, n in rows:
        if used:
            key = (lane or "", status or "")
            lanes[key] = lanes.get(key, 0) + int(n)
    release = durations_by(times, "release")
    return Flow(
        lanes=lanes,
        waits=together(durations_by(times, "wait").values()),
        handling=together(durations_by(times, "handling").values()),
        release=dict(sorted(release.items())),
        due=count_of(counts, "due").n,
        met=count_of(counts, "met").n,
        escalated=count_of(counts, "escalated").n,
        reviewed=count_of(counts, "reviewed").n,
        reviews=count_of(counts, "reviews").n,
        review_seconds=round(count_of(counts, "review_seconds").total),
        interventions=count_of(counts, "interventions").n,
        overridden=count_of(counts, "overridden").n,
        open_tasks=open_tasks,
        edges={kind: _edge(counts, kind) for kind in EDGE_KINDS},
        before=count_of(counts, "satisfaction", "before"),
        after=count_of(counts, "satisfaction", "after"),
    )


def _edge(counts: Table, kind: str) -> EdgeCases:
    return EdgeCases(*(count_of(counts, "edge", kind, b).n for b in EdgeCases.__slots__))


def durations_by(times: Table, name: str) -> dict[str, Durations]:
    """Lane ("" for none) -> the times of one name."""
    mask, lanes = rows_of(times, name), times.texts["a"]
    cell, n, total = times.ints("cell"), times.ints("n"), times.floats("total")
    found = {}
    for code in np.unique(lanes.codes[mask]).tolist():
        rows = mask & (lanes.codes == code)
        counts = np.bincount(cell[rows], n[rows], minlength=CELLS).astype(np.int64)
        seconds = round(float(total[rows].sum()))
        found["" if code == UNKNOWN else lanes.names[code]] = Durations(counts, seconds)
    return found


def errors_of(outcome: Table, people: Judged) -> tuple[Part, Part, Part]:
    """Errors of cases with an outcome: the AI's, people's (first verdicts), and what took effect."""
    n = outcome.ints("n")
    ai, combined = (
        Part(counted(n, column == 0), counted(n, column != UNKNOWN))
        for column in (outcome.ints("right"), outcome.ints("right_final"))
    )
    known = people.true != UNKNOWN
    verdicts = counted(people.n * people.sizes, known)
    wrong = counted(people.n * (people.sizes - people.hits), known)
    return ai, Part(wrong, verdicts), combined


def capacity_of(cells: Cells, flow: Flow, sla_minutes: float | None) -> dict[str, Any]:
    """The load of the days to come, from what waited for people or was reviewed each day."""
    arrivals = {day: for_people(table) for day, table in cells.per_day("flow", "counts").items()}
    reviewed = flow.reviewed
    seconds = flow.review_seconds / reviewed if reviewed and flow.review_seconds else None
    last = max(arrivals, default=date.min)
    return forecast(arrivals, last, seconds, sla_minutes)


def for_people(counts: Table) -> int:
    """Decisions of a day that waited for people by their lane, or that people reviewed after."""
    waiting = sum(count_of(counts, "lane", lane).n for lane in WAITING_LANES)
    return max(waiting, count_of(counts, "reviewed").n)


def over_time(cells: Cells) -> list[dict[str, Any]]:
    """Decisions, automation and reviews by period (see ``periods``)."""
    by_day: Mapping[date, Table] = cells.per_day("flow", "counts")
    found = []
    for first, last, days in periods(by_day):
        tables = [by_day[day] for day in days]
        n, automatic, reviewed = (
            sum(count_of(table, name).n for table in tables)
            for name in ("lane", "automatic", "reviewed")
        )
        found.append(
            {
                "from": first.isoformat(),
                "to": last.isoformat(),
                "n": n,
                "automation_rate": share(automatic, n, NO_DECISIONS).document(),
                "reviewed": reviewed,
            }
        )
    return found
