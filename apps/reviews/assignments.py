"""Seats given to people by a lead, taken back, and handed on while somebody is away."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict, NotFound
from apps.common.saving import checked_reason
from apps.decisions.domain.content import subject_pseudonym
from apps.reviews.domain.eligibility import interest
from apps.reviews.models import Assignment, Review, ReviewTask, Seat
from apps.reviews.pools import caller_for, missing_for, pseudonym_key
from apps.reviews.seats import seat_free


@transaction.atomic
def seat_assign(
    *, actor: Actor, task_id: UUID, person: User, reason: str, number: int | None = None
) -> Assignment:
    """Give a seat to ``person``: the named one, else the first that is free. Nobody else is handed
    it from then on, save who stands in for them. One that had been given to another, or that
    another holds, is reassigned: that lease ends and the draft stays.

    Raises:
        NotFound, Conflict: there is no such open task, no such seat, or nothing to give.
        BadInput: the person may not review it; why is said.
    """
    require_actor(actor)
    reason, now = checked_reason(reason, required=True), timezone.now()
    task = _open_task(task_id)
    seat = _seat_to_give(task, person, number)
    _check_person(task, seat, person, now)
    kind = "assign" if seat.assigned_to_id is None and seat.holder_id is None else "reassign"
    if seat.state == "leased":
        seat_free(seat)
    seat.assigned_to, seat.not_before = person, None
    seat.save()
    return _record(actor, task, seat, kind, person, reason, now)


@transaction.atomic
def seat_unassign(*, actor: Actor, task_id: UUID, number: int, reason: str) -> Assignment:
    """Back to whoever is next in the queue; a lease on it ends and the draft stays."""
    require_actor(actor)
    reason, now = checked_reason(reason, required=True), timezone.now()
    task = _open_task(task_id)
    seat = _seat(task, number)
    if seat.answered or seat.state not in ("free", "leased"):
        raise Conflict(f"{seat}: there is nothing to take back")
    if seat.assigned_to_id is None and seat.holder_id is None:
        raise Conflict(f"seat {number} of the task {task_id} waits in the queue already")
    if seat.state == "leased":
        seat_free(seat)
    seat.assigned_to = seat.not_before = None
    seat.save()
    return _record(actor, task, seat, "unassign", None, reason, now)


@transaction.atomic
def seat_return(
    *,
    actor: Actor,
    task_id: UUID,
    number: int,
    person: User,
    reason: str,
    not_before: datetime | None = None,
) -> Assignment:
    """Back to the person who had it, for an answer that they waited for or a second look.

    The seat is theirs again although they sat here before, from ``not_before`` on.
    """
    require_actor(actor)
    reason, now = checked_reason(reason, required=True), timezone.now()
    task = _open_task(task_id)
    seat = _seat(task, number)
    if seat.state == "closed":
        raise Conflict(f"{seat}: it is not returned")
    if seat.holder_id not in (None, person.pk):
        raise Conflict(f"seat {number} of the task {task_id} is held by somebody else")
    why = missing_for(caller_for(person.actor, person), person, seat.pool, now)
    if why is not None:
        raise BadInput(why, "/person")
    answered = seat.answered
    seat_free(seat)
    seat.assigned_to, seat.not_before, seat.answered = person, not_before, answered
    seat.save()
    return _record(actor, task, seat, "return", person, reason, now)


@transaction.atomic
def seats_delegate(
    *,
    actor: Actor,
    person: User,
    delegate: User,
    reason: str,
    use_cases: Collection[str] | None = None,
) -> int:
    """Hand on what was given to ``person`` and waits: a record for each. Returns how many.

    What the delegate may not review stays where it is, for the lead to see.
    """
    require_actor(actor)
    reason, now, moved = checked_reason(reason, required=True), timezone.now(), 0
    if delegate.pk == person.pk:
        raise BadInput(f"{person.username} cannot stand in for themselves", "/delegate")
    waiting: Any = Seat.objects.filter(assigned_to=person, state="free", task__status="open")
    if use_cases is not None:
        waiting = waiting.filter(task__use_case__in=use_cases)
    for task_id, number in list(waiting.order_by("id").values_list("task_id", "number")):
        moved += _delegate(actor, task_id, number, person, delegate, reason, now)
    return moved


def _delegate(
    actor: Actor,
    task_id: UUID,
    number: int,
    person: User,
    delegate: User,
    reason: str,
    now: datetime,
) -> int:
    task = _open_task(task_id)
    seat = _seat(task, number)
    if seat.assigned_to_id != person.pk or seat.state != "free":
        return 0
    if why_not(task, seat, delegate, now) is not None:
        return 0
    seat.assigned_to = delegate
    seat.save()
    _record(actor, task, seat, "delegate", delegate, reason, now)
    return 1


def why_not(task: ReviewTask, seat: Seat, person: User, now: datetime) -> str | None:
    """Why ``person`` may not have this seat, or None: skill, right, interest, another seat."""
    missing = missing_for(caller_for(person.actor, person), person, seat.pool, now)
    if missing is not None:
        return missing
    if Seat.objects.filter(task=task, holder=person).exclude(pk=seat.pk).exists():
        return f"{person.username} has a seat of this task already"
    return _interest(task, person)


def _interest(task: ReviewTask, person: User) -> str | None:
    decision = task.decision
    own = subject_pseudonym(pseudonym_key(), task.use_case_id, person.username)
    earlier = Review.objects.filter(decision=decision).values_list("reviewer_id", flat=True)
    found = interest(
        str(person.pk),
        submitted_by=decision.submitted_by,
        earlier_reviewers={str(key) for key in earlier},
        subject_logins={str(person.pk)} if decision.subject_pseudonym == own else set(),
        decided_before=(),
        contested=False,
    )
    return None if found is None else f"{person.username}: {found}"


def _check_person(task: ReviewTask, seat: Seat, person: User, now: datetime) -> None:
    why = why_not(task, seat, person, now)
    if why is not None:
        raise BadInput(why, "/person")


def _open_task(task_id: UUID) -> ReviewTask:
    """Locked, and before its seats, as everybody locks them."""
    tasks = ReviewTask.objects.select_for_update(no_key=True, of=("self",))
    task: ReviewTask | None = tasks.select_related("decision").filter(pk=task_id).first()
    if task is None:
        raise NotFound(f"there is no review task {task_id}")
    if task.status != "open":
        raise Conflict(f"the review task {task_id} is {task.status}: nobody can be given it")
    return task


def _seats(task: ReviewTask) -> Any:
    seats = Seat.objects.select_for_update(no_key=True, of=("self",)).select_related("pool")
    return seats.filter(task=task).order_by("number")


def _seat(task: ReviewTask, number: int) -> Seat:
    seat: Seat | None = _seats(task).filter(number=number).first()
    if seat is None:
        raise NotFound(f"the review task {task.pk} has no seat {number}")
    return seat


def _seat_to_give(task: ReviewTask, person: User, number: int | None) -> Seat:
    if number is None:
        free = _seats(task).filter(state="free", assigned_to=None).first()
        if free is None:
            raise Conflict(f"the review task {task.pk} has no free seat: name one to reassign")
        found: Seat = free
        return found
    seat = _seat(task, number)
    if seat.state not in ("free", "leased") or seat.answered:
        raise Conflict(f"{seat}: it is not given to anybody any more")
    if person.pk in (seat.holder_id, seat.assigned_to_id):
        raise Conflict(f"seat {number} of the task {task.pk} is {person.username}'s already")
    return seat


def _record(
    actor: Actor,
    task: ReviewTask,
    seat: Seat,
    kind: str,
    person: User | None,
    reason: str,
    now: datetime,
) -> Assignment:
    row = Assignment(
        use_case_id=task.use_case_id,
        task=task,
        seat=seat.number,
        kind=kind,
        person=person,
        made_by=actor.id,
        made_at=now,
    )
    row.save(actor=actor, reason=reason)
    return row
