"""Reference profiles: what drift is measured against, frozen once for a reference window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput
from apps.decisions.models import Decision
from apps.metrics.cells.attributes import newest_profile
from apps.metrics.cells.columns import Columns, Setup, columns_of, setup_of
from apps.metrics.cells.days import midnight, moment_of
from apps.metrics.cells.features import (
    category_table,
    columns_by_name,
    levels_of,
    number_table,
    numbers_of,
    observed,
    stored_counts,
)
from apps.metrics.cells.reading import read_chunks
from apps.metrics.domain.histograms import (
    MISSING,
    WIDTH,
    NumberHistogram,
    count_numbers,
    fold_categories,
    freeze_category,
    freeze_number,
)
from apps.metrics.domain.tables import Floats
from apps.metrics.models import ReferenceProfile
from apps.registry.models import UseCase

FREEZER = Actor.system("metrics")


def reference_profile_freeze(*, actor: Actor, use_case: UseCase) -> ReferenceProfile:
    """Freeze the profile of the use case's reference window: edges and counts of each feature.

    The window is [reference_from, reference_to). A later profile supersedes; every day is counted
    again on its edges.

    Raises:
        BadInput: the use case names no reference window, or no decision lies in it.
    """
    require_actor(actor)
    with transaction.atomic():
        case = UseCase.objects.select_for_update(no_key=True).get(pk=use_case.pk)
        return _freeze(actor, case)


def _freeze(actor: Actor, use_case: UseCase) -> ReferenceProfile:
    begin, end = use_case.reference_from, use_case.reference_to
    if begin is None or end is None:
        raise BadInput(
            f"{use_case.slug} has reference_from={begin} and reference_to={end}: set both to days",
            "/reference_from",
        )
    document = profile_document(use_case, begin, end)
    if not document["rows"]:
        raise BadInput(
            f"{use_case.slug} has no decision from {begin} to {end}: the reference window is empty",
            "/reference_from",
        )
    profile = ReferenceProfile(
        use_case=use_case, begin=begin, end=end, document=document, frozen_at=timezone.now()
    )
    profile.save(actor=actor, reason=f"reference window {begin} to {end}")
    return profile


def profile_freeze_due(use_case: UseCase) -> ReferenceProfile | None:
    """Freeze a profile where the use case names a reference window that has none yet, and has data.

    A window that was frozen stays as it was, whatever is added to it later.
    """
    if not _is_due(use_case):
        return None
    with transaction.atomic():
        case = UseCase.objects.select_for_update(no_key=True).get(pk=use_case.pk)
        return _freeze(FREEZER, case) if _is_due(case) else None


def _is_due(use_case: UseCase) -> bool:
    begin, end = use_case.reference_from, use_case.reference_to
    if begin is None or end is None or begin >= end:
        return False
    newest = newest_profile(use_case)
    if newest is not None and (newest.begin, newest.end) == (begin, end):
        return False
    rows = Decision.objects.annotate(made=moment_of()).filter(use_case=use_case)
    return bool(rows.filter(made__gte=midnight(begin), made__lt=midnight(end)).exists())


class _Gathered:
    """The values of a reference: numbers as they are, categories counted."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.kinds = kinds
        self.numbers: dict[str, list[Floats]] = {n: [] for n, k in kinds.items() if k == "number"}
        self.levels: dict[str, Counter[str | None]] = {
            n: Counter() for n, k in kinds.items() if k == "category"
        }

    def add(self, values: Mapping[str, Sequence[Any]]) -> None:
        for name, held in self.numbers.items():
            held.append(numbers_of(values[name]))
        for name, counted in self.levels.items():
            counted.update(levels_of(values[name]))

    def entries(self) -> dict[str, dict[str, Any]]:
        return {name: self._entry(name, kind) for name, kind in sorted(self.kinds.items())}

    def _entry(self, name: str, kind: str) -> dict[str, Any]:
        if kind == "category":
            return self._category(self.levels[name])
        values = np.concatenate([*self.numbers[name], np.zeros(0)])
        edges = freeze_number(values)
        if edges is None:
            counts = np.zeros(WIDTH, dtype=np.int64)
            counts[MISSING] = len(values)
            table = number_table(NumberHistogram(counts))
            return {"kind": "number", "edges": None, "counts": stored_counts(table)}
        counted = stored_counts(number_table(count_numbers(values, edges)))
        return {"kind": "number", "edges": [edges.low, edges.high], "counts": counted}

    def _category(self, counted: Counter[str | None]) -> dict[str, Any]:
        known = {level: n for level, n in counted.items() if level is not None}
        edges = freeze_category(known)
        return {
            "kind": "category",
            "levels": list(edges.levels),
            "complete": edges.complete,
            "counts": stored_counts(category_table(fold_categories(counted, edges))),
        }


def profile_document(use_case: UseCase, begin: date, end: date) -> dict[str, Any]:
    """The reference's edges and counts by feature, its days, decisions, and the AI's accuracy."""
    setup = Setup(use_case, setup_of(use_case).labels, {}, None)
    gathered = _Gathered(observed(use_case.features))
    rows = known = right = 0
    parts = ["features"] if use_case.features else []
    for chunk in read_chunks(use_case, midnight(begin), midnight(end), parts):
        rows += len(chunk)
        gathered.add(columns_by_name(chunk, gathered.kinds))
        columns: Columns = columns_of(chunk, setup)
        told = columns.table.ints("right")
        known += int((told >= 0).sum())
        right += int((told == 1).sum())
    return {
        "features": gathered.entries(),
        "days": (end - begin).days,
        "rows": rows,
        "accuracy": {"n": known, "right": right},
    }
