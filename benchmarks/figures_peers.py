"""The figures against their peers: fairlearn, evidently, nannyml, on the same stored decisions.

Where the results have to be equal they are compared first; unequal ones break the benchmark.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.cells import built, prepared
from benchmarks.figures import Figure
from benchmarks.peer.environment import peers_python

STEPS = "benchmarks.figures_peers_steps"
FRONTIER_MS = {"computed": 20, "from-cells": 100, "stored": 1000}
ESTIMATE_TOLERANCE = 1e-9
PERCENTILE_TOLERANCE = 0.02  # the ends of ten resamples have a spread of their own


def step(bench: Bench, name: str, *arguments: object) -> Any:
    return bench.process(STEPS, name, *arguments)


def frames(bench: Bench) -> Path:
    """The folder of the stored decisions as frames; the cells are built first."""
    if "frames" not in bench.shared:
        prepared(bench)
        built(bench)
        folder = Path(bench.environment["DATA_DIR"])
        step(bench, "frames", folder)
        bench.shared["frames"] = folder
    return bench.shared["frames"]  # type: ignore[no-any-return]


def equal(name: str, ours: Any, theirs: Any) -> None:
    """Raises: ValueError: two documents of figures are not the same, to the bit."""
    if ours != theirs:
        raise ValueError(f"{name}: ours {ours} is not the peer's {theirs}")


def fairness(bench: Bench) -> Iterator[Figure]:
    """The bias report of a frame against MetricFrame on its rows, and each one's bootstrap."""
    folder = frames(bench)
    ours, peer = step(bench, "bias", folder), step(bench, "bias_by_fairlearn", folder)
    equal("MetricFrame", ours["figures"], peer["figures"])
    equal("bias report", ours["groups"], groups_of(peer["figures"]))
    yield Figure("figures-bias-ms", 1000 * ours["seconds"], 300, "ms", lower_is_better=True)
    yield Figure("figures-bias-to-fairlearn", peer["seconds"] / ours["seconds"], 150, "ratio")
    ours, peer = step(bench, "bootstrap", folder), step(bench, "bootstrap_by_fairlearn", folder)
    near(ours["rates"]["selection_rate"], peer["selection_rate"])
    ratio = peer["seconds_a_draw"] / ours["seconds_a_draw"]
    yield Figure("figures-bootstrap-to-fairlearn", ratio, 1_000, "ratio")


def groups_of(figures: dict[str, Any]) -> dict[str, Any]:
    """Attributes -> rate -> group -> value, of MetricFrame's figures."""
    return {
        name: {rate: one["groups"] for rate, one in shown.items()}
        for name, shown in figures.items()
    }


def near(ours: dict[str, Any], peer: dict[str, Any]) -> None:
    """Raises: ValueError: an end of an interval lies far from the peer's."""
    for group, ends in peer.items():
        for end, theirs in zip(("low", "high"), ends, strict=True):
            if abs(ours[group][end] - theirs) > PERCENTILE_TOLERANCE:
                raise ValueError(f"{group} {end}: ours {ours[group][end]}, the peer's {theirs}")


def from_rows(bench: Bench) -> Iterator[Figure]:
    """The bias report from PostgreSQL, against the rows by the ORM and fairlearn."""
    frames(bench)
    ours, peer = step(bench, "bias_stored"), step(bench, "bias_by_orm")
    equal("bias report", ours["groups"], peer["groups"])
    yield Figure("figures-bias-from-orm", peer["seconds"] / ours["seconds"], 70, "ratio")


def drift(bench: Bench) -> Iterator[Figure]:
    """The drift report three ways, against evidently's preset and nannyml's calculator."""
    folder, python = frames(bench), peers_python()
    ours = step(bench, "drift", folder)
    yield Figure("figures-drift-ms", 1000 * ours["stored"], 200, "ms", lower_is_better=True)
    targets = {
        "evidently": {"stored": 300, "computed": 5_000, "counted": 100},
        "nannyml": {"stored": 0, "computed": 0, "counted": 0},
    }
    for name, wanted in targets.items():
        peer = bench.process("benchmarks.peer.drift", folder, name, python=python)
        equal("features", 20, peer["columns"])
        for way, target in wanted.items():
            ratio = peer["seconds"] / ours[way]
            yield Figure(f"figures-drift-{way}-to-{name}", ratio, target, "ratio")


def unlabelled(bench: Bench) -> Iterator[Figure]:
    """Accuracy estimated without labels, against nannyml's CBPE on the same rows."""
    folder, python = frames(bench), peers_python()
    ours = step(bench, "accuracy", folder)
    peer = bench.process("benchmarks.peer.unlabelled", folder, python=python)
    if abs(ours["value"] - peer["value"]) > ESTIMATE_TOLERANCE:
        raise ValueError(f"CBPE: ours {ours['value']} is not nannyml's {peer['value']}")
    for way, target in {"computed": 300, "counted": 0, "stored": 0}.items():
        yield Figure(f"figures-cbpe-{way}-to-nannyml", peer["seconds"] / ours[way], target, "ratio")
    ratio = peer["seconds_of_four"] / ours["counted"]
    yield Figure("figures-cbpe-counted-to-nannyml-of-four", ratio, 0, "ratio")


def frontier(bench: Bench) -> Iterator[Figure]:
    """Every threshold at once with fairness by group; then as it is asked for, reading counted."""
    frames(bench)
    ours = step(bench, "frontier")
    for name, taken in {
        "computed": "seconds",
        "from-cells": "from_cells",
        "stored": "stored",
    }.items():
        value, most = 1000 * ours[taken], FRONTIER_MS[name]
        yield Figure(f"figures-frontier-{name}", value, most, "ms", lower_is_better=True)
