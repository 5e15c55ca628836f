"""The sweep: what has changed is marked, and each marked day is given to whoever is free."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from apps.metrics.cells.checking import cells_check
from apps.metrics.cells.marking import cells_mark_dirty
from apps.metrics.cells.profiles import profile_freeze_due
from apps.metrics.cells.refreshing import day_build, stale_mark
from apps.metrics.models import DirtyDay
from apps.registry.models import UseCase

AT_ONCE = 500  # nudges of one sweep; the next one sends the others


def sweep(send: Callable[[str, str], Any]) -> int:
    """Mark what has changed, and send (use case, day) of each marked day; returns how many.

    A day that is sent twice is counted once: who finds no mark, or one that is held, goes on.
    """
    cells_mark_dirty(pending=False)
    for use_case in UseCase.objects.exclude(lifecycle="draft"):
        profile_freeze_due(use_case)
        stale_mark(use_case)
    rows = DirtyDay.objects.order_by("since", "use_case", "day").values_list("use_case", "day")
    days = list(rows[:AT_ONCE])
    for slug, day in days:
        send(slug, day.isoformat())
    return len(days)


def build_one(slug: str, day: str) -> bool:
    """Count one day if it is marked and nobody is at it."""
    use_case = UseCase.objects.filter(pk=slug).first()
    if use_case is None:
        return False
    return day_build(use_case, date.fromisoformat(day), wait=False)


def check_all() -> dict[str, list[dict[str, Any]]]:
    """Use case -> days whose cells differ from the rows, of those that have any."""
    checked = {case.slug: cells_check(case) for case in UseCase.objects.order_by("slug")}
    return {slug: days for slug, days in checked.items() if days}
