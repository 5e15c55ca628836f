"""Figures of the gate: taking decisions in, one and many, and what a full table costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Figure

STEPS = "benchmarks.gate_steps"
ROUNDS = 5
LINES = 60_000
ROWS = 20_000  # of those ways that hold all of them in memory
SINGLE = 2_000
LARGE = 1_000_000
SMALL = 10_000
REVIEWS = 500_000
ROUTED = 1_000_000


class Gate:
    """The use case, its key, and numbered files of decisions that were not sent before."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folder = Path(bench.environment["DATA_DIR"])
        self.key: str = self.step("prepare")["key"]
        self.sent = 0

    def step(self, name: str, *arguments: object) -> Any:
        return self.bench.process(STEPS, name, *arguments)

    def file(self, lines: int) -> Path:
        path = self.folder / f"decisions-{self.sent}.jsonl"
        self.step("write_file", path, self.sent, lines)
        self.sent += lines
        return path

    def ingest_rate(self, lines: int) -> float:
        path = self.file(lines)
        rate = lines / float(self.step("ingest", path)["seconds"])
        path.unlink()
        return rate


def _gate(bench: Bench) -> Gate:
    if "gate" not in bench.shared:
        bench.shared["gate"] = Gate(bench)
    return bench.shared["gate"]  # type: ignore[no-any-return]


def ingesting(bench: Bench) -> Iterator[Figure]:
    """The five ways, each the median of five runs taken in turn."""
    gate, lines = _gate(bench), max(2_000, int(LINES * bench.scale))
    rows = max(2_000, int(ROWS * bench.scale))
    rates: dict[str, list[float]] = {name: [] for name in "abcde"}
    for _ in range(ROUNDS):
        rates["d"].append(gate.ingest_rate(lines))
        for name, step, count in (
            ("a", "save_loop", 1_000),
            ("b", "bulk_history", rows),
            ("c", "raw_copy", rows),
        ):
            done = gate.step(step, count)
            rates[name].append(done["records"] / done["seconds"])
        path = gate.file(lines)
        done = gate.step("over_http", gate.key, path)
        rates["e"].append(done["records"] / done["seconds"])
        path.unlink()
    middle = {name: median(found) for name, found in rates.items()}
    yield Figure("gate-ingest-rate", middle["d"], 0, "decisions/s")
    yield Figure("gate-ingest-to-save-loop", middle["d"] / middle["a"], 20, "ratio")
    yield Figure("gate-ingest-to-bulk-history", middle["d"] / middle["b"], 2, "ratio")
    yield Figure("gate-ingest-to-raw-copy", middle["d"] / middle["c"], 0.15, "ratio")
    yield Figure("gate-http-to-ingest", middle["e"] / middle["d"], 0.7, "ratio")


def one_by_one(bench: Bench) -> Iterator[Figure]:
    gate, count = _gate(bench), max(200, int(SINGLE * bench.scale))
    done = gate.step("single", gate.key, count)
    for name in ("median", "p95"):
        ratio = done[f"post_{name}_s"] / done[f"save_{name}_s"]
        yield Figure(f"gate-post-to-save-{name}", ratio, 3, "ratio", lower_is_better=True)


def routing(bench: Bench) -> Iterator[Figure]:
    done = bench.process(STEPS, "routing", max(10_000, int(ROUTED * bench.scale)))
    yield Figure("gate-routing-rate", done["records"] / done["seconds"], 500_000, "decisions/s")


def growing(bench: Bench) -> Iterator[Figure]:
    """Cost of a decision with much stored against little stored, and the memory of a long file."""
    gate = _gate(bench)
    batch = max(1_000, int(SMALL * bench.scale))
    small = median(gate.ingest_rate(batch) for _ in range(ROUNDS))
    long = max(20_000, int(LARGE * bench.scale))
    path = gate.file(long)
    done = gate.step("ingest", path)
    path.unlink()
    yield Figure("gate-ingest-memory", done["memory_mib"], 400, "MiB", lower_is_better=True)
    gate.step("vacuum")
    large = median(gate.ingest_rate(batch) for _ in range(ROUNDS))
    yield Figure("gate-ingest-growth", small / large, 1.5, "ratio", lower_is_better=True)


def importing(bench: Bench) -> Iterator[Figure]:
    """Past verdicts of people, with the reviewers that they make known."""
    gate, count = _gate(bench), max(10_000, int(REVIEWS * bench.scale))
    if gate.sent < count // 5:
        gate.ingest_rate(count // 5 - gate.sent)
    path = gate.folder / "reviews.csv"
    gate.step("write_reviews", path, count)
    done = gate.step("import_reviews", path)
    yield Figure("gate-import-reviews-rate", count / done["seconds"], 10_000, "reviews/s")
