"""A stored report made again: from the cells it used, and from the rows as they are now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from apps.audit.models import Leaf
from apps.common.fields import stored_json
from apps.decisions.models import Decision
from apps.metrics.cells.building import build
from apps.metrics.cells.days import bounds, moment_of
from apps.metrics.cells.marking import BEARING
from apps.metrics.cells.storing import Packed, packed
from apps.metrics.cells.window import WindowCells, cells_of
from apps.metrics.code_version import code_version
from apps.metrics.domain.figures import differences
from apps.metrics.domain.packing import unpack
from apps.metrics.facts import Facts
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.models import DayCells, Report
from apps.metrics.reports import figures_of, window_edges

ERASURE = "erasure"
SPEAKING = (*(model.record_type for model in BEARING), ERASURE)  # of what figures are made of


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What came of making a report again.

    ``same``: from its cells, the same bytes; from rows, the same figures. ``differs``: the paths of
    figures that do not agree; ``days``: [day, family] whose cells differ from those it used;
    ``records_since`` and ``erasures_since``: records of the use case that figures are made of, and
    erasures among them, sealed after the report's tree size; ``code_version``: of the code that made
    it again.
    """

    same: bool
    result: dict[str, Any]
    differs: list[str]
    days: list[list[str]]
    records_since: int
    erasures_since: int
    code_version: str


def report_recompute(report: Report) -> Recomputed:
    """Make a report again from the very cells that it used.

    The same code gives the same bytes. Raises: ValueError: a blob of cells is gone.
    """
    facts: Facts = report.parameters["facts"]
    kind = KINDS[report.kind]
    cells = stored_cells(report, report.cells, kind.families, facts)
    reference = None
    if kind.reference and facts["profile"] is not None:
        used = report.parameters["reference_cells"]
        reference = stored_cells(report, used, kind.reference, facts)
    result = figures_of(report.kind, cells, facts, reference)
    same = stored_json(result) == stored_json(report.result)
    return _compared(report, result, same, [])


def report_recompute_from_rows(report: Report) -> Recomputed:
    """Make a report again from the rows as they are now, its cells counted anew; nothing is stored.

    Figures are equal up to 1e-12. They differ where outcomes, reviews or decisions were recorded
    since, or something was erased; ``days``, ``records_since`` and ``erasures_since`` say so.
    """
    facts: Facts = report.parameters["facts"]
    kind = KINDS[report.kind]
    window = [(date.fromisoformat(day), family) for day, family, _hash in report.cells]
    cells = counted_cells(report, window_days(report, {day for day, _ in window}), kind.families)
    reference = None
    if kind.reference and facts["profile"] is not None:
        used = report.parameters["reference_cells"]
        days = {date.fromisoformat(day): None for day, _family, _hash in used}
        reference = counted_cells(report, [(day, *bounds(day)) for day in days], kind.reference)
    result = figures_of(report.kind, cells, facts, reference)
    then = {(day, family): key for day, family, key in report.cells}
    now = {(day, family): key for day, family, key in cells.used}
    days_changed = sorted(
        [day, family]
        for day, family in {*then, *now}
        if then.get((day, family)) != now.get((day, family))
    )
    same = next(differences(report.result, result), None) is None
    return _compared(report, result, same, days_changed)


def _compared(
    report: Report, result: dict[str, Any], same: bool, days: list[list[str]]
) -> Recomputed:
    since = Leaf.objects.filter(use_case=report.use_case_id, index__gte=report.tree_size)
    since = since.filter(record_type__in=SPEAKING)
    return Recomputed(
        same=same,
        result=result,
        differs=[] if same else list(differences(report.result, result)),
        days=days,
        records_since=since.count(),
        erasures_since=since.filter(record_type=ERASURE).count(),
        code_version=code_version(),
    )


def stored_cells(
    report: Report, used: Sequence[Sequence[str]], families: Collection[str], facts: Facts
) -> WindowCells:
    """The cells that a report names, with the protected attributes of its time."""
    found = cells_of(report.use_case, used)
    whole = {family: found.whole.get(family, {}) for family in families}
    return replace(found, attributes=tuple(facts["attributes"]), whole=whole)


def window_days(report: Report, known: Iterable[date]) -> list[tuple[date, Any, Any]]:
    """The days of a report's window that hold decisions now or did then, each with its bounds: those
    of the window at its ends, midnight between."""
    rows = Decision.objects.annotate(made=moment_of()).filter(use_case=report.use_case_id)
    days = {
        *known,
        *DayCells.objects.filter(use_case=report.use_case_id).values_list("day", flat=True),
    }
    found = []
    for day in sorted(days):
        begin, end = window_edges(report.begin, report.end, day)
        if begin < end and rows.filter(made__gte=begin, made__lt=end).exists():
            found.append((day, begin, end))
    return found


def counted_cells(
    report: Report, days: Iterable[tuple[date, Any, Any]], families: Collection[str]
) -> WindowCells:
    """Cells counted from the rows of some days; nothing is stored."""
    found: list[Packed] = []
    for day, begin, end in days:
        found += [
            one for one in packed(day, build(report.use_case, begin, end)) if one.family in families
        ]
    whole: dict[str, dict[date, Any]] = {family: {} for family in families}
    for one in found:
        whole[one.family][one.day] = unpack(one.data)
    used = sorted([one.day.isoformat(), one.family, one.hash] for one in found)
    attributes = tuple(report.parameters["facts"]["attributes"])
    return WindowCells(report.use_case, attributes, used, whole)
