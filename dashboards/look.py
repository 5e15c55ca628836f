"""One look for every figure, with the colours of the platform's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import plotly.graph_objects as go

SHARES: Final = ".1~%"  # a decimal where neighbouring ticks would read the same without it
LEGEND_BELOW: Final = 54  # pixels below the axis, whatever the height
FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


@dataclass(frozen=True, slots=True)
class Theme:
    """``series``: colours that stay apart for eyes that see few of them (after Okabe and Ito)."""

    ink: str
    quiet: str
    line: str
    surface: str
    good: str
    bad: str
    warn: str
    series: tuple[str, ...]
    scale: tuple[tuple[float, str], ...]


THEMES: Final = {
    "light": Theme(
        ink="#15202b",
        quiet="#4d5b69",
        line="#d5dce3",
        surface="#ffffff",
        good="#17633a",
        bad="#a01c1c",
        warn="#7a4b00",
        series=("#0b5170", "#c2571a", "#2c7d59", "#7d4f96", "#8a6d00", "#5b6b7a"),
        scale=((0.0, "#f0f5f8"), (0.5, "#6ba3bf"), (1.0, "#0b5170")),
    ),
    "dark": Theme(
        ink="#e4e9ee",
        quiet="#a3b0bd",
        line="#2d3945",
        surface="#161e26",
        good="#79cf9c",
        bad="#ff9d94",
        warn="#e6bb5c",
        series=("#7cc4e4", "#f0a36b", "#79cf9c", "#c9a3df", "#e6c65c", "#a3b0bd"),
        scale=((0.0, "#1a2530"), (0.5, "#2f6f90"), (1.0, "#7cc4e4")),
    ),
}


@cache
def template(theme: str) -> go.layout.Template:
    """The Plotly template of a theme."""
    look = THEMES[theme]
    axis: dict[str, Any] = {
        "gridcolor": look.line,
        "linecolor": look.line,
        "zerolinecolor": look.line,
        "tickfont": {"color": look.quiet, "size": 12},
        "title": {"font": {"color": look.quiet, "size": 12}, "standoff": 8},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "color": look.ink, "size": 13},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(look.series),
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "legend": {
                "orientation": "h",
                "y": -0.18,
                "yanchor": "top",
                "x": 0,
                "font": {"color": look.ink},
            },
            "hoverlabel": {
                "bgcolor": look.surface,
                "bordercolor": look.line,
                "font": {"color": look.ink, "family": FONT},
            },
            "colorscale": {"sequential": [list(stop) for stop in look.scale]},
        }
    )


def by_time(figure: go.Figure) -> go.Figure:
    """Days along the bottom, also where there is one alone."""
    figure.update_xaxes(type="date", tickformat="%d %b<br>%Y", nticks=6, tickangle=0)
    return figure


def blank(theme: str, height: int = 300) -> go.Figure:
    """A figure without a trace, in a theme's look."""
    legend = {"y": -LEGEND_BELOW / height}
    return go.Figure(layout={"template": template(theme), "height": height, "legend": legend})
