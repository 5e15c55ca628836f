"""Bootstrap intervals of fairness from counts: draws of cells instead of rows, exact in law."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from apps.metrics.domain.estimates import LEVEL
from apps.metrics.domain.fairness import extremes, parts_of
from apps.metrics.domain.groups import (
    GroupCells,
    GroupCounts,
    Grouping,
    Ints,
    counts_of,
    indicators,
)

DRAWS: Final = 1000
MULTINOMIAL: Final = "bootstrap_multinomial"
FIELDS: Final = 8

Floats = npt.NDArray[np.float64]


def drawn_counts(
    cells: GroupCells,
    grouping: Grouping,
    favourable: str,
    positive: str,
    draws: int = DRAWS,
    seed: int = 0,
) -> GroupCounts:
    """Counts by group in bootstrap samples of the decisions.

    Definition: N rows drawn with replacement out of N fall into the cells as Multinomial(N, n / N),
    so that the cells' counts are drawn and no row is. Cells alike in all that is counted are merged
    first. Drawing cells with equal weight instead (``n_boot`` on collapsed rows) is wrong.
    Parameters: ``cells`` with a label given, at least one; ``grouping``; the labels; ``draws`` B;
    ``seed``: the same one gives the same draws.
    Returns: GroupCounts of shape (B, G), int64.
    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), ch. 6.
    """
    place, marks, n = _merged(cells, grouping, favourable, positive)
    total = int(n.sum())
    sample = np.random.default_rng(seed).multinomial(total, n / total, size=draws)
    groups = len(grouping.names)
    member = place[:, None] == np.arange(groups)
    columns = (marks[:, :, None] & member[None, :, :]).transpose(1, 0, 2)
    design = columns.reshape(len(n), FIELDS * groups).astype(np.float64)
    sums = (sample.astype(np.float64) @ design).astype(np.int64).reshape(draws, FIELDS, groups)
    return GroupCounts(*(sums[:, i] for i in range(FIELDS)))


def _merged(
    cells: GroupCells, grouping: Grouping, favourable: str, positive: str
) -> tuple[Ints, npt.NDArray[np.bool_], Ints]:
    """Place, indicators (8, M) and counts of the M cells that differ in these."""
    marks = indicators(cells, favourable, positive)
    key = np.vstack([grouping.place, marks.astype(np.int64)])
    kinds, which = np.unique(key, axis=1, return_inverse=True)
    n = np.bincount(which.reshape(-1), cells.n).astype(np.int64)
    return kinds[0], kinds[1:].astype(bool), n


def bootstrap_report(
    cells: GroupCells,
    grouping: Grouping,
    favourable: str,
    positive: str,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Percentile intervals of every rate, and of the gap and ratio of each.

    Definition: 2.5 % to 97.5 % of the draws. A gap is that of the two groups that are farthest
    apart in the data, signed, so that it can be below 0: the bootstrap of max - min never covers
    "no gap". Where it matters most (rare events, small groups) Newcombe's and Katz's intervals
    hold better; these are for comparison.
    Parameters: as ``drawn_counts``.
    Returns: {"method", "draws", "seed", "rates": {rate: {G: {"low", "high"}}}, "difference" and
    "ratio": {rate: {"low", "high", "low_group", "high_group"} or None}}. Null ends where more than
    a twentieth of the draws leave a figure undefined, or where there are no cells.
    """
    found: dict[str, Any] = {"method": MULTINOMIAL, "draws": draws, "seed": seed}
    found |= {"rates": {}, "difference": {}, "ratio": {}}
    if not grouping.names:
        return found
    seen = parts_of(counts_of(cells, grouping, favourable, positive), grouping.names)
    drawn = drawn_counts(cells, grouping, favourable, positive, draws, seed)
    for rate, values in drawn_rates(drawn).items():
        low, high = percentiles(values)
        found["rates"][rate] = {
            name: {"low": _end(low[i]), "high": _end(high[i])}
            for i, name in enumerate(grouping.names)
        }
        pair = extremes(seen[rate])
        for name in ("difference", "ratio"):
            found[name][rate] = _paired(name, values, grouping.names, pair)
    return found


def drawn_rates(drawn: GroupCounts) -> dict[str, Floats]:
    """The rates of each draw and group; nan where one has no denominator.

    Parameters: ``drawn`` of shape (B, G). Returns: rate -> shape (B, G).
    """
    return {
        "selection_rate": _divided(drawn.selected, drawn.n),
        "tpr": _divided(drawn.hits, drawn.positives),
        "fpr": _divided(drawn.false_alarms, drawn.negatives),
        "fnr": _divided(drawn.positives - drawn.hits, drawn.positives),
        "accuracy": _divided(drawn.right, drawn.known),
    }


def _divided(k: npt.NDArray[Any], n: npt.NDArray[Any]) -> Floats:
    rates: Floats = np.divide(k, n, out=np.full(k.shape, np.nan), where=n > 0)
    return rates


def percentiles(values: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """The interval that holds the middle ``level`` of each column's draws.

    Parameters: ``values``, shape (B, G), nan where a draw has no value.
    Returns: (low, high), shape (G,); nan where more than a twentieth of the draws have none.
    """
    tails = [0.5 - level / 2, 0.5 + level / 2]
    empty = np.isnan(values)
    if not empty.any():
        low, high = np.quantile(values, tails, axis=0)
        return low, high
    usable = empty.mean(axis=0) <= 0.05
    ends = np.full((2, values.shape[1]), np.nan)
    if usable.any():
        ends[:, usable] = np.nanquantile(values[:, usable], tails, axis=0)
    return ends[0], ends[1]


def _end(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _paired(
    name: str, values: Floats, names: tuple[str, ...], pair: tuple[str, str] | None
) -> dict[str, Any] | None:
    if pair is None:
        return None
    low, high = (values[:, names.index(group)] for group in pair)
    compared = high - low if name == "difference" else _divided(low, high)
    ends = percentiles(compared[:, None])
    return {
        "low": _end(ends[0][0]),
        "high": _end(ends[1][0]),
        "low_group": pair[0],
        "high_group": pair[1],
    }
