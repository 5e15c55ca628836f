"""Charts of accuracy: documents in, figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboards.look import SHARES, THEMES, blank, by_time

Document = Mapping[str, Any]
SIDES = (
    ("ai", "AI alone"),
    ("human", "People, one verdict"),
    ("human_consensus", "People, majority"),
    ("combined", "What took effect"),
)


def sides(accuracy: Document, theme: str) -> go.Figure:
    """The four sides with their intervals."""
    figure = blank(theme, height=240)
    shown = [(label, accuracy[key]) for key, label in SIDES]
    figure.add_trace(_dots([label for label, _ in shown], [one for _, one in shown], theme))
    figure.update_xaxes(tickformat=SHARES, maxallowed=1.01, title="accuracy, with 95 % interval")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def _dots(names: Sequence[str], ones: Sequence[Document], theme: str, color: int = 0) -> go.Scatter:
    return go.Scatter(
        x=[one["value"] for one in ones],
        y=list(names),
        mode="markers",
        marker={"size": 10, "color": THEMES[theme].series[color]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [_less(one["high"], one["value"]) for one in ones],
            "arrayminus": [_less(one["value"], one["low"]) for one in ones],
            "thickness": 1.5,
            "width": 5,
        },
        customdata=[one["n"] for one in ones],
        hovertemplate="%{y}: %{x:.2%} (n = %{customdata:,})<extra></extra>",
        showlegend=False,
    )


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def calibration(ece: Document, theme: str) -> go.Figure:
    """Share right against mean confidence, a point a bin, sized by its cases."""
    figure, look = blank(theme), THEMES[theme]
    bins = ece.get("bins", [])
    largest = max((one["n"] for one in bins), default=1)
    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"color": look.quiet, "dash": "dot", "width": 1},
            name="as sure as right",
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[one["confidence"] for one in bins],
            y=[one["accuracy"] for one in bins],
            mode="lines+markers",
            name="this use case",
            cliponaxis=False,  # the largest bin is often the surest, at the edge
            line={"color": look.series[0], "width": 1.5},
            marker={
                "size": [7 + 15 * (one["n"] / largest) ** 0.5 for one in bins],
                "opacity": 0.85,
            },
            customdata=[one["n"] for one in bins],
            hovertemplate="of cases at %{x:.1%}, %{y:.1%} are right (n = %{customdata:,})<extra></extra>",
        )
    )
    low = min([0.5, *(min(one["confidence"], one["accuracy"]) for one in bins)])
    figure.update_xaxes(tickformat=SHARES, title="mean confidence", range=[low - 0.03, 1.02])
    figure.update_yaxes(tickformat=SHARES, title="share right", range=[low - 0.03, 1.02])
    return figure


def confusion(side: Document, theme: str) -> go.Figure:
    """Rows are true, columns given; each row's shares."""
    labels, counts = side["labels"], side["counts"]
    shares = [[c / sum(row) if sum(row) else 0.0 for c in row] for row in counts]
    figure = blank(theme, height=max(260, 90 + 34 * len(labels)))
    figure.add_trace(
        go.Heatmap(
            z=shares,
            x=labels,
            y=labels,
            colorscale=[list(stop) for stop in THEMES[theme].scale],
            zmin=0,
            zmax=1,
            showscale=False,
            text=[[f"{c:,}" for c in row] for row in counts] if len(labels) <= 12 else None,
            texttemplate="%{text}" if len(labels) <= 12 else None,
            xgap=2,
            ygap=2,
            hovertemplate="truly %{y}, given %{x}: %{z:.1%}<extra></extra>",
        )
    )
    figure.update_xaxes(title="given", side="top", showgrid=False)
    figure.update_yaxes(title="true", autorange="reversed", showgrid=False)
    return figure


def over_time(periods: Sequence[Document], theme: str) -> go.Figure:
    """AI alone and what took effect, each with a band for its interval."""
    figure, look = blank(theme), THEMES[theme]
    for color, key, label in (
        (look.series[0], "ai", "AI alone"),
        (look.series[1], "combined", "what took effect"),
    ):
        shown = [one for one in periods if one[key]["value"] is not None]
        x = [one["from"] for one in shown]
        figure.add_trace(
            go.Scatter(
                x=[*x, *reversed(x)],
                y=[*(p[key]["high"] for p in shown), *(p[key]["low"] for p in reversed(shown))],
                fill="toself",
                line={"width": 0},
                fillcolor=color,
                opacity=0.15,
                hoverinfo="skip",
                showlegend=False,
            )
        )
        figure.add_trace(
            go.Scatter(
                x=x,
                y=[one[key]["value"] for one in shown],
                mode="lines+markers",
                marker={"size": 5},
                name=label,
                line={"color": color, "width": 2},
                customdata=[one[key]["n"] for one in shown],
                hovertemplate="%{x}: %{y:.1%} (n = %{customdata:,})<extra>" + label + "</extra>",
            )
        )
    figure.update_yaxes(tickformat=SHARES, title="accuracy")
    return by_time(figure)


def segments(found: Document, theme: str) -> go.Figure:
    """What took effect, by the values of one dimension."""
    names = list(found)
    figure = blank(theme, height=max(200, 70 + 30 * len(names)))
    figure.add_trace(_dots(names, [found[name]["combined"] for name in names], theme, 1))
    figure.update_xaxes(tickformat=SHARES, title="accuracy of what took effect")
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return figure
