"""Drift from cells: features, output, confidence and outcome, and how accuracy moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from apps.metrics.cells.features import OWN, counts_of, edges_of, histogram_of, reference_table
from apps.metrics.domain.drift import (
    CategoryFeature,
    Feature,
    NumberFeature,
    accuracy_over_time,
    drift_report,
)
from apps.metrics.domain.estimates import Estimate, not_enough, share
from apps.metrics.domain.histograms import CategoryEdges
from apps.metrics.domain.proportions import NEWCOMBE, Part, difference
from apps.metrics.domain.tables import NONE, Ints, Table
from apps.metrics.domain.unlabelled import accuracy_of_confidence, gap_to_audits
from apps.metrics.kinds.reading import UNKNOWN, Cells, Facts, counted, periods

FAMILIES: Final = ("features", "confidence")
REFERENCE_FAMILIES: Final = ("confidence",)
LEVELS: Final = 10_001
NO_OUTCOME: Final = "no decision of the window has an outcome and an output"
NO_REFERENCE_OUTCOME: Final = "no decision of the reference has an outcome and an output"


@dataclass(frozen=True, slots=True)
class Reference:
    """What a window is compared with: a profile's ``document``, and the ``cells`` of its days."""

    document: Mapping[str, Any]
    cells: Cells


def report(cells: Cells, facts: Facts, reference: Reference | None = None) -> dict[str, Any]:
    """Every figure of drift.

    Definition: ``domain.drift.drift_report`` over the features that the reference's profile froze,
    the output, the confidence and the outcome; ``performance``: the AI's accuracy against the
    reference's, and over time; ``estimated_accuracy``: what accuracy is to be expected from the
    confidences alone (CBPE), an estimate that no outcome of the window went into;
    ``estimated_without_outcome``: the same of the decisions whose outcome is not known yet;
    ``estimate_check``: the same of those whose outcome is known, against it.
    Parameters: ``cells`` with FAMILIES; ``facts``: reference_from, reference_to, profile;
    ``reference``, None where there is none.
    Returns: a JSON object. A figure without data is null and says why; without a reference
    ``features`` is empty.
    """
    confidence = cells.table("confidence")
    then = reference.cells.table("confidence") if reference else None
    features = features_of(cells, reference.document) if reference else {}
    found = drift_report(features)
    shown = found["features"]
    own = {name: shown[name] for name in OWN if name in shown}
    document: dict[str, Any] = {
        **found,
        "features": {name: one for name, one in shown.items() if name not in OWN},
        "own": own,
        "psi": largest_psi(shown),
        "reference": described(facts, reference),
        "performance": performance(cells, confidence, then),
        **estimated(confidence, then),
    }
    missing = why_none(facts, reference)
    return document if missing is None else document | {"why": missing}


def why_none(facts: Facts, reference: Reference | None) -> str | None:
    """Why nothing can be compared, naming the fields to set; None where it can."""
    begin, end = facts["reference_from"], facts["reference_to"]
    if begin is None or end is None:
        return (
            f"there is no reference window: reference_from={begin}, reference_to={end}; "
            "allowed: two days, the first before the second, with decisions between them"
        )
    if reference is None or not reference.document["rows"]:
        return (
            f"the reference window has no data: reference_from={begin}, reference_to={end}; "
            "allowed: days with decisions"
        )
    return None


def described(facts: Facts, reference: Reference | None) -> dict[str, Any]:
    """Which reference was taken."""
    found = {name: facts[name] for name in ("reference_from", "reference_to", "profile")}
    rows = reference.document["rows"] if reference else 0
    return {**found, "n": rows}


def features_of(cells: Cells, document: Mapping[str, Any]) -> dict[str, Feature]:
    """Each feature's counts in both windows, on the edges that the profile froze."""
    return {
        name: feature_of(cells.table("features", name), entry)
        for name, entry in sorted(document["features"].items())
    }


def feature_of(table: Table, entry: Mapping[str, Any]) -> Feature:
    """One feature: ``table`` of the window, ``entry`` of the profile."""
    edges, frozen = edges_of(entry), reference_table(entry)
    if isinstance(edges, CategoryEdges):
        return CategoryFeature(edges, counts_of(frozen, edges), counts_of(table, edges))
    return NumberFeature(edges, histogram_of(frozen), histogram_of(table))


def largest_psi(shown: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The largest PSI of all, whose it is, and on how many values of the window it rests."""
    known = {name: one["psi"] for name, one in shown.items() if one["psi"] is not None}
    if not known:
        return {"max": None, "feature": None, "n": 0, "why": "not enough data (n = 0): no PSI"}
    name = max(known, key=lambda one: (known[one], one))
    return {"max": known[name], "feature": name, "n": shown[name]["n_current"]}


# --- Accuracy -------------------------------------------------------------------------------


def performance(cells: Cells, window: Table, reference: Table | None) -> dict[str, Any]:
    """The AI's accuracy in the window, in the reference, the change, and its course over time.

    Definition: shares of right outputs among those with an outcome (Wilson); window less reference
    with Newcombe's interval; see ``accuracy_over_time`` for the trend over periods.
    """
    now = _right_of(window)
    then = Part(0, 0) if reference is None else _right_of(reference)
    change = difference(now, then)
    if change.value is None:
        change = not_enough("the window or the reference has no outcome", NEWCOMBE, n=change.n)
    by_day = cells.per_day("confidence")
    parts = [(_right_of(by_day[day]) for day in days) for _first, _last, days in periods(by_day)]
    sums = [tuple(map(sum, zip(*among, strict=True))) for among in parts]
    right, n = (np.array([one[i] for one in sums], dtype=np.int64) for i in (0, 1))
    return {
        "current": share(*now, NO_OUTCOME).document(),
        "reference": share(*then, NO_REFERENCE_OUTCOME).document(),
        "change": change.document(),
        "over_time": accuracy_over_time(right, n),
    }


def _right_of(confidence: Table) -> Part:
    right, n = confidence.ints("right"), confidence.ints("n")
    return Part(counted(n, right == 1), counted(n, right != UNKNOWN))


def estimated(window: Table, reference: Table | None) -> dict[str, Any]:
    """The accuracy to be expected from the confidences, calibrated on the reference's outcomes."""
    right = window.ints("right")
    among = {
        "estimated_accuracy": np.ones(window.length, dtype=bool),
        "estimated_without_outcome": right == UNKNOWN,
        "estimate_check": right != UNKNOWN,
    }
    n, hits = levels_of(reference)
    levels = np.arange(LEVELS) / (LEVELS - 1)
    figures = {
        name: accuracy_of_confidence(levels, n, hits, _counts(window, mask))
        for name, mask in among.items()
    }
    known = _said(window) & (right != UNKNOWN)
    seen = counted(window.ints("n"), known)
    observed = share(counted(window.ints("n"), known & (right == 1)), seen, NO_OUTCOME)
    return {
        "estimated_accuracy": figures["estimated_accuracy"].document(),
        "estimated_without_outcome": figures["estimated_without_outcome"].document(),
        "estimate_check": _check(figures["estimate_check"], observed),
    }


def _check(estimate: Estimate, observed: Estimate) -> dict[str, Any]:
    """What was estimated of the cases whose outcome is known, against what turned out."""
    certain = Estimate(
        observed.value,
        observed.low,
        observed.high,
        observed.n,
        observed.method,
        observed.why,
        {"n_eff": observed.n},
    )
    sides = {"estimated": estimate.document(), "observed": observed.document()}
    return sides | gap_to_audits(estimate, certain)


def _said(table: Table) -> Any:
    """Cells of decisions with a confidence and a label, which CBPE speaks of."""
    return (table.ints("level") >= 0) & (table.texts["given"].codes != NONE)


def _counts(table: Table, mask: Any) -> Ints:
    used = _said(table) & mask
    counts = np.bincount(table.ints("level")[used], table.ints("n")[used], LEVELS)
    return counts.astype(np.int64)


def levels_of(reference: Table | None) -> tuple[Ints, Ints]:
    """The reference's cases with an outcome by level, and how many of them are right."""
    if reference is None:
        return np.zeros(LEVELS, dtype=np.int64), np.zeros(LEVELS, dtype=np.int64)
    right = reference.ints("right")
    return _counts(reference, right != UNKNOWN), _counts(reference, right == 1)
