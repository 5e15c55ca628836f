"""Accuracy without labels, from counts, from raw columns and from stored cells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cells_data import SLUG, START
from benchmarks.cells_steps import PROFILE_DAYS
from benchmarks.figures_peers_frames import LABEL, OTHER, REFERENCE_FIRST, frame_of
from benchmarks.peer.timing import middle

TOP = 10_000
LEVELS = np.arange(TOP + 1) / TOP
COLUMNS = ["score", "given", "true"]
NEITHER, NEGATIVE, POSITIVE = range(3)
BLOCK = 65_536  # rows at a time, so that they stay in the processor's cache


def accuracy(folder: str) -> dict[str, Any]:
    """The accuracy to be expected, from the score of the positive label, three ways."""
    from apps.metrics.domain.unlabelled import accuracy_of_scores

    both = [frame_of(Path(folder), name, COLUMNS) for name in REFERENCE_FIRST]
    counts = scores_counted(*both)
    estimate, computed = middle(lambda: accuracy_of_scores(LEVELS, *counts))
    _, counted = middle(lambda: accuracy_of_scores(LEVELS, *scores_counted(*both)))
    again, stored = middle(lambda: accuracy_of_scores(LEVELS, *scores_stored()))
    assert abs(again.value - estimate.value) < 1e-12, (again, estimate)
    times = {"computed": computed, "counted": counted, "stored": stored}
    return {"value": estimate.value, **times}


def scores_counted(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """By score, of the reference the rows with a true label and its positives, of the window those
    given each label."""
    true, given = _by_score(reference, "true"), _by_score(current, "given")
    known = true[:, NEGATIVE] + true[:, POSITIVE]
    return known, true[:, POSITIVE], given[:, POSITIVE], given[:, NEGATIVE]


def _by_score(frame: pd.DataFrame, side: str) -> np.ndarray:
    """Rows by score, at 4 decimals, and by label: neither, negative, positive."""
    column = frame[side].cat
    kinds = [POSITIVE if name == LABEL else NEGATIVE for name in column.categories]
    of_code = np.array([*kinds, NEITHER], dtype=np.intp)
    scores, codes = frame["score"].to_numpy(), column.codes.to_numpy()
    found = np.zeros(3 * len(LEVELS), dtype=np.intp)
    for begin in range(0, len(scores), BLOCK):
        part = slice(begin, begin + BLOCK)
        key = np.rint(scores[part] * TOP).astype(np.intp) * 3 + of_code[codes[part]]
        found += np.bincount(key, minlength=len(found))
    return found.reshape(-1, 3)


def scores_stored() -> tuple[np.ndarray, ...]:
    """The same from the cells: the score of a label is the confidence in it, or 1 less it."""
    from apps.metrics.cells.window import read_cells
    from apps.metrics.domain.tables import codes_by
    from apps.metrics.first_reading import Window
    from apps.registry.models import UseCase

    use_case = UseCase.objects.get(pk=SLUG)
    begin = datetime.fromisoformat(START).astimezone(UTC)
    windows = (Window(begin, begin + timedelta(days=PROFILE_DAYS)), Window())
    found = []
    for window, side in zip(windows, ("true", "given"), strict=True):
        cells = read_cells(use_case, window, ["confidence"], refresh=False)
        table = cells.table("confidence")
        level = table.ints("level")
        level = np.where(codes_by(table, "given", (LABEL, OTHER)) == 0, level, TOP - level)
        kind = np.array([POSITIVE, NEGATIVE, NEITHER])[codes_by(table, side, (LABEL, OTHER))]
        key = level * 3 + kind
        counts = np.bincount(key, table.ints("n"), 3 * len(LEVELS)).astype(np.int64)
        found.append(counts.reshape(-1, 3))
    true, given = found
    known = true[:, NEGATIVE] + true[:, POSITIVE]
    return known, true[:, POSITIVE], given[:, POSITIVE], given[:, NEGATIVE]
