"""Cells of a window: whole days as they are stored, the days at its ends counted when asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from apps.metrics.cells.attributes import protected_attributes
from apps.metrics.cells.building import build
from apps.metrics.cells.days import DAY, midnight
from apps.metrics.cells.families import EARLIER, GROUP, empty, shape_of
from apps.metrics.cells.refreshing import cells_refresh
from apps.metrics.cells.running import Stretch, stretches
from apps.metrics.cells.storing import Packed, keep_blobs, packed
from apps.metrics.domain.axes import Runs, each_alone, summed
from apps.metrics.domain.packing import runs_in, unpack
from apps.metrics.domain.tables import NONE, Ints, Table, Text, concat
from apps.metrics.first_reading import Window
from apps.metrics.models import FAMILIES, CellBlob, DayCells
from apps.registry.models import UseCase

Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class WindowCells:
    """The cells of some families over the days of a window.

    ``used``: rows of [day, family, hash], by which ``cells_of`` reads the same again; ``whole``:
    family -> day -> its tables by name; ``edges``: what is packed of the days at the window's ends
    and may not be stored yet (see ``cells_keep``); ``sums``: of the families that were asked for
    so, the whole days by month instead (see ``added_up``).
    """

    use_case: UseCase
    attributes: tuple[str, ...]
    used: list[list[str]]
    whole: Mapping[str, Mapping[date, Tables]]
    edges: Sequence[Packed] = field(default=())
    sums: Mapping[str, Sequence[Stretch]] = field(default_factory=dict)
    _read: dict[tuple[str, str], dict[date, Table]] = field(init=False, default_factory=dict)
    _joined: dict[tuple[str, str], Table] = field(init=False, default_factory=dict)

    @property
    def days(self) -> tuple[date, ...]:
        """The days that hold a decision, in order."""
        return tuple(sorted({day for days in self.whole.values() for day in days}))

    @property
    def decisions(self) -> int:
        """How many decisions there are. Raises: ValueError: no family was read that tells."""
        if "outcome" in self.whole:
            return int(self.table("outcome").ints("n").sum())
        return int(self.table("confidence").ints("n").sum())

    def names(self, family: str) -> tuple[str, ...]:
        """The names of a family's tables, those of all its days."""
        found = self._family(family).values()
        return tuple(sorted({name for tables in found for name in tables}))

    def table(self, family: str, name: str | None = None) -> Table:
        """A table of all days together, in their order; equal rows are not yet added up.

        Parameters: ``family``; ``name`` of the table, the family's own where it is not given.
        Raises: ValueError: the family was not read, or has no such table.
        """
        key = (family, family if name is None else name)
        if key not in self._joined:
            tables = list(self.per_day(*key).values())
            nothing = empty(shape_of(*key), self.attributes)
            self._joined[key] = concat(tables) if tables else nothing
        return self._joined[key]

    def summed(self, family: str, name: str | None = None) -> Table:
        """A table with an axis of all days together, equal rows added up.

        Parameters: as for ``table``. Raises: ValueError: as there, and where it has sums of floats.
        """
        name = family if name is None else name
        shape = shape_of(family, name)
        if shape.axis is None or shape.sums:
            raise ValueError(f"table={name!r} of {family}: it does not count alone along an axis")
        like = each_alone(empty(shape, self.attributes), shape.axis).heads
        parts = [Runs(like, np.zeros(0, dtype=np.int64))]
        for _day, tables, kept in self._stored(family, name):
            if kept not in tables:
                continue
            one = runs_in(tables, kept)
            runs = one if isinstance(one, Runs) else each_alone(one, shape.axis)
            parts.append(Runs(self._fitted(runs.heads, like), runs.counts))
        return summed(parts, shape.axis)

    def per_day(self, family: str, name: str | None = None) -> dict[date, Table]:
        """A table of each day, the days in order."""
        key = (family, family if name is None else name)
        if key not in self._read:
            self._read[key] = dict(self.each_day(*key))
        return self._read[key]

    def each_day(self, family: str, name: str | None = None) -> Iterator[tuple[date, Table]]:
        """The same one after the other, none of them kept: for those with thousands of rows a day."""
        name = family if name is None else name
        nothing = empty(shape_of(family, name), self.attributes)
        for day, tables, kept in self._stored(family, name):
            yield day, self._fitted(tables.get(kept, nothing), nothing)

    def added_up(self, family: str, name: str) -> Iterator[Table]:
        """Tables of whole numbers that add up to one of the window, and of floats in the order of
        the days: a few for each month where ``sums`` has the family, else one a day."""
        months = self.sums.get(family, ())
        begin = months[0].begin if months else date.max
        days = list(self.each_day(family, name))
        yield from (table for day, table in days if day < begin)
        for month in months:
            yield from month.tables(name)
        yield from (table for day, table in days if day >= begin)

    def _stored(self, family: str, name: str) -> Iterator[tuple[date, Tables, str]]:
        """Each day's tables in order, and under which name a table of today stands in them."""
        for day, tables in sorted(self._family(family).items()):
            yield day, tables, name if name in tables else EARLIER.get((family, name), name)

    def _family(self, family: str) -> Mapping[date, Tables]:
        if family not in self.whole:
            raise ValueError(f"family={family!r} was not read; read were {sorted(self.whole)}")
        return self.whole[family]

    def _fitted(self, table: Table, like: Table) -> Table:
        """A day's table with the columns of today: cells of an earlier time may know other protected
        attributes, and hold what is no longer counted.

        Raises: ValueError: they lack a column that is.
        """
        if table.texts.keys() == like.texts.keys() and table.numbers.keys() == like.numbers.keys():
            return table
        texts = {name: text for name, text in table.texts.items() if name in like.texts}
        numbers = {name: each for name, each in table.numbers.items() if name in like.numbers}
        for name in sorted(like.texts.keys() - texts.keys()):
            if not name.startswith(GROUP):
                raise ValueError(_lacking(name))
            codes: Ints = np.full(table.length, NONE, dtype=np.int64)
            texts[name] = Text(codes, ())
        for name in sorted(like.numbers.keys() - numbers.keys()):
            raise ValueError(_lacking(name))
        return Table(texts, numbers, table.length)


def _lacking(column: str) -> str:
    return (
        f"these cells have no column {column!r}: they were counted by an earlier version, which did "
        "not count it"
    )


def read_cells(
    use_case: UseCase,
    window: Window,
    families: Iterable[str] = FAMILIES,
    *,
    refresh: bool = True,
    rolled: Collection[str] = (),
) -> WindowCells:
    """The cells of a window of a use case; days that have changed are counted again before.

    Parameters: ``window``: decisions with begin <= time < end, by decided_at; ``families``;
    ``refresh``: False reads what is stored as it is; ``rolled``: the families among them that are
    only added up (see ``WindowCells.added_up``).
    Raises: ValueError: there is no such family.
    """
    chosen = _chosen(families)
    if refresh:
        cells_refresh(use_case)
    first, last, partial = _days_of(window)
    daily = [family for family in chosen if family not in rolled]
    rows = DayCells.objects.filter(use_case=use_case, family__in=daily)
    if first is not None:
        rows = rows.filter(day__gte=first)
    if last is not None:
        rows = rows.filter(day__lt=last)
    found = [
        Packed(day, family, key, bytes(data))
        for day, family, key, data in rows.order_by("day", "family").values_list(
            "day", "family", "blob_id", "blob__data"
        )
    ]
    edges = [one for begin, end in partial for one in _edge(use_case, begin, end, chosen)]
    cells = _window_cells(use_case, [*found, *edges], chosen, edges)
    return _rolled(cells, rolled, first, last) if rolled else cells


def _rolled(
    cells: WindowCells, families: Collection[str], first: date | None, last: date | None
) -> WindowCells:
    sums, used = {}, list(cells.used)
    for family in families:
        sums[family], days = stretches(cells.use_case, family, first, last)
        used += [[day.isoformat(), family, key] for day, key in days]
    return replace(cells, used=sorted(used), sums=sums)


def _chosen(families: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(families))
    for family in chosen:
        if family not in FAMILIES:
            raise ValueError(f"family={family!r}: there are {', '.join(FAMILIES)}")
    return chosen


def _days_of(
    window: Window,
) -> tuple[date | None, date | None, list[tuple[datetime, datetime]]]:
    """The whole days [first, last) of a window, and the parts of days at its ends."""
    begin = window.begin.astimezone(UTC) if window.begin else None
    end = window.end.astimezone(UTC) if window.end else None
    if begin and end and begin.date() == end.date():
        return begin.date(), begin.date(), [(begin, end)] if begin < end else []
    partial: list[tuple[datetime, datetime]] = []
    first = last = None
    if begin is not None:
        first = begin.date()
        if begin > midnight(first):
            partial.append((begin, midnight(first) + DAY))
            first += DAY
    if end is not None:
        last = end.date()
        if end > midnight(last):
            partial.append((midnight(last), end))
    return first, last, partial


def _edge(use_case: UseCase, begin: datetime, end: datetime, chosen: list[str]) -> list[Packed]:
    built = build(use_case, begin, end)
    if not built.rows:
        return []
    return [one for one in packed(begin.astimezone(UTC).date(), built) if one.family in chosen]


def _window_cells(
    use_case: UseCase, found: Sequence[Packed], chosen: Iterable[str], edges: Sequence[Packed] = ()
) -> WindowCells:
    whole: dict[str, dict[date, Tables]] = {family: {} for family in chosen}
    for one in found:
        whole[one.family][one.day] = unpack(one.data)
    used = sorted([one.day.isoformat(), one.family, one.hash] for one in found)
    return WindowCells(use_case, protected_attributes(use_case), used, whole, edges)


def cells_keep(cells: WindowCells) -> None:
    """Store what was counted for the ends of the window, so that a report can name it."""
    keep_blobs(cells.edges)


def cells_of(use_case: UseCase, used: Sequence[Sequence[Any]]) -> WindowCells:
    """The same cells again, by what a report says it used; nothing is counted anew.

    Raises: ValueError: a blob is not there.
    """
    wanted = {str(key) for _day, _family, key in used}
    data = {
        str(key): bytes(blob)
        for key, blob in CellBlob.objects.filter(hash__in=wanted).values_list("hash", "data")
    }
    missing = sorted(wanted - data.keys())
    if missing:
        raise ValueError(f"these cells are not stored: {', '.join(missing)}")
    found = [Packed(date.fromisoformat(day), family, key, data[key]) for day, family, key in used]
    families = dict.fromkeys([*(one.family for one in found)] or FAMILIES)
    return _window_cells(use_case, found, families)
