"""Histograms of features on frozen edges: additive, exact to count, the same whenever made.

A number's edges are frozen with the reference: 4,096 equal cells between its 0.05 % and 99.95 %
quantiles, a tail on either side, and the missing. A category's levels are frozen likewise.
Histograms on the same edges add up, so that any window is a sum of days.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CELLS: Final = 4096
TAIL: Final = 0.0005
BELOW, ABOVE, MISSING = 0, CELLS + 1, CELLS + 2
WIDTH: Final = CELLS + 3
BLOCK: Final = 16_384  # values at a time, so that they stay in the processor's cache
LEVELS: Final = 1000
HEADER: Final = struct.Struct("<BBIdd")
DENSE, SPARSE = 1, 2
WIDTHS: Final = ("<u1", "<u2", "<u4", "<u8")


@dataclass(frozen=True, slots=True)
class NumberEdges:
    """Where a number's cells lie: equal ones from ``low`` to ``high``; one value if they are equal."""

    low: float
    high: float

    @property
    def centres(self) -> Floats:
        """The middles of the cells, shape (4096,); all the one value where there is no range."""
        step = (self.high - self.low) / CELLS
        middles: Floats = self.low + step * (np.arange(CELLS, dtype=np.float64) + 0.5)
        return middles


@dataclass(frozen=True, slots=True)
class CategoryEdges:
    """A category's levels, the most frequent first; ``complete``: the reference had no others."""

    levels: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class NumberHistogram:
    """How many values fell where.

    ``counts``: (4099,) whole numbers: the tail below, 4,096 cells, the tail above, missing;
    ``below`` and ``above``: the sums of the values in the tails, whose means place them.
    """

    counts: Ints
    below: float = 0.0
    above: float = 0.0


def freeze_number(values: Floats) -> NumberEdges | None:
    """The edges of a number, from its reference.

    Definition: the 0.05 % and 99.95 % quantiles (linear interpolation) of the finite values.
    Parameters: ``values``, shape (n,), nan or infinite where missing.
    Returns: NumberEdges; None where no value is finite.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = np.quantile(finite, [TAIL, 1 - TAIL])
    return NumberEdges(float(low), float(high))


def count_numbers(values: Floats, edges: NumberEdges) -> NumberHistogram:
    """The histogram of some values.

    Definition: cell floor((x - low) / (high - low) 4096), x = high in the last one; below low and
    above high the tails; what is not finite is missing. The tails are summed exactly (fsum), so
    that the order of the rows does not matter.
    Parameters: ``values``, shape (n,); ``edges``.
    Returns: NumberHistogram; all zeros for n = 0.
    """
    x = np.asarray(values, dtype=np.float64)
    raw = np.zeros(CELLS + 1, dtype=np.int64)
    counts = np.zeros(WIDTH, dtype=np.int64)
    below: list[float] = []
    above: list[float] = []
    for begin in range(0, x.size, BLOCK):
        known = x[begin : begin + BLOCK]
        finite = np.isfinite(known)
        if not finite.all():
            counts[MISSING] += known.size - int(finite.sum())
            known = known[finite]
        raw += np.bincount(_cells(known, edges), minlength=CELLS + 1)
        below += known[known < edges.low].tolist()
        above += known[known > edges.high].tolist()
    raw[[0, -1]] -= [len(below), len(above)]  # the tails were put into the cells next to them
    counts[BELOW], counts[ABOVE] = len(below), len(above)
    counts[BELOW + 1 : ABOVE] = raw[:-1]
    counts[ABOVE - 1] += raw[-1]  # x = high
    return NumberHistogram(counts, fsum(below), fsum(above))


def _cells(known: Floats, edges: NumberEdges) -> npt.NDArray[np.intp]:
    """The cell of each value, from 0; 4096 for the upper edge and what lies above."""
    span = edges.high - edges.low
    if not span > 0:
        return np.where(known > edges.high, CELLS, 0)
    share = known - edges.low
    share /= span
    # The tails may lie so far off that the product leaves the range of whole numbers.
    np.clip(share, 0.0, 1.0, out=share)
    share *= CELLS
    return share.astype(np.intp)


def add_numbers(histograms: Iterable[NumberHistogram]) -> NumberHistogram:
    """The histogram of all values together; counts are whole numbers, so it is exact.

    Parameters: ``histograms`` on the same edges, in a fixed order (the days'), since the tails'
    sums are floats. Returns: NumberHistogram; all zeros for none.
    """
    found = list(histograms)
    counts = np.zeros(WIDTH, dtype=np.int64)
    for one in found:
        counts += one.counts
    return NumberHistogram(counts, fsum(h.below for h in found), fsum(h.above for h in found))


def freeze_category(counts: Counter[str] | dict[str, int], limit: int = LEVELS) -> CategoryEdges:
    """The levels of a category, from its reference.

    Definition: the ``limit`` most frequent, of equal ones the first by name.
    Parameters: ``counts``, level -> count; ``limit`` >= 1.
    Returns: CategoryEdges; ``complete`` if none had to be left out.
    """
    ordered = sorted((level for level, n in counts.items() if n), key=lambda x: (-counts[x], x))
    return CategoryEdges(tuple(ordered[:limit]), len(ordered) <= limit)


def count_categories(values: Iterable[str | None], edges: CategoryEdges) -> Ints:
    """How often each level occurs.

    Definition: counts of the frozen levels, then of all others (unseen ones if the levels are
    complete), then of the missing (None).
    Parameters: ``values``; ``edges``. Returns: shape (L + 2,), int64.
    """
    return fold_categories(Counter(values), edges)


def fold_categories(
    counted: Counter[str | None] | dict[str | None, int], edges: CategoryEdges
) -> Ints:
    """Counts by level, as a grouped query gives them, put in the order of the frozen levels.

    Parameters: ``counted``, level (None: missing) -> count; ``edges``.
    Returns: shape (L + 2,), int64, as ``count_categories``.
    """
    known = [counted.get(level, 0) for level in edges.levels]
    missing = counted.get(None, 0)
    other = sum(counted.values()) - sum(known) - missing
    return np.array([*known, other, missing], dtype=np.int64)


def pack(histogram: NumberHistogram) -> bytes:
    """A histogram as bytes, the same for the same histogram on any machine.

    Definition: a header (form, width, how many, the tails' sums; little-endian), then either all
    counts or the places and counts of those that are not 0, whichever is shorter, in the narrowest
    whole numbers that hold them. No compression, whose bytes would depend on a library's version.
    Parameters: ``histogram`` with counts >= 0. Returns: some KiB.
    """
    counts = histogram.counts
    width = next(i for i in range(4) if int(counts.max(initial=0)) < 1 << (8 << i))
    places = np.flatnonzero(counts)
    size = 1 << width
    tails = (histogram.below, histogram.above)
    if len(places) * (2 + size) < len(counts) * size:
        head = HEADER.pack(SPARSE, width, len(places), *tails)
        return (
            head + places.astype("<u2").tobytes() + counts[places].astype(WIDTHS[width]).tobytes()
        )
    return HEADER.pack(DENSE, width, len(counts), *tails) + counts.astype(WIDTHS[width]).tobytes()


def unpack(packed: bytes) -> NumberHistogram:
    """The histogram that ``pack`` wrote.

    Parameters: ``packed``. Returns: an equal histogram.
    Errors: ValueError for bytes that are no histogram, naming what is wrong.
    """
    if len(packed) < HEADER.size:
        raise ValueError(f"{len(packed)} bytes are too few for a histogram")
    form, width, n, below, above = HEADER.unpack_from(packed)
    if form not in (DENSE, SPARSE) or width >= len(WIDTHS) or n > WIDTH:
        raise ValueError(f"form={form}, width={width}, n={n}: not the header of a histogram")
    body, size = packed[HEADER.size :], 1 << width
    if len(body) != n * (size + (2 if form == SPARSE else 0)) or (form == DENSE and n != WIDTH):
        raise ValueError(f"{len(body)} bytes do not hold {n} counts of form {form}")
    return NumberHistogram(_counts(body, form, WIDTHS[width], n), below, above)


def _counts(body: bytes, form: int, width: str, n: int) -> Ints:
    if form == DENSE:
        return np.frombuffer(body, width).astype(np.int64)
    places = np.frombuffer(body, "<u2", count=n)
    if n and int(places.max()) >= WIDTH:
        raise ValueError(f"place {int(places.max())} lies outside the {WIDTH} of a histogram")
    counts = np.zeros(WIDTH, dtype=np.int64)
    counts[places] = np.frombuffer(body, width, offset=2 * n)
    return counts


def pack_counts(counts: Sequence[int] | Ints) -> bytes:
    """Counts of a category as bytes: little-endian 64-bit whole numbers.

    Parameters: ``counts``, shape (L + 2,). Returns: 8 bytes each.
    """
    return np.asarray(counts, dtype="<i8").tobytes()


def unpack_counts(packed: bytes) -> Ints:
    """The counts that ``pack_counts`` wrote.

    Parameters: ``packed``. Returns: int64. Errors: ValueError for a length that is no multiple of 8.
    """
    if len(packed) % 8:
        raise ValueError(f"{len(packed)} bytes are no whole number of counts")
    return np.frombuffer(packed, "<i8").astype(np.int64)
