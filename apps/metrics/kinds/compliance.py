"""Compliance from cells: what was handled as its policy demanded, and each exception."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Final

from apps.metrics.domain.compliance import KINDS, Breach, Counts, compliance_report, counted
from apps.metrics.domain.tables import Table
from apps.metrics.domain.tables import labels as texts_of
from apps.metrics.kinds.operations import count_of
from apps.metrics.kinds.reading import Cells, Facts

FAMILIES: Final = ("breaches", "flow")
TRACED: Final = {"same": "same", "other": "other", "erased": "cannot_be_told"}


def report(cells: Cells, facts: Facts) -> dict[str, Any]:
    """The share of decisions handled as their policy demanded, each exception, and the trail.

    Definition: ``domain.compliance.compliance_report``. ``routed_again``: how many routings came out
    the same, otherwise (these are the exceptions of kind untraceable), or cannot be told, what they
    read having been erased. The trail is as it stood when the report was made, whatever its window:
    the last verification, and what waits to be sealed. Of more than 1,000 decisions that wait too
    long for their seal all count, and those listed alone are known to have other exceptions as well:
    the share is then too low rather than too high.
    Parameters: ``cells`` with FAMILIES; ``facts``: trail; unsealed: {"n", "first": [decision,
    detail] rows}.
    Returns: a JSON object; ``not_looked_at`` names the kinds that these cells were not asked for.
    """
    return _figures(cells, facts, listed=True)


def shown(cells: Cells, facts: Facts) -> dict[str, Any]:
    """The figures of ``report`` without the exceptions themselves, which no dashboard lists: what
    ``breaches`` holds is not to be read. Decisions that wait too long for their seal take them all."""
    return _figures(cells, facts, listed=bool(facts["unsealed"]["n"]))


def _figures(cells: Cells, facts: Facts, *, listed: bool) -> dict[str, Any]:
    breaches, counts = exceptions_of(cells, listed=listed)
    late = facts["unsealed"]
    first = [Breach("unsealed", decision, detail) for decision, detail in late["first"]]
    known = {one.decision for one in breaches}
    fresh = late["n"] - sum(one.decision in known for one in first)
    kind = Counter({"unsealed": late["n"]}) if late["n"] else Counter[str]()
    lanes = cells.table("flow", "counts")
    decisions = count_of(lanes, "lane").n
    whole = counts + Counts(fresh, kind, kind)
    whole = replace(whole, affected=min(whole.affected, decisions))
    found = compliance_report(decisions, [*breaches, *first], whole)
    again = {shown: count_of(lanes, "traced", how).n for how, shown in TRACED.items()}
    unasked = {} if sum(again.values()) == decisions else {"untraceable": KINDS["untraceable"]}
    return found | {
        "routed_again": again,
        "trail": dict(facts["trail"]),
        "not_looked_at": unasked,
    }


def exceptions_of(cells: Cells, *, listed: bool = True) -> tuple[list[Breach], Counts]:
    """The exceptions that are listed, the first of each day, and how many there are in all;
    ``listed``: False leaves out those that need not be read to be counted."""
    found: list[Breach] = []
    counts = Counts(0, Counter(), Counter())
    counted_by_day = cells.per_day("breaches", "counts")
    for day, table in cells.each_day("breaches"):
        held = counted_by_day[day]
        # cells of an earlier version list them all, and count none
        rows = breaches_of(table) if listed or not len(held) else []
        found += rows
        counts += counts_of(held) if len(held) else counted(rows)
    return found, counts


def counts_of(table: Table) -> Counts:
    """A day's table ``counts``."""
    rows = zip(texts_of(table, "kind"), table.ints("decisions"), table.ints("n"), strict=True)
    by_kind, exceptions, affected = Counter[str](), Counter[str](), 0
    for kind, decisions, n in rows:
        if kind is None:
            affected = int(decisions)
        else:
            by_kind[kind], exceptions[kind] = int(decisions), int(n)
    return Counts(affected, by_kind, exceptions)


def breaches_of(table: Table) -> list[Breach]:
    """The exceptions that a table of ``breaches`` holds."""
    columns = (texts_of(table, name) for name in ("kind", "decision", "detail"))
    return [Breach(*(text or "" for text in row)) for row in zip(*columns, strict=True)]
