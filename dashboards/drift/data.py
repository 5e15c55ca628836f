"""Drift's figures, and what lies behind each: both distributions, and PSI by period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from apps.metrics.cells.attributes import newest_profile
from apps.metrics.cells.features import frozen_document
from apps.metrics.cells.window import read_cells
from apps.metrics.domain.drift import Feature, drift_report
from apps.metrics.domain.tables import Table
from apps.metrics.kinds.drift import feature_of
from apps.metrics.kinds.reading import periods
from dashboards.filters import Filter

Series = dict[str, list[tuple[str, float | None]]]


def features_behind(wanted: Filter, names: Sequence[str]) -> tuple[dict[str, Feature], Series]:
    """Some features' distributions, and their PSI by period."""
    use_case = wanted.use_cases[0]
    profile = newest_profile(use_case)
    if profile is None:
        return {}, {}
    entries: Mapping[str, Any] = frozen_document(profile.pk)["features"]
    cells = read_cells(use_case, wanted.window, ["features"], refresh=False)
    known = [name for name in names if name in entries]
    days = {name: cells.per_day("features", name) for name in known}
    features = {name: feature_of(each.values(), entries[name]) for name, each in days.items()}
    return features, {name: _by_period(each, name, entries[name]) for name, each in days.items()}


def _by_period(
    by_day: Mapping[date, Table], name: str, entry: Mapping[str, Any]
) -> list[tuple[str, float | None]]:
    found = []
    for first, _last, days in periods(by_day):
        feature = feature_of([by_day[day] for day in days], entry)
        one = drift_report({name: feature})["features"][name]
        found.append((first.isoformat(), one["psi"]))
    return found
