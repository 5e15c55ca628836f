"""Figures of the cells: counting every day of a use case, one day more, a worker's memory, and what
reports cost at ten times the decisions."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.bench import Bench
from benchmarks.cells_data import DAYS, FEW
from benchmarks.figures import Figure

STEPS = "benchmarks.cells_steps"
MILLION = 1_000_000
PER_DAY = MILLION // DAYS  # at any scale: a smaller one has fewer days
WORKERS = 2
RATE = 20_000  # decisions a second by two processes, 20 features and two groups counted as well
MEMORY_MIB = 600
TENTH = 10


def step(bench: Bench, name: str, *arguments: object) -> Any:
    return bench.process(STEPS, name, *arguments)


def prepared(bench: Bench) -> dict[str, Any]:
    """The use case with its decisions, each day marked, its reference profile frozen."""
    if "cells" not in bench.shared:
        count = max(4, round(DAYS * bench.scale)) * PER_DAY
        step(bench, "prepare")
        step(bench, "write", 0, count, PER_DAY)
        marked = step(bench, "mark")
        bench.shared["cells"] = {"decisions": count, "marked": marked}
    return bench.shared["cells"]  # type: ignore[no-any-return]


def built(bench: Bench) -> list[dict[str, Any]]:
    """Every marked day counted by some processes at once, each taking its share."""
    with ThreadPoolExecutor(WORKERS) as pool:
        parts = range(WORKERS)
        return list(pool.map(lambda part: step(bench, "build", part, WORKERS), parts))


def counting(bench: Bench) -> Iterator[Figure]:
    """Rows to cells in force, end to end; then one more day, which costs one day."""
    held = prepared(bench)
    count = int(held["decisions"])
    turns = built(bench)
    step(bench, "check")
    seconds = max(turn["seconds"] for turn in turns)
    days = sum(turn["days"] for turn in turns)
    yield Figure("cells-build-rate", count / seconds, RATE, "decisions/s")
    yield Figure(
        "cells-build-per-million", seconds * MILLION / count, 60, "s", lower_is_better=True
    )
    yield Figure("cells-mark-rate", count / held["marked"]["seconds"], 50_000, "decisions/s")
    step(bench, "write", count, PER_DAY, PER_DAY)
    step(bench, "mark")
    one = step(bench, "build")
    each = sum(turn["seconds"] for turn in turns) / days
    yield Figure("cells-one-more-day", one["seconds"] / each, 2.5, "ratio", lower_is_better=True)
    memory = max(turn["memory_mib"] for turn in [*turns, one, held["marked"]])
    yield Figure("cells-worker-memory", memory, MEMORY_MIB, "MiB", lower_is_better=True)


def growing(bench: Bench) -> Iterator[Figure]:
    """Every report at ten times the decisions, over the same days and groups."""
    count = int(prepared(bench)["decisions"])
    built(bench)  # what another benchmark has not
    few = PER_DAY // TENTH
    step(bench, "write", 0, few * (count // PER_DAY), few, FEW)
    step(bench, "mark", FEW)
    step(bench, "build", 0, 1, FEW)
    step(bench, "check", FEW)
    taken = step(bench, "reports")
    for kind, seconds in taken["many"].items():
        name = f"report-growth-{kind}"
        yield Figure(name, seconds / taken["few"][kind], 1.5, "ratio", lower_is_better=True)
    slowest = max(taken["many"].values()) * 1_000
    yield Figure("report-slowest", slowest, 1_000, "ms", lower_is_better=True)
    yield Figure("report-memory", taken["memory_mib"], MEMORY_MIB, "MiB", lower_is_better=True)
