"""Fairness by group: rates, gaps and ratios, from counts.

The rates are those of fairlearn's MetricFrame, run on the cells with the counts as sample weights,
which gives the same bits as the rows would. Where fairlearn answers 0 for a rate that has no
denominator (true positives of a group without positives) the figure here is null, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import comb, isinf
from typing import Any, Final

from apps.metrics.domain.estimates import LEVEL, Estimate, not_enough, share
from apps.metrics.domain.groups import (
    GroupCounts,
)
from apps.metrics.domain.proportions import KATZ, NEWCOMBE, Part, difference, katz

RATES: Final = ("selection_rate", "tpr", "fpr", "fnr", "accuracy")
NO_GROUPS: Final = "fewer than two groups have this rate"

Rates = Mapping[str, Mapping[str, Estimate]]
Parts = Mapping[str, Mapping[str, Part]]


def parts_of(counts: GroupCounts, names: tuple[str, ...]) -> Parts:
    """Each rate's count and total, by group.

    Parameters: ``counts`` of shape (G,); ``names``, the G groups.
    Returns: rate -> group -> Part.
    """
    pairs = {
        "selection_rate": (counts.selected, counts.n),
        "tpr": (counts.hits, counts.positives),
        "fpr": (counts.false_alarms, counts.negatives),
        "fnr": (counts.positives - counts.hits, counts.positives),
        "accuracy": (counts.right, counts.known),
    }
    return {
        rate: {name: Part(int(k[i]), int(n[i])) for i, name in enumerate(names)}
        for rate, (k, n) in pairs.items()
    }


def group_rates(parts: Parts, positive: str) -> Rates:
    """Each rate of each group, with its Wilson interval.

    Definition: k / n. Neutral value: none, they are compared between groups; accuracy and tpr are
    better high, fpr and fnr low, selection_rate has no direction of its own.
    Parameters: ``parts``; ``positive``, to be named where a group lacks such cases.
    Returns: rate -> group -> Estimate; null where the group has no denominator, and why.
    """
    why = {
        "selection_rate": "the group has no decision with a label",
        "tpr": f"no case of the group is truly {positive!r}",
        "fpr": f"no case of the group is truly other than {positive!r}",
        "fnr": f"no case of the group is truly {positive!r}",
        "accuracy": "no decision of the group has an outcome",
    }
    return {
        rate: {name: share(*part, why[rate]) for name, part in by_group.items()}
        for rate, by_group in parts.items()
    }


def extremes(parts: Mapping[str, Part]) -> tuple[str, str] | None:
    """The groups of the lowest and of the highest rate, compared as fractions.

    Parameters: ``parts`` by group. Returns: (lowest, highest), of equal ones the first by name;
    None where fewer than two groups have a denominator.
    """
    rates = {name: Fraction(*part) for name, part in sorted(parts.items()) if part.n}
    if len(rates) < 2:
        return None
    return min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)


def simultaneous(groups: int, level: float = LEVEL) -> float:
    """The coverage of one pair at which all pairs together hold at ``level``.

    Definition: 1 - (1 - level) / C(groups, 2) (Bonferroni), since the pair that is shown is picked
    for being the farthest apart. For two groups it is ``level``.
    """
    return 1 - (1 - level) / max(1, comb(groups, 2))


def gap(parts: Mapping[str, Part], tests: int = 1) -> Estimate:
    """The largest difference of a rate between two groups.

    Definition: the highest rate less the lowest, as fairlearn's ``difference()``, over the groups
    that have the rate. Newcombe's interval of that pair at ``simultaneous(groups)``, so that it
    covers "no gap": unlike the value it can lie below 0. Neutral value: 0; lower is better.
    Parameters: ``parts`` by group; ``tests``, how many gaps a figure takes the larger of.
    Returns: Estimate naming ``low_group``, ``high_group``, the groups left out as ``undefined``.
    Null where fewer than two groups have the rate.
    """
    pair = extremes(parts)
    undefined = sorted(name for name, part in parts.items() if not part.n)
    more: dict[str, Any] = {"undefined": undefined} if undefined else {}
    if pair is None:
        n = sum(part.n for part in parts.values())
        return not_enough(NO_GROUPS, NEWCOMBE, n=n, more=more)
    lowest, highest = pair
    level = simultaneous(len(parts) - len(undefined), 1 - (1 - LEVEL) / tests)
    more |= {"low_group": lowest, "high_group": highest, "level": level}
    return difference(parts[highest], parts[lowest], level, more)


def ratio(parts: Mapping[str, Part]) -> Estimate:
    """The lowest rate of a group divided by the highest.

    Definition: min / max as an exact fraction of whole numbers, fairlearn's ``ratio()``. Katz's
    interval of that pair at ``simultaneous(groups)``, which can pass 1. Neutral value: 1; higher
    is better.
    Parameters: ``parts`` by group.
    Returns: Estimate with ``exact`` ("a/b") and the groups. Null where fewer than two groups have
    the rate, or where it is 0 in all of them.
    """
    pair = extremes(parts)
    n = sum(part.n for part in parts.values())
    if pair is None:
        return not_enough(NO_GROUPS, KATZ, n=n)
    lowest, highest = (parts[name] for name in pair)
    if not highest.k:
        return not_enough("the rate is 0 in every group", KATZ, n=n)
    exact = Fraction(*lowest) / Fraction(*highest)
    level = simultaneous(sum(part.n > 0 for part in parts.values()))
    low, high = katz(lowest, highest, level)
    more = {"exact": str(exact), "low_group": pair[0], "high_group": pair[1], "level": level}
    above = None if isinf(high) else high
    return Estimate(float(exact), low, above, lowest.n + highest.n, KATZ, more=more)


def equalized_odds(parts: Parts) -> Estimate:
    """The larger of the gaps of tpr and fpr.

    Definition: max(gap(tpr), gap(fpr)), fairlearn's worst case; the interval runs from the larger
    of the two low ends to the larger of the high ones, each gap's held at 97.5 %. Neutral value:
    0; lower is better.
    Parameters: ``parts``. Returns: Estimate with ``rate``, the one that is larger. Null where
    either gap is.
    """
    gaps = {rate: gap(parts[rate], tests=2) for rate in ("tpr", "fpr")}
    for rate, found in gaps.items():
        if found.value is None:
            return not_enough(f"{rate}: {NO_GROUPS}", NEWCOMBE, n=found.n)
    rate = max(gaps, key=lambda name: gaps[name].value or 0.0)
    low = max(found.low for found in gaps.values() if found.low is not None)
    high = max(found.high for found in gaps.values() if found.high is not None)
    return replace(gaps[rate], low=low, high=high, more={"rate": rate, **gaps[rate].more})
