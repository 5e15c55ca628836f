"""Oversight: every threshold at once, where the policy in force stands, where another would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.metrics.whatif.basis import policy_standing
from apps.metrics.whatif.frontiers import frontier_of
from dashboards.filters import Filter
from dashboards.frame import page
from dashboards.oversight import figures
from dashboards.parts import (
    behind,
    chart,
    charts,
    empty,
    estimate_tile,
    listed,
    note,
    nothing,
    period,
    tile,
    tiles,
    undivided,
    verdict,
)
from dashboards.reading import of_filter
from dashboards.words import NONE, money, number, percent

Document = Mapping[str, Any]
GOALS = {
    "accuracy": "Fewest errors",
    "speed": "Least reviewing",
    "consistency": "Most alike",
    "cost": "Least cost",
}


def draw(wanted: Filter, theme: str) -> Any:
    missing = nothing(wanted)
    if missing is not None:
        return missing
    use_case = wanted.use_cases[0]
    standing = policy_standing(use_case)
    found = frontier_of(use_case, wanted.window, standing, refresh=False, whole=False)
    if not found["n"]:
        return [period(wanted), empty("No decision in this period.", "Choose an earlier one.")]
    flow = of_filter(wanted, ["operations"])["operations"]
    now = nearest(found["points"], 1 - (flow["automation_rate"]["value"] or 0.0))
    best, currency = found["best"], found["inputs"]["currency"]
    marks = [("policy in force", now, "diamond")]
    if best.get("review_share") is not None:
        marks.append(("recommended", best, "star"))
    return [
        period(wanted),
        undivided(wanted, "These figures"),
        _recommended(best, now, found["n"], currency),
        tiles(
            tile(
                "Reviewed now",
                percent(now["review_share"], 0),
                "what does not take effect without a person",
            ),
            estimate_tile("AI alone", found["ai"]),
            estimate_tile("People, one verdict", found["human"]),
            estimate_tile("People, majority", found["human_consensus"]),
        ),
        charts(
            chart(
                "Accuracy at every share of review",
                figures.accuracy(found["points"], marks, theme),
                "The least confident are reviewed first; the band is a 95 % interval.",
                ("Reviewed", "Threshold", "One verdict", "Majority", "Imputed"),
                [
                    (
                        percent(p["review_share"], 0),
                        NONE if p["threshold"] is None else f"{p['threshold']:.4f}",
                        percent(p["accuracy_single"], 2),
                        percent(p["accuracy_consensus"], 2),
                        number(p["imputed"]),
                    )
                    for p in found["points"]
                ],
            ),
            chart(
                "What it costs",
                figures.cost(found["points"], marks, currency, theme),
                f"Handling and errors, in {currency} per decision, from the use case's cost model.",
                ("Reviewed", "Cost per decision", "Reviewer hours per 1,000"),
                [
                    (
                        percent(p["review_share"], 0),
                        money(p["cost"], currency),
                        f"{p['reviewer_hours']:.1f}",
                    )
                    for p in found["points"]
                ],
            ),
            _impact(found["points"], theme),
        ),
        _goals(found["recommended"], found["n"], currency),
        note("Assumed: " + "; ".join(found["assumed"]) + "."),
        behind(wanted),
    ]


def nearest(points: Any, share: float) -> Document:
    """The point of the frontier next to a share of review."""
    found: Document = min(points, key=lambda one: abs(one["review_share"] - share))
    return found


def _recommended(best: Document, now: Document, n: int, currency: str) -> Any:
    if best.get("review_share") is None:
        return verdict("No point can be recommended.", str(best.get("why")), "warn")
    body = (
        f"Reviewing {_what(best)} ({percent(best['reviewed'] / n, 0)} of decisions, "
        f"{percent(now['reviewed'] / n, 0)} now): "
        f"expected accuracy {percent(best['accuracy_single'], 2)} "
        f"({percent(now['accuracy_single'], 2)} now), "
        f"{money(best['cost'], currency)} a decision ({money(now['cost'], currency)} now), "
        f"{best['reviewer_hours']:.1f} reviewer hours per 1,000 ({now['reviewer_hours']:.1f} now)."
    )
    worse = [
        words
        for words, falls in (
            ("less accurate", _below(best["accuracy_single"], now["accuracy_single"])),
            ("dearer", _below(now["cost"], best["cost"])),
        )
        if falls
    ]
    head = f"Recommended for the goal of {best['goal']}."
    if worse:
        head = f"For the goal of {best['goal']} alone; {' and '.join(worse)} than now."
    return verdict(head, body, "warn" if worse else "good")


def _below(one: Any, other: Any) -> bool:
    """Whether a figure is smaller than another; not where one of them is not known."""
    return one is not None and other is not None and float(one) < float(other)


def _what(best: Document) -> str:
    """Which decisions are reviewed at a point."""
    if best["threshold"] is None:
        return "every decision"
    if not best["reviewed"]:
        return "nothing"
    return f"what is below {best['threshold']:.4f}"


def _impact(points: Any, theme: str) -> Any:
    names = sorted({name for one in points for name in one.get("impact_ratio", {})})
    if not names:
        return None
    return chart(
        "Fairness at every share of review",
        figures.impact(points, theme),
        "Lowest over highest favourable share of an attribute's groups; the line is four fifths.",
        ("Reviewed", *names),
        [
            (
                percent(p["review_share"], 0),
                *(
                    NONE
                    if p["impact_ratio"].get(name, {}).get("value") is None
                    else f"{p['impact_ratio'][name]['value']:.3f}"
                    for name in names
                ),
            )
            for p in points
        ],
    )


def _goals(found: Mapping[str, Document], n: int, currency: str) -> Any:
    rows = [
        (
            GOALS.get(goal, goal),
            percent(one["reviewed"] / n if "reviewed" in one else None, 0),
            NONE if one.get("threshold") is None else f"{one['threshold']:.4f}",
            percent(one.get("accuracy_single"), 2),
            money(one.get("cost"), currency),
            NONE if one.get("reviewer_hours") is None else f"{one['reviewer_hours']:.1f}",
            str(one.get("why", "")),
        )
        for goal, one in found.items()
    ]
    return listed(
        "By goal",
        ("Goal", "Reviewed", "Threshold", "Accuracy", "Cost per decision", "Hours per 1,000", ""),
        rows,
    )


app = page(
    "oversight",
    "Oversight",
    "What more or less review would give: errors, cost, load and fairness at every threshold.",
    draw,
)
