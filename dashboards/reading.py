"""Figures of a dashboard: reports made from stored cells, without storing one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from threading import Lock
from typing import Any

import numpy as np
from django.db.models import Max
from django.utils import timezone

from apps.metrics.cells.window import WindowCells, read_cells
from apps.metrics.domain.tables import Mask, Table, where
from apps.metrics.facts import facts_of
from apps.metrics.first_reading import Window
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.models import DayCells
from apps.metrics.reports import figures_of, reference_cells
from apps.registry.models import UseCase
from dashboards.filters import Filter

KEPT = 256
GROUP = "group:"
# Kinds of report whose cells know neither model version nor group, or not all of them: narrowing
# a part of what they divide would give shares of two different wholes.
UNDIVIDED = frozenset({"business", "compliance", "drift", "operations"})
Documents = dict[str, dict[str, Any]]


class Kept:
    """Cells of a window, each table put together once however many reports ask for it."""

    def __init__(self, cells: WindowCells) -> None:
        self._cells = cells
        self._tables: dict[tuple[str, str | None], Table] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cells, name)

    @property
    def decisions(self) -> int:
        return int(self.table("outcome").ints("n").sum())

    def table(self, family: str, name: str | None = None) -> Table:
        key = (family, name)
        if key not in self._tables:
            self._tables[key] = self._cells.table(family, name)
        return self._tables[key]


class Narrowed:
    """Cells of one model version, or of one group, where their tables tell these apart."""

    def __init__(self, cells: Any, version: str, group: str) -> None:
        self._cells = cells
        attribute, _, value = group.partition("=")
        self._wanted = {
            name: value
            for name, value in (("version", version), (f"{GROUP}{attribute}", value))
            if value
        }

    @property
    def days(self) -> Sequence[date]:
        return self._cells.days

    @property
    def decisions(self) -> int:
        return int(self.table("outcome").ints("n").sum())

    @property
    def used(self) -> list[list[str]]:
        return self._cells.used

    def names(self, family: str) -> tuple[str, ...]:
        return self._cells.names(family)

    def table(self, family: str, name: str | None = None) -> Table:
        return self._narrow(self._cells.table(family, name))

    def per_day(self, family: str, name: str | None = None) -> Mapping[date, Table]:
        return dict(self.each_day(family, name))

    def each_day(self, family: str, name: str | None = None) -> Iterator[tuple[date, Table]]:
        for day, table in self._cells.each_day(family, name):
            yield day, self._narrow(table)

    def added_up(self, family: str, name: str) -> Iterator[Table]:
        return map(self._narrow, self._cells.added_up(family, name))

    def _narrow(self, table: Table) -> Table:
        mask: Mask = np.ones(table.length, dtype=bool)
        for column, value in self._wanted.items():
            text = table.texts.get(column)
            if text is not None:
                code = text.names.index(value) if value in text.names else -2
                mask &= text.codes == code
        return table if mask.all() else where(table, mask)


class _Recent:
    """The last figures made in this process, by the cells that they were made of."""

    def __init__(self) -> None:
        self._lock, self._kept = Lock(), OrderedDict[Any, Documents]()

    def get(self, key: Any) -> Documents | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: Any, made: Documents) -> None:
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def forget(self) -> None:
        """Keep nothing: the next figures are made from the cells."""
        with self._lock:
            self._kept.clear()


_recent = _Recent()
forget = _recent.forget


def figures(
    use_case: UseCase,
    window: Window,
    kinds: Iterable[str],
    version: str = "",
    group: str = "",
) -> Documents:
    """What is shown of some kinds of report, by kind; those of UNDIVIDED are of every model
    version and group.

    Made from the cells as they are stored: what changed since shows when the worker has counted
    the day again, within a minute.
    """
    chosen = tuple(kinds)
    key = (use_case.slug, window, chosen, version, group, _stamp(use_case, window))
    made = _recent.get(key)
    if made is None:
        made = _made(use_case, window, chosen, version, group)
        _recent.keep(key, made)
    return made


def _made(
    use_case: UseCase, window: Window, kinds: Sequence[str], version: str, group: str
) -> Documents:
    families = {"outcome", *(one for kind in kinds for one in KINDS[kind].families)}
    rolled = {one for kind in kinds for one in KINDS[kind].rolled}
    whole: Any = Kept(read_cells(use_case, window, sorted(families), refresh=False, rolled=rolled))
    narrowed: Any = Narrowed(whole, version, group) if version or group else whole
    made: Documents = {}
    for kind in kinds:
        cells: Any = whole if kind in UNDIVIDED else narrowed
        facts = facts_of(kind, use_case, window, cells, timezone.now())
        reference = reference_cells(use_case, kind, facts)
        made[kind] = figures_of(kind, cells, facts, reference, shown=True)
    return made


def _stamp(use_case: UseCase, window: Window) -> tuple[Any, ...]:
    """When the window's cells were last counted, and the minute, for what is as of now."""
    newest = counted_at([use_case], window).get(use_case.slug)
    return newest, timezone.now().replace(second=0, microsecond=0)


def kept_or_made(key: Any, make: Callable[[], Documents]) -> Documents:
    """Figures that were made before under this key, or made now."""
    found = _recent.get(key)
    if found is None:
        found = make()
        _recent.keep(key, found)
    return found


def counted_at(use_cases: Sequence[UseCase], window: Window) -> dict[str, Any]:
    """Slug -> when the window's cells were last counted, of those that have any."""
    rows = DayCells.objects.filter(use_case__in=[*use_cases])
    if window.begin is not None:
        rows = rows.filter(day__gte=window.begin.date())
    if window.end is not None:
        rows = rows.filter(day__lt=window.end.date())
    return dict(rows.values_list("use_case_id").annotate(newest=Max("built_at")).order_by())


def of_filter(wanted: Filter, kinds: Iterable[str]) -> Documents:
    """The figures of the one use case of a filter."""
    return figures(wanted.use_cases[0], wanted.window, kinds, wanted.version, wanted.group)
