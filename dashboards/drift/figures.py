"""Charts of drift: effects ranked, the distribution behind each, estimated accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from apps.metrics.domain.drift import CategoryFeature, Feature, NumberFeature
from apps.metrics.domain.histograms import ABOVE, BELOW, CELLS, MISSING
from dashboards.look import SHARES, THEMES, blank, by_time

BARS = 32
LEVELS = 12


def ranked(shown: Sequence[tuple[str, Mapping[str, Any]]], limit: float, theme: str) -> go.Figure:
    """PSI of each feature, the largest first, with the limit that counts as drift."""
    look = THEMES[theme]
    figure = blank(theme, height=max(220, 70 + 26 * len(shown)))
    figure.add_trace(
        go.Bar(
            x=[one["psi"] for _, one in shown],
            y=[name for name, _ in shown],
            orientation="h",
            marker={"color": [look.bad if one["drifted"] else look.series[0] for _, one in shown]},
            hovertemplate="%{y}: PSI %{x:.3f}<extra></extra>",
        )
    )
    figure.add_vline(x=limit, line={"color": look.quiet, "dash": "dot", "width": 1})
    figure.update_xaxes(title="population stability index (PSI)", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_layout(bargap=0.35)
    return figure


def distribution(feature: Feature, theme: str) -> go.Figure:
    """Reference and window, as shares of their values."""
    names, reference, current = bars(feature)
    look = THEMES[theme]
    figure = blank(theme, height=240)
    for label, values, color in (
        ("reference", reference, look.quiet),
        ("this period", current, look.series[0]),
    ):
        figure.add_trace(
            go.Bar(
                x=names,
                y=values,
                name=label,
                marker={"color": color},
                hovertemplate="%{x}: %{y:.1%}<extra>" + label + "</extra>",
            )
        )
    figure.update_layout(barmode="group", bargap=0.1, bargroupgap=0)
    figure.update_xaxes(type="category", nticks=6, tickangle=0)
    figure.update_yaxes(tickformat=SHARES)
    return figure


def bars(feature: Feature) -> tuple[list[str], list[float], list[float]]:
    """Names of the bars and both sides' shares; the rest and the missing come last."""
    if isinstance(feature, NumberFeature):
        return _of_numbers(feature)
    return _of_levels(feature)


def _of_numbers(feature: NumberFeature) -> tuple[list[str], list[float], list[float]]:
    sides = [feature.reference.counts, feature.current.counts]
    if feature.edges is None:
        return ["missing"], [1.0], [1.0]
    step = CELLS // BARS
    edges = np.linspace(feature.edges.low, feature.edges.high, BARS + 1)
    names = [f"from {_short(low)}" for low in edges[:-1]]
    names = [f"below {_short(edges[0])}", *names, f"above {_short(edges[-1])}", "missing"]
    shares = []
    for counts in sides:
        inner = counts[1 : CELLS + 1].reshape(BARS, step).sum(axis=1)
        whole = np.array([counts[BELOW], *inner, counts[ABOVE], counts[MISSING]])
        shares.append((whole / max(1, whole.sum())).tolist())
    return names, shares[0], shares[1]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _of_levels(feature: CategoryFeature) -> tuple[list[str], list[float], list[float]]:
    names = list(feature.edges.levels)
    shown = names[:LEVELS]
    shares = []
    for counts in (feature.reference, feature.current):
        rest = counts[len(shown) : len(names) + 1].sum()
        whole = np.array([*counts[: len(shown)], rest, counts[-1]])
        shares.append((whole / max(1, whole.sum())).tolist())
    return [*shown, "others", "missing"], shares[0], shares[1]


def psi_over_time(
    series: Mapping[str, Sequence[tuple[str, float | None]]], theme: str
) -> go.Figure:
    """PSI of some features by period."""
    figure = blank(theme)
    for (name, values), color in zip(series.items(), THEMES[theme].series, strict=False):
        figure.add_trace(
            go.Scatter(
                x=[start for start, _ in values],
                y=[value for _, value in values],
                mode="lines+markers",
                marker={"size": 5},
                line={"color": color, "width": 2},
                name=name,
                hovertemplate="%{x}: %{y:.3f}<extra>" + name + "</extra>",
            )
        )
    figure.update_yaxes(title="PSI against the reference", rangemode="tozero")
    return by_time(figure)
