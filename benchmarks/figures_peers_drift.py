"""Drift from stored histograms, from histograms in memory and from raw columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cells_data import CATEGORIES, NUMBERS, SLUG
from benchmarks.figures_peers_frames import REFERENCE_FIRST, frame_of
from benchmarks.peer.timing import middle


def drift(folder: str) -> dict[str, Any]:
    """The same report from stored histograms, the reading counted; from histograms in memory; and
    from raw columns, whose edges are frozen and which are counted each time."""
    from apps.metrics.domain.drift import drift_report
    from apps.metrics.kinds.drift import features_of

    whole, stored = middle(_drift_stored)
    cells, reference = read_drift()
    features = features_of(cells, reference.document)
    _, computed = middle(lambda: drift_report(features))
    columns = [*NUMBERS, *CATEGORIES]
    both = [frame_of(Path(folder), name, columns) for name in REFERENCE_FIRST]
    found, counted = middle(lambda: drift_report(features_counted(*both)))
    shown = whole["features"]
    for name in columns:
        for statistic in ("psi", "js", "effect"):
            assert abs(shown[name][statistic] - found["features"][name][statistic]) < 1e-12, name
    return {"stored": stored, "computed": computed, "counted": counted, "features": len(shown)}


def read_drift(families: tuple[str, ...] = ("features", "confidence")) -> Any:
    """The cells of the whole window and of the reference, as a report reads them."""
    from django.utils import timezone

    from apps.metrics.cells.window import read_cells
    from apps.metrics.facts import facts_of
    from apps.metrics.first_reading import Window
    from apps.metrics.kinds.drift import Reference
    from apps.metrics.models import ReferenceProfile
    from apps.metrics.reports import reference_cells
    from apps.registry.models import UseCase

    use_case = UseCase.objects.get(pk=SLUG)
    cells = read_cells(use_case, Window(), families, refresh=False)
    facts = facts_of("drift", use_case, Window(), cells, timezone.now())
    then = reference_cells(use_case, "drift", facts)
    profile = ReferenceProfile.objects.get(pk=facts["profile"])
    assert then is not None
    return cells, Reference(profile.document, then)


def _drift_stored() -> dict[str, Any]:
    from apps.metrics.domain.drift import drift_report
    from apps.metrics.kinds.drift import features_of

    cells, reference = read_drift()
    return drift_report(features_of(cells, reference.document))


def features_counted(reference: pd.DataFrame, current: pd.DataFrame) -> dict[str, Any]:
    """Histograms of raw columns, on edges frozen from the reference."""
    from apps.metrics.domain import histograms as h
    from apps.metrics.domain.drift import CategoryFeature, NumberFeature

    found: dict[str, Any] = {}
    for name in NUMBERS:
        one, other = (frame[name].to_numpy() for frame in (reference, current))
        edges = h.freeze_number(one)
        assert edges is not None
        found[name] = NumberFeature(
            edges, h.count_numbers(one, edges), h.count_numbers(other, edges)
        )
    for name in CATEGORIES:
        one, other = (_levels(frame[name]) for frame in (reference, current))
        levels = h.freeze_category(one)
        found[name] = CategoryFeature(
            levels, h.fold_categories(one, levels), h.fold_categories(other, levels)
        )
    return found


def _levels(column: pd.Series) -> dict[str | None, int]:
    """How often each level occurs; None where there is none."""
    names = [None, *column.cat.categories]
    counts = np.bincount(column.cat.codes.to_numpy().astype(np.intp) + 1, minlength=len(names))
    return {name: int(n) for name, n in zip(names, counts, strict=True) if n}
