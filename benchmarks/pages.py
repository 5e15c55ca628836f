"""Figures of pages and dashboards with many decisions, and with few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.bench import Bench
from benchmarks.database import own_database
from benchmarks.figures import Figure

STEPS = "benchmarks.pages_steps"
FEW, MANY = 10_000, 1_000_000
CALLS = 40
WORKERS = 2
NOTICED_MS = 10  # what grows by less is no slower to anybody
MOST_MS = {"pages": 200, "tables": 1_000, "figures": 500}
Measured = dict[str, dict[str, float]]


def answering(bench: Bench) -> Iterator[Figure]:
    """Each page and each dashboard's data at p95, the slowest of its kind named; what becomes of
    the time and of the queries with a hundred times as many decisions."""
    with ExitStack() as stack:
        many = max(10 * FEW, int(MANY * bench.scale))
        small, large = (stack.enter_context(_holding(bench, n)) for n in (FEW, many))
        for kind, most in MOST_MS.items():
            calls = max(5, int(CALLS * bench.scale))
            few: Measured = small.process(STEPS, "ask", kind, calls)
            lots: Measured = large.process(STEPS, "ask", kind, calls)
            yield from _figures(bench, kind, most, few, lots)


@contextmanager
def _holding(bench: Bench, decisions: int) -> Iterator[Bench]:
    """A database of its own, as workers leave it: written, sealed, verified, counted."""
    with own_database(f"pages_{decisions}") as environment:
        held = Bench(bench.scale, environment)
        held.process(STEPS, "prepare")
        held.process(STEPS, "write", decisions)
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
    more = [large["queries"] - small["queries"] for small, (_name, large) in pairs]
    growth = [(_growth(small, large), name) for small, (name, large) in pairs]
    worst, grown = max(growth)
    bench.shared[f"pages-{kind}"] = lots
    print(f"  {kind}: slowest {slow}; most grown {grown}", flush=True)
    for name, one in sorted(lots.items(), key=lambda entry: -entry[1]["p95_ms"])[:10]:
        print(f"  {one['p95_ms']:7.0f} ms  {one['queries']:3.0f} queries  {name}", flush=True)
    yield Figure(f"pages-{kind}-p95", lots[slow]["p95_ms"], most, "ms", lower_is_better=True)
    yield Figure(f"pages-{kind}-growth", worst, 1.5, "ratio", lower_is_better=True)
    yield Figure(f"pages-{kind}-more-queries", max(more), 0, "queries", lower_is_better=True)


def _growth(small: Mapping[str, Any], large: Mapping[str, Any]) -> float:
    """Median against median."""
    if large["median_ms"] - small["median_ms"] < NOTICED_MS:
        return 1.0
    return float(large["median_ms"] / small["median_ms"])
