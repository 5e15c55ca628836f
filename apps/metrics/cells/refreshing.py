"""Counting again what has changed: one day of one use case at a time, by any number of workers."""

from __future__ import annotations

from datetime import date

from django.db import transaction

from apps.metrics.cells.attributes import basis_of
from apps.metrics.cells.building import build
from apps.metrics.cells.columns import Setup, setup_of
from apps.metrics.cells.days import bounds
from apps.metrics.cells.marking import cells_mark_dirty, days_mark
from apps.metrics.cells.profiles import profile_freeze_due
from apps.metrics.cells.storing import day_store
from apps.metrics.models import DayCells, DirtyDay
from apps.registry.models import UseCase


def cells_refresh(use_case: UseCase | None = None) -> int:
    """Count every day again that has changed, of one use case or of all; returns how many.

    What is to be done is in the rows of DirtyDay: a worker that counts some of them at the same
    time takes them off this one.
    """
    cells_mark_dirty()
    cases = [use_case] if use_case is not None else list(_dirty_use_cases())
    return sum(_refresh(case) for case in cases)


def _dirty_use_cases() -> list[UseCase]:
    known = set(DirtyDay.objects.values_list("use_case", flat=True).distinct())
    known |= set(DayCells.objects.values_list("use_case", flat=True).distinct())
    return list(UseCase.objects.filter(slug__in=known).order_by("slug"))


def _refresh(use_case: UseCase) -> int:
    profile_freeze_due(use_case)
    stale_mark(use_case)
    days = DirtyDay.objects.filter(use_case=use_case).order_by("day").values_list("day", flat=True)
    setup = setup_of(use_case)
    return sum(day_build(use_case, day, setup) for day in list(days))


def stale_mark(use_case: UseCase) -> int:
    """Mark the days that were counted on another basis: other labels, attributes, profile, code."""
    setup = setup_of(use_case)
    basis = basis_of(use_case, setup.profile)
    rows = DayCells.objects.filter(use_case=use_case).exclude(basis=basis)
    days = set(rows.values_list("day", flat=True).distinct())
    return days_mark(use_case.slug, days) if days else 0


def day_build(
    use_case: UseCase, day: date, setup: Setup | None = None, *, wait: bool = True
) -> bool:
    """Count a marked day again and take the mark away, in one transaction; False: it was not marked.

    The mark goes first: it is the lock. Whoever marks the day meanwhile waits for the end of this,
    and leaves a new mark; whoever counts it too finds none. A worker that dies leaves the mark.
    Parameters: ``wait``: False passes over a day that somebody is counting.
    """
    with transaction.atomic():
        marks = DirtyDay.objects.filter(use_case=use_case, day=day)
        mark = marks.select_for_update(skip_locked=not wait).first()
        if mark is None:
            return False
        mark.delete()
        setup = setup or setup_of(use_case)
        built = build(use_case, *bounds(day), setup)
        day_store(use_case.slug, day, built, basis_of(use_case, setup.profile))
        return True
