"""Whether the cells hold what the rows hold."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncDate

from apps.decisions.models import Decision
from apps.metrics.cells.days import moment_of
from apps.metrics.cells.marking import cells_mark_dirty, days_mark
from apps.metrics.domain.packing import unpack
from apps.metrics.models import DayCells, DirtyDay
from apps.registry.models import UseCase


def cells_check(use_case: UseCase) -> list[dict[str, Any]]:
    """The days whose cells do not hold as many decisions as there are; these are marked.

    Definition: n added up over the cells of ``outcome`` and of ``confidence``, against the
    decisions of the day. A day that is marked already is known to have changed, and is left out.
    Returns: for each {"day", "decisions", "cells"}, in order; [] where all agree.
    """
    cells_mark_dirty()
    known = set(DirtyDay.objects.filter(use_case=use_case).values_list("day", flat=True))
    decisions, cells = _decisions(use_case), _cells(use_case)
    found: list[dict[str, Any]] = []
    for day in sorted((decisions.keys() | cells.keys()) - known):
        counted = cells.get(day, {0})
        if counted != {decisions.get(day, 0)}:
            found.append(
                {
                    "day": day.isoformat(),
                    "decisions": decisions.get(day, 0),
                    "cells": min(counted - {decisions.get(day, 0)}),
                }
            )
    if found:
        days_mark(use_case.slug, {date.fromisoformat(one["day"]) for one in found})
    return found


def _decisions(use_case: UseCase) -> Counter[date]:
    rows = Decision.objects.filter(use_case=use_case).order_by()
    days = rows.annotate(day=TruncDate(moment_of(), tzinfo=UTC)).values("day")
    return Counter(dict(days.annotate(n=Count("pk")).values_list("day", "n")))


def _cells(use_case: UseCase) -> dict[date, set[int]]:
    """Day -> the numbers of decisions that its cells and its rows state."""
    found: dict[date, set[int]] = {}
    rows = DayCells.objects.filter(use_case=use_case, family__in=("outcome", "confidence"))
    for day, family, n, data in rows.values_list("day", "family", "rows", "blob__data"):
        counted = int(unpack(bytes(data))[family].ints("n").sum())
        found.setdefault(day, set()).update((counted, n))
    return found
