"""Times as counts on fixed edges: they add up over days, and give medians and percentiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

STEPS: Final = 20  # cells in a doubling: a quantile is within 1.8 % of the value
DOUBLINGS: Final = 28  # 2^28 seconds are eight and a half years
CELLS: Final = STEPS * DOUBLINGS + 1
QUANTILES: Final = (("p25", 0.25), ("median", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95))


@dataclass(frozen=True, slots=True)
class Durations:
    """How many times fell where, and their sum.

    ``counts``: shape (561,): up to one second, then 20 cells to each doubling, the last one open;
    ``total``: seconds, whole.
    """

    counts: Ints
    total: int


def durations_of(seconds: Sequence[float] | npt.NDArray[np.float64]) -> Durations:
    """Some times, counted.

    Definition: cell ceil(20 log2 s) for s > 1, 0 for s <= 1, at most 560.
    Parameters: ``seconds``, shape (n,), >= 0. Returns: Durations. Errors: ValueError below 0.
    """
    s = np.asarray(seconds, dtype=np.float64)
    if s.size and not s.min() >= 0:
        raise ValueError(f"seconds={s.min()} is below 0")
    place = np.ceil(STEPS * np.log2(np.maximum(s, 1.0))).astype(np.int64)
    counts = np.bincount(np.minimum(place, CELLS - 1), minlength=CELLS).astype(np.int64)
    return Durations(counts, round(float(s.sum())))


def together(parts: Iterable[Durations]) -> Durations:
    """The times of several parts together; none give all zeros."""
    counts, total = np.zeros(CELLS, dtype=np.int64), 0
    for part in parts:
        counts += part.counts
        total += part.total
    return Durations(counts, total)


def quantile(times: Durations, share: float) -> float | None:
    """A quantile of the times.

    Definition: the geometric middle of the cell at which the cumulated count reaches ``share`` of
    all; within 1.8 % of the value above one second. Lower is better.
    Parameters: ``times``; ``share`` in (0, 1]. Returns: seconds; None without a time.
    """
    n = int(times.counts.sum())
    if not n:
        return None
    cell = int(np.searchsorted(np.cumsum(times.counts), share * n))
    upper = 2.0 ** (cell / STEPS)
    return upper / sqrt(2.0 ** (1 / STEPS)) if cell else 1.0


def times_report(times: Durations, why: str) -> dict[str, Any]:
    """Number, mean and quantiles of some times.

    Parameters: ``times``; ``why``, said where there are none.
    Returns: {"n", "mean", "p25", "median", "p75", "p90", "p95"} in seconds; null, and why, without
    a time.
    """
    n = int(times.counts.sum())
    found: dict[str, Any] = {"n": n, "mean": times.total / n if n else None}
    found |= {name: quantile(times, share) for name, share in QUANTILES}
    return found if n else found | {"why": f"not enough data (n = 0): {why}"}


def share_within(times: Durations, seconds: float) -> float | None:
    """The share of times up to a limit.

    Definition: whole cells up to the limit's; it is exact at the cells' edges, and else short by at
    most the share of one cell. Parameters: ``times``; ``seconds`` >= 0.
    Returns: in [0, 1]; None without a time.
    """
    n = int(times.counts.sum())
    if not n:
        return None
    cell = int(np.floor(STEPS * np.log2(max(seconds, 1.0)) + 1e-9))
    return int(times.counts[: cell + 1].sum()) / n
