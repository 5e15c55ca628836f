"""Charts of the frontier: what each share of review would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboards.look import SHARES, THEMES, blank

Document = Mapping[str, Any]
Marks = Sequence[tuple[str, Document, str]]


def accuracy(points: Sequence[Document], marks: Marks, theme: str) -> go.Figure:
    """Accuracy against the share that people review, with a band for its interval."""
    look, figure = THEMES[theme], blank(theme, height=340)
    shown = [one for one in points if one["low"] is not None]
    x = [one["review_share"] for one in shown]
    figure.add_trace(
        go.Scatter(
            x=[*x, *reversed(x)],
            y=[*(p["high"] for p in shown), *(p["low"] for p in reversed(shown))],
            fill="toself",
            fillcolor=look.series[0],
            opacity=0.15,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    for key, name, color, dash in (
        ("accuracy_single", "one verdict a case", look.series[0], "solid"),
        ("accuracy_consensus", "majority of verdicts", look.series[2], "dash"),
    ):
        figure.add_trace(
            go.Scatter(
                x=[one["review_share"] for one in points],
                y=[one[key] for one in points],
                mode="lines",
                name=name,
                line={"color": color, "width": 2, "dash": dash},
                hovertemplate="%{x:.0%} reviewed: %{y:.2%}<extra>" + name + "</extra>",
            )
        )
    _mark(figure, marks, "accuracy_single", theme)
    figure.update_xaxes(tickformat=SHARES, title="share that people review")
    figure.update_yaxes(tickformat=SHARES, title="expected accuracy")
    return figure


def _mark(figure: go.Figure, marks: Marks, key: str, theme: str) -> None:
    look = THEMES[theme]
    for (name, point, symbol), color in zip(marks, (look.bad, look.good), strict=False):
        if point.get(key) is None:
            continue
        figure.add_trace(
            go.Scatter(
                x=[point["review_share"]],
                y=[float(point[key])],
                mode="markers",
                name=name,
                marker={
                    "symbol": symbol,
                    "size": 14,
                    "color": color,
                    "line": {"width": 1, "color": look.surface},
                },
                hovertemplate=name + ": %{x:.0%} reviewed<extra></extra>",
            )
        )


def cost(points: Sequence[Document], marks: Marks, currency: str, theme: str) -> go.Figure:
    """Cost per decision against the share that people review."""
    figure = blank(theme, height=340)
    figure.add_trace(
        go.Scatter(
            x=[one["review_share"] for one in points],
            y=[None if one["cost"] is None else float(one["cost"]) for one in points],
            mode="lines",
            name="cost per decision",
            line={"color": THEMES[theme].series[1], "width": 2},
            hovertemplate="%{x:.0%} reviewed: %{y:.2f} " + currency + "<extra></extra>",
        )
    )
    _mark(figure, marks, "cost", theme)
    figure.update_xaxes(tickformat=SHARES, title="share that people review")
    figure.update_yaxes(title=f"{currency} per decision", rangemode="tozero")
    return figure


def impact(points: Sequence[Document], theme: str) -> go.Figure:
    """Impact ratio of each attribute against the share that people review."""
    look, figure = THEMES[theme], blank(theme, height=300)
    names = sorted({name for one in points for name in one.get("impact_ratio", {})})
    for name, color in zip(names, look.series, strict=False):
        figure.add_trace(
            go.Scatter(
                x=[one["review_share"] for one in points],
                y=[one["impact_ratio"].get(name, {}).get("value") for one in points],
                mode="lines",
                name=name,
                line={"color": color, "width": 2},
                hovertemplate="%{x:.0%} reviewed: %{y:.3f}<extra>" + name + "</extra>",
            )
        )
    figure.add_hline(y=0.8, line={"color": look.quiet, "dash": "dot", "width": 1})
    figure.update_xaxes(tickformat=SHARES, title="share that people review")
    figure.update_yaxes(title="lowest over highest favourable share")
    return figure
