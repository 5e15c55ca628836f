"""The bias report: every figure of fairness, by attribute and by their intersections."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from apps.metrics.domain.fairness import (
    RATES,
    Rates,
    equalized_odds,
    gap,
    group_rates,
    parts_of,
    ratio,
)
from apps.metrics.domain.groups import (
    GroupCells,
    GroupCounts,
    Grouping,
    answered,
    counts_of,
    group_by,
    subsets,
)
from apps.metrics.domain.impact import four_fifths

SMALLEST: Final = 30


def bias_report(
    cells: GroupCells,
    favourable: str,
    positive: str,
    smallest: int = SMALLEST,
    *,
    judged: bool = True,
) -> dict[str, Any]:
    """Fairness by each protected attribute, and by their intersections.

    Definition: see ``fairness_of``; attributes of an intersection are joined by " & ".
    Parameters: ``cells``; ``favourable`` and ``positive`` label; ``smallest``, below which a group
    is marked as too small; ``judged``: see ``fairness_of``.
    Returns: attribute -> figures; empty without an attribute.
    """
    with_label = answered(cells)
    return {
        " & ".join(chosen): fairness_of(
            with_label, chosen, favourable, positive, smallest, judged=judged
        )
        for chosen in subsets(with_label)
    }


def fairness_of(
    cells: GroupCells,
    attributes: tuple[str, ...],
    favourable: str,
    positive: str,
    smallest: int = SMALLEST,
    *,
    judged: bool = True,
) -> dict[str, Any]:
    """Every figure of fairness for the groups that some attributes make.

    Definition: the rates are MetricFrame's; see ``gap``, ``ratio``, ``equalized_odds`` and
    ``four_fifths``. impact_ratio equals demographic_parity_ratio, both being the lowest selection
    rate over the highest. All groups are in the gaps; one below ``smallest`` says so, since its
    rate may be chance.
    Parameters: ``cells`` with a label given; ``attributes``; the labels; ``smallest``; ``judged``:
    whether the rates are taken from MetricFrame, else from the counts: the same bits, sooner.
    Returns: {"groups", "unknown", "smallest", "demographic_parity_difference",
    "demographic_parity_ratio", "equalized_odds_difference", "impact_ratio", "four_fifths",
    "differences" and "ratios": {rate: estimate}}.
    """
    grouping = group_by(cells, attributes)
    counts = counts_of(cells, grouping, favourable, positive)
    parts = parts_of(counts, grouping.names)
    rates = group_rates(parts, positive)
    if judged:
        rates = _judged(cells, grouping, rates, favourable, positive)
    selection = parts["selection_rate"]
    parity = ratio(selection).document()
    return {
        "groups": _by_group(rates, counts, grouping.names, smallest),
        "unknown": grouping.unknown,
        "smallest": smallest,
        "demographic_parity_difference": gap(selection).document(),
        "demographic_parity_ratio": parity,
        "equalized_odds_difference": equalized_odds(parts).document(),
        "impact_ratio": parity,
        "four_fifths": four_fifths(selection, smallest),
        "differences": {rate: gap(parts[rate]).document() for rate in RATES},
        "ratios": {rate: ratio(parts[rate]).document() for rate in RATES},
    }


def _judged(
    cells: GroupCells, grouping: Grouping, rates: Rates, favourable: str, positive: str
) -> Rates:
    """The rates with fairlearn's values in the place of ours, where they are defined."""
    if not grouping.names:
        return rates
    from apps.metrics.domain.metric_frame import metric_frame  # long to load

    frame = metric_frame(cells, grouping, favourable, positive).by_group
    return {
        rate: {
            name: one if one.value is None else replace(one, value=float(frame[rate].iat[i]))
            for i, (name, one) in enumerate(by_group.items())
        }
        for rate, by_group in rates.items()
    }


def _by_group(
    rates: Rates, counts: GroupCounts, names: tuple[str, ...], smallest: int
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for i, name in enumerate(names):
        n = int(counts.n[i])
        figures = {rate: rates[rate][name].document() for rate in RATES}
        found[name] = {"n": n, "with_outcome": int(counts.known[i]), **figures}
        if n < smallest:
            found[name]["too_small"] = f"n = {n} is below the minimum of {smallest}"
    return found
