"""Accuracy: the team against the better of two, calibration, confusion, segments, time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards.accuracy import figures
from dashboards.filters import Filter
from dashboards.frame import page
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
    tiles,
    verdict,
)
from dashboards.reading import of_filter
from dashboards.words import interval, label, number, percent, points, small

Document = Mapping[str, Any]
SEGMENTS = {"version": "Model version", "lane": "Lane"}
MOST = 20


def draw(wanted: Filter, theme: str) -> Any:
    missing = nothing(wanted)
    if missing is not None:
        return missing
    found = of_filter(wanted, ["accuracy"])["accuracy"]
    if not found["decisions"]["n"]:
        return [period(wanted), empty("No decision in this period.", "Choose an earlier one.")]
    return [
        period(wanted),
        team(found),
        tiles(
            estimate_tile("AI alone", found["ai"]),
            estimate_tile("People, one verdict", found["human"]),
            estimate_tile("What took effect", found["combined"]),
            estimate_tile("Team against the better of two", found["team_gain"], points),
            estimate_tile("Automatic lane, from its audits", found["automatic_lane"]),
            estimate_tile("Calibration error (ECE)", found["ece"]),
        ),
        charts(
            _sides(found, theme),
            _calibration(found, theme),
            _over_time(found, theme),
            _confusion(found, theme),
            *_segments(found, theme),
        ),
        _classes(found),
        note(
            f"{number(found['decisions']['with_outcome'])} of {number(found['decisions']['n'])} "
            "decisions have an "
            "outcome; the newest one counts. Intervals are at 95 %."
        ),
        behind(wanted),
    ]


def team(found: Document) -> Any:
    told = found["team"]
    if told["beats_the_better"]:
        gain = found["team_gain"]
        return verdict(
            "The team beats the better of the two alone.",
            f"What took effect is right more often by {points(gain['value'])} {interval(gain, points)}, "
            f"n = {number(gain['n'])}.",
            "good",
        )
    loses = found["team_gain"]["high"] is not None and found["team_gain"]["high"] < 0
    head = (
        "The team does worse than the better of the two alone."
        if loses
        else ("It is not shown that the team beats the better of the two alone.")
    )
    return verdict(head, str(told["warning"]), "bad" if loses else "warn")


def _sides(found: Document, theme: str) -> Any:
    rows = [
        (side, percent(found[key]["value"], 2), small(found[key])) for key, side in figures.SIDES
    ]
    return chart(
        "Who is right how often",
        figures.sides(found, theme),
        "Share of right answers among cases whose outcome is known.",
        ("Side", "Accuracy", "Interval and n"),
        rows,
    )


def _calibration(found: Document, theme: str) -> Any:
    bins = found["ece"].get("bins", [])
    rows = [
        (
            f"{b['low']:.2f} to {b['high']:.2f}",
            number(b["n"]),
            percent(b["confidence"]),
            percent(b["accuracy"]),
        )
        for b in bins
    ]
    value = found["ece"]["value"]
    told = (
        f"On average the stated confidence is {percent(value)} away from the share that is right."
        if value is not None
        else str(found["ece"].get("why"))
    )
    return chart(
        "Is the AI as sure as it is right?",
        figures.calibration(found["ece"], theme),
        told,
        ("Confidence", "n", "Mean confidence", "Share right"),
        rows,
    )


def _over_time(found: Document, theme: str) -> Any:
    periods = found["over_time"]["periods"]
    trend = found["over_time"]["trend"]["combined"]
    told = "Accuracy by period, with 95 % intervals."
    if trend.get("p_trend") is not None:
        told += f" Slope of what took effect {points(trend['slope'])} a period, p = {trend['p_trend']:.3g}."
    return chart(
        "Over time",
        figures.over_time(periods, theme),
        told,
        ("From", "Decisions", "AI alone", "What took effect"),
        [
            (p["from"], number(p["n"]), percent(p["ai"]["value"]), percent(p["combined"]["value"]))
            for p in periods
        ],
    )


def _confusion(found: Document, theme: str) -> Any:
    side = found["confusion"]["combined"]
    if not side["labels"]:
        return None
    rows = [
        (true, *(number(c) for c in row))
        for true, row in zip(side["labels"], side["counts"], strict=True)
    ]
    return chart(
        "What is taken for what",
        figures.confusion(side, theme),
        "What took effect, by what turned out to be true; colours are shares of a row.",
        ("True", *side["labels"]),
        rows,
    )


def _segments(found: Document, theme: str) -> list[Any]:
    shown = []
    for key, values in found["segments"].items():
        if not 1 < len(values) <= MOST:
            continue
        name = SEGMENTS.get(key, label(key.removeprefix("group:")).capitalize())
        rows = [
            (
                value,
                number(one["n"]),
                percent(one["ai"]["value"]),
                percent(one["combined"]["value"]),
                one.get("too_small", ""),
            )
            for value, one in values.items()
        ]
        shown.append(
            chart(
                f"By {name.lower()}",
                figures.segments(values, theme),
                "Accuracy of what took effect; below 30 outcomes a segment says little.",
                (name, "Decisions", "AI alone", "What took effect", ""),
                rows,
            )
        )
    return shown


def _classes(found: Document) -> Any:
    rows = [
        (
            given,
            *(
                f"{percent(one[name]['value'])} {interval(one[name])}"
                for name in ("precision", "recall")
            ),
            percent(one["f1"]["value"]),
        )
        for given, one in found["per_class"].items()
    ]
    return listed(
        "The AI by label",
        ("Label", "Precision", "Recall", "F1"),
        rows,
        empty="No decision of the window has an outcome.",
    )


app = page(
    "accuracy",
    "Accuracy",
    "Whether AI, people and both together are right, and whether the AI knows when it is not.",
    draw,
)
