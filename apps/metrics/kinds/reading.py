"""What several kinds of report read from cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Protocol

import numpy as np

from apps.metrics.domain.accuracy import Labels
from apps.metrics.domain.estimates import Estimate
from apps.metrics.domain.tables import Ints, Mask, Table, codes_by, collapse
from apps.metrics.domain.verdicts import majority_of_counts

GROUP: Final = "group:"
UNKNOWN: Final = -1
OTHER: Final = "(a label that has left the set)"
DAYS_SHOWN: Final = 31
WEEKS_SHOWN: Final = 31

Facts = Mapping[str, Any]


class Cells(Protocol):
    """The cells of a window, as ``apps.metrics.cells`` reads them."""

    @property
    def decisions(self) -> int: ...

    @property
    def days(self) -> Sequence[date]: ...

    def table(self, family: str, name: str | None = None) -> Table: ...

    def per_day(self, family: str, name: str | None = None) -> Mapping[date, Table]: ...

    def each_day(self, family: str, name: str | None = None) -> Iterator[tuple[date, Table]]: ...

    def added_up(self, family: str, name: str) -> Iterator[Table]: ...

    def names(self, family: str) -> tuple[str, ...]: ...


def label_set(facts: Facts) -> Labels:
    """The use case's labels, as the facts of a report state them."""
    names, favourable, positive = (facts[name] for name in ("labels", "favourable", "positive"))
    return Labels(tuple(names), favourable, positive)


def counted(n: Ints, mask: Mask) -> int:
    """How many cases the cells of a mask stand for."""
    return int(n[mask].sum())


def pairs(table: Table, given: str, mask: Mask | None = None) -> Counter[tuple[str, str]]:
    """(true label, given label) -> cases, of those cells of a mask that hold both.

    Parameters: ``table`` with the texts "true" and ``given`` and the numbers "n".
    """
    true, other = table.texts["true"], table.texts[given]
    used = (true.codes != UNKNOWN) & (other.codes != UNKNOWN)
    used = used if mask is None else used & mask
    width = max(1, len(other.names))
    key = true.codes[used] * width + other.codes[used]
    sums = np.bincount(key, table.ints("n")[used], minlength=len(true.names) * width)
    places = np.flatnonzero(sums)
    return Counter(
        {(true.names[at // width], other.names[at % width]): int(sums[at]) for at in places}
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """Cases with first verdicts of people; arrays of R rows.

    ``names``: K labels; ``verdicts``: (R, K) counts; ``true`` and ``given``: codes into names, -1
    for none; ``consensus``: the plain majority, a code; ``right_final``: -1, 0 or 1; ``n``: cases.
    """

    names: tuple[str, ...]
    verdicts: Ints
    true: Ints
    given: Ints
    consensus: Ints
    right_final: Ints
    n: Ints

    @property
    def sizes(self) -> Ints:
        """First verdicts of a case, shape (R,)."""
        sizes: Ints = self.verdicts.sum(axis=1)
        return sizes

    @property
    def hits(self) -> Ints:
        """First verdicts that name the true label; 0 where there is none, shape (R,)."""
        known = self.true != UNKNOWN
        hits = np.zeros(len(self.n), dtype=np.int64)
        hits[known] = self.verdicts[known, self.true[known]]
        return hits

    def of(self, label: str) -> Ints:
        """First verdicts that name a label, shape (R,); 0 for one nobody knows."""
        if label not in self.names:
            return np.zeros(len(self.n), dtype=np.int64)
        found: Ints = self.verdicts[:, self.names.index(label)]
        return found


def judged_of(table: Table, labels: Labels) -> Judged:
    """The family ``people`` with its patterns read.

    Parameters: ``table`` of the family; ``labels``, in whose order the patterns count.
    Returns: Judged; after the use case's labels comes OTHER, then those that stand in the cells alone.
    """
    table = collapse(table, ("given", "true", "pattern", "right_final"), ("n",))
    seen = {name for column in ("true", "given") for name in table.texts[column].names}
    names = (*labels.names, OTHER, *sorted(seen - set(labels.names)))
    text = table.texts["pattern"]
    patterns = np.zeros((len(text.names), len(names)), dtype=np.int64)
    for row, pattern in zip(patterns, text.names, strict=True):
        counts = [int(one) for one in pattern.split(",")]
        row[: len(counts)] = counts
    majority = [_majority(row, names, labels.favourable) for row in patterns.tolist()]
    return Judged(
        names,
        patterns[text.codes],
        codes_by(table, "true", names),
        codes_by(table, "given", names),
        np.array(majority, dtype=np.int64)[text.codes],
        table.ints("right_final"),
        table.ints("n"),
    )


def _majority(counts: Sequence[int], names: tuple[str, ...], favourable: str) -> int:
    found = majority_of_counts(dict(zip(names, counts, strict=True)), names, favourable)
    return UNKNOWN if found is None else names.index(found)


def attributes_of(table: Table) -> tuple[str, ...]:
    """The protected attributes by which a table's cells are split, sorted."""
    return tuple(sorted(name[len(GROUP) :] for name in table.texts if name.startswith(GROUP)))


def documents(figures: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    """Estimates by name as JSON objects."""
    return {name: one.document() for name, one in figures.items()}


def periods(days: Iterable[date]) -> list[tuple[date, date, list[date]]]:
    """Days put together so that a series can be read.

    Definition: single days up to 31 of them from first to last, then weeks from Monday up to 31 of
    them, then calendar months. Periods without a day are left out.
    Parameters: ``days``, those with cells. Returns: (first day, last day, the days with cells).
    """
    every = sorted(days)
    if not every:
        return []
    span = (every[-1] - every[0]).days + 1
    begin = _month if span > 7 * WEEKS_SHOWN else _week if span > DAYS_SHOWN else _day
    found: dict[date, list[date]] = {}
    for day in every:
        found.setdefault(begin(day), []).append(day)
    return [(first, _last(first, begin), among) for first, among in found.items()]


def _day(day: date) -> date:
    return day


def _week(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _month(day: date) -> date:
    return day.replace(day=1)


def _last(first: date, begin: Any) -> date:
    """The last day that belongs to the period of ``first``."""
    last = first
    while begin(last + timedelta(days=1)) == first:
        last += timedelta(days=1)
    return last
