"""Many processes over months at a glance: the few sums that an overview shows, month by month.

A day's cells tell model versions, lanes, groups and policies apart. What is shown of all processes
side by side asks for none of these, so the days of a month are added up without them, and kept with a
hash of what went in. What does not fit the cells in force is added up anew: nothing has to be told
that a day has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, starmap
from typing import Any, Final, NamedTuple

import numpy as np

from apps.metrics.cells.attributes import protected_attributes
from apps.metrics.cells.window import WindowCells
from apps.metrics.domain.compliance import Counts
from apps.metrics.domain.packing import pack, unpack
from apps.metrics.domain.tables import Table, collapse, concat, empty_table, table_from, table_of
from apps.metrics.first_reading import Window
from apps.metrics.kinds.compliance import exceptions_of
from apps.metrics.models import CellBlob, DayCells, RunningCells
from apps.registry.models import UseCase

FAMILY: Final = "overview"
FAMILIES: Final = ("outcome", "people", "flow", "breaches")
# Each table: what its rows are told apart by, texts and whole numbers; and what is added up.
BY: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "outcome": (("given", "final", "true"), ("right", "right_final")),
    "volume": ((), ("day", "unseen")),
    "people": (("given", "true", "pattern"), ("right_final",)),
    "flow": (("name", "a"), ()),
    "breaches": (("kind",), ()),
}
WHOLE: Final = {"breaches": ("decisions", "n")}
REAL: Final = {"flow": ("total", "squares")}
Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class Overview:
    """The sums of one process over the ``days`` of a window that have any; read as cells are, by
    the reports' figures that ask for nothing else."""

    days: tuple[date, ...]
    tables: Tables

    @property
    def decisions(self) -> int:
        return int(self.tables["volume"].ints("n").sum())

    def table(self, family: str, name: str | None = None) -> Table:
        return self.tables[family]

    def per_day(self, family: str, name: str | None = None) -> dict[date, Table]:
        return dict(self.each_day(family, name))

    def each_day(self, family: str, name: str | None = None) -> Iterator[tuple[date, Table]]:
        """As if all had been on the last day: for what is only added up."""
        if self.days:
            yield self.days[-1], self.tables[family]

    def volumes(self) -> dict[date, tuple[int, int]]:
        """Day -> decisions, and how many of them no person saw before they took effect."""
        volume = self.tables["volume"]
        found: dict[date, tuple[int, int]] = {}
        columns = (volume.ints(name).tolist() for name in ("day", "unseen", "n"))
        for ordinal, unseen, n in zip(*columns, strict=True):
            day = date.fromordinal(ordinal)
            whole, automatic = found.get(day, (0, 0))
            found[day] = (whole + n, automatic + (n if unseen == 1 else 0))
        return found


class _Part(NamedTuple):
    """The days of one month in a window, as (day, family, blob), and the hash of these."""

    slug: str
    cells: tuple[tuple[date, str, str], ...]
    of: str

    @property
    def last(self) -> date:
        return self.cells[-1][0]


def overviews(use_cases: Sequence[UseCase], window: Window) -> dict[str, Overview]:
    """Slug -> the sums of its cells as they are stored, in a fixed number of queries.

    Parameters: ``window``, from midnight to midnight, UTC.
    """
    parts = list(_parts(use_cases, window))
    tables = _kept(parts)
    missing = [part for part in parts if part not in tables]
    if missing:
        tables |= _made(use_cases, missing)
    found = {}
    for one in use_cases:
        own = [part for part in parts if part.slug == one.slug]
        days = sorted({day for part in own for day, _family, _blob in part.cells})
        found[one.slug] = Overview(tuple(days), _together([tables[part] for part in own]))
    return found


def _parts(use_cases: Sequence[UseCase], window: Window) -> Iterator[_Part]:
    rows = DayCells.objects.filter(use_case__in=list(use_cases), family__in=FAMILIES)
    if window.begin is not None:
        rows = rows.filter(day__gte=window.begin.date())
    if window.end is not None:
        rows = rows.filter(day__lt=window.end.date())
    listed = rows.order_by("use_case", "day", "family")
    cells = listed.values_list("use_case_id", "day", "family", "blob_id")
    for (slug, _month), each in groupby(cells, lambda row: (row[0], row[1].replace(day=1))):
        own = tuple(row[1:] for row in each)
        text = "\n".join(f"{day.isoformat()} {family} {blob}" for day, family, blob in own)
        columns = f"{FAMILY} 1 {BY} {WHOLE} {REAL}\n"
        yield _Part(slug, own, hashlib.sha256((columns + text).encode()).hexdigest())


def _kept(parts: Sequence[_Part]) -> dict[_Part, Tables]:
    """What was added up before, and fits still."""
    rows = RunningCells.objects.filter(family=FAMILY, of__in=[part.of for part in parts])
    data = {(slug, of): data for slug, of, data in rows.values_list("use_case_id", "of", "data")}
    return {
        part: unpack(bytes(data[part.slug, part.of]))
        for part in parts
        if (part.slug, part.of) in data
    }


def _made(use_cases: Sequence[UseCase], parts: Sequence[_Part]) -> dict[_Part, Tables]:
    """Added up now, and kept, each in the place of the sum up to the same day before."""
    by_slug = {one.slug: one for one in use_cases}
    keys = {blob for part in parts for _day, _family, blob in part.cells}
    blobs = CellBlob.objects.filter(hash__in=keys).values_list("hash", "data")
    data = {key: bytes(each) for key, each in blobs}
    packed = {part: pack(_summed(by_slug[part.slug], part, data)) for part in parts}
    RunningCells.objects.bulk_create(
        [
            RunningCells(
                use_case_id=part.slug, day=part.last, family=FAMILY, of=part.of, data=packed[part]
            )
            for part in parts
        ],
        update_conflicts=True,
        unique_fields=["use_case", "day", "family"],
        update_fields=["of", "data"],
    )
    return {part: unpack(each) for part, each in packed.items()}


def _summed(use_case: UseCase, part: _Part, data: Mapping[str, bytes]) -> dict[str, Table]:
    whole: dict[str, dict[date, Any]] = {family: {} for family in FAMILIES}
    for day, family, blob in part.cells:
        whole[family][day] = unpack(data[blob])
    cells = WindowCells(use_case, protected_attributes(use_case), [], whole)
    parts = {
        "outcome": cells.table("outcome"),
        "volume": concat([_empty("volume"), *starmap(_dated, cells.each_day("outcome"))]),
        "people": cells.table("people"),
        "flow": cells.table("flow", "counts"),
        "breaches": _table_of(exceptions_of(cells, listed=False)[1]),
    }
    return {name: _added(name, table) for name, table in parts.items()}


def _dated(day: date, table: Table) -> Table:
    ordinal = np.full(table.length, day.toordinal(), dtype=np.int64)
    return table_from({}, {"day": ordinal, "unseen": table.ints("unseen"), "n": table.ints("n")})


def _table_of(counts: Counts) -> Table:
    """As the cells count them: by kind, and the decisions with any without a kind."""
    kinds: list[str | None] = [None, *counts.by_kind]
    decisions = [counts.affected, *counts.by_kind.values()]
    n = [counts.exceptions.total(), *(counts.exceptions[kind] for kind in counts.by_kind)]
    return table_of({"kind": kinds}, {"decisions": decisions, "n": n})


def _together(tables: Sequence[Tables]) -> dict[str, Table]:
    return {name: _added(name, concat([_empty(name), *(t[name] for t in tables)])) for name in BY}


def _added(name: str, table: Table) -> Table:
    texts, numbers = BY[name]
    return collapse(table, (*texts, *numbers), (*WHOLE.get(name, ("n",)), *REAL.get(name, ())))


def _empty(name: str) -> Table:
    texts, numbers = BY[name]
    return empty_table(texts, (*numbers, *WHOLE.get(name, ("n",))), REAL.get(name, ()))
