"""A decision as the sender is answered, and as it stands now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from apps.common.errors import Conflict
from apps.decisions.domain.content import join_output
from apps.decisions.domain.final_outputs import final_output
from apps.decisions.domain.lifecycle import TRANSITIONS, Lane, Status, creation_event
from apps.decisions.models import Decision, Payload
from apps.decisions.selectors import (
    final_of,
    first_reasons_of,
    output_of,
    part_of,
    reasons_of,
    with_content,
)
from apps.reviews.models import ReviewTask
from apps.reviews.selectors import ASKING
from apps.workflow.taken import Asked, Written


class FirstState(NamedTuple):
    """Where a decision went when it arrived, and what the sender could act on."""

    lane: str
    status: str
    final_output: dict[str, object] | None


def answer(decision: Decision) -> dict[str, Any]:
    """The decision as it stands now, with what a sender may act on."""
    tasks = ReviewTask.objects.filter(decision=decision, kind__in=ASKING)
    return _standing(decision, tasks.order_by("created_at", "id").last())


def answers(decisions: Iterable[Decision]) -> Iterator[tuple[Decision, dict[str, Any]]]:
    """The same for a page of decisions, in three queries whatever their number."""
    found = with_content(decisions)
    tasks = ReviewTask.objects.filter(decision__in=found, kind__in=ASKING)
    newest = {task.decision_id: task for task in tasks.order_by("created_at", "id")}
    return ((decision, _standing(decision, newest.get(decision.pk))) for decision in found)


def first_answer(decision: Decision) -> dict[str, Any]:
    """The answer that was given when the decision arrived: the same request gets it again."""
    row, state = _first_row(decision), first_state(decision)
    tasks = ReviewTask.objects.filter(decision=decision, created_at=decision.created_at)
    document = _document(row, tasks.order_by("id").first(), state.status, state.final_output)
    return {**document, "reasons": first_reasons_of(decision, row.reason_codes)}


def answer_when_written(row: Written) -> dict[str, Any]:
    """``first_answer`` of a decision that was written a moment ago, without reading it back."""
    final = None
    if row.status == Status.RELEASED:
        output = join_output(row.kind, row.label, row.confidence, row.output)
        final = final_output(row.kind, output)
    document = _document(row, row.task, row.status, final)
    return {**document, "reasons": json.loads(row.reasons)}


def first_state(decision: Decision) -> FirstState:
    row = _first_row(decision)
    status = TRANSITIONS[creation_event(Lane(row.lane), past=row.past)][1]
    released = status is Status.RELEASED
    final = final_output(decision.kind, output_of(decision)) if released else None
    return FirstState(row.lane, status.value, final)


def _first_row(decision: Decision) -> Any:
    """The decision's row as it was first written: only a new routing changes the route on it."""
    if decision.routed_at == decision.created_at:
        return decision
    return Decision.history.filter(id=decision.pk).order_by("history_id").first()


def _standing(decision: Decision, task: ReviewTask | None) -> dict[str, Any]:
    document = _document(decision, task, decision.status, final_of(decision))
    return {**document, "reasons": reasons_of(decision)}


def _document(
    row: Any, task: ReviewTask | Asked | None, status: str, final: dict[str, object] | None
) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "use_case": row.use_case_id,
        "external_id": row.external_id,
        "lane": row.lane,
        "would_be": row.would_be,
        "status": status,
        "final_output": final,
        "policy_version": str(row.policy_id),
        "sampling_probability": row.sampling_probability,
        "review": None if task is None else _review(task),
        "created_at": row.created_at,
    }


def _review(task: ReviewTask | Asked) -> dict[str, Any]:
    return {
        "task": str(task.pk),
        "due_at": task.due_at,
        "reviews_required": task.reviews_required,
    }


def decision_as_sent(decision: Decision) -> dict[str, Any]:
    """The decision in the form that conditions read, from its row and its content.

    Raises:
        Conflict: the content was erased, so that the inputs of its routing are gone.
    """
    payload = Payload.objects.filter(decision=decision.pk).first()
    if payload is None:
        raise Conflict("the content of this decision was erased: its routing cannot be repeated")
    decision._payload = payload
    return {
        "external_id": decision.external_id,
        "model_version": decision.model_version.version,
        "kind": decision.kind,
        "output": output_of(decision),
        "amount": decision.amount,
        "features": part_of(decision, "features") or {},
        "subject": part_of(decision, "subject") or {},
    }
