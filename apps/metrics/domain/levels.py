"""Decisions counted by level of confidence, and the shares of groups above and below a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

POINTS: Final = 101
BINS: Final = 15


@dataclass(frozen=True, slots=True)
class Levels:
    """Decisions by confidence; arrays of shape (L,), ``confidence`` ascending in [0, 1].

    ``n``: decisions; ``known``: with an outcome; ``right``: of these, the AI's right ones;
    ``error_cost``: the sum of what the AI's errors among them cost. Of cases with an outcome and a
    first verdict of a person, ``judged``: how many; ``people``: the sum over cases of the share of
    right verdicts; ``consensus``: cases whose plain majority is right; ``people_cost`` and
    ``consensus_cost``: the sums of what their errors cost (a case's verdicts averaged);
    ``agree_ai``: the sum over judged cases of the share of verdicts that equal the AI's label;
    ``peers``: cases with two verdicts or more, ``agree_peers``: the sum of their shares of equal
    pairs. All are sums, so that days add up.
    """

    confidence: Floats
    n: Ints
    known: Ints
    right: Ints
    error_cost: Floats
    judged: Ints
    people: Floats
    consensus: Ints
    people_cost: Floats
    consensus_cost: Floats
    agree_ai: Floats
    peers: Ints
    agree_peers: Floats


@dataclass(frozen=True, slots=True)
class GroupLevels:
    """The favourable answers of each group of an attribute, by level of confidence.

    ``confidence``: (L,), ascending, its own levels; ``n``, ``favoured`` (by the AI), ``judged``:
    whole numbers (G, L); ``people``: (G, L), the sum over judged cases of the share of verdicts
    that are favourable.
    """

    groups: tuple[str, ...]
    confidence: Floats
    n: Ints
    favoured: Ints
    judged: Ints
    people: Floats


def filled(levels: Levels, total: Floats | Ints, among: Ints) -> Floats:
    """A sum over all cases of each level, where it is known of some of them.

    Definition: the known sum plus, for each other case, the mean of its confidence bin (15 equal
    ones); where the bin has no known case, the mean of all. It assumes that within a bin the cases
    that are known are like those that are not.
    Parameters: ``levels``; ``total`` and ``among``, shape (L,): the sum, and over how many cases.
    Returns: shape (L,); nan where nothing is known at all.
    """
    everything = int(among.sum())
    if not everything:
        return np.full(len(among), np.nan)
    place = np.minimum((levels.confidence * BINS).astype(np.int64), BINS - 1)
    sums = np.bincount(place, total, minlength=BINS)
    counts = np.bincount(place, among, minlength=BINS)
    overall = float(total.sum()) / everything
    means = np.divide(sums, counts, out=np.full(BINS, overall), where=counts > 0)
    found: Floats = total + (levels.n - among) * means[place]
    return found


def used_levels(levels: Levels) -> Levels:
    """The levels that hold a decision.

    Parameters: ``levels``. Returns: Levels without the empty ones.
    """
    kept = levels.n > 0
    return Levels(*(getattr(levels, name)[kept] for name in Levels.__slots__))


def blocks_at(levels: Levels, points: int = POINTS) -> Ints:
    """How many levels are reviewed at each review share.

    Definition: at share i / 100 of N decisions the i N / 100 least confident, rounded up, and with
    them all that are as confident as the last of them.
    Parameters: ``levels``, none of them empty; ``points``. Returns: shape (points,), 0..L.
    """
    cumulated = np.cumsum(levels.n)
    wanted = -(-np.arange(points) * int(cumulated[-1]) // (points - 1))
    found: Ints = np.where(wanted > 0, np.searchsorted(cumulated, wanted) + 1, 0).astype(np.int64)
    return found


def threshold_of(levels: Levels, blocks: int) -> float | None:
    """The confidence below which a decision is reviewed, with so many levels reviewed.

    Parameters: ``levels``, none empty; ``blocks``, 0..L. Returns: the least confidence that stays
    automatic, 0 for no review; for all of them 1, or None where some are certain, since no
    threshold reviews these.
    """
    if blocks == 0:
        return 0.0
    if blocks < len(levels.confidence):
        return float(levels.confidence[blocks])
    return 1.0 if levels.confidence[-1] < 1 else None


def impact_at(levels: Levels, at: Ints, one: GroupLevels) -> list[dict[str, Any]]:
    """The impact ratio of an attribute's groups, at each number of levels reviewed.

    Definition: a group's favourable share is that of the AI's answers above the threshold and of
    people's below it; a reviewed case without a verdict counts as the mean of its group's judged
    cases, or as the AI answered where the group has none. ``value`` is the lowest share over the
    highest, ``gap`` the highest less the lowest. Neutral values: 1 and 0.
    Parameters: ``levels``, none empty; ``at``, shape (P,), levels reviewed; ``one``.
    Returns: for each point {"value", "gap", "low_group", "n": smallest group}; null where fewer
    than two groups have cases, or no one is favoured.
    """
    ends = np.append(levels.confidence, np.inf)[at]
    ends[at == 0] = -np.inf
    cut = np.searchsorted(one.confidence, ends, side="left")
    judged = one.judged.sum(axis=1, keepdims=True)
    rate = np.divide(
        one.people.sum(axis=1, keepdims=True), judged, where=judged > 0, out=np.zeros(judged.shape)
    )
    people = np.where(judged > 0, one.people + (one.n - one.judged) * rate, one.favoured)
    favoured = _to(people, cut) + one.favoured.sum(axis=1, keepdims=True) - _to(one.favoured, cut)
    total = one.n.sum(axis=1)
    kept = total > 0
    shares = favoured[kept] / total[kept, None]
    names = [name for name, used in zip(one.groups, kept, strict=True) if used]
    smallest = int(total[kept].min()) if kept.any() else 0
    return [_ratio(shares[:, i], names, smallest) for i in range(len(at))]


def _to(values: npt.NDArray[Any], cut: Ints) -> Floats:
    """The sums of each row's first ``cut`` values, shape (G, P)."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums[:, cut]


def _ratio(shares: Floats, names: list[str], n: int) -> dict[str, Any]:
    if len(names) < 2 or not shares.max() > 0:
        reason = "fewer than two groups have cases" if len(names) < 2 else "no one is favoured"
        why = f"not enough data (n = {n}): {reason}"
        return {"value": None, "gap": None, "low_group": None, "n": n, "why": why}
    low, high = float(shares.min()), float(shares.max())
    group = names[int(shares.argmin())]
    return {"value": low / high, "gap": high - low, "low_group": group, "n": n}
