"""Which days have changed: told by the ledger, since every change of a row is a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from apps.audit.models import Leaf, PendingRecord
from apps.common.models import TrackedModel
from apps.decisions.models import Decision
from apps.metrics.cells.days import moment_of
from apps.metrics.models import CellsWatermark, DirtyDay
from apps.outcomes.models import Outcome
from apps.reviews.models import Review, ReviewTask
from apps.supervision.models import Intervention, Ruling

BATCH = 50_000  # leaves at once
# record types that bear on a decision's figures, and what leads from them to the decision
BEARING: Mapping[type[TrackedModel], str] = {
    Decision: "",
    Outcome: "decision__",
    Review: "decision__",
    ReviewTask: "decision__",
    Intervention: "decision__",
    Ruling: "decision__",
}
Day = tuple[str, date]


def cells_mark_dirty(*, pending: bool = True) -> int:
    """Mark the days of all that has changed since the last time; returns how many days.

    The leaves after the watermark, and with ``pending`` the records that no leaf has yet: those
    will be marked again when they have one, which is no harm. A mark waits for whoever is counting
    that day (see ``day_build``), so that no change is lost between them.
    """
    marked = 0
    while (found := _mark_leaves()) is not None:
        marked += found
    return marked + _mark_pending() if pending else marked


def _mark_pending() -> int:
    """Mark for what waits for its leaf and is newer than the last time.

    A transaction that commits late may add an older one: it is marked when it has its leaf, within
    seconds, as everything is.
    """
    with transaction.atomic():
        mark = _watermark()
        newest = PendingRecord.objects.aggregate(last=Max("id"))["last"]
        if newest is None or newest <= mark.pending:
            return 0
        waiting = PendingRecord.objects.filter(id__gt=mark.pending, id__lte=newest)
        marked = _mark(set(_days(waiting)))
        mark.pending = newest
        mark.save()
        return marked


def _mark_leaves() -> int | None:
    """Mark for the next leaves; None when there are no more."""
    with transaction.atomic():
        mark = _watermark()
        leaves = Leaf.objects.filter(index__gte=mark.leaf_index).order_by("-index")
        last = leaves.filter(index__lt=mark.leaf_index + BATCH).values_list("index", flat=True)
        newest = last.first()
        if newest is None:
            return None
        between = Leaf.objects.filter(index__gte=mark.leaf_index, index__lte=newest)
        marked = _mark(set(_days(between)))
        mark.leaf_index = newest + 1
        mark.save()
        return marked


def _watermark() -> CellsWatermark:
    """The one row, locked: one marks at a time."""
    CellsWatermark.objects.bulk_create([CellsWatermark(pk=1)], ignore_conflicts=True)
    return CellsWatermark.objects.select_for_update(no_key=True).get(pk=1)


def _days(records: QuerySet[Any]) -> Iterator[Day]:
    """The days of the decisions that some records bear on."""
    kinds = set(records.order_by().values_list("record_type", flat=True).distinct())
    for model, prefix in BEARING.items():
        if model.record_type in kinds:
            rows = records.filter(record_type=model.record_type).order_by().values("record_id")
            history = model._history_model().objects.filter(history_id__in=rows).order_by()
            days = history.annotate(day=TruncDate(moment_of(prefix), tzinfo=UTC))
            yield from days.values_list("use_case_id", "day").distinct()


def _mark(days: set[Day]) -> int:
    """Mark some days, in order, so that two who mark never wait for each other."""
    now = timezone.now()
    rows = [DirtyDay(use_case_id=slug, day=day, since=now) for slug, day in sorted(days)]
    DirtyDay.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1_000)
    return len(days)


def days_mark(use_case: str, days: set[date]) -> int:
    """Mark days of a use case to be counted again."""
    with transaction.atomic():
        return _mark({(use_case, day) for day in days})
