"""Cases that wait for a person's own answer: closed to that person everywhere but at the seat.

A case that is asked only to see how well people decide was settled before. Its status, its history
or its age, read anywhere, would tell it from the others, and may be the answer. So what the case's
holder reads elsewhere is the same of every case: that it came, and that it waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.accounts.callers import Caller
from apps.accounts.models import User
from apps.decisions.domain.lifecycle import Lane, Status
from apps.decisions.models import Decision
from apps.policies.selectors import PolicyInForce
from apps.registry.models import Lifecycle
from apps.reviews.domain.display import SELECTED
from apps.reviews.models import ReviewTask, Seat
from apps.workflow.desk.case import CHECKING, policy_of, standing_policy
from apps.workflow.desk.machines import login_of


def person_of(caller: Caller) -> User | None:
    """Who sits at the caller's seats; a program has a row once it has reviewed."""
    if caller.user is not None or caller.key is None:
        return caller.user
    found: User | None = User.objects.filter(username=login_of(caller.key)).first()
    return found


def own_seats(caller: Caller) -> QuerySet[Seat]:
    """Seats at which the caller is asked for an answer now. Where a case went up, whoever it went
    to is to know of it what there is."""
    person = person_of(caller) if caller.may("review.do") else None
    if person is None:
        return Seat.objects.none()
    mine = Q(holder=person, state="leased") | Q(assigned_to=person, state="free")
    found: QuerySet[Seat] = Seat.objects.filter(
        mine, stage="review", pool__role="", task__status="open"
    )
    return found


def closed_to(caller: Caller, decisions: Iterable[UUID]) -> dict[UUID, ReviewTask]:
    """Of ``decisions`` those that wait for the caller's own answer, each with its task."""
    seats = own_seats(caller).filter(task__decision__in=list(decisions))
    found = seats.select_related("task__decision__use_case")
    return {seat.task.decision_id: seat.task for seat in found}


def without_closed(caller: Caller, rows: QuerySet[Decision]) -> QuerySet[Decision]:
    """``rows`` for a list: what a list is narrowed and sorted by would tell of a case that is in it."""
    keys = list(own_seats(caller).values_list("task__decision", flat=True))
    return rows.exclude(pk__in=keys) if keys else rows


class Looks(NamedTuple):
    """What a task seems to be to whoever is not to know more."""

    kind: str
    lane: str
    status: str
    reviews_required: int


def looks_of(task: ReviewTask, in_force: PolicyInForce | None) -> Looks:
    """A task as it is; one that checks people as a task of its day would be."""
    decision = task.decision
    if task.kind not in CHECKING:
        return Looks(task.kind, decision.lane, decision.status, task.reviews_required)
    policy = policy_of(task, in_force)
    required = int(policy.document["reviews_required"])
    if decision.use_case.lifecycle == Lifecycle.PILOT:
        return Looks("after", Lane.SHADOW.value, Status.RELEASED.value, required)
    if policy.level == "HOTL" and decision.lane == Lane.SUPERVISED:
        return Looks("after", Lane.SUPERVISED.value, Status.RELEASED.value, required)
    return Looks("before", Lane.REVIEW.value, Status.PENDING.value, required)


def waiting_document(task: ReviewTask, now: datetime) -> dict[str, Any]:
    """A closed decision in the form of the others' answers."""
    decision = task.decision
    in_force = standing_policy(decision.use_case, now)
    looks = looks_of(task, in_force)
    return {
        "id": str(decision.pk),
        "use_case": decision.use_case_id,
        "external_id": decision.external_id,
        "lane": looks.lane,
        "would_be": None,
        "status": looks.status,
        "final_output": None,
        "reasons": [{**SELECTED, "rule": None, "value": None}],
        "policy_version": str(policy_of(task, in_force).id),
        "sampling_probability": None,
        "review": {
            "task": str(task.pk),
            "due_at": task.due_at,
            "reviews_required": looks.reviews_required,
        },
        "created_at": task.created_at if task.kind in CHECKING else decision.created_at,
    }
