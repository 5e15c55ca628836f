"""Reports of a use case: made from cells, stored with all that they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.accounts.callers import Caller
from apps.audit import ledger
from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, FieldError
from apps.decisions.domain.checks import check_date, check_time
from apps.decisions.domain.faults import RefusedError
from apps.metrics.cells.days import bounds, midnight
from apps.metrics.cells.features import frozen_document
from apps.metrics.cells.window import WindowCells, cells_keep, read_cells
from apps.metrics.code_version import code_version, libraries
from apps.metrics.facts import Facts, facts_of, written
from apps.metrics.first_reading import Window
from apps.metrics.kinds.catalogue import KINDS as KINDS
from apps.metrics.kinds.drift import Reference
from apps.metrics.models import ReferenceProfile, Report
from apps.metrics.selectors import use_cases_to_report
from apps.registry.models import UseCase

DAY: Final = len("2026-11-02")


def run_reports(
    *,
    caller: Caller,
    use_case: str | None = None,
    kinds: Sequence[str] = tuple(KINDS),
    window: Window | None = None,
) -> list[dict[str, Any]]:
    """A document for each use case: the window, and a report of each kind, which is stored."""
    window = window or Window()
    check_kinds(kinds)
    found = use_cases_to_report(caller, use_case)
    return [_document(caller.actor, one, list(dict.fromkeys(kinds)), window) for one in found]


def _document(
    actor: Actor, use_case: UseCase, kinds: Sequence[str], window: Window
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "use_case": use_case.slug,
        "from": written(window.begin),
        "to": written(window.end),
    }
    for place, kind in enumerate(kinds):
        # the days that changed are counted again once, so that all kinds speak of the same rows
        report = report_run(
            actor=actor, use_case=use_case, kind=kind, window=window, refresh=place == 0
        )
        found[kind] = report.result
    return found


def report_run(
    *,
    actor: Actor,
    use_case: UseCase,
    kind: str,
    window: Window | None = None,
    scheduled_for: date | None = None,
    refresh: bool = True,
) -> Report:
    """Make one report from the cells of a window, and store it.

    ``refresh``: days that changed are counted again before. A figure that cannot be had is null and
    says why; the report is made all the same.

    Raises: BadInput: no such kind, or a window that ends before it begins.
    """
    require_actor(actor)
    check_kinds([kind])
    window = checked_window(window or Window())
    made = KINDS[kind]
    head = ledger.head()
    cells = read_cells(use_case, window, made.families, refresh=refresh, rolled=made.rolled)
    facts = facts_of(kind, use_case, window, cells, timezone.now())
    reference = reference_cells(use_case, kind, facts)
    report = Report(
        use_case=use_case,
        kind=kind,
        begin=window.begin,
        end=window.end,
        parameters={
            "facts": facts,
            "libraries": libraries(),
            "reference_cells": [] if reference is None else reference.used,
        },
        code_version=code_version(),
        cells=cells.used,
        tree_size=0 if head is None else head.tree_size,
        root_hash="" if head is None else head.root_hash.hex(),
        result=figures_of(kind, cells, facts, reference),
        created_at=timezone.now(),
        scheduled_for=scheduled_for,
    )
    with transaction.atomic():
        for one in (cells, reference):
            if one is not None:
                cells_keep(one)
        report.save(actor=actor, reason=f"report of {kind}")
    return report


def reference_cells(use_case: UseCase, kind: str, facts: Facts) -> WindowCells | None:
    """The cells of the reference window, for a kind that is compared with one."""
    if not KINDS[kind].reference or facts["profile"] is None:
        return None
    days = (date.fromisoformat(facts[name]) for name in ("reference_from", "reference_to"))
    begin, end = map(midnight, days)
    return read_cells(use_case, Window(begin, end), KINDS[kind].reference, refresh=False)


def figures_of(
    kind: str,
    cells: WindowCells,
    facts: Facts,
    reference: WindowCells | None,
    *,
    shown: bool = False,
) -> dict[str, Any]:
    """The figures of a report: nothing but these arguments, and the profile they name, goes in.

    ``shown``: those alone that people look at (see ``Kind``).
    """
    made = KINDS[kind]
    report = made.shown if shown and made.shown is not None else made.report
    if not made.reference:
        return report(cells, facts)
    if reference is None:
        return report(cells, facts, None)
    profile = UUID(facts["profile"])
    if shown:
        return report(cells, facts, Reference(frozen_document(profile), reference))
    document = ReferenceProfile.objects.get(pk=profile).document
    return report(cells, facts, Reference(document, reference))


# --- What is asked for ----------------------------------------------------------------------


def check_kinds(kinds: Sequence[str]) -> None:
    """BadInput naming each kind that there is not."""
    faults = [_unknown_kind(kind) for kind in kinds if kind not in KINDS]
    if faults:
        raise BadInput(faults)


def _unknown_kind(kind: str) -> FieldError:
    return FieldError("/kind", f"{kind!r} is not a kind of report; allowed: {', '.join(KINDS)}")


def checked_window(window: Window) -> Window:
    """BadInput for a window that ends before it begins, or as it begins."""
    if window.begin and window.end and window.begin >= window.end:
        raise BadInput([_upside_down(written(window.begin), written(window.end))])
    return window


def window_edges(
    begin: datetime | None, end: datetime | None, day: date
) -> tuple[datetime, datetime]:
    """The part of a UTC day that lies in a window; the second is not after the first where none does."""
    first, last = bounds(day)
    return max(first, begin or first), min(last, end or last)


def _upside_down(begin: str | None, end: str | None) -> FieldError:
    return FieldError("/to", f"{end} is not after from={begin}: the window would hold nothing")


def read_window(begin: str | None, end: str | None) -> Window:
    """A window from two texts, each a day (its beginning, in UTC) or a time with its zone."""
    faults: list[FieldError] = []
    window = Window(_moment("/from", begin, faults), _moment("/to", end, faults))
    if window.begin and window.end and window.begin >= window.end:
        faults.append(_upside_down(begin, end))
    if faults:
        raise BadInput(faults)
    return window


def _moment(pointer: str, text: str | None, faults: list[FieldError]) -> datetime | None:
    if text is None:
        return None
    try:
        if len(text) <= DAY:
            return datetime.fromisoformat(check_date(text)).replace(tzinfo=UTC)
        return check_time(text)
    except RefusedError as refusal:
        faults.append(FieldError(pointer, f"{pointer[1:]} {refusal}"))
        return None
