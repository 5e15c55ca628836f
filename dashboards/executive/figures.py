"""The executive's charts: data in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from dashboards.executive.data import Process
from dashboards.look import SHARES, THEMES, blank, by_time

SIDES = (("ai", "AI alone"), ("human", "People alone"), ("combined", "Combined"))
MARKS = {"ai": "circle", "human": "square", "combined": "diamond"}


def accuracy_by_process(found: Sequence[Process], theme: str) -> go.Figure:
    """A row a process, a mark a side, each with its 95 % interval."""
    figure = blank(theme, height=max(220, 70 + 34 * len(found)))
    names = [one.use_case.name for one in found]
    for color, (side, label) in zip(THEMES[theme].series, SIDES, strict=False):
        ones = [one.now["accuracy"][side] for one in found]
        figure.add_trace(
            go.Scatter(
                x=[one["value"] for one in ones],
                y=names,
                mode="markers",
                name=label,
                marker={"symbol": MARKS[side], "size": 9, "color": color},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [_arm(one["high"], one["value"]) for one in ones],
                    "arrayminus": [_arm(one["value"], one["low"]) for one in ones],
                    "thickness": 1.2,
                    "width": 0,
                },
                customdata=[one["n"] for one in ones],
                hovertemplate="%{y}: %{x:.1%} (n = %{customdata:,})<extra>" + label + "</extra>",
            )
        )
    figure.update_xaxes(tickformat=SHARES, maxallowed=1.01, title="accuracy, with 95 % interval")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(scattermode="group", scattergap=0.6)
    return figure


def _arm(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def volume_over_time(frame: pd.DataFrame, theme: str) -> go.Figure:
    """Decisions of each period, those released without a person and those that people saw."""
    figure = blank(theme)
    people, automatic = frame["n"] - frame["automatic"], frame["automatic"]
    colors = THEMES[theme].series
    for name, values, color in (
        ("without a person", automatic, colors[0]),
        ("by or with people", people, colors[1]),
    ):
        figure.add_trace(
            go.Bar(
                x=frame["start"],
                y=values,
                name=name,
                marker={"color": color},
                hovertemplate="%{x|%d %b %Y}: %{y:,.0f}<extra>" + name + "</extra>",
            )
        )
    figure.update_layout(barmode="stack", bargap=0.15)
    figure.update_yaxes(title="decisions")
    return by_time(figure)
