"""Figures of the review desk: claims and pages while much waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Figure

STEPS = "benchmarks.desk_steps"
PAST = 5_000
SMALL = 1_000
LARGE = 200_000
SECONDS = 60
SERIES = 400
ACTS = 2_000


class Desk:
    """The use case with its people. What is measured at a short queue is measured when it is made;
    after that the whole queue waits."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folder = bench.environment["DATA_DIR"]
        self.seconds = max(10, int(SECONDS * bench.scale))
        self.acts = max(200, int(ACTS * bench.scale))
        self.step("prepare")
        self.step("remember", self.folder, PAST)
        self.step("wait", self.folder, 0, SMALL)
        self.step("vacuum")
        self.short = self._series()
        self.step("wait", self.folder, SMALL, max(10 * SMALL, int(LARGE * bench.scale)))
        self.step("vacuum")
        self.long = self._series()

    def step(self, name: str, *arguments: object) -> Any:
        return self.bench.process(STEPS, name, *arguments)

    def _series(self) -> dict[str, Any]:
        queries = self.step("page_queries")
        return {**self.step("one_after_another", SERIES), "queries": queries}


def _desk(bench: Bench) -> Desk:
    if "desk" not in bench.shared:
        bench.shared["desk"] = Desk(bench)
    return bench.shared["desk"]  # type: ignore[no-any-return]


def claiming(bench: Bench) -> Iterator[Figure]:
    """In the service."""
    desk = _desk(bench)
    done = desk.step("claims", desk.seconds)
    yield _ms("desk-claim-p95", done["p95_ms"], 15)
    done = desk.step("opens", desk.seconds)
    yield _ms("desk-open-p95", done["p95_ms"], 40)
    growth = desk.long["median_ms"] / desk.short["median_ms"]
    yield Figure("desk-claim-growth", growth, 1.5, "ratio", lower_is_better=True)
    done = desk.step("claims_without_rest", desk.acts)
    yield Figure("desk-claim-closed-loop", done["rate"], 25, "claims/s")


def serving(bench: Bench) -> Iterator[Figure]:
    """Over HTTP, and what a page asks of the database."""
    desk = _desk(bench)
    for page in ("case", "queue"):
        growth = desk.long["queries"][page] - desk.short["queries"][page]
        name = f"desk-{page}-page-more-queries"
        yield Figure(name, growth, 0, "queries", lower_is_better=True)
    done = desk.step("served", desk.seconds, desk.acts)
    yield _ms("desk-http-claim-p95", done["claim"]["p95_ms"], 40)
    yield _ms("desk-case-page-p95", done["page"]["p95_ms"], 120)
    yield Figure("desk-http-closed-loop", done["rate"], 25, "claims/s")


def _ms(name: str, value: float, target: float) -> Figure:
    return Figure(name, value, target, "ms", lower_is_better=True)
