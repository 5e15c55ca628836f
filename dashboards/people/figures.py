"""Charts of reviewers and operations: documents in, figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboards.look import SHARES, THEMES, blank

Document = Mapping[str, Any]


def lanes(found: Mapping[str, Mapping[str, int]], theme: str) -> go.Figure:
    """Decisions by lane and what became of them."""
    statuses = sorted({status for one in found.values() for status in one})
    figure = blank(theme, height=max(200, 90 + 32 * len(found)))
    for status, color in zip(statuses, THEMES[theme].series, strict=False):
        figure.add_trace(
            go.Bar(
                y=list(found),
                x=[one.get(status, 0) for one in found.values()],
                name=status,
                orientation="h",
                marker={"color": color},
                hovertemplate="%{y}: %{x:,}<extra>" + status + "</extra>",
            )
        )
    figure.update_layout(barmode="stack", bargap=0.35)
    figure.update_xaxes(title="decisions")
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return figure


def load_to_come(days: Sequence[Document], theme: str) -> go.Figure:
    """Cases expected on each of the days to come, with the range of such a day."""
    figure = blank(theme)
    figure.add_trace(
        go.Bar(
            x=[one["date"] for one in days],
            y=[one["cases"] for one in days],
            marker={"color": THEMES[theme].series[0]},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [one["high"] - one["cases"] for one in days],
                "arrayminus": [one["cases"] - one["low"] for one in days],
                "thickness": 1.2,
                "color": THEMES[theme].quiet,
            },
            hovertemplate="%{x}: %{y:.0f} cases<extra></extra>",
        )
    )
    figure.update_layout(bargap=0.4)
    figure.update_yaxes(title="cases for people", rangemode="tozero")
    return figure


def times(found: Mapping[str, Document], theme: str) -> go.Figure:
    """Medians with quarter and 95 % points, on a scale of powers of ten."""
    shown = {name: one for name, one in found.items() if one["n"]}
    figure = blank(theme, height=max(200, 80 + 34 * len(shown)))
    look = THEMES[theme]
    figure.add_trace(
        go.Scatter(
            x=[one["median"] for one in shown.values()],
            y=list(shown),
            mode="markers",
            marker={"size": 9, "color": look.series[0]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [one["p95"] - one["median"] for one in shown.values()],
                "arrayminus": [one["median"] - one["p25"] for one in shown.values()],
                "thickness": 1.5,
                "width": 5,
            },
            customdata=[one["n"] for one in shown.values()],
            hovertemplate="%{y}: median %{x:,.0f} s (n = %{customdata:,})<extra></extra>",
        )
    )
    figure.update_xaxes(
        type="log",
        title="from 25 % point to 95 % point, the median marked",
        tickvals=[1, 10, 60, 600, 3600, 36_000, 86_400, 864_000],
        ticktext=["1 s", "10 s", "1 min", "10 min", "1 h", "10 h", "1 day", "10 days"],
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return figure


def known_answers(found: Sequence[Document], theme: str) -> go.Figure:
    """Known answers right, by reviewer, with intervals."""
    shown = [one for one in found if one["known_answer_accuracy"]["value"] is not None]
    figure = blank(theme, height=max(200, 70 + 26 * len(shown)))
    ones = [one["known_answer_accuracy"] for one in shown]
    figure.add_trace(
        go.Scatter(
            x=[one["value"] for one in ones],
            y=[one["reviewer"] for one in shown],
            mode="markers",
            marker={"size": 9, "color": THEMES[theme].series[0]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [one["high"] - one["value"] for one in ones],
                "arrayminus": [one["value"] - one["low"] for one in ones],
                "thickness": 1.2,
                "width": 4,
            },
            customdata=[one["n"] for one in ones],
            hovertemplate="%{y}: %{x:.0%} of %{customdata} right<extra></extra>",
        )
    )
    figure.update_xaxes(
        tickformat=SHARES, maxallowed=1.01, title="known answers right, with 95 % interval"
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return figure
