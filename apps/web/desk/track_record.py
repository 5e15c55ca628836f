"""How often a model version was right before, for the one who has to judge its next output.

Counted over the newest outcomes of the use case, whatever their source; kept for minutes, since a
reviewer opens many cases of one version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core.cache import cache

from apps.outcomes.models import Outcome
from apps.reviews.domain.intervals import wilson

WINDOW: Final = 5_000
RECENT: Final = 500
BINS: Final = 10
ENOUGH: Final = 20
KEPT_S: Final = 300


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``n``, said as "about so many of 100" with its 95 % interval."""

    hits: int
    n: int

    @property
    def is_enough(self) -> bool:
        return self.n >= ENOUGH

    @property
    def of_100(self) -> int:
        return round(100 * self.hits / self.n) if self.n else 0

    @property
    def interval(self) -> tuple[int, int]:
        low, high = wilson(self.hits, self.n)
        return round(100 * low), round(100 * high)


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """Of one model version: right by tenth of confidence, and wrong among the most recent."""

    right: tuple[Share, ...]
    wrong: Share

    def such(self, confidence: float | None) -> Share | None:
        """Outputs of the same tenth of confidence; None where the AI said none."""
        return None if confidence is None else self.right[tenth(confidence)]


def tenth(confidence: float) -> int:
    """The tenth of [0, 1] that a confidence lies in, 0 to 9; 1 lies in the last."""
    return min(int(round(confidence, 9) * BINS), BINS - 1)


def count(
    rows: Iterable[tuple[UUID, bool | None, float | None, UUID]], version: UUID
) -> TrackRecord:
    """The track record of ``version``.

    Parameters: ``rows``, (decision, right, confidence, model version), the newest first: the first
    row of a decision counts; ``version``.
    """
    seen: set[UUID] = set()
    bins = [[0, 0] for _ in range(BINS)]
    wrong = n = 0
    for decision, correct, confidence, made_by in rows:
        if decision in seen:
            continue
        seen.add(decision)
        if correct is None or made_by != version:
            continue
        if n < RECENT:
            n, wrong = n + 1, wrong + (not correct)
        if confidence is not None:
            held = bins[tenth(confidence)]
            held[0], held[1] = held[0] + bool(correct), held[1] + 1
    return TrackRecord(tuple(Share(*held) for held in bins), Share(wrong, n))


def track_record(use_case: str, version: UUID) -> TrackRecord:
    """The track record of a model version in one use case; at most KEPT_S old."""
    key = f"desk.track_record.{use_case}.{version}"
    kept: TrackRecord | None = cache.get(key)
    if kept is None:
        rows = Outcome.objects.filter(use_case=use_case).order_by("-id")[:WINDOW]
        columns = ("decision_id", "correct", "decision__confidence", "decision__model_version_id")
        kept = count(rows.values_list(*columns), version)
        cache.set(key, kept, KEPT_S)
    return kept
