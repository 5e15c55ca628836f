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

    whole, stored = middle(lambda: drift_report(stored_features()))
    columns = [*NUMBERS, *CATEGORIES]
    features = {name: one for name, one in stored_features().items() if name in columns}
    _, computed = middle(lambda: drift_report(features))
    both = [frame_of(Path(folder), name, columns) for name in REFERENCE_FIRST]
    found, counted = middle(lambda: drift_report(features_counted(*both)))
    for name in columns:
        for statistic in ("psi", "js", "effect"):
            ours, other = (one["features"][name][statistic] for one in (whole, found))
            assert abs(ours - other) < 1e-12, (name, statistic, ours, other)
    return {"stored": stored, "computed": computed, "counted": counted}


def stored_features() -> dict[str, Any]:
    """The features of the whole window and of the profile, as a report reads them, and the output,
    the confidence and the outcome."""
    from apps.metrics.cells.attributes import newest_profile
    from apps.metrics.cells.features import frozen_document
    from apps.metrics.cells.window import read_cells
    from apps.metrics.first_reading import Window
    from apps.metrics.kinds.drift import features_of
    from apps.registry.models import UseCase

    use_case = UseCase.objects.get(pk=SLUG)
    profile = newest_profile(use_case)
    assert profile is not None
    cells = read_cells(use_case, Window(), ["features"], refresh=False, rolled=["features"])
    document = frozen_document.__wrapped__(profile.pk)  # read, though a process keeps it
    return dict(features_of(cells, document))


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
