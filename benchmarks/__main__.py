"""``python -m benchmarks``; ONLY=name chooses benchmarks, SCALE=0.1 makes them smaller."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cells, desk, figures_peers, gate, ledger, pages
from benchmarks.bench import Bench
from benchmarks.database import own_database
from benchmarks.figures import Figure

RESULTS = Path(__file__).with_name("results.json")
Benchmark = Callable[[Bench], Iterator[Figure]]

TABLE: dict[str, Benchmark] = {
    "audit-seal": ledger.sealing,
    "audit-verify": ledger.verifying,
    "audit-inclusion-proof": ledger.proving,
    "audit-seal-one": ledger.growing,
    "gate-ingest": gate.ingesting,
    "gate-post": gate.one_by_one,
    "gate-routing": gate.routing,
    "gate-growth": gate.growing,
    "gate-import-reviews": gate.importing,
    "desk-claim": desk.claiming,
    "desk-http": desk.serving,
    "cells-build": cells.counting,
    "cells-reports": cells.growing,
    "figures-bias": figures_peers.fairness,
    "figures-rows": figures_peers.from_rows,
    "figures-drift": figures_peers.drift,
    "figures-cbpe": figures_peers.unlabelled,
    "figures-frontier": figures_peers.frontier,
    "pages-answers": pages.answering,
}


def chosen(only: str) -> dict[str, Benchmark]:
    """Benchmarks whose name holds one of the comma-separated words of ``only``; all when empty."""
    words = [word.strip() for word in only.split(",") if word.strip()]
    found = {name: run for name, run in TABLE.items() if not words or any(w in name for w in words)}
    if not found:
        sys.exit(f"ONLY={only!r} names no benchmark; there are: {', '.join(TABLE)}")
    return found


def scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 100:
        sys.exit(f"SCALE={text!r} is not a number above 0, at most 100")
    return value


def run(benchmarks: dict[str, Benchmark], bench: Bench) -> tuple[list[Figure], list[str]]:
    """(figures, names of benchmarks that broke); each line is printed when it is known."""
    figures: list[Figure] = []
    broken = []
    for name, benchmark in benchmarks.items():
        try:
            for figure in benchmark(bench):
                print(figure.line, flush=True)
                figures.append(figure)
        except (subprocess.CalledProcessError, ValueError, KeyError, ZeroDivisionError) as error:
            print(f"{name} broke: {error}", file=sys.stderr)
            broken.append(name)
    return figures, broken


def main() -> int:
    benchmarks = chosen(os.environ.get("ONLY", ""))
    size = scale(os.environ.get("SCALE", "") or "1")
    with own_database() as environment:
        figures, broken = run(benchmarks, Bench(size, environment))
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": size,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "figures": [figure.document() for figure in figures],
        "broken": broken,
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
