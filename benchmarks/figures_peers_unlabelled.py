"""Accuracy without labels, from raw columns and from stored cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.figures_peers_drift import read_drift
from benchmarks.figures_peers_frames import LABEL, OTHER, REFERENCE_FIRST, frame_of
from benchmarks.peer.timing import middle

LEVELS = np.arange(10_001) / 10_000
COLUMNS = ["score", "given", "true"]


def accuracy(folder: str) -> dict[str, Any]:
    """Estimated accuracy from raw columns, and from stored cells with their reading counted."""
    from apps.metrics.domain.unlabelled import accuracy_of_scores

    both = [frame_of(Path(folder), name, COLUMNS) for name in REFERENCE_FIRST]
    estimate, seconds = middle(lambda: accuracy_of_scores(LEVELS, *scores_counted(*both)))
    again, stored = middle(_accuracy_stored)
    assert abs(again.value - estimate.value) < 1e-12, (again, estimate)
    return {"value": estimate.value, "seconds": seconds, "stored": stored}


def scores_counted(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """The reference's rows with a true label and its positives, the window's by label given."""
    of_reference, of_current = (_levels_of(frame) for frame in (reference, current))
    true = _is_label(reference["true"])
    given = _is_label(current["given"])
    return (
        _counted(of_reference, true >= 0),
        _counted(of_reference, true == 1),
        _counted(of_current, given == 1),
        _counted(of_current, given == 0),
    )


def _levels_of(frame: pd.DataFrame) -> np.ndarray:
    return np.rint(frame["score"].to_numpy() * (len(LEVELS) - 1)).astype(np.int64)


def _is_label(column: pd.Series) -> np.ndarray:
    """1 for the positive label, 0 for another, -1 for none."""
    names = [int(name == LABEL) for name in column.cat.categories]
    return np.array([*names, -1], dtype=np.int8)[column.cat.codes.to_numpy()]


def _counted(level: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.bincount(level[mask], minlength=len(LEVELS))


def _accuracy_stored() -> Any:
    """The same from the cells: the score of "approve" is the confidence, or 1 less it."""
    from apps.metrics.domain.tables import codes_by
    from apps.metrics.domain.unlabelled import accuracy_of_scores

    cells, reference = read_drift(("confidence",))

    def counts(table: Any, given: int | None = None, true: tuple[int, ...] = ()) -> np.ndarray:
        label, truth = (codes_by(table, name, (LABEL, OTHER)) for name in ("given", "true"))
        level = np.where(label == 0, table.ints("level"), len(LEVELS) - 1 - table.ints("level"))
        used = np.isin(truth, true) if true else label == given
        weights = table.ints("n")[used]
        return np.bincount(level[used], weights, len(LEVELS)).astype(np.int64)

    now, then = (one.table("confidence") for one in (cells, reference.cells))
    return accuracy_of_scores(
        LEVELS, counts(then, true=(0, 1)), counts(then, true=(0,)), counts(now, 0), counts(now, 1)
    )
