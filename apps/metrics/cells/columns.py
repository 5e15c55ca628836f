"""Decisions as one table with a row each, from which most cells are added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import numpy as np

from apps.metrics.cells.attributes import (
    group_of,
    newest_profile,
    protected_parts,
    values_of,
)
from apps.metrics.cells.families import GROUP
from apps.metrics.cells.reading import Chunk, Verdict
from apps.metrics.domain.tables import Floats, Ints, Table, Text, table_from, text_of
from apps.metrics.domain.verdicts import PastVerdict, Taken, first_verdict, label_in_effect
from apps.metrics.models import ReferenceProfile
from apps.registry.models import UseCase

LEVELS: Final = 10_000
GROUP_LEVELS: Final = 1_000
BINS: Final = 15
SCALE: Final = 10_000  # of amounts, which are whole numbers of ten-thousandths
UNSEEN_LANES: Final = ("automatic", "supervised")


@dataclass(frozen=True)
class Setup:
    """What the cells of a use case are counted by; the same for all of its days."""

    use_case: UseCase
    labels: tuple[str, ...]
    parts: Mapping[str, str]
    profile: ReferenceProfile | None

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(sorted(self.parts))

    @cached_property
    def contents(self) -> list[str]:
        """The parts of the content that have to be read."""
        wanted = set(self.parts.values())
        if self.profile is not None and self.use_case.features:
            wanted.add("features")
        return sorted(wanted)


def setup_of(use_case: UseCase) -> Setup:
    return Setup(
        use_case, tuple(use_case.labels), protected_parts(use_case), newest_profile(use_case)
    )


@dataclass(frozen=True, slots=True)
class Columns:
    """A chunk's ``table``, a row a decision in the order of their places, and what it rests on.

    ``in_effect``: labels that took effect; ``firsts``: place -> person -> first verdict.
    """

    table: Table
    in_effect: list[str | None]
    firsts: Mapping[int, Mapping[UUID, str]]


def columns_of(chunk: Chunk, setup: Setup) -> Columns:
    """The decisions of a chunk as one table."""
    decisions = chunk.decisions
    effect = _in_effect(chunk, setup)
    firsts = first_verdicts(chunk.reviews)
    right, right_final = _right(chunk, effect)
    texts = {
        "version": text_of(chunk.versions),
        "lane": text_of(decisions.lane),
        "would_be": text_of(decisions.would_be),
        "status": text_of(decisions.status),
        "given": text_of(decisions.label),
        "final": text_of(effect),
        "true": text_of([truth.label for truth in chunk.truths]),
        "rule": text_of(chunk.rules),
        "pattern": text_of(_patterns(firsts, setup.labels, len(chunk))),
        **_groups(chunk, setup),
    }
    numbers: dict[str, Any] = {
        "right": right,
        "right_final": right_final,
        "drawn": _whole("random_audit" in codes.split() for codes in decisions.reason_codes),
        "unseen": _whole(
            map(_is_unseen, decisions.lane, decisions.would_be, decisions.after_review)
        ),
        "chance": _floats(decisions.sampling_probability),
        "amount_sum": np.array([one or 0 for one in decisions.scaled], dtype=np.float64) / SCALE,
        "n": np.ones(len(chunk), dtype=np.int64),
        **_confidence(decisions.confidence, right),
    }
    return Columns(table_from(texts, numbers), effect, firsts)


def _whole(values: Any) -> Ints:
    return np.array(list(values), dtype=np.int64)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if one is None else one for one in values], dtype=np.float64)


def _is_unseen(lane: str, would_be: str | None, after_review: bool) -> bool:
    return (would_be or lane) in UNSEEN_LANES and not after_review


def _confidence(confidences: Sequence[float | None], right: Ints) -> dict[str, Any]:
    """The levels of the confidence, and what calibration is added up from."""
    said = _floats(confidences)
    known = np.isfinite(said)
    held = np.where(known, said, 0.0)
    told = known & (right >= 0)
    return {
        "level": _levels(held, known, LEVELS),
        "group_level": _levels(held, known, GROUP_LEVELS),
        "bin": np.where(known, np.minimum((held * BINS).astype(np.int64), BINS - 1), -1),
        "sum": held,
        "square": np.where(told, (held - right) ** 2, 0.0),
        "fourth": np.where(told, (held - right) ** 4, 0.0),
    }


def _levels(held: Floats, known: Any, steps: int) -> Ints:
    levels: Ints = np.where(known, np.rint(held * steps), -1).astype(np.int64)
    return levels


def _right(chunk: Chunk, effect: Sequence[str | None]) -> tuple[Ints, Ints]:
    """Whether the AI's output, and what took effect, was right: 1, 0, -1 where it is not known."""
    decisions = chunk.decisions
    right, final = [-1] * len(chunk), [-1] * len(chunk)
    for place, (truth, kind) in enumerate(zip(chunk.truths, decisions.kind, strict=True)):
        if kind == "label":
            true, given, taken = truth.label, decisions.label[place], effect[place]
            if true is not None:
                right[place] = -1 if given is None else int(given == true)
                final[place] = -1 if taken is None else int(taken == true)
        elif truth.correct is not None:
            right[place] = int(truth.correct)
            # What people made of a changed one is not judged: its outcome speaks of the AI's.
            unchanged = decisions.final_commitment[place] is None
            if decisions.status[place] == "released" and unchanged:
                final[place] = int(truth.correct)
    return np.array(right, dtype=np.int64), np.array(final, dtype=np.int64)


def _in_effect(chunk: Chunk, setup: Setup) -> list[str | None]:
    decisions = chunk.decisions
    found = [
        label if kind == "label" else None
        for label, kind in zip(decisions.final_label, decisions.kind, strict=True)
    ]
    favourable = setup.use_case.favourable_label
    for place, past in _past_verdicts(chunk.reviews).items():
        if decisions.kind[place] == "label":
            taken = Taken(
                decisions.label[place],
                decisions.final_label[place],
                decisions.lane[place],
                decisions.status[place],
            )
            found[place] = label_in_effect(taken, past, setup.labels, favourable)
    return found


def _past_verdicts(reviews: Sequence[Verdict]) -> dict[int, list[PastVerdict]]:
    found: dict[int, list[PastVerdict]] = {}
    for review in reviews:
        if review.imported and review.label is not None:
            found.setdefault(review.place, []).append(PastVerdict(review.label, review.saw_ai))
    return found


def first_verdicts(reviews: Sequence[Verdict]) -> dict[int, dict[UUID, str]]:
    """Place -> person -> first verdict: one a person, the earlier of two; machines have none."""
    found: dict[int, dict[UUID, str]] = {}
    for review in reviews:
        if review.machine or review.stage != "review":
            continue
        first = first_verdict(review.initial_label, review.label, review.saw_ai)
        if first is not None:
            found.setdefault(review.place, {}).setdefault(review.reviewer_id, first)
    return found


def _patterns(
    firsts: Mapping[int, Mapping[UUID, str]], labels: Sequence[str], size: int
) -> list[str | None]:
    found: list[str | None] = [None] * size
    for place, said in firsts.items():
        found[place] = pattern_of(Counter(said.values()), labels)
    return found


def pattern_of(counts: Mapping[str, int], labels: Sequence[str]) -> str:
    """Counts of verdicts by label as a text, "3,0,1"; one more where some left the labels."""
    known = [counts.get(label, 0) for label in labels]
    others = sum(counts.values()) - sum(known)
    return ",".join(map(str, [*known, others] if others else known))


def _groups(chunk: Chunk, setup: Setup) -> dict[str, Text]:
    contents = {"subject": chunk.subject, "features": chunk.features}
    return {
        GROUP + name: text_of([group_of(value) for value in values_of(contents[part], name)])
        for name, part in setup.parts.items()
    }
