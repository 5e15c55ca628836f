"""Days of a month added up, so that a window of many days is read from a few tables.

For a family whose tables count alone (``cell``, ``n``, ``total``) the sum of a month's days up to one
of them is kept with a hash of what went into it. The days of a window are then, month by month, the
sum up to the last of them less the sum up to the day before the first. What does not fit the days in
force is counted anew from them, and kept: nothing has to be told that a day has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np

from apps.metrics.domain.packing import pack, unpack
from apps.metrics.domain.tables import Table, collapse, concat, where
from apps.metrics.models import CellBlob, DayCells, RunningCells
from apps.registry.models import UseCase

COUNTED: Final = {"cell", "n", "total"}
Tables = Mapping[str, Table]


class Stretch(NamedTuple):
    """The cells of a month's days from ``begin`` on: those of ``upto`` less those of ``before``.

    Their tables have a column ``day``: of a row with a ``total`` its ordinal, of others 0. So a
    total is never taken away again, and sums of floats are those of the days, to the bit.
    """

    begin: date
    upto: Tables
    before: Tables

    def tables(self, name: str) -> Iterator[Table]:
        """What adds up to one table of these days."""
        if name in self.upto:
            upto = self.upto[name]
            day = upto.ints("day")
            yield _counted(where(upto, (day == 0) | (day >= self.begin.toordinal())), 1)
        if name in self.before:
            before = self.before[name]
            yield _counted(where(before, before.ints("day") == 0), -1)


def _counted(table: Table, sign: int) -> Table:
    numbers = {"cell": table.ints("cell"), "n": sign * table.ints("n")}
    return Table({}, {**numbers, "total": table.floats("total")}, table.length)


class _Days(NamedTuple):
    """Days of one month in order, the last the one that they are summed up to, and their hash."""

    days: tuple[tuple[date, str], ...]
    of: str

    @property
    def last(self) -> date:
        return self.days[-1][0]


def stretches(
    use_case: UseCase, family: str, first: date | None, last: date | None
) -> tuple[list[Stretch], list[tuple[date, str]]]:
    """The days first <= day < last of a family, month by month; and these days with their hashes."""
    rows = DayCells.objects.filter(use_case=use_case, family=family).order_by("day")
    if first is not None:
        rows = rows.filter(day__gte=first.replace(day=1))
    if last is not None:
        rows = rows.filter(day__lt=last)
    found: list[tuple[date, _Days, _Days | None]] = []
    inside: list[tuple[date, str]] = []
    held = list(rows.values_list("day", "blob_id"))
    for _month, each in groupby(held, lambda row: row[0].replace(day=1)):
        days = list(each)
        own = [day for day in days if first is None or day[0] >= first]
        if own:
            earlier = days[: len(days) - len(own)]
            found.append((own[0][0], _up_to(days), _up_to(earlier) if earlier else None))
            inside += own
    wanted = [one for _begin, *both in found for one in both if one is not None]
    sums = _sums(use_case, family, wanted)
    return [
        Stretch(begin, sums[upto.of], {} if before is None else sums[before.of])
        for begin, upto, before in found
    ], inside


def _up_to(days: Sequence[tuple[date, str]]) -> _Days:
    text = "\n".join(f"{day.isoformat()} {key}" for day, key in days)
    return _Days(tuple(days), hashlib.sha256(text.encode("ascii")).hexdigest())


def _sums(use_case: UseCase, family: str, wanted: Sequence[_Days]) -> dict[str, Tables]:
    """Hash of the days -> their sum."""
    rows = RunningCells.objects.filter(
        use_case=use_case, family=family, of__in=[one.of for one in wanted]
    )
    kept = {of: unpack(bytes(data)) for of, data in rows.values_list("of", "data")}
    made = [one for one in wanted if one.of not in kept]
    if not made:
        return kept
    keys = {key for one in made for _day, key in one.days}
    blobs = CellBlob.objects.filter(hash__in=keys).values_list("hash", "data")
    data = {key: bytes(each) for key, each in blobs}
    packed = {one.of: _summed([(day, data[key]) for day, key in one.days]) for one in made}
    RunningCells.objects.bulk_create(
        [
            RunningCells(
                use_case=use_case, day=one.last, family=family, of=one.of, data=packed[one.of]
            )
            for one in made
        ],
        update_conflicts=True,
        unique_fields=["use_case", "day", "family"],
        update_fields=["of", "data"],
    )
    return kept | {of: unpack(each) for of, each in packed.items()}


def _summed(days: Sequence[tuple[date, bytes]]) -> bytes:
    parts: dict[str, list[Table]] = {}
    for day, data in days:
        for name, table in unpack(data).items():
            if table.texts.keys() | table.numbers.keys() == COUNTED:
                parts.setdefault(name, []).append(_dated(table, day))
    tables = {
        name: collapse(concat(each), ("cell", "day"), ("n", "total"))
        for name, each in parts.items()
    }
    return pack(tables, dict.fromkeys(tables, "cell"))


def _dated(table: Table, day: date) -> Table:
    ordinal = np.where(table.floats("total") != 0, day.toordinal(), 0).astype(np.int64)
    return Table(table.texts, {**table.numbers, "day": ordinal}, table.length)
