"""Figures of the ledger: sealing, verifying, proving, and what its size costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Figure

SHARE_OF_BARE = 0.6
MEMORY_MIB = 400


def sealing(bench: Bench) -> Iterator[Figure]:
    yield from _against_bare_loop("audit-seal", bench.sealing, 12_000)


def verifying(bench: Bench) -> Iterator[Figure]:
    yield from _against_bare_loop("audit-verify", bench.verification, 20_000)


def _against_bare_loop(name: str, done: dict[str, Any], target: float) -> Iterator[Figure]:
    yield Figure(f"{name}-rate", done["rate"], target, "records/s")
    share = done["rate"] / done["bare_rate"]
    yield Figure(f"{name}-to-bare-loop", share, SHARE_OF_BARE, "ratio")
    yield Figure(f"{name}-memory", done["memory_mib"], MEMORY_MIB, "MiB", lower_is_better=True)


def proving(bench: Bench) -> Iterator[Figure]:
    _ = bench.sealing
    milliseconds = 1000 * bench.process("benchmarks.trail", "prove")["median_s"]
    yield Figure("audit-inclusion-proof", milliseconds, 5, "ms", lower_is_better=True)


def growing(bench: Bench) -> Iterator[Figure]:
    """Sealing one record in the large log, against the same in the small one."""
    small = bench.small_log["median_s"]
    _ = bench.sealing
    large = bench.process("benchmarks.trail", "seal_one")["median_s"]
    yield Figure("audit-seal-one-growth", large / small, 1.5, "ratio", lower_is_better=True)
