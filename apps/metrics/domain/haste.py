"""Confirmations too fast to be a look at the case: below which time, and how many."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import Any, Final

from apps.metrics.domain.durations import STEPS, Durations, quantile
from apps.metrics.domain.proportions import Part
from apps.metrics.domain.reliance import FEW

SHARE: Final = 0.05
CONFIRMED: Final = "confirmed"  # with sight of the AI's answer, and as it was
BLIND: Final = "blind"  # without sight of it: how long a case takes to be read
UNKNOWN_S: Final = 5.0  # nobody reads a case in less


@dataclass(frozen=True, slots=True)
class Floor:
    """A time in seconds, where it is from, and how many blind answers there are."""

    seconds: float
    source: str
    n: int

    def document(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "from": self.source, "n": self.n}


def haste_floor(blind: Durations, stated: float | None = None) -> Floor:
    """The time below which a confirmation is hasty.

    Definition: what the use case states; else the 5th percentile of the times of blind answers,
    which take as long as the case takes to be read, from 20 of them on; else 5 seconds.
    Parameters: ``blind``: active seconds of answers without sight of the AI's; ``stated`` seconds.
    Returns: Floor, its source "use_case", "blind_reviews" or "default".
    """
    n = int(blind.counts.sum())
    if stated is not None:
        return Floor(float(stated), "use_case", n)
    read = quantile(blind, SHARE) if n >= FEW else None
    return Floor(UNKNOWN_S, "default", n) if read is None else Floor(read, "blind_reviews", n)


def hasty_part(confirmed: Durations, seconds: float) -> Part:
    """How many confirmations took less than a time, of all that state theirs.

    Definition: those in cells wholly below ``seconds``, so that it counts none at or above it, and
    misses at most those within 3.5 % below it. Lower is better.
    Parameters: ``confirmed``: active seconds of confirmations; ``seconds`` > 0.
    Returns: Part; 0 of 0 without a time.
    """
    cells = ceil(STEPS * log2(max(seconds, 1.0)) - 1e-9)
    return Part(int(confirmed.counts[:cells].sum()), int(confirmed.counts.sum()))
