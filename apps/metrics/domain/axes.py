"""Tables that count along an axis, as runs: what is alike besides the axis, and the counts in order.

A histogram of 4,000 cells as rows names each cell beside its count; as a run it is the counts alone,
which take a third of the bytes and a third of the time to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.metrics.domain.tables import Ints, Mask, Numbers, Table, Text, concat, groups_of, where

N: Final = "n"
LOW: Final = "low"
SPAN: Final = "span"
SPARSEST: Final = 8  # places of an axis for each row; beyond it rows are shorter


@dataclass(frozen=True, slots=True)
class Runs:
    """``heads``: a row a run: the other columns, and the whole numbers LOW, where the run begins on
    the axis, and SPAN, how many places it has; ``counts``: of all runs one after the other, shape
    (sum of SPAN,), 0 where there is no row."""

    heads: Table
    counts: Ints  # of any width


def along(table: Table, axis: str) -> Table:
    """The rows sorted by all columns but the axis and what is added up, then along the axis.

    Parameters: ``table`` with the whole numbers ``axis`` and N; its floats are sums.
    """
    keys = [table.ints(axis), *reversed(_columns(table, axis))]
    return where(table, np.lexsort(keys).astype(np.int64))


def _columns(table: Table, axis: str) -> list[Ints]:
    """What tells runs apart: texts by their codes, then whole numbers, by name."""
    texts = [table.texts[name].codes for name in sorted(table.texts)]
    return texts + [table.ints(name) for name in _others(table, axis)]


def _others(table: Table, axis: str) -> list[str]:
    whole = (name for name, column in table.numbers.items() if column.dtype == np.int64)
    return sorted(name for name in whole if name not in (axis, N, LOW, SPAN))


def runs_of(table: Table, axis: str) -> Runs | None:
    """A table as runs along an axis; None where rows are shorter.

    Definition: rows that differ by ``axis`` and N alone are one run. Rows are shorter where a run
    has more than SPARSEST places a row, where one place has two rows, or a count below 1.
    Parameters: ``table`` as ``along`` sorts it; floats are not looked at.
    """
    if not table.length or bool((table.ints(N) < 1).any()):
        return None
    at = table.ints(axis)
    begins = _begins(_columns(table, axis), table.length)
    firsts = np.flatnonzero(begins)
    lasts = np.append(firsts[1:], table.length) - 1
    span = at[lasts] - at[firsts] + 1
    if int(span.sum()) > SPARSEST * table.length or bool((np.diff(at)[~begins[1:]] < 1).any()):
        return None
    starts = np.cumsum(span) - span
    run = np.cumsum(begins) - 1
    counts = np.zeros(int(span.sum()), dtype=np.int64)
    counts[starts[run] + at - at[firsts][run]] = table.ints(N)
    texts = {name: Text(one.codes[firsts], one.names) for name, one in table.texts.items()}
    numbers: dict[str, Numbers] = {name: table.ints(name)[firsts] for name in _others(table, axis)}
    heads = Table(texts, {**numbers, LOW: at[firsts], SPAN: span}, len(firsts))
    return Runs(heads, counts)


def _begins(columns: list[Ints], length: int) -> Mask:
    """Where a run begins, shape (length,)."""
    found: Mask = np.zeros(length, dtype=bool)
    found[0] = True
    for column in columns:
        found[1:] |= column[1:] != column[:-1]
    return found


def rows_of(runs: Runs, axis: str) -> Table:
    """The rows that ``runs_of`` was made of, in the order of ``along``; their floats are left out."""
    low, span = runs.heads.ints(LOW), runs.heads.ints(SPAN)
    places, each = _counted(runs.counts, span)
    whole = _others(runs.heads, axis)
    texts = {
        name: Text(np.repeat(one.codes, each), one.names) for name, one in runs.heads.texts.items()
    }
    numbers: dict[str, Numbers] = {name: np.repeat(runs.heads.ints(name), each) for name in whole}
    numbers[axis] = places + np.repeat(low - (np.cumsum(span) - span), each)
    numbers[N] = runs.counts[places].astype(np.int64)
    return Table(texts, numbers, len(places))


def each_alone(table: Table, axis: str) -> Runs:
    """Rows as runs of one place each; floats are left out. Parameters: as for ``along``."""
    numbers: dict[str, Numbers] = {name: table.ints(name) for name in _others(table, axis)}
    numbers |= {LOW: table.ints(axis), SPAN: np.ones(table.length, dtype=np.int64)}
    return Runs(Table(table.texts, numbers, table.length), table.ints(N))


def summed(parts: Sequence[Runs], axis: str) -> Table:
    """Runs of several tables as one table: rows that differ by N alone are one, N added up.

    What is common to a run is not written out for each of its places, so that many days cost little
    more than the one table that they make.
    Parameters: ``parts``, at least one, of the same columns. Returns: Table, its rows by run and
    along the axis. Raises: ValueError: there is no part, or a column is missing in one.
    """
    heads = concat([one.heads for one in parts])
    counts = np.concatenate([one.counts for one in parts])
    low, span = heads.ints(LOW), heads.ints(SPAN)
    firsts, kind = groups_of(heads, [*heads.texts, *_others(heads, axis)])
    begin = np.full(len(firsts), np.iinfo(np.int64).max)
    end = np.full(len(firsts), np.iinfo(np.int64).min)
    np.minimum.at(begin, kind, low)
    np.maximum.at(end, kind, low + span)
    offset = np.cumsum(end - begin) - (end - begin)
    places, each = _counted(counts, span)
    starts = np.cumsum(span) - span
    at = places + np.repeat(offset[kind] + low - begin[kind] - starts, each)
    at, n = _added_up(at, counts[places], int((end - begin).sum()))
    run = np.searchsorted(offset, at, side="right") - 1
    row = firsts[run]
    texts = {name: Text(one.codes[row], one.names) for name, one in heads.texts.items()}
    numbers: dict[str, Numbers] = {name: heads.ints(name)[row] for name in _others(heads, axis)}
    numbers |= {axis: at - offset[run] + begin[run], N: n}
    return Table(texts, numbers, len(at))


def _counted(counts: Ints, span: Ints) -> tuple[Ints, Ints]:
    """Which of the counts are not 0, and how many of these each run has."""
    places = np.flatnonzero(counts)
    each = np.searchsorted(places, np.cumsum(span))
    each[1:] -= each[:-1].copy()
    return places.astype(np.int64), each.astype(np.int64)


def _added_up(at: Ints, counts: Ints, size: int) -> tuple[Ints, Ints]:
    """The places 0..size-1 that occur, in order, and the sum of the counts of each."""
    if size > SPARSEST * len(at):
        found, inverse = np.unique(at, return_inverse=True)
        return found, _whole_sums(inverse, counts, len(found))
    sums = _whole_sums(at, counts, size)
    found = np.flatnonzero(sums).astype(np.int64)
    return found, sums[found]


def _whole_sums(at: Ints, counts: Ints, size: int) -> Ints:
    """Sums of whole numbers below 2^53, which doubles hold exactly."""
    return np.bincount(at, weights=counts, minlength=size).astype(np.int64)
