"""Fairness: the AI's output beside what took effect, by group; what oversight changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dash import html

from dashboards.fairness import figures
from dashboards.fairness.law import local_law
from dashboards.filters import Filter
from dashboards.frame import page
from dashboards.parts import (
    behind,
    chart,
    charts,
    empty,
    estimate_tile,
    folded,
    listed,
    note,
    nothing,
    period,
    tiles,
    verdict,
)
from dashboards.reading import of_filter
from dashboards.words import (
    NONE,
    interval,
    label,
    number,
    percent,
    points,
    points_in_words,
    small,
)

Document = Mapping[str, Any]
RATES = (
    ("selection_rate", "Given the favourable label"),
    ("accuracy", "Right answers"),
    ("fpr", "False alarms"),
    ("fnr", "Misses"),
)
MOST = 24


def ratio(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def draw(wanted: Filter, theme: str) -> Any:
    missing = nothing(wanted)
    if missing is not None:
        return missing
    found = of_filter(wanted, ["bias"])["bias"]
    if not found["ai"]:
        why = found.get("why") or "no decision of the period has a known group"
        return [
            period(wanted),
            empty(
                "No figures by group.",
                f"{str(why).capitalize()}. Mark features or subject attributes as protected in the use case.",
            ),
        ]
    return [
        period(wanted),
        *[part for name in found["ai"] for part in _attribute(name, found, theme)],
        _reviewers(found),
        note(
            f"Favourable label: {found['favourable'] or NONE}; error rates take "
            f"{found['positive'] or NONE} as positive. "
            "A gap says how far groups lie apart and how sure that is; it says nothing about why."
        ),
        behind(wanted),
    ]


def in_words(name: str) -> str:
    """An attribute, or several that are crossed: "age band and sex"."""
    return label(name.replace("&", " and "))


def _attribute(name: str, found: Document, theme: str) -> list[Any]:
    sides = {side: found[side].get(name) for side in ("ai", "final")}
    if sides["final"] is None:
        return []
    groups = {side: one["groups"] for side, one in sides.items()}
    parts: list[Any] = [
        html.H2(f"By {in_words(name)}", className="sub"),
        _change(name, found, sides),
    ]
    parts.append(
        tiles(
            estimate_tile("Impact ratio, AI", sides["ai"]["impact_ratio"], ratio),
            estimate_tile("Impact ratio, what took effect", sides["final"]["impact_ratio"], ratio),
            estimate_tile(
                "Gap of favourable shares, AI", sides["ai"]["demographic_parity_difference"], points
            ),
            estimate_tile(
                "The same, what took effect",
                sides["final"]["demographic_parity_difference"],
                points,
            ),
            estimate_tile(
                "Equalized odds gap, AI", sides["ai"]["equalized_odds_difference"], points
            ),
            estimate_tile(
                "The same, what took effect", sides["final"]["equalized_odds_difference"], points
            ),
        )
    )
    if len(groups["final"]) <= MOST:
        shown = RATES if "&" not in name else RATES[:1]
        parts.append(charts(*(_chart(title, rate, groups, name, theme) for rate, title in shown)))
    write = folded if "&" in name else listed  # crossed groups are many
    parts.append(_four_fifths(name, sides, write))
    parts.append(local_law(name, in_words(name), found["local_law_144"], write))
    return parts


def _chart(title: str, rate: str, groups: Mapping[str, Any], name: str, theme: str) -> Any:
    rows = [
        (
            group,
            number(one["n"]),
            f"{percent(groups['ai'].get(group, {}).get(rate, {}).get('value'))} "
            f"{interval(groups['ai'].get(group, {}).get(rate, {}))}",
            f"{percent(one[rate]['value'])} {interval(one[rate])}",
            one.get("too_small", ""),
        )
        for group, one in groups["final"].items()
    ]
    return chart(
        title,
        figures.rates(groups, rate, theme),
        f"{title}, by {in_words(name)}: the AI's output beside what took effect.",
        ("Group", "Decisions", "AI's output", "What took effect", ""),
        rows,
    )


def _change(name: str, found: Document, sides: Document) -> Any:
    """What oversight did to the gap, in words."""
    change = found["change"][name]["demographic_parity_difference"]
    if change["change"] is None:
        why = sides["final"]["demographic_parity_difference"].get("why", "a side has no figure")
        return verdict("What oversight changed cannot be told.", str(why), "warn")
    body = (
        f"Between the groups farthest apart, favourable shares differ by "
        f"{points_in_words(change['ai'])} in the AI's output and by "
        f"{points_in_words(change['final'])} in what took effect."
    )
    if change["change"] <= -0.005:
        return verdict("Oversight made the gap smaller.", body, "good")
    if change["change"] >= 0.005:
        return verdict("Oversight made the gap larger.", body, "bad")
    return verdict("Oversight left the gap as it was.", body, "warn")


def _four_fifths(name: str, sides: Document, write: Callable[..., Any]) -> Any:
    rows = []
    for side, whose in (("ai", "AI's output"), ("final", "What took effect")):
        rule = sides[side]["four_fifths"]
        for group, one in rule["groups"].items():
            rows.append(
                (
                    f"{whose}: {group}",
                    rule["reference"],
                    ratio(one["impact_ratio"]["value"]),
                    small(one["impact_ratio"], ratio),
                    "yes" if one["below_four_fifths"] else "no",
                    f"{one['p_value']:.3g}",
                    "small group" if one["small"] else "",
                )
            )
    return write(
        f"Four-fifths rule, by {in_words(name)}",
        ("Group", "Against", "Ratio", "Interval and n", "Below 4/5", "p (two-sided)", ""),
        rows,
        "29 CFR 1607.4(D): a ratio below four fifths is a reason to look, and neither proof nor "
        "clearance by itself.",
        "Fewer than two groups have cases, or nobody was given the favourable label.",
    )


def _reviewers(found: Document) -> Any:
    rows: list[tuple[float, tuple[str, ...]]] = []
    for one in found["by_reviewer"]["reviewers"]:
        for attribute, gap in one["gaps"].items():
            row = (one["reviewer"], in_words(attribute), number(one["n"]))
            low = -1.0 if gap["low"] is None else float(gap["low"])
            rows.append((low, (*row, points(gap["value"]), small(gap, points))))
    shown = [row for _low, row in sorted(rows, key=lambda entry: -entry[0])]
    few = found["by_reviewer"]["too_few"]
    return listed(
        "Reviewers' verdicts by group",
        ("Reviewer", "Attribute", "Verdicts", "Largest gap", "Interval and n"),
        shown,
        f"{few} reviewers with fewer than {found['by_reviewer']['smallest']} verdicts are left out. "
        "Surest gaps first. The cases that came to one reviewer are not those that came to another.",
        "No reviewer has enough verdicts on cases of known groups.",
    )


app = page(
    "fairness",
    "Fairness",
    "How groups fare in the AI's output and in what took effect, with how sure each gap is.",
    draw,
)
