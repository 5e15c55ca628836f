"""Drift: how a window's features differ from the reference, each on its own and all together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any, Final

import numpy as np

from apps.metrics.domain.distances import (
    DEFINITIONS,
    Ints,
    benjamini_hochberg,
    chi_squared,
    decile_bins,
    jensen_shannon,
    kolmogorov_smirnov,
    psi,
    psi_null,
    standard_deviation,
    wasserstein,
)
from apps.metrics.domain.histograms import (
    ABOVE,
    BELOW,
    CategoryEdges,
    NumberEdges,
    NumberHistogram,
)
from apps.metrics.domain.proportions import Part, newcombe, significance

STATISTICS: Final = (
    "psi",
    "psi_null_95",
    "ks",
    "ks_error",
    "js",
    "wasserstein",
    "p_value",
    "effect",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as drift: an effect above its limit that is also significant.

    ``psi``, ``js``, ``wasserstein``: effect sizes; ``missing``, ``unseen``: change of a share;
    ``fdr``: the false-discovery rate over all tests of a report; ``smallest``: n below which a
    window says nothing.
    """

    psi: float = 0.1
    js: float = 0.1
    wasserstein: float = 0.1
    missing: float = 0.05
    unseen: float = 0.01
    fdr: float = 0.05
    smallest: int = 30


@dataclass(frozen=True, slots=True)
class NumberFeature:
    """A number's histograms of both windows on the reference's edges (None: it had no values)."""

    edges: NumberEdges | None
    reference: NumberHistogram
    current: NumberHistogram


@dataclass(frozen=True, slots=True)
class CategoryFeature:
    """A category's counts of both windows, shape (L + 2,): the levels, others, missing."""

    edges: CategoryEdges
    reference: Ints
    current: Ints


Feature = NumberFeature | CategoryFeature
NOTHING: Final[dict[str, Any]] = dict.fromkeys(STATISTICS)


def drift_report(features: Mapping[str, Feature], limits: Limits | None = None) -> dict[str, Any]:
    """Drift of every feature.

    Definition: see DEFINITIONS, which is part of the report. A feature has drifted when its effect
    is above a limit (PSI also above what it shows when nothing drifted) and its q value at most
    ``fdr``; when its share of missing values has changed by more than the limit, significantly;
    or when more than the limit are of levels the reference did not have. Significance alone is
    not drift: on a million rows everything is significant.
    Parameters: ``features`` by name; ``limits``.
    Returns: {"features": {NAME: {psi, ks, js, wasserstein, p_value, q_value, drifted, reasons,
    ...}}, "drifted": number, "tests", "psi_max", "definitions", "limits"}. A feature without
    enough values is null and says why; none keeps another from being made.
    """
    limits = limits or Limits()
    found = {name: _figures(feature, limits) for name, feature in features.items()}
    _judge(found, limits)
    largest = max((one["psi"] for one in found.values() if one["psi"] is not None), default=None)
    return {
        "features": found,
        "drifted": sum(one["drifted"] for one in found.values()),
        "psi_max": largest,
        "definitions": dict(DEFINITIONS),
        "limits": {name: getattr(limits, name) for name in limits.__slots__},
    }


def _figures(feature: Feature, limits: Limits) -> dict[str, Any]:
    reference, current = _missing_parts(feature)
    n, m = reference.n - reference.k, current.n - current.k
    kind = "number" if isinstance(feature, NumberFeature) else "category"
    found: dict[str, Any] = {"type": kind, "n_reference": n, "n_current": m}
    found |= {"missing": _missing(reference, current), "unseen": _unseen(feature)}
    if min(n, m) < limits.smallest:
        side = "reference" if n < m else "window"
        why = (
            f"not enough data (n = {min(n, m)}): the {side} has fewer than {limits.smallest} values"
        )
        return {**found, **NOTHING, "why": why}
    if isinstance(feature, NumberFeature):
        return found | number_drift(feature)
    return found | category_drift(feature)


def _missing_parts(feature: Feature) -> tuple[Part, Part]:
    """How many of all values are missing, in the reference and in the window."""
    if isinstance(feature, NumberFeature):
        sides = (feature.reference.counts, feature.current.counts)
    else:
        sides = (feature.reference, feature.current)
    reference, current = (Part(int(counts[-1]), int(counts.sum())) for counts in sides)
    return reference, current


def number_drift(feature: NumberFeature) -> dict[str, Any]:
    """The statistics of a number's drift.

    Definition: DEFINITIONS. Neutral value of each distance: 0; lower is better.
    Parameters: ``feature``, with values in both windows.
    Returns: psi, psi_null_95, ks, ks_error, js, wasserstein, p_value, effect; wasserstein is null
    where all values of the reference are equal.
    """
    assert feature.edges is not None  # it has values
    reference, current = (
        one.counts[BELOW : ABOVE + 1] for one in (feature.reference, feature.current)
    )
    bins = decile_bins(reference, current)
    ks = kolmogorov_smirnov(reference, current)
    spread = standard_deviation(feature.reference, feature.edges.centres)
    moved = (
        wasserstein(feature.reference, feature.current, feature.edges) / spread if spread else None
    )
    return {
        "psi": psi(*bins),
        "psi_null_95": psi_null(len(bins[0]), int(reference.sum()), int(current.sum())),
        "ks": ks.distance,
        "ks_error": ks.error,
        "js": jensen_shannon(*bins),
        "wasserstein": moved,
        "p_value": ks.p,
        "effect": ks.distance,
    }


def category_drift(feature: CategoryFeature) -> dict[str, Any]:
    """The statistics of a category's drift, over its levels and all others as one.

    Definition: DEFINITIONS. Neutral value of each distance: 0; lower is better.
    Parameters: ``feature``, with values in both windows.
    Returns: psi, psi_null_95, js, p_value, effect; ks, ks_error and wasserstein are null, since
    levels have no order.
    """
    reference, current = feature.reference[:-1], feature.current[:-1]
    used = (reference + current) > 0
    p, q = reference[used], current[used]
    tested = chi_squared(p, q)
    return {
        "psi": psi(p, q),
        "psi_null_95": psi_null(len(p), int(p.sum()), int(q.sum())),
        "ks": None,
        "ks_error": None,
        "js": jensen_shannon(p, q),
        "wasserstein": None,
        "p_value": tested.p,
        "effect": tested.cramer_v,
    }


def _missing(reference: Part, current: Part) -> dict[str, Any]:
    """Shares of missing values, with the interval of their difference and its p value."""
    tested = significance(current, reference)
    ends = newcombe(current, reference) if tested else (None, None)
    shares = [part.rate if part.n else None for part in (reference, current)]
    return {
        "reference": shares[0],
        "current": shares[1],
        "low": ends[0],
        "high": ends[1],
        "p_value": tested.p if tested else None,
    }


def _unseen(feature: Feature) -> float | None:
    """The share of levels the reference did not have; None where that cannot be told."""
    if isinstance(feature, NumberFeature) or not feature.edges.complete:
        return None
    n = int(feature.current[:-1].sum())
    return int(feature.current[-2]) / n if n else None


def _judge(found: dict[str, dict[str, Any]], limits: Limits) -> None:
    """Adds q values over all tests of the report, and what follows from them."""
    tests = [
        (place, place["p_value"])
        for one in found.values()
        for place in (one, one["missing"])
        if place["p_value"] is not None
    ]
    for one in found.values():
        one["q_value"] = one["missing"]["q_value"] = None
    q_values = benjamini_hochberg([p for _, p in tests])
    for (place, _), q in zip(tests, q_values, strict=True):
        place["q_value"] = q
    for one in found.values():
        one["reasons"] = _reasons(one, limits)
        one["drifted"] = bool(one["reasons"])


def _reasons(one: dict[str, Any], limits: Limits) -> list[str]:
    reasons: list[str] = []
    if one["q_value"] is not None and one["q_value"] <= limits.fdr:
        floor = {"psi": max(limits.psi, one["psi_null_95"])}
        for name in ("psi", "js", "wasserstein"):
            value, limit = one[name], floor.get(name, getattr(limits, name))
            if value is not None and value > limit:
                reasons.append(f"{name} {value:.4g} is above {limit:.4g}")
    missing = one["missing"]
    if missing["q_value"] is not None and missing["q_value"] <= limits.fdr:
        change = missing["current"] - missing["reference"]
        if abs(change) > limits.missing:
            reasons.append(
                f"missing values went from {missing['reference']:.2%} to {missing['current']:.2%}"
            )
    if one["unseen"] is not None and one["unseen"] > limits.unseen:
        reasons.append(f"{one['unseen']:.2%} are of levels that the reference does not have")
    return reasons


def accuracy_over_time(right: Ints, n: Ints) -> dict[str, Any]:
    """Whether the share of right answers differs between periods.

    Definition: chi-squared of the 2 x T table of right and wrong answers; the slope is that of the
    share over the periods' numbers, weighted by n, with the Cochran-Armitage test for it.
    Neutral value: slope 0; below it, answers get worse.
    Parameters: ``right``, ``n``, shape (T,), 0 <= right <= n, periods in order.
    Returns: {"periods", "p_value", "slope", "p_trend"}; null with ``why`` where fewer than two
    periods have cases, or all cases are alike.
    Source: P. Armitage, Biometrics 11 (1955) 375.
    """
    used = n > 0
    k, total, at = right[used], n[used], np.flatnonzero(used).astype(np.float64)
    found: dict[str, Any] = {"periods": len(k), "p_value": None, "slope": None, "p_trend": None}
    cases, share = int(total.sum()), float(k.sum() / total.sum()) if len(k) else 0.0
    if len(k) < 2 or share in (0.0, 1.0):
        reason = "fewer than two periods have outcomes" if len(k) < 2 else "all cases are alike"
        return found | {"why": f"not enough data (n = {cases}): {reason}"}
    centred = at - float(total @ at) / cases
    squares = float(total @ centred**2)
    slope = float((k - total * share) @ centred) / squares
    z = slope / sqrt(share * (1 - share) / squares)
    tested = chi_squared(k, total - k)
    trend = 2 * NormalDist().cdf(-abs(z))
    return found | {"p_value": tested.p, "slope": slope, "p_trend": trend}
