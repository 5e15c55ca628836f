"""Building: the rows of some time, counted into the tables of every family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

import numpy as np

from apps.metrics.cells.columns import Columns, Setup, columns_of, setup_of
from apps.metrics.cells.excepting import Facts, breach_tables, first_listed
from apps.metrics.cells.families import (
    GROUP,
    GROUPS,
    SHAPES,
    Shape,
    added,
    empty,
    shape_of,
)
from apps.metrics.cells.features import feature_tables
from apps.metrics.cells.flowing import flow_tables
from apps.metrics.cells.judging import Confirmation, confirmations, review_tables, streak_table
from apps.metrics.cells.reading import Chunk, read_chunks
from apps.metrics.cells.storing import Built
from apps.metrics.cells.tracing import Tracer
from apps.metrics.domain.tables import Mask, Table, Text, collapse, where
from apps.registry.models import UseCase

Key = tuple[str, str]


def build(use_case: UseCase, begin: datetime, end: datetime, setup: Setup | None = None) -> Built:
    """The cells of the decisions made from ``begin`` on and before ``end``.

    The same rows give the same tables: they are read by id, some thousand at once.
    """
    setup = setup or setup_of(use_case)
    facts, tracer = Facts(use_case), Tracer(use_case)
    parts: dict[Key, list[Table]] = defaultdict(list)
    runs: list[Confirmation] = []
    rows = 0
    for chunk in read_chunks(use_case, begin, end, setup.contents):
        rows += len(chunk)
        columns = columns_of(chunk, setup)
        runs += confirmations(chunk, columns)
        found = _tables(chunk, columns, setup)
        traced = tracer.trace(chunk)
        found["flow"] = flow_tables(chunk, columns, traced)
        found["breaches"] = breach_tables(chunk, facts, traced)
        for family, tables in found.items():
            for name, table in tables.items():
                parts[family, name].append(_lean(table, shape_of(family, name), setup))
    return Built(rows, _whole(parts, streak_table(runs), setup))


def _tables(chunk: Chunk, columns: Columns, setup: Setup) -> dict[str, Mapping[str, Table]]:
    table = columns.table
    judged = where(table, table.texts["pattern"].codes >= 0)
    found: dict[str, Mapping[str, Table]] = {
        "outcome": {"outcome": table},
        "calibration": {"calibration": where(table, _told(table))},
        "confidence": {"confidence": table},
        "people": {"people": judged, "levels": judged},
        "reviews": review_tables(chunk, columns, setup),
        "features": feature_tables(chunk, setup),
    }
    grouped = [_grouped(table, name) for name in setup.attributes]
    if grouped:
        found["groups"] = {"groups": added(grouped, GROUPS, ())}
    return found


def _told(table: Table) -> Mask:
    """The decisions whose confidence can be held against an outcome."""
    told: Mask = (table.ints("bin") >= 0) & (table.ints("right") >= 0)
    return told


def _grouped(table: Table, name: str) -> Table:
    """The decisions by the groups of one attribute."""
    texts = {
        "attribute": Text(np.zeros(len(table), dtype=np.int64), (name,)),
        "group": table.texts[GROUP + name],
        "given": table.texts["given"],
        "pattern": table.texts["pattern"],
    }
    numbers = {"level": table.numbers["group_level"], "n": table.numbers["n"]}
    return collapse(Table(texts, numbers, len(table)), GROUPS.keys(()), GROUPS.counts)


def _lean(table: Table, shape: Shape, setup: Setup) -> Table:
    """A chunk's table with the columns of its shape alone, equal rows added up."""
    return collapse(table, shape.keys(setup.attributes), (*shape.counts, *shape.sums))


def _whole(
    parts: Mapping[Key, list[Table]], streaks: Table, setup: Setup
) -> dict[str, dict[str, Table]]:
    """Every family that there is, each with all of its tables."""
    found: dict[str, dict[str, Table]] = {}
    for family, shapes in SHAPES.items():
        if family == "features" and setup.profile is None:
            continue
        found[family] = {name: empty(shape, setup.attributes) for name, shape in shapes.items()}
    for (family, name), tables in parts.items():
        found[family][name] = added(tables, shape_of(family, name), setup.attributes)
    found["reviews"]["streaks"] = streaks
    found["breaches"]["breaches"] = first_listed(found["breaches"]["breaches"])
    return found
