"""Figures of pages and dashboards with many decisions, and with few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
CALLS, TURNS = 10, 4
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
            # in turns, so that both meet the same machine, however busy others keep it
            asked = [
                [one.process(STEPS, "ask", kind, CALLS) for one in (small, large)]
                for _ in range(TURNS)
            ]
            few, lots = (_together([turn[n] for turn in asked]) for n in (0, 1))
            yield from _figures(bench, kind, most, few, lots)


def _together(turns: list[Measured]) -> Measured:
    """One request's times of all turns; it is the same by its place, since names hold the hour."""
    found: Measured = {}
    for (name, one), *others in zip(*(turn.items() for turn in turns), strict=True):
        each = [one["ms"], *(other["ms"] for _name, other in others)]
        ms = sorted(ms for turn in each for ms in turn)
        p95 = ms[-(-95 * len(ms) // 100) - 1]
        # of the quietest turn: growth is of the work, not of what else the machine does meanwhile
        found[name] = {**one, "p95_ms": p95, "median_ms": min(map(median, each))}
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
    more = [(_more(small["shapes"], large["shapes"]), name) for small, (name, large) in pairs]
    growth = [(_growth(small, large), name) for small, (name, large) in pairs]
    bench.shared[f"pages-{kind}"] = lots
    print(f"  {kind}: slowest {slow}; most queries more {max(more)[1]}", flush=True)
    for name, one in sorted(lots.items(), key=lambda entry: -entry[1]["p95_ms"])[:10]:
        print(f"  {one['p95_ms']:7.0f} ms  {one['queries']:3.0f} queries  {name}", flush=True)
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
