"""Known answers as a lead keeps them: the list with how people answered, one, and a case to enter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.callers import Caller
from apps.common.errors import Conflict, NotFound
from apps.decisions.models import Decision
from apps.decisions.selectors import final_of, output_of, payload_of
from apps.outcomes.models import Outcome
from apps.policies.selectors import compiled_policy
from apps.reviews.known_answers import known_output
from apps.reviews.models import KnownAnswer, Review
from apps.web.desk.evidence import Piece, pieces_of
from apps.web.desk.outputs import (
    Input,
    Line,
    as_output,
    filled,
    headline,
    inputs_for,
    lines_of,
    output_from,
)
from apps.web.desk.page import Value, values_of
from apps.web.desk.staff import Known, actor_names
from apps.web.desk.team import led
from apps.workflow.desk.blindness import hidden_from
from apps.workflow.desk.documents import open_document
from apps.workflow.desk.stages import OPEN
from apps.workflow.desk.words import outputs_of

STATUSES: Final = ("active", "retired", "forgiven")
COMPARED: Final = 100


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A known answer in the list; ``marks`` is None before anybody answered it."""

    known: KnownAnswer
    made_by: str
    marks: Known | None


@dataclass(frozen=True, slots=True)
class Compared:
    """What one person said to it."""

    who: str
    said: str
    right: bool
    at: Any


@dataclass(frozen=True, slots=True)
class Entering:
    """A decided case whose right answer a lead is about to enter."""

    decision: Decision
    question: str
    said: str
    final: str
    truth: str
    values: Sequence[Value]
    hidden: int
    pieces: Sequence[Piece]
    labels: Sequence[str]
    inputs: Sequence[Input]
    label: str


def known_answers_of(caller: Caller, wanted: Mapping[str, str]) -> QuerySet[KnownAnswer]:
    """Known answers of the use cases that ``caller`` leads; the newest first."""
    rows = _led(caller).filter(status=wanted.get("status") or "active")
    if wanted.get("of"):
        rows = rows.filter(use_case=wanted["of"])
    return rows.order_by("-id")


def _led(caller: Caller) -> QuerySet[KnownAnswer]:
    slugs = led(caller)
    related = ("use_case", "decision__use_case")
    rows: QuerySet[KnownAnswer] = KnownAnswer.objects.select_related(*related)
    return rows if slugs is None else rows.filter(use_case__in=slugs)


def known_rows(rows: Sequence[KnownAnswer]) -> list[KnownRow]:
    """A page with the share of right answers to each, in two queries."""
    marks = _marks(rows)
    names = actor_names(row.made_by for row in rows)
    return [
        KnownRow(row, names.get(row.made_by, row.made_by), _count(marks[row.pk])) for row in rows
    ]


def _marks(rows: Sequence[KnownAnswer]) -> dict[UUID, list[bool]]:
    """The comparisons that count: with this answer, not with an earlier one of the same case."""
    found: dict[UUID, list[bool]] = defaultdict(list)
    newest: dict[UUID, list[KnownAnswer]] = defaultdict(list)
    for row in sorted(rows, key=lambda one: one.created_at, reverse=True):
        newest[row.decision_id].append(row)
    given = _comparisons(list(newest)).values_list("decision_id", "created_at", "right")
    for decision, at, right in given:
        basis = next((row for row in newest[decision] if row.created_at <= at), None)
        if basis is not None and basis.status != "forgiven":
            found[basis.pk].append(bool(right))
    return found


def _comparisons(decisions: Sequence[UUID]) -> QuerySet[Review]:
    rows: QuerySet[Review] = Review.objects.filter(
        decision__in=decisions, task__kind="known", right__isnull=False
    )
    return rows


def _count(marks: Sequence[bool]) -> Known | None:
    return Known(sum(marks), len(marks)) if marks else None


def led_known(caller: Caller, key: UUID) -> KnownAnswer:
    found = _led(caller).filter(pk=key).first()
    if found is None:
        raise NotFound(f"There is no known answer {key} on the desks that you lead.")
    return found


def answer_of(known: KnownAnswer) -> tuple[str, list[Line]]:
    """The right output as it is read: one line, and what it does not say."""
    kind, output = known.decision.kind, known_output(known)
    if output is None:
        return "The content was erased", []
    return headline(kind, output), lines_of(kind, as_output(kind, output))


def compared_with(known: KnownAnswer) -> list[Compared]:
    """What people said to it before the AI's output could steer them; the newest first."""
    if known.status == "forgiven":
        return []
    rows = _comparisons([known.decision_id]).filter(created_at__gte=known.created_at)
    reviews = list(rows.select_related("reviewer").order_by("-created_at")[:COMPARED])
    first = outputs_of(known.decision, reviews, first=True)
    last = outputs_of(known.decision, reviews)
    kind = known.decision.kind
    return [
        Compared(
            review.reviewer.name,
            headline(kind, one or other) if one or other else review.verdict,
            bool(review.right),
            review.reviewed_at,
        )
        for review, one, other in zip(reviews, first, last, strict=True)
    ]


# --- Entered --------------------------------------------------------------------------------


def decided_case(caller: Caller, use_case: str, external_id: str) -> Decision | None:
    """A case of a use case that ``caller`` leads, by the sender's id; None where there is none."""
    rows: Any = Decision.objects.filter(use_case=use_case, external_id=external_id)
    slugs = led(caller)
    rows = rows if slugs is None else rows.filter(use_case__in=slugs)
    return shown_to(caller, rows)


def decision_led(caller: Caller, key: UUID) -> Decision:
    """The same by its id."""
    rows: Any = Decision.objects.filter(pk=key)
    slugs = led(caller)
    found = shown_to(caller, rows if slugs is None else rows.filter(use_case__in=slugs))
    if found is None:
        raise NotFound(f"There is no case {key} on the desks that you lead.")
    return found


def shown_to(caller: Caller, rows: Any) -> Decision | None:
    """Conflict where the case waits for the caller's own blind answer."""
    related = ("use_case", "model_version__system", "policy")
    decision: Decision | None = rows.select_related(*related).first()
    if decision is None:
        return None
    if hidden_from(caller, [decision.pk]):
        raise Conflict(
            f"The case {decision.external_id} may come to you for a blind answer: what the AI said "
            "of it is shown once that is given."
        )
    if payload_of(decision) is None:
        raise Conflict(f"The content of case {decision.external_id} was erased.")
    return decision


def entering(decision: Decision, typed: Mapping[str, str]) -> Entering:
    """What helps to say the right answer: the case, what the AI said, what took effect."""
    kind, output, final = decision.kind, output_of(decision), final_of(decision)
    document = open_document(decision, compiled_policy(decision.policy_id).document, OPEN)
    values = values_of(document)
    pieces = pieces_of(document["evidence"])
    return Entering(
        decision=decision,
        question=document["question"],
        said=headline(kind, output),
        final=headline(kind, final) if final else "",
        truth=_truth(decision),
        values=[value for value in values if value is not None],
        hidden=sum(value is None for value in values),
        pieces=[piece for piece in pieces if piece.kind != "pdf"],
        labels=document["labels"],
        inputs=filled(inputs_for(kind, _basis(decision), document["output_fields"]), typed),
        label=typed.get("label", ""),
    )


def _basis(decision: Decision) -> Mapping[str, Any] | None:
    """What the form starts from: what took effect, else what the AI said."""
    final = final_of(decision)
    return as_output(decision.kind, final) if final else output_of(decision)


def _truth(decision: Decision) -> str:
    newest = Outcome.objects.filter(decision=decision).order_by("-id").first()
    return "" if newest is None or newest.label is None else newest.label


def typed_answer(decision: Decision, form: Mapping[str, str]) -> dict[str, Any]:
    """The output that the form states. Raises: BadInput with everything that cannot be read."""
    document = open_document(decision, compiled_policy(decision.policy_id).document, OPEN)
    return output_from(decision.kind, form, _basis(decision), document["output_fields"])
