"""Decisions counted by group: the cells of fairness, and what is counted from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

UNKNOWN: Final = -1
MANY_GROUPS: Final = 200


@dataclass(frozen=True, slots=True)
class GroupCells:
    """Counts of decisions by protected attributes, label given and true label.

    ``attributes``: A names; ``levels``: A tuples of level names; ``groups``: (C, A) codes into
    them; ``labels``: the label set; ``given`` and ``true``: (C,) codes into it; ``n``: (C,) counts.
    A code of -1 says unknown: no value of the attribute, no label in effect, no outcome. Cells of
    other days with the same levels and labels are appended; equal cells need not be merged.
    """

    attributes: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    groups: Ints
    labels: tuple[str, ...]
    given: Ints
    true: Ints
    n: Ints


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """What is counted in each of G groups; arrays of shape (G,), or (B, G) of B draws.

    ``n``: decisions with a label; ``selected``: of them given the favourable one; ``known``: of
    them with an outcome; ``right``; ``positives`` and ``negatives``: by truth; ``hits`` and
    ``false_alarms``: of these, given the positive label.
    """

    n: Ints
    selected: Ints
    known: Ints
    right: Ints
    positives: Ints
    hits: Ints
    negatives: Ints
    false_alarms: Ints


@dataclass(frozen=True, slots=True)
class Grouping:
    """Cells put into the groups of some of the attributes.

    ``names``: G group names, in the order of their codes; ``place``: (C,) each cell's group, -1
    where an attribute is unknown; ``unknown``: decisions of such cells.
    """

    names: tuple[str, ...]
    place: Ints
    unknown: int


def answered(cells: GroupCells) -> GroupCells:
    """The cells in which a label was given.

    Parameters: ``cells``. Returns: the same without those of no label or of no decision.
    """
    kept = (cells.given != UNKNOWN) & (cells.n > 0)
    return GroupCells(
        cells.attributes,
        cells.levels,
        cells.groups[kept],
        cells.labels,
        cells.given[kept],
        cells.true[kept],
        cells.n[kept],
    )


def subsets(cells: GroupCells) -> tuple[tuple[str, ...], ...]:
    """The sets of attributes to look at: each alone, and their intersections.

    Definition: all sets of one or more; where more than 200 tuples of levels occur, sets of one
    and of two alone, since the groups would become too small to say anything.
    Parameters: ``cells``. Returns: tuples of attribute names, the smaller sets first.
    """
    tuples = len(np.unique(cells.groups, axis=0)) if len(cells.groups) else 0
    largest = 2 if tuples > MANY_GROUPS else len(cells.attributes)
    sizes = range(1, largest + 1)
    return tuple(found for size in sizes for found in combinations(cells.attributes, size))


def group_by(cells: GroupCells, attributes: Sequence[str]) -> Grouping:
    """The groups that some attributes make, and which cell is in which.

    Definition: one group for each tuple of levels that occurs; its name joins them by ", ".
    Parameters: ``cells``; ``attributes``, some of theirs, at least one.
    Returns: Grouping. A decision that lacks one of the attributes is in no group, and counted.
    """
    at = [cells.attributes.index(name) for name in attributes]
    codes = cells.groups[:, at]
    missing = (codes == UNKNOWN).any(axis=1)
    seen, places = np.unique(codes[~missing], axis=0, return_inverse=True)
    place = np.full(len(codes), UNKNOWN, dtype=np.int64)
    place[~missing] = places.reshape(-1)
    levels = [cells.levels[i] for i in at]
    names = tuple(", ".join(levels[i][code] for i, code in enumerate(row)) for row in seen.tolist())
    return Grouping(names, place, int(cells.n[missing].sum()))


def indicators(cells: GroupCells, favourable: str, positive: str) -> npt.NDArray[np.bool_]:
    """Which cells count towards which column of GroupCounts.

    Parameters: ``cells`` with a label given; ``favourable`` and ``positive``, labels of the set,
    or others, which then no decision was given.
    Returns: shape (8, C), a row for each field of GroupCounts, in their order.
    """
    code = {label: i for i, label in enumerate(cells.labels)}
    known = cells.true != UNKNOWN
    event = code.get(positive, UNKNOWN - 1)
    truly, called = known & (cells.true == event), cells.given == event
    rows = (
        np.ones(len(known), dtype=bool),
        cells.given == code.get(favourable, UNKNOWN - 1),
        known,
        known & (cells.true == cells.given),
        truly,
        truly & called,
        known & ~truly,
        known & ~truly & called,
    )
    return np.stack(rows)


def counts_of(cells: GroupCells, grouping: Grouping, favourable: str, positive: str) -> GroupCounts:
    """The counts of each group.

    Definition: sums of n over the cells of a group, for each field.
    Parameters: ``cells`` with a label given; their ``grouping``; ``favourable``, ``positive``.
    Returns: GroupCounts of shape (G,).
    """
    kept = grouping.place != UNKNOWN
    place, n = grouping.place[kept], cells.n[kept]
    sums = [
        np.bincount(place, n * row, minlength=len(grouping.names)).astype(np.int64)
        for row in indicators(cells, favourable, positive)[:, kept]
    ]
    return GroupCounts(*sums)
