"""Cells of what went through: lanes, waits, time limits, interventions, edge cases, satisfaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from apps.metrics.cells.columns import Columns
from apps.metrics.cells.judging import cells_of_seconds, is_human
from apps.metrics.cells.reading import Chunk
from apps.metrics.cells.tracing import Traced
from apps.metrics.domain.tables import Table, collapse, table_of

ENDED: Final = ("closed", "lapsed")
EDGES: Final = {
    "novelty": "novel",
    "confidence_below_threshold": "low_confidence",
    "confidence_missing": "low_confidence",
    "rule": "rule_matched",
}
Key = tuple[str, str | None, str | None]


class Counts:
    """Counts and sums by name, and by ``a`` and ``b``."""

    def __init__(self) -> None:
        self.n: Counter[Key] = Counter()
        self.total: dict[Key, float] = defaultdict(float)
        self.squares: dict[Key, float] = defaultdict(float)

    def add(self, name: str, a: str | None = None, b: str | None = None, n: int = 1) -> None:
        self.n[name, a, b] += n

    def value(self, name: str, a: str | None, value: float) -> None:
        key = (name, a, None)
        self.n[key] += 1
        self.total[key] += value
        self.squares[key] += value * value

    def table(self) -> Table:
        keys = [key for key, n in self.n.items() if n]
        names, a, b = zip(*keys, strict=True) if keys else ((), (), ())
        return table_of(
            {"name": names, "a": a, "b": b},
            {"n": [self.n[key] for key in keys]},
            {
                "total": [self.total.get(key, 0.0) for key in keys],
                "squares": [self.squares.get(key, 0.0) for key in keys],
            },
        )


def flow_tables(chunk: Chunk, columns: Columns, traced: Traced) -> dict[str, Table]:
    """The tables of ``flow``."""
    counts = Counts()
    for how, n in traced.counts.items():
        counts.add("traced", how, n=n)
    decided = {one.place for one in chunk.reviews if is_human(one)}
    _lanes(counts, chunk, columns)
    _tasks(counts, chunk)
    _reviews(counts, chunk)
    _changes(counts, chunk, columns, decided)
    _edges(counts, chunk, columns, decided)
    for past, truth in zip(chunk.decisions.past, chunk.truths, strict=True):
        if truth.satisfaction is not None:
            counts.value("satisfaction", "before" if past else "after", truth.satisfaction)
    return {"counts": counts.table(), "times": _times(chunk)}


def _lanes(counts: Counts, chunk: Chunk, columns: Columns) -> None:
    decisions = chunk.decisions
    for (lane, status), n in Counter(zip(decisions.lane, decisions.status, strict=True)).items():
        counts.add("lane", lane, status, n)
    counts.add("automatic", n=int(columns.table.ints("unseen").sum()))


def _tasks(counts: Counts, chunk: Chunk) -> None:
    """Time limits of tasks that have ended, and decisions that were escalated.

    An open task counts when it ends: the sweep ends each that is over its time.
    """
    for task in chunk.tasks:
        if task.due_at is not None and task.status in ENDED:
            counts.add("due")
            if task.status == "closed" and task.closed_at and task.closed_at <= task.due_at:
                counts.add("met")
    counts.add("escalated", n=len({task.place for task in chunk.tasks if task.level}))


def _reviews(counts: Counts, chunk: Chunk) -> None:
    people = [one for one in chunk.reviews if is_human(one)]
    counts.add("reviewed", n=len({one.place for one in people}))
    counts.add("reviews", n=len(people))
    for one in people:
        if one.active_seconds is None:
            counts.add("untimed")
        else:
            counts.value("review_seconds", None, one.active_seconds)


def _changes(counts: Counts, chunk: Chunk, columns: Columns, decided: set[int]) -> None:
    """Decisions that supervisors stepped into, and those that reviewers took otherwise."""
    decisions = chunk.decisions
    counts.add("interventions", n=len(chunk.intervened))
    for place in decided:
        if decisions.status[place] == "pending":
            continue
        if decisions.kind[place] == "label":
            other = columns.in_effect[place] != decisions.label[place]
        else:
            changed = decisions.final_commitment[place] is not None
            other = changed or decisions.status[place] == "withheld"
        counts.add("overridden", n=other)


def _edges(counts: Counts, chunk: Chunk, columns: Columns, decided: set[int]) -> None:
    right = columns.table.ints("right_final").tolist()
    for place, codes in enumerate(chunk.decisions.reason_codes):
        for kind in {EDGES[code] for code in codes.split() if code in EDGES}:
            counts.add("edge", kind, "n")
            if place in decided:
                counts.add("edge", kind, "seen")
                if right[place] >= 0:
                    counts.add("edge", kind, "known")
                    counts.add("edge", kind, "right", right[place])


def _times(chunk: Chunk) -> Table:
    rows = [*_waits(chunk), *_handling(chunk), *_releases(chunk)]
    names, lanes, seconds = zip(*rows, strict=True) if rows else ((), (), ())
    table = table_of(
        {"name": names, "a": lanes},
        {"cell": cells_of_seconds(seconds), "n": [1] * len(rows)},
        {"total": seconds},
    )
    return collapse(table, ("name", "a", "cell"), ("n", "total"))


Time = tuple[str, str, float]


def _waits(chunk: Chunk) -> Iterator[Time]:
    for place, seconds in chunk.waits:
        yield "wait", chunk.decisions.lane[place], seconds


def _handling(chunk: Chunk) -> Iterator[Time]:
    for one in chunk.reviews:
        if is_human(one) and one.active_seconds is not None:
            yield "handling", chunk.decisions.lane[one.place], max(0.0, one.active_seconds)


def _releases(chunk: Chunk) -> Iterator[Time]:
    """From ingest to release; what was acted on before it came is left out."""
    decisions = chunk.decisions
    for place, (settled, past, status) in enumerate(
        zip(decisions.settled, decisions.past, decisions.status, strict=True)
    ):
        if settled and not past and status == "released":
            opened, ended = decisions.opened[place], decisions.ended[place]
            seconds = (ended - opened).total_seconds() if opened and ended else 0.0
            yield "release", decisions.lane[place], seconds
