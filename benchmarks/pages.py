"""Figures of pages and dashboards with many decisions, and with few."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

from benchmarks.bench import Bench
from benchmarks.database import own_database
from benchmarks.figures import Figure

STEPS = "benchmarks.pages_steps"
FEW, MANY = 10_000, 1_000_000
# What came in within so many hours waits: with few as well so much that it fills a page, since one
# of nine rows is no measure of the same with fifty.
OPEN_HOURS = {FEW: 720, MANY: 48}
CALLS, TURNS = 10, 4  # all requests, then all of them again: what is busy for a minute is in each
WORKERS = 2
NOTICED_MS = 10  # what grows by less is no slower to anybody
MOST_MS = {"pages": 200, "tables": 1_000, "figures": 500}
Measured = dict[str, dict[str, Any]]


def answering(bench: Bench) -> Iterator[Figure]:
    """Each page and each dashboard's data at p95, the slowest of its kind named; what becomes of
    the time and of the queries with a hundred times as many decisions."""
    with ExitStack() as stack:
        many = max(10 * FEW, int(MANY * bench.scale))
        small = stack.enter_context(_holding(bench, FEW, OPEN_HOURS[FEW]))
        large = stack.enter_context(_holding(bench, many, OPEN_HOURS[MANY]))
        for kind, most in MOST_MS.items():
            yield from _figures(bench, kind, most, *asked_in_turns(small, large, kind))


def asked_in_turns(small: Bench, large: Bench, kind: str) -> tuple[Measured, Measured]:
    """Each request to the one and at once to the other, again and again, so that both meet the same
    machine, however busy others keep it. A request is the same in both by its place: names hold ids.
    """
    with small.talking(STEPS, "answer", kind) as one, large.talking(STEPS, "answer", kind) as other:
        few, lots = _Asked(one), _Asked(other)
        for _ in range(TURNS):
            for place in range(len(few.names)):
                for _ in range(CALLS):
                    few.once(place)
                    lots.once(place)
        return few.measured(), lots.measured()


class _Asked:
    """What a process of ``pages_steps.answer`` has said so far."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask
        self.names: list[str] = ask("names")
        self._queries = [ask("queries", place) for place in range(len(self.names))]
        self._answers: list[list[Any]] = [[] for _ in self.names]

    def once(self, place: int) -> None:
        self._answers[place].append(self._ask("once", place))

    def measured(self) -> Measured:
        found: Measured = {}
        for name, queries, answers in zip(self.names, self._queries, self._answers, strict=True):
            ms = sorted(answer["ms"] for answer in answers)
            found[name] = {
                "median_ms": median(ms),
                "p95_ms": ms[-(-95 * len(ms) // 100) - 1],
                "cpu_ms": median(answer["cpu_ms"] for answer in answers),
                "rows": answers[0]["rows"],
                "queries": queries,
            }
        return found


@contextmanager
def _holding(bench: Bench, decisions: int, open_hours: int) -> Iterator[Bench]:
    """A database of its own, as workers leave it: written, sealed, verified, counted."""
    with own_database(f"pages_{decisions}") as environment:
        held = Bench(bench.scale, environment)
        held.process(STEPS, "prepare", open_hours)
        held.process(STEPS, "write", decisions, open_hours)
        held.process(STEPS, "seal")
        held.process(STEPS, "mark")
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda part: held.process(STEPS, "build", part, WORKERS), range(WORKERS)))
        held.process(STEPS, "settle")
        yield held


def _figures(
    bench: Bench, kind: str, most: float, few: Measured, lots: Measured
) -> Iterator[Figure]:
    """Each request is the same in both by its place: names hold ids, which differ."""
    pairs = list(zip(few.values(), lots.items(), strict=True))
    slow = max(lots, key=lambda name: lots[name]["p95_ms"])
    more = [(_more(small["queries"], large["queries"]), name) for small, (name, large) in pairs]
    growth = [(_growth(small, large), name) for small, (name, large) in pairs]
    bench.shared[f"pages-{kind}"] = lots
    print(f"  {kind}: slowest {slow}; most queries more {max(more)[1]}", flush=True)
    for name, one in sorted(lots.items(), key=lambda entry: -entry[1]["p95_ms"])[:10]:
        print(
            f"  {one['p95_ms']:7.0f} ms  {sum(one['queries'].values()):3.0f} queries  {name}",
            flush=True,
        )
    for ratio, name in sorted(growth, reverse=True)[:10]:
        print(f"  {ratio:7.2f} times  {lots[name]['median_ms']:4.0f} ms  {name}", flush=True)
    yield Figure(f"pages-{kind}-p95", lots[slow]["p95_ms"], most, "ms", lower_is_better=True)
    yield Figure(f"pages-{kind}-growth", max(growth)[0], 1.5, "ratio", lower_is_better=True)
    yield Figure(f"pages-{kind}-more-queries", max(more)[0], 0, "queries", lower_is_better=True)


def _more(small: Mapping[str, int], large: Mapping[str, int]) -> int:
    """Queries that are sent again and again where there is more. One that is not sent at all where
    there is nothing to ask of, of an empty list, is none."""
    return sum(max(0, n - max(1, small.get(shape, 0))) for shape, n in large.items())


def _growth(small: Mapping[str, Any], large: Mapping[str, Any]) -> float:
    """Median against median; of a table to take away, of as many rows."""
    before = small["median_ms"] * large["rows"] / small["rows"]
    if large["median_ms"] - before < NOTICED_MS:
        return 1.0
    return float(large["median_ms"] / before)
