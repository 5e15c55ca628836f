"""Cells of the features: histograms on the edges of a reference profile.

A profile's document holds for each feature {"kind": "number", "edges": [low, high] or null} or
{"kind": "category", "levels": [...], "complete": bool}, each with its reference's "counts": rows of
[cell, n] or [cell, n, total], those that are not 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import lru_cache
from math import isfinite
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
from django.db.models import TextField
from django.db.models.functions import Cast

from apps.metrics.cells.columns import Setup
from apps.metrics.cells.families import PROFILE_TABLE
from apps.metrics.cells.reading import Chunk
from apps.metrics.domain.histograms import (
    ABOVE,
    BELOW,
    MISSING,
    WIDTH,
    CategoryEdges,
    NumberEdges,
    NumberHistogram,
    count_numbers,
    fold_categories,
)
from apps.metrics.domain.tables import Floats, Ints, Table, table_of
from apps.metrics.models import ReferenceProfile

OWN: Final = {"output": "category", "confidence": "number", "outcome": "category"}
KIND_OF: Final = {
    "number": "number",
    "date": "number",
    "category": "category",
    "boolean": "category",
}
PROFILES_KEPT: Final = 8
PLAIN: Final = frozenset({float, int, type(None)})
TEXTS: Final = frozenset({str, type(None)})
Edges = NumberEdges | CategoryEdges | None


def observed(features: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Name -> number or category, of the features that drift is looked at in; free text is not.

    A feature named "output", "confidence" or "outcome" gives way to these.
    """
    found = {one["name"]: KIND_OF[one["type"]] for one in features if one["type"] in KIND_OF}
    return {**found, **OWN}


def columns_by_name(chunk: Chunk, names: Iterable[str]) -> dict[str, list[Any]]:
    """The values of some features, a value a decision; None where it has none."""
    own: dict[str, list[Any]] = {
        "output": list(chunk.decisions.label),
        "confidence": list(chunk.decisions.confidence),
        "outcome": [truth.label for truth in chunk.truths],
    }
    contents = [one or {} for one in chunk.features] or [{}] * len(chunk)
    return {
        name: own[name] if name in own else [held.get(name) for held in contents] for name in names
    }


def numbers_of(values: Sequence[Any]) -> Floats:
    """Values of a number: a date is its day's ordinal; what is neither is missing (nan)."""
    if PLAIN.issuperset(map(type, values)):
        with suppress(OverflowError):
            return np.array(values, dtype=np.float64)
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    kind = type(value)
    if kind is float or kind is int:
        try:
            return float(value)
        except OverflowError:
            return np.nan
    return _day(value) if kind is str and value[4:5] == "-" else np.nan


def _day(text: str) -> float:
    try:
        return float(date.fromisoformat(text[:10]).toordinal())
    except ValueError:
        return np.nan


def levels_of(values: Sequence[Any]) -> list[str | None]:
    """Values of a category as texts; None where there is none."""
    if TEXTS.issuperset(map(type, values)):
        return list(values)
    return [value if value is None or type(value) is str else _level(value) for value in values]


def _level(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def edges_of(entry: Mapping[str, Any]) -> Edges:
    """The edges that a profile has frozen for one feature; None: its reference had no value."""
    if entry["kind"] == "number":
        return None if entry["edges"] is None else NumberEdges(*entry["edges"])
    return CategoryEdges(tuple(entry["levels"]), bool(entry["complete"]))


def number_table(histogram: NumberHistogram) -> Table:
    """A number's histogram as a table of the cells that are not empty."""
    places = np.flatnonzero(histogram.counts)
    totals = np.zeros(WIDTH)
    totals[BELOW], totals[ABOVE] = histogram.below, histogram.above
    return table_of({}, {"cell": places, "n": histogram.counts[places]}, {"total": totals[places]})


def category_table(counts: Ints) -> Table:
    """Counts by level as a table of those that are not 0."""
    places = np.flatnonzero(counts)
    return table_of({}, {"cell": places, "n": counts[places]}, {"total": np.zeros(len(places))})


def histogram_of(tables: Iterable[Table]) -> NumberHistogram:
    """The histogram of a number's tables, one a day."""
    counts = np.zeros(WIDTH, dtype=np.int64)
    tails = np.zeros(WIDTH)
    for table in tables:
        cells, totals = table.ints("cell"), table.floats("total")
        np.add.at(counts, cells, table.ints("n"))
        held = np.flatnonzero(totals)
        np.add.at(tails, cells[held], totals[held])
    return NumberHistogram(counts, float(tails[BELOW]), float(tails[ABOVE]))


def counts_of(tables: Iterable[Table], edges: CategoryEdges) -> Ints:
    """The counts of a category's tables, one a day: the frozen levels, others, missing."""
    counts = np.zeros(len(edges.levels) + 2, dtype=np.int64)
    for table in tables:
        np.add.at(counts, table.ints("cell"), table.ints("n"))
    return counts


def stored_counts(table: Table) -> list[list[Any]]:
    """A table as a profile's "counts"."""
    columns = (
        table.ints("cell").tolist(),
        table.ints("n").tolist(),
        table.floats("total").tolist(),
    )
    return [[c, n, total] if total else [c, n] for c, n, total in zip(*columns, strict=True)]


def reference_table(entry: Mapping[str, Any]) -> Table:
    """The reference's own counts of a feature, as a table; the same one where it is made already."""
    rows = entry["counts"]
    if isinstance(rows, Table):
        return rows
    places, counts = [row[0] for row in rows], [row[1] for row in rows]
    totals = np.zeros(len(rows))
    for place in np.flatnonzero(np.fromiter(map(len, rows), np.int64, len(rows)) > 2).tolist():
        totals[place] = rows[place][2]
    return table_of({}, {"cell": places, "n": counts}, {"total": totals})


@lru_cache(maxsize=PROFILES_KEPT)
def frozen_document(profile: UUID) -> Mapping[str, Any]:
    """A profile's document, read once in a process, since a profile never changes: its "counts" are
    tables, which take a tenth of the memory and are what is made of them.

    Raises: ReferenceProfile.DoesNotExist.
    """
    # tens of thousands of small lists
    written = ReferenceProfile.objects.values_list(Cast("document", TextField()), flat=True)
    document = orjson.loads(written.get(pk=profile))
    entries = {
        name: {**entry, "counts": reference_table(entry)}
        for name, entry in document["features"].items()
    }
    return {**document, "features": entries}


def feature_tables(chunk: Chunk, setup: Setup) -> dict[str, Table]:
    """The tables of ``features`` of a chunk; none without a profile."""
    if setup.profile is None:
        return {}
    frozen = setup.profile.document["features"]
    values = columns_by_name(chunk, frozen)
    found = {name: _counted(values[name], entry) for name, entry in frozen.items()}
    named = table_of({"profile": [str(setup.profile.pk)]}, {"n": [len(chunk)]})
    return {**found, PROFILE_TABLE: named}


def _counted(values: Sequence[Any], entry: Mapping[str, Any]) -> Table:
    edges = edges_of(entry)
    if isinstance(edges, CategoryEdges):
        return category_table(fold_categories(Counter(levels_of(values)), edges))
    said = numbers_of(values)
    if edges is not None:
        return number_table(count_numbers(said, edges))
    counts = np.zeros(WIDTH, dtype=np.int64)
    counts[MISSING] = sum(not isfinite(value) for value in said.tolist())
    counts[BELOW + 1] = len(said) - counts[MISSING]  # there are no edges: one cell for all
    return number_table(NumberHistogram(counts))
