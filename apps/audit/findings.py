"""What a verification finds: named by table and record, so that a person knows where to look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

LIMIT = 1000  # beyond this a database is not tampered with but another one


class Finding(NamedTuple):
    """``kind`` is stable and machine-readable; ``detail`` is a sentence."""

    table: str
    record: str
    kind: str
    detail: str


@dataclass(slots=True)
class Findings:
    """Collects findings up to a limit; counts them all."""

    items: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, table: str, record: object, kind: str, detail: str) -> None:
        self.count += 1
        if len(self.items) < LIMIT:
            self.items.append(Finding(table, str(record), kind, detail))
