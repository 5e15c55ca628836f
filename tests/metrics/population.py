"""Random decisions with groups, as rows and as cells, for the figures of fairness."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apps.metrics.domain.groups import GroupCells

LABELS = ("low", "high")
SEXES = ("F", "M")
RACES = ("A", "B", "C", "D", "E")


class Rows(NamedTuple):
    """Codes of n decisions; -1 says unknown."""

    sex: np.ndarray
    race: np.ndarray
    given: np.ndarray
    true: np.ndarray


def rows(n: int, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    sex = random.integers(0, 2, n)
    race = random.choice(5, n, p=[0.5, 0.25, 0.13, 0.09, 0.03])
    true = (random.random(n) < 0.3 + 0.08 * race).astype(np.int64)
    flip = random.random(n) < 0.15 + 0.05 * sex + 0.03 * race
    return Rows(sex, race, np.where(flip, 1 - true, true), true)


def cells_of(one: Rows) -> GroupCells:
    """The rows counted: one cell for each combination that occurs."""
    kinds, n = np.unique(np.column_stack(one), axis=0, return_counts=True)
    return GroupCells(
        attributes=("sex", "race"),
        levels=(SEXES, RACES),
        groups=kinds[:, :2].astype(np.int64),
        labels=LABELS,
        given=kinds[:, 2].astype(np.int64),
        true=kinds[:, 3].astype(np.int64),
        n=n.astype(np.int64),
    )


def cells(table: dict[str, tuple[int, int, int, int]]) -> GroupCells:
    """Cells of one attribute from (tn, fp, fn, tp) by group, ``high`` being positive."""
    kinds = [
        (group, given, true, count)
        for group, (tn, fp, fn, tp) in enumerate(table.values())
        for given, true, count in ((0, 0, tn), (1, 0, fp), (0, 1, fn), (1, 1, tp))
    ]
    group, given, true, n = np.array(kinds, dtype=np.int64).T
    return GroupCells(("group",), (tuple(table),), group[:, None], LABELS, given, true, n)
