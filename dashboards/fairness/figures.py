"""Charts of fairness: the AI's output beside what took effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from dashboards.look import SHARES, THEMES, blank

Document = Mapping[str, Any]
SIDES = (("ai", "AI's output", "circle"), ("final", "what took effect", "diamond"))


def rates(groups: Mapping[str, Mapping[str, Document]], rate: str, theme: str) -> go.Figure:
    """A rate of each group, on both sides. ``groups``: side -> group -> figures."""
    names = sorted({name for side in groups.values() for name in side})
    figure = blank(theme, height=max(220, 80 + 36 * len(names)))
    for color, (side, label, mark) in zip(THEMES[theme].series, SIDES, strict=False):
        ones = [groups[side].get(name, {}).get(rate, {}) for name in names]
        figure.add_trace(
            go.Scatter(
                x=[one.get("value") for one in ones],
                y=names,
                mode="markers",
                name=label,
                marker={"size": 9, "symbol": mark, "color": color},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [_arm(one, "high", "value") for one in ones],
                    "arrayminus": [_arm(one, "value", "low") for one in ones],
                    "thickness": 1.2,
                    "width": 0,
                },
                customdata=[one.get("n") for one in ones],
                hovertemplate="%{y}: %{x:.1%} (n = %{customdata:,})<extra>" + label + "</extra>",
            )
        )
    figure.update_layout(scattermode="group", scattergap=0.5)
    figure.update_xaxes(tickformat=SHARES, maxallowed=1.01, title="share, with 95 % interval")
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return figure


def _arm(one: Document, upper: str, lower: str) -> float | None:
    high, low = one.get(upper), one.get(lower)
    return None if high is None or low is None else high - low
