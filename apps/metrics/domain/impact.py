"""Adverse impact, as 29 CFR 1607.4(D) and New York City's Local Law 144 have it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import isinf
from typing import Any, Final

from apps.metrics.domain.estimates import Estimate, not_enough
from apps.metrics.domain.proportions import KATZ, Part, katz, significance

ALPHA: Final = 0.05
FEW: Final = Fraction(2, 100)


def below_four_fifths(one: Part, best: Part) -> bool:
    """Whether a rate is less than four fifths of another.

    Definition: 5 k1 n2 < 4 k2 n1, in whole numbers: floats would fail 12/20 against 15/20, which
    is four fifths and not less.
    Parameters: ``one``, ``best``, n >= 1 each. Returns: True for less, False at exactly 4/5.
    Source: 29 CFR 1607.4(D).
    """
    return 5 * one.k * best.n < 4 * best.k * one.n


def impact_ratio(one: Part, best: Part) -> Estimate:
    """A group's rate divided by that of the group with the highest rate.

    Definition: (k1 / n1) / (k2 / n2), an exact fraction; Katz's 95 % interval. Neutral value: 1;
    higher is better.
    Parameters: ``one``; ``best``, n >= 1 each.
    Returns: Estimate with ``exact`` ("a/b") and n of both; null where the highest rate is 0.
    Source: 6 RCNY 5-300, "impact ratio"; 29 CFR 1607.4(D).
    """
    n = one.n + best.n
    if not best.k:
        return not_enough("the rate is 0 in every group", KATZ, n=n)
    exact = Fraction(*one) / Fraction(*best)
    low, high = katz(one, best)
    above = None if isinf(high) else high
    return Estimate(float(exact), low, above, n, KATZ, more={"exact": str(exact)})


def best_group(parts: Mapping[str, Part]) -> str | None:
    """The group with the highest rate, by exact fractions; of equal ones the largest.

    Parameters: ``parts`` by group. Returns: its name; None where no group has cases.
    """
    rated = {name: (Fraction(*part), part.n) for name, part in sorted(parts.items()) if part.n}
    return max(rated, key=rated.__getitem__, default=None)


def four_fifths(parts: Mapping[str, Part], smallest: int) -> dict[str, Any]:
    """The four-fifths rule: ratio, test and number of cases, side by side.

    Definition: each group is compared with the one of the highest selection rate: the impact ratio,
    whether it is below 4/5 (whole numbers), and a two-sided test at 5 %. Both together are named
    ``below_and_significant``; the rule's text makes either alone neither proof nor clearance:
    smaller differences can count when significant, greater ones not when numbers are small.
    A group of less than 2 % of all cases (1607.4(C) and Q&A 14), or below ``smallest``, is marked.
    Parameters: ``parts``, selected of all, by group; ``smallest`` n.
    Returns: {"reference", "groups": {G: {...}}, "below": [G...]}; ``why`` where there are fewer
    than two groups with cases, or no one was selected.
    Source: 29 CFR 1607.4(C) and (D); UGESP Questions and Answers, 44 FR 11996 (1979).
    """
    rated = {name: part for name, part in parts.items() if part.n}
    best = best_group(rated)
    if best is None or len(rated) < 2 or not rated[best].k:
        n = sum(part.n for part in rated.values())
        reason = "no one was selected" if len(rated) > 1 else "fewer than two groups have cases"
        return {"reference": None, "groups": {}, "below": [], "why": _why(n, reason)}
    total = sum(part.n for part in rated.values())
    groups = {
        name: _against(part, rated[best], total, smallest)
        for name, part in rated.items()
        if name != best
    }
    below = [name for name, found in groups.items() if found["below_four_fifths"]]
    return {"reference": best, "groups": groups, "below": below}


def _why(n: int, reason: str) -> str:
    return f"not enough data (n = {n}): {reason}"


def _against(one: Part, best: Part, total: int, smallest: int) -> dict[str, Any]:
    tested = significance(one, best)
    assert tested is not None  # both have cases
    below, significant = below_four_fifths(one, best), tested.p < ALPHA
    return {
        "impact_ratio": impact_ratio(one, best).document(),
        "below_four_fifths": below,
        "z": tested.z,
        "p_value": tested.p,
        "p_z": tested.p_z,
        "p_fisher": tested.p_fisher,
        "test": tested.test,
        "significant": significant,
        "below_and_significant": below and significant,
        "n": one.n,
        "n_reference": best.n,
        "small": min(one.n, best.n) < smallest or one.n < FEW * total,
    }


def local_law_144(
    parts: Mapping[str, Part], unknown: int = 0, left_out: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The summary table of a bias audit under New York City's Local Law 144.

    Definition: selection rate by category and impact ratio = rate / rate of the most selected
    category. A category of less than 2 % of the data may be left out of the ratios with a stated
    reason; its number and rate stay in the table, and it is never the denominator. The rule draws
    no line that a ratio must pass, and neither does this.
    Parameters: ``parts``, selected of all (or above the median score of all), by category;
    ``unknown``, people whose category is not known; ``left_out``, category -> reason.
    Returns: {"most_selected", "unknown", "categories": {G: {"applicants", "selected",
    "selection_rate", "impact_ratio" or "left_out", "share"}}, "refused": {G: why}}: what was to be
    left out and may not be (no reason, 2 % or more) stays in, and is named under ``refused``.
    Source: 6 RCNY 5-300 and 5-301.
    """
    reasons = left_out or {}
    total = sum(part.n for part in parts.values()) + unknown
    refused = {
        name: why for name in reasons if (why := _refusal(name, parts, total, reasons[name]))
    }
    out = {name: reason for name, reason in reasons.items() if name not in refused}
    best = best_group({name: part for name, part in parts.items() if name not in out})
    categories = {
        name: _category(part, total, parts[best] if best else None, out.get(name))
        for name, part in parts.items()
    }
    return {
        "most_selected": best,
        "unknown": unknown,
        "categories": categories,
        "refused": refused,
    }


def _refusal(name: str, parts: Mapping[str, Part], total: int, reason: str) -> str | None:
    if name not in parts:
        return f"{name!r} is not one of the categories {', '.join(sorted(parts))}"
    if not reason.strip():
        return "a reason is needed to leave a category out"
    if parts[name].n >= FEW * total:
        return f"{parts[name].n} of {total} is not less than 2 %"
    return None


def _category(part: Part, total: int, best: Part | None, out: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "applicants": part.n,
        "selected": part.k,
        "selection_rate": part.rate if part.n else None,
        "share": part.n / total if total else None,
    }
    if out is not None:
        return row | {"left_out": out}
    if not part.n or best is None:
        return row | {"impact_ratio": not_enough("the category has no people", KATZ).document()}
    return row | {"impact_ratio": impact_ratio(part, best).document()}
