"""Drift: what comes in, and what goes out, against the reference; ranked by effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards.drift import figures
from dashboards.drift.data import features_behind
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
    tile,
    tiles,
    undivided,
)
from dashboards.reading import of_filter
from dashboards.words import NONE, number, percent, points

Document = Mapping[str, Any]
SHOWN = 6


def draw(wanted: Filter, theme: str) -> Any:
    missing = nothing(wanted)
    if missing is not None:
        return missing
    found = of_filter(wanted, ["drift"])["drift"]
    every = {**found["features"], **found["own"]}
    if not every:
        return [
            period(wanted),
            empty("Nothing to compare with.", str(found.get("why", "")).capitalize() + "."),
        ]
    order = sorted(
        every.items(),
        key=lambda entry: (-(entry[1]["psi"] if entry[1]["psi"] is not None else -1.0), entry[0]),
    )
    known = [(name, one) for name, one in order if one["psi"] is not None]
    behind_each, series = features_behind(wanted, [name for name, _ in known[:SHOWN]])
    performance = found["performance"]
    reference = found["reference"]
    return [
        period(wanted),
        undivided(wanted, "These figures"),
        tiles(
            tile(
                "Drifted",
                f"{found['drifted']} of {len(every)}",
                "features, output, confidence, outcome",
                "warn" if found["drifted"] else "good",
            ),
            tile(
                "Largest PSI",
                NONE if found["psi"]["max"] is None else f"{found['psi']['max']:.3f}",
                str(found["psi"]["feature"] or found["psi"].get("why", "")),
            ),
            estimate_tile("AI's accuracy, this period", performance["current"]),
            estimate_tile("Change against the reference", performance["change"], points),
            estimate_tile(
                "Accuracy expected from confidence (an estimate)", found["estimated_accuracy"]
            ),
        ),
        charts(
            chart(
                "Ranked by effect",
                figures.ranked(known[:30], found["limits"]["psi"], theme),
                f"Population stability index of each; from {found['limits']['psi']} on it can count "
                "as drift.",
                ("Feature", "PSI", "Drifted"),
                [
                    (name, f"{one['psi']:.4f}", "yes" if one["drifted"] else "no")
                    for name, one in known
                ],
            ),
            chart(
                "Over time",
                figures.psi_over_time(series, theme),
                "The features that drifted most, period by period.",
                ("Feature", "From", "PSI"),
                [
                    (name, start, NONE if value is None else f"{value:.4f}")
                    for name, values in series.items()
                    for start, value in values
                ],
            )
            if series
            else None,
            *(_distribution(name, feature, theme) for name, feature in behind_each.items()),
        ),
        _listed(order),
        note(
            f"Reference: {reference['reference_from']} to {reference['reference_to']}, n = "
            f"{number(reference['n'])}. "
            f"False discoveries are held to {found['limits']['fdr']:.0%} over all "
            f"{found.get('tests', len(every))} tests. "
            "On many rows everything is significant: drift takes an effect as well."
        ),
        behind(wanted),
    ]


def _distribution(name: str, feature: Any, theme: str) -> Any:
    names, reference, current = figures.bars(feature)
    return chart(
        name,
        figures.distribution(feature, theme),
        f"Shares of the values of {name}, in the reference and in this period.",
        ("Value", "Reference", "This period"),
        [
            (label, percent(one), percent(other))
            for label, one, other in zip(names, reference, current, strict=True)
        ],
    )


def _listed(order: list[tuple[str, Document]]) -> Any:
    def shown(value: Any) -> str:
        return NONE if value is None else f"{value:.4f}"

    rows = [
        (
            name,
            *(shown(one.get(key)) for key in ("psi", "ks", "js", "wasserstein")),
            NONE if one.get("q_value") is None else f"{one['q_value']:.3g}",
            "; ".join(one.get("reasons", [])) or str(one.get("why", "")),
        )
        for name, one in order
    ]
    return listed(
        "Every feature",
        ("Feature", "PSI", "KS", "JS", "Wasserstein", "q", "Why it counts as drift"),
        rows,
    )


app = page(
    "drift",
    "Drift",
    "Whether what comes in and what goes out still looks like the reference.",
    draw,
)
