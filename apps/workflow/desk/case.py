"""The case at a seat: what its holder is shown, and what a verdict given on it is bound to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.audit.domain.canonical import canonical_json
from apps.common.errors import Conflict
from apps.decisions.domain.lifecycle import Lane
from apps.decisions.models import PARTS, Decision
from apps.decisions.selectors import output_of, payload_of
from apps.policies.domain.reasons import audit_reason
from apps.policies.selectors import PolicyInForce, compiled_policy, policy_in_force
from apps.registry.models import UseCase
from apps.reviews.domain import display
from apps.reviews.models import Review, ReviewTask, Seat
from apps.workflow.desk.documents import moment, open_document
from apps.workflow.desk.peers import verdicts_shown
from apps.workflow.desk.stages import ADJUDICATION, BLIND, OPEN, REVEALED, stage_of
from apps.workflow.desk.words import dialogue, outputs_of

CHECKING = ("known", "practice")  # tasks that decide nothing


@dataclass(frozen=True, slots=True)
class Case:
    """``document``: what is shown; ``binding``: codes and commitments of what it rests on, without
    content; ``shown_hash``: over both, without what a clock moves."""

    stage: str
    document: dict[str, Any]
    binding: dict[str, Any]
    shown_hash: str


def case_for(
    seat: Seat, person: User, now: datetime | None = None, in_force: PolicyInForce | None = None
) -> Case:
    """What ``person`` sees at ``seat``. ``in_force``: the policy in force, where that was read.

    Raises:
        Conflict: the content was erased, so that there is nothing left to decide on.
    """
    task, decision = seat.task, seat.task.decision
    if payload_of(decision) is None:
        raise Conflict(f"the content of case {decision.external_id} was erased")
    in_force = in_force or standing_policy(decision.use_case, now or timezone.now())
    policy = policy_of(task, in_force)
    stage = seen_stage(seat, policy, decision)
    whole = {
        **open_document(decision, policy.document, stage),
        **(_as_one_of_today(task, decision, policy) if task.kind in CHECKING else {}),
        "due_at": moment(task.due_at),
        "information": dialogue(decision, task.pk),
        "verdicts": _verdicts(seat, person, policy),
        "own_answer": _own_answer(seat, person) if stage == REVEALED else None,
    }
    document = display.blind_case(whole) if stage == BLIND else whole
    binding = _binding(task, stage, whole, in_force)
    return Case(stage, document, binding, _hash(document, binding))


def _as_one_of_today(task: ReviewTask, decision: Decision, policy: PolicyInForce) -> dict[str, Any]:
    """What would tell that a case was decided before: its age, and reasons that ask nobody."""
    decided_at = decision.decided_at
    if decided_at is not None:
        decided_at += task.created_at - decision.created_at
    seen: dict[str, Any] = {
        "created_at": moment(task.created_at),
        "decided_at": moment(decided_at),
    }
    if not asked_people(decision):
        seen["reasons"] = [audit_reason(policy.routing.audit_rate)]
    return seen


def asked_people(decision: Decision) -> bool:
    """Whether routing sent the case to people, before its release or after it."""
    return (decision.would_be or decision.lane) == Lane.REVIEW or decision.after_review


def policy_of(task: ReviewTask, in_force: PolicyInForce | None = None) -> PolicyInForce:
    """The rules of a task: those that routed the decision. A case that is only shown to see how
    well people decide looks like the others of its day."""
    if task.kind in CHECKING and in_force is not None:
        return in_force
    if in_force is not None and in_force.id == task.decision.policy_id:
        return in_force
    return compiled_policy(task.decision.policy_id)


def standing_policy(use_case: UseCase, now: datetime) -> PolicyInForce | None:
    """The policy in force, None where the use case has none (any more)."""
    try:
        return policy_in_force(use_case, now)
    except Conflict:
        return None


def seen_stage(seat: Seat, policy: PolicyInForce, decision: Decision) -> str:
    """Where no model has spoken there is nothing to reveal after a blind answer."""
    stage = stage_of(seat, policy.document)
    return OPEN if stage == REVEALED and output_of(decision) is None else stage


def _verdicts(seat: Seat, person: User, policy: PolicyInForce) -> list[dict[str, Any]]:
    """A senior sees what the others said, where the policy says so; nobody else ever does."""
    if seat.stage != ADJUDICATION or not policy.document["senior_sees_verdicts"]:
        return []
    return verdicts_shown(seat.task.decision, seat.task, without=person.pk)


def _own_answer(seat: Seat, person: User) -> dict[str, Any] | None:
    given = Review.objects.filter(task=seat.task, reviewer=person).first()
    if given is None:
        return None
    (first,) = outputs_of(seat.task.decision, [given], first=True)
    return None if first is None else dict(first)


def _binding(
    task: ReviewTask, stage: str, document: dict[str, Any], in_force: PolicyInForce | None
) -> dict[str, Any]:
    """Whatever makes a verdict stale when it changes. Codes and hashes: the seat keeps them."""
    decision = task.decision
    return {
        "decision": str(decision.pk),
        "status": decision.status,
        "lifecycle": decision.use_case.lifecycle,
        "model_status": decision.model_version.status,
        "policy": str(decision.policy_id),
        "policy_in_force": None if in_force is None else str(in_force.id),
        "stage": stage,
        "level": task.level,
        "content": {part: getattr(decision, f"{part}_commitment") for part in PARTS},
        "definition": _definition(decision.use_case),
        "verdicts": _digest([{**said, "rationale": None} for said in document["verdicts"]]),
        "information": len(document["information"]),
    }


def _definition(use_case: UseCase) -> str:
    """A hash of what the use case says about how its cases are shown and answered."""
    return _digest(
        [
            use_case.name,
            use_case.description,
            use_case.labels,
            use_case.favourable_label,
            use_case.reason_codes,
            use_case.features,
            use_case.subject_attributes,
        ]
    )


def _digest(value: Any) -> str:
    return sha256(canonical_json(value)).hexdigest()


def _hash(document: dict[str, Any], binding: dict[str, Any]) -> str:
    """The evidence can be large and is bound by its commitment; the due time moves by itself."""
    shown = {name: value for name, value in document.items() if name not in ("evidence", "due_at")}
    return display.shown_hash({"case": shown, "binding": binding})
