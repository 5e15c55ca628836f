"""The content of a decision as its page shows it: what came in, and what the AI made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.decisions.models import Decision
from apps.decisions.selectors import final_of, output_of, part_of
from apps.web.desk.evidence import Piece, cell, pieces_of
from apps.web.desk.outputs import Line, Score, as_output, headline, lines_of, scores_of
from apps.web.desk.page import Value, Weight, lowest_confidence, spaced, weights_of


@dataclass(frozen=True, slots=True)
class Said:
    """An output as it is read."""

    headline: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class ContentShown:
    """What came in. ``hidden``: how many protected values the reader's roles do not show."""

    values: Sequence[Value]
    hidden: int
    output: Said
    confidence: float | None
    scores: Sequence[Score]
    explanation: str
    weights: Sequence[Weight]
    pieces: Sequence[Piece]
    is_erased: bool


def said(kind: str, output: Mapping[str, Any] | None) -> Said:
    """A text in full, anything else as a headline with its lines."""
    whole = str(output.get("text") or "") if kind == "text" and output else None
    return Said(whole or headline(kind, output), lines_of(kind, output))


def final_shown(decision: Decision) -> Said | None:
    """What takes effect; None while nothing does."""
    final = final_of(decision)
    return None if final is None else said(decision.kind, as_output(decision.kind, final))


def content_of(decision: Decision, *, protected: bool) -> ContentShown:
    """Parameters: ``protected``, whether protected values are shown."""
    values = [*_features(decision), *_subject(decision)]
    output = output_of(decision)
    explanation = part_of(decision, "explanation") or {}
    return ContentShown(
        values=[one for one in values if protected or not one.protected],
        hidden=0 if protected else sum(one.protected for one in values),
        output=said(decision.kind, output),
        confidence=lowest_confidence(decision.kind, output),
        scores=scores_of(output),
        explanation=str(explanation.get("text") or ""),
        weights=weights_of(explanation),
        pieces=pieces_of(part_of(decision, "evidence")),
        is_erased=decision._payload is None,
    )


def _features(decision: Decision) -> list[Value]:
    declared = {one["name"]: bool(one.get("protected")) for one in decision.use_case.features}
    given = part_of(decision, "features") or {}
    return [
        Value(spaced(name), cell(value), declared.get(name, False)) for name, value in given.items()
    ]


def _subject(decision: Decision) -> list[Value]:
    """Attributes that are not declared count as protected: nobody said that they are not."""
    declared = {
        one["name"]: bool(one.get("protected")) for one in decision.use_case.subject_attributes
    }
    subject = part_of(decision, "subject") or {}
    ref = [Value("Subject", cell(subject["ref"]))] if subject.get("ref") else []
    attributes = subject.get("attributes") or {}
    return ref + [
        Value(spaced(name), cell(value), declared.get(name, True))
        for name, value in attributes.items()
    ]
