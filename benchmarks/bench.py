"""What the benchmarks share: their size, their database, and processes to measure in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from benchmarks.database import ROOT

RECORDS = 1_000_000
SMALL_LOG = 1_000
MINIMUM = 10_000
TURNS = 5


@dataclass(frozen=True)
class Bench:
    """One run. Expensive states are made when first asked for, in the order that they build on."""

    scale: float
    environment: dict[str, str]
    shared: dict[str, Any] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """How many history rows the trail gets."""
        return max(MINIMUM, int(RECORDS * self.scale))

    def process(self, module: str, *arguments: object, python: str = sys.executable) -> Any:
        """The JSON document that ``python -m module`` prints, in a process of its own."""
        command = [python, "-m", module, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE
        )
        return json.loads(done.stdout)

    @contextmanager
    def talking(self, module: str, *arguments: object) -> Iterator[Callable[..., Any]]:
        """Asks ``python -m module``, a process of its own that stays: a JSON line for a JSON line."""
        command = [sys.executable, "-m", module, *map(str, arguments)]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            heard, said = process.stdin, process.stdout
            assert heard is not None and said is not None

            def ask(*words: object) -> Any:
                heard.write(json.dumps(words) + "\n")
                heard.flush()
                return json.loads(said.readline())

            yield ask
            heard.close()
            said.read()

    @cached_property
    def small_log(self) -> dict[str, Any]:
        """A log of some thousand leaves, and what sealing one record costs there."""
        self.process("benchmarks.trail", "fill", SMALL_LOG)
        self.process("benchmarks.trail", "seal")
        self.process("benchmarks.trail", "settle")
        return self.process("benchmarks.trail", "seal_one")  # type: ignore[no-any-return]

    @cached_property
    def sealing(self) -> dict[str, Any]:
        """The whole trail written, then sealed: how long that took, and the bare loop beside it.

        They take turns over the same rows, so that both meet the same machine, however busy
        others keep it; who goes first changes, since the second finds the rows in memory.
        """
        _ = self.small_log
        after = self.process("benchmarks.trail", "newest")["history_id"]
        self.process("benchmarks.trail", "fill", self.records)
        self.process("benchmarks.trail", "settle")
        share = -(-self.records // TURNS)
        steps: dict[str, Callable[[], Any]] = {
            "sealed": lambda: self.process("benchmarks.trail", "seal", share),
            "bare": lambda: self.process("benchmarks.bare_loop", share, after),
        }
        done: dict[str, list[dict[str, Any]]] = {"bare": [], "sealed": []}
        for turn in range(TURNS):
            for name in list(done)[:: -1 if turn % 2 else 1]:
                done[name].append(steps[name]())
            after += done["sealed"][-1]["records"]
        self.process("benchmarks.trail", "settle")
        return {
            "rate": _rate(done["sealed"]),
            "bare_rate": _rate(done["bare"]),
            "memory_mib": max(turn["memory_mib"] for turn in done["sealed"]),
        }

    @cached_property
    def verification(self) -> dict[str, Any]:
        """The whole trail verified, between two runs of the bare loop."""
        _ = self.sealing
        bare = [self.process("benchmarks.bare_loop", self.records)]
        done = self.process("benchmarks.trail", "verify")
        bare.append(self.process("benchmarks.bare_loop", self.records))
        return {"rate": _rate([done]), "bare_rate": _rate(bare), "memory_mib": done["memory_mib"]}


def _rate(turns: list[dict[str, Any]]) -> float:
    """Records a second over all turns."""
    return float(sum(turn["records"] for turn in turns) / sum(turn["seconds"] for turn in turns))
