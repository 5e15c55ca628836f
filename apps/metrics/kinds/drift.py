"""Drift from cells: features, output, confidence and outcome, and how accuracy moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
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
from apps.metrics.domain.unlabelled import calibration, estimated_accuracy, gap_to_audits
from apps.metrics.kinds.reading import UNKNOWN, Cells, Facts, counted, periods

FAMILIES: Final = ("features", "confidence")
REFERENCE_FAMILIES: Final = ("confidence",)
ROLLED: Final = ("features",)
LEVELS: Final = 10_001
OUTCOMES: Final = (UNKNOWN, 0, 1)  # whether an output was right
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
    window, then = judged_of(cells), judged_of(reference.cells if reference else None)
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
        "performance": performance(window, then),
        **estimated(window, then),
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
        name: feature_of(cells.added_up("features", name), entry)
        for name, entry in sorted(document["features"].items())
    }


def feature_of(tables: Iterable[Table], entry: Mapping[str, Any]) -> Feature:
    """One feature: ``tables`` that add up to the window's, ``entry`` of the profile."""
    edges, frozen = edges_of(entry), reference_table(entry)
    if isinstance(edges, CategoryEdges):
        return CategoryFeature(edges, counts_of([frozen], edges), counts_of(tables, edges))
    return NumberFeature(edges, histogram_of([frozen]), histogram_of(tables))


def largest_psi(shown: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The largest PSI of all, whose it is, and on how many values of the window it rests."""
    known = {name: one["psi"] for name, one in shown.items() if one["psi"] is not None}
    if not known:
        return {"max": None, "feature": None, "n": 0, "why": "not enough data (n = 0): no PSI"}
    name = max(known, key=lambda one: (known[one], one))
    return {"max": known[name], "feature": name, "n": shown[name]["n_current"]}


# --- Accuracy -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """The AI's outputs of some days.

    ``by_day``: day -> how many with an outcome, and how many of these are right; ``levels``: those
    with a label and a confidence, counts of shape (3, 10001): by OUTCOMES and level of confidence.
    """

    by_day: Mapping[date, Part]
    levels: Ints

    @property
    def right(self) -> Part:
        return _together(self.by_day.values())

    @property
    def known(self) -> Ints:
        """Those with an outcome, by level, shape (10001,)."""
        found: Ints = self.levels[OUTCOMES.index(0)] + self.levels[OUTCOMES.index(1)]
        return found


def judged_of(cells: Cells | None) -> Judged:
    """The family ``confidence`` added up, a day at a time: a day may hold thousands of levels."""
    by_day: dict[date, Part] = {}
    levels = np.zeros(len(OUTCOMES) * LEVELS, dtype=np.int64)
    for day, table in cells.each_day("confidence") if cells else ():
        right, n, level = table.ints("right"), table.ints("n"), table.ints("level")
        by_day[day] = Part(counted(n, right == 1), counted(n, right != UNKNOWN))
        said = (level >= 0) & (table.texts["given"].codes != NONE)
        np.add.at(levels, (right[said] - UNKNOWN) * LEVELS + level[said], n[said])
    return Judged(by_day, levels.reshape(len(OUTCOMES), LEVELS))


def _together(parts: Iterable[Part]) -> Part:
    right, n = map(sum, zip(Part(0, 0), *parts, strict=True))
    return Part(right, n)


def performance(window: Judged, reference: Judged) -> dict[str, Any]:
    """The AI's accuracy in the window, in the reference, the change, and its course over time.

    Definition: shares of right outputs among those with an outcome (Wilson); window less reference
    with Newcombe's interval; see ``accuracy_over_time`` for the trend over periods.
    """
    now, then = window.right, reference.right
    change = difference(now, then)
    if change.value is None:
        change = not_enough("the window or the reference has no outcome", NEWCOMBE, n=change.n)
    sums = [
        _together(window.by_day[day] for day in days) for *_ends, days in periods(window.by_day)
    ]
    right, n = (np.array([one[i] for one in sums], dtype=np.int64) for i in (0, 1))
    return {
        "current": share(*now, NO_OUTCOME).document(),
        "reference": share(*then, NO_REFERENCE_OUTCOME).document(),
        "change": change.document(),
        "over_time": accuracy_over_time(right, n),
    }


def estimated(window: Judged, reference: Judged) -> dict[str, Any]:
    """The accuracy to be expected from the confidences, calibrated on the reference's outcomes."""
    unknown, _wrong, right = window.levels
    among = {
        "estimated_accuracy": window.levels.sum(axis=0),
        "estimated_without_outcome": unknown,
        "estimate_check": window.known,
    }
    n, hits = reference.known, reference.levels[OUTCOMES.index(1)]
    chance = calibration(np.arange(LEVELS) / (LEVELS - 1), n, hits)
    figures = {
        name: estimated_accuracy(chance, counts, int(n.sum())) for name, counts in among.items()
    }
    observed = share(int(right.sum()), int(window.known.sum()), NO_OUTCOME)
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
