"""Cases read from the rows: three plain queries, walked side by side.

Nothing is kept between the runs. It is slow on many rows, and is what quicker readings are checked
against.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from apps.decisions.models import Decision
from apps.metrics.domain.accuracy import Case, Labels
from apps.metrics.domain.verdicts import PastVerdict, Taken, first_verdict, label_in_effect
from apps.outcomes.models import Outcome
from apps.registry.models import UseCase
from apps.reviews.models import Review

CHUNK = 5_000
UNSEEN_LANES = ("automatic", "supervised")
CHECKS = ("known", "practice")  # given to see how well people decide: they decide nothing


@dataclass(frozen=True, slots=True)
class Window:
    """Decisions with begin <= decided_at < end; None leaves that side open."""

    begin: datetime | None = None
    end: datetime | None = None

    def conditions(self, prefix: str = "") -> dict[str, datetime]:
        """As the conditions of a query, ``prefix`` leading to the decision."""
        bounds = {"decided_at__gte": self.begin, "decided_at__lt": self.end}
        return {f"{prefix}{name}": at for name, at in bounds.items() if at is not None}


class _DecisionRow(NamedTuple):
    id: UUID
    kind: str
    label: str | None
    confidence: float | None
    lane: str
    would_be: str | None
    status: str
    final_label: str | None
    final_commitment: str | None
    reason_codes: str
    sampling_probability: float | None
    after_review: bool


class _OutcomeRow(NamedTuple):
    decision_id: UUID
    label: str | None
    correct: bool | None


class _ReviewRow(NamedTuple):
    decision_id: UUID
    reviewer_id: UUID
    imported: bool
    label: str | None
    initial_label: str | None
    saw_ai: bool | None
    machine: bool
    stage: str


Row = TypeVar("Row", _OutcomeRow, _ReviewRow)


def labels_of(use_case: UseCase) -> Labels:
    return Labels(tuple(use_case.labels), use_case.favourable_label, use_case.positive_label)


def read_cases(use_case: UseCase, window: Window) -> Iterator[Case]:
    """The cases of a window, in the order of their decisions' ids."""
    labels = labels_of(use_case)
    outcomes = _Beside(_rows_of(Outcome, _OutcomeRow, use_case.slug, window))
    reviews = _Beside(_reviews(use_case.slug, window))
    for decision in _decisions(use_case.slug, window):
        newest = outcomes.of(decision.id)[-1:]
        yield _case(decision, newest[0] if newest else None, reviews.of(decision.id), labels)


def _decisions(slug: str, window: Window) -> Iterator[_DecisionRow]:
    rows = Decision.objects.filter(use_case_id=slug, **window.conditions()).order_by("id")
    for values in rows.values_list(*_DecisionRow._fields).iterator(chunk_size=CHUNK):
        yield _DecisionRow(*values)


def _reviews(slug: str, window: Window) -> Iterator[_ReviewRow]:
    """Without those of known answers and of practice: they came after the fact, to a case chosen
    for its reviewer, and would count one decision again and again."""
    return _rows_of(Review, _ReviewRow, slug, window, without={"task__kind__in": CHECKS})


def _rows_of(
    model: Any, row: type[Row], slug: str, window: Window, without: dict[str, Any] | None = None
) -> Iterator[Row]:
    """What belongs to the window's decisions, a decision's own together, oldest first."""
    rows = model.objects.filter(use_case_id=slug, **window.conditions("decision__"))
    if without:
        rows = rows.exclude(**without)
    # Ids are ordered by time, so that the newest outcome is the one with the largest id.
    ordered = rows.order_by("decision_id", "id")
    for values in ordered.values_list(*row._fields).iterator(chunk_size=CHUNK):
        yield row(*values)


class _Beside(Generic[Row]):
    """Rows in the order of their decisions, handed out a decision at a time."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self.rows: Iterator[Row] = rows
        self.ahead: Row | None = next(rows, None)

    def of(self, decision: UUID) -> list[Row]:
        """The rows of ``decision``; those of decisions before it are passed over."""
        found: list[Row] = []
        while self.ahead is not None and self.ahead.decision_id <= decision:
            if self.ahead.decision_id == decision:
                found.append(self.ahead)
            self.ahead = next(self.rows, None)
        return found


def _case(
    row: _DecisionRow, outcome: _OutcomeRow | None, reviews: list[_ReviewRow], labels: Labels
) -> Case:
    truth = outcome.label if outcome else None
    is_label = row.kind == "label"
    in_effect = _in_effect(row, reviews, labels) if is_label else None
    return Case(
        given=row.label,
        truth=truth,
        in_effect=in_effect,
        right=_agrees(row.label, truth) if is_label else _correct(outcome),
        right_in_effect=_agrees(in_effect, truth) if is_label else _kept(row, outcome),
        verdicts=_first_verdicts(reviews),
        confidence=row.confidence,
        chance=row.sampling_probability,
        drawn="random_audit" in row.reason_codes.split(),
        unseen=(row.would_be or row.lane) in UNSEEN_LANES and not row.after_review,
    )


def _agrees(label: str | None, truth: str | None) -> bool | None:
    return None if label is None or truth is None else label == truth


def _correct(outcome: _OutcomeRow | None) -> bool | None:
    return outcome.correct if outcome else None


def _kept(row: _DecisionRow, outcome: _OutcomeRow | None) -> bool | None:
    """Whether an output other than a label was right when it took effect as the AI gave it.

    What people made of a changed one is not judged: its outcome speaks of the AI's output.
    """
    unchanged = row.status == "released" and row.final_commitment is None
    return _correct(outcome) if unchanged else None


def _in_effect(row: _DecisionRow, reviews: list[_ReviewRow], labels: Labels) -> str | None:
    past = [PastVerdict(r.label, r.saw_ai) for r in reviews if r.imported and r.label is not None]
    taken = Taken(row.label, row.final_label, row.lane, row.status)
    return label_in_effect(taken, past, labels.names, labels.favourable)


def _first_verdicts(reviews: list[_ReviewRow]) -> tuple[str, ...]:
    """One a person: who judged a case twice is counted by the earlier judgement.

    Machine verdicts and adjudications are none.
    """
    found: dict[UUID, str] = {}
    for review in reviews:
        if review.machine or review.stage != "review":
            continue
        first = first_verdict(review.initial_label, review.label, review.saw_ai)
        if first is not None:
            found.setdefault(review.reviewer_id, first)
    return tuple(found.values())
