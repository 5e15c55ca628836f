"""Sweeps of the desk, from the database alone: what is overdue, what stands, what nobody can give."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.common.actor import Actor
from apps.decisions.bulk.locks import shared_stop
from apps.decisions.domain.lifecycle import Event, Status
from apps.decisions.models import Decision
from apps.decisions.selectors import output_of
from apps.decisions.services import decision_lock, decision_move
from apps.registry.models import Lifecycle
from apps.reviews.domain.sla import Step, next_step
from apps.reviews.models import Review, ReviewTask, Seat
from apps.reviews.pools import pool_for
from apps.reviews.reviewing import review_stand
from apps.reviews.seats import seat_free
from apps.reviews.services import due_at
from apps.workflow.desk.asking import task_lock
from apps.workflow.desk.case import CHECKING, policy_of, standing_policy
from apps.workflow.desk.checking import known_compare
from apps.workflow.desk.settling import (
    SKILLED,
    Desk,
    settle,
    task_close,
    tell_escalated,
)
from apps.workflow.desk.sweeping import for_each

CLOCK: Final = Actor.system("desk")
BATCH: Final = 500
LAPSED: Final = "its time ran out"
REVIEWER: Final = "reviewer"
FALLBACKS: Final = {"withhold": Event.FALLBACK_WITHHOLD, "release": Event.FALLBACK_RELEASE}


# --- Service levels ---------------------------------------------------------------------------


def deadlines_sweep(now: datetime) -> int:
    """Escalate what is overdue, or let the fallback decide; returns how many tasks moved."""
    overdue = ReviewTask.objects.filter(status="open", due_at__lte=now, paused_at=None)
    keys = list(overdue.order_by("due_at").values_list("pk", flat=True)[:BATCH])
    return for_each(keys, lambda key: _lapse(key, now))


@transaction.atomic
def _lapse(task_id: UUID, now: datetime) -> int:
    """One step of one task. A verdict that holds the lock goes first; then this looks again."""
    task = task_lock(task_id)
    if task.status != "open" or task.paused_at or task.due_at is None or task.due_at > now:
        return 0
    decision = task.decision = decision_lock(task.decision_id)
    policy = policy_of(task, standing_policy(decision.use_case, now))
    desk = Desk(CLOCK, task, decision, policy, now)
    document = policy.document
    step = next_step(document["escalation"], task.level, document["fallback"])
    if step.kind == "escalate":
        _escalate(desk, str(step.role))
    else:
        _fall_back(desk, step)
    return 1


def _escalate(desk: Desk, role: str) -> None:
    """Whoever holds a seat may finish; what is free, or comes free, is for the next role. A lease
    that is over holds nothing, whether or not the sweep of leases has been by. A case that only
    shows how well one person decides has the same clock, and stays theirs."""
    task, document = desk.task, desk.policy.document
    is_check = task.kind in CHECKING
    task.level, task.role = task.level + 1, "" if is_check else role
    task.due_at = due_at(document, desk.decision.use_case, desk.now)
    task.save(actor=desk.actor, reason=f"{LAPSED}: to {role.replace('_', ' ')}"[:100])
    if is_check:
        return
    over = Seat.objects.select_for_update(no_key=True).filter(
        task=task, state="leased", answered=False, lease_expires_at__lte=desk.now
    )
    for seat in over.order_by("pk"):
        seat_free(seat)
    _follow(task, document["skills"])
    tell_escalated(desk, role, "sla")


def _follow(task: ReviewTask, skills: list[str]) -> int:
    """Free seats of an escalated task belong to the role that it was escalated to; who adjudicates
    stands above the reviewers, though."""
    pool = pool_for(task.use_case_id, task.role, skills if task.role in SKILLED else ())
    free = Seat.objects.filter(task=task, state="free").exclude(pool=pool)
    if task.role == REVIEWER:
        free = free.filter(stage="review")
    return int(free.update(pool=pool, assigned_to=None, not_before=None))


def _fall_back(desk: Desk, step: Step) -> None:
    """The end of the chain. A late click finds a task that is not open any more."""
    task, decision = desk.task, desk.decision
    task_close(desk, {"state": "lapsed", "why": LAPSED}, "lapsed")
    if task.kind != "before" or decision.status != Status.PENDING:
        return
    outcome = step.outcome or desk.policy.document["fallback"]
    if outcome == "release" and (not _running(decision) or output_of(decision) is None):
        outcome = "withhold"  # nothing is released in a stop, nor where no model has spoken
    event = FALLBACKS[outcome]
    decision_move(actor=CLOCK, decision=decision, event=event, reason=LAPSED)


def _running(decision: Decision) -> bool:
    """Whether the use case is in service, as committed now and until this transaction ends."""
    lifecycle, _withdrawn = shared_stop(decision.use_case_id, [decision.model_version_id])
    return lifecycle in (Lifecycle.LIVE, Lifecycle.PILOT)


def escalated_seats_follow(now: datetime) -> int:
    """Seats of escalated tasks that came free since, as when a lease lapsed."""
    strays = Seat.objects.filter(state="free", task__status="open", task__level__gt=0)
    strays = strays.exclude(task__role="").exclude(pool__role=F("task__role"))
    strays = strays.exclude(stage="adjudication", task__role=REVIEWER)
    keys = set(strays.values_list("task", flat=True)[:BATCH])
    return for_each(sorted(keys), lambda key: _follow_one(key, now))


@transaction.atomic
def _follow_one(task_id: UUID, now: datetime) -> int:
    task = task_lock(task_id)
    if task.status != "open":
        return 0
    policy = policy_of(task, standing_policy(task.use_case, now))
    return _follow(task, policy.document["skills"])


# --- Blind answers that stand -----------------------------------------------------------------


def blind_answers_stand(now: datetime) -> int:
    """A blind answer whose lease ran out before the second verdict is the verdict."""
    over = Seat.objects.filter(state="leased", answered=True, lease_expires_at__lte=now)
    keys = list(over.order_by("lease_expires_at").values_list("pk", "task")[:BATCH])
    return for_each(keys, lambda pair: _stand(*pair, now))


@transaction.atomic
def _stand(seat_id: int, task_id: UUID, now: datetime) -> int:
    task = task_lock(task_id)
    seat = Seat.objects.select_for_update(no_key=True).get(pk=seat_id)
    expires = seat.lease_expires_at
    if seat.state != "leased" or not seat.answered or expires is None or expires > now:
        return 0
    return _make_final(task, seat, now)


def _make_final(task: ReviewTask, seat: Seat, now: datetime) -> int:
    review = Review.objects.filter(task=task, reviewer=seat.holder_id, final=False).first()
    if review is None or task.status != "open":
        seat_free(seat)
        return 0
    decision = task.decision = decision_lock(task.decision_id)
    if not _running(decision):
        return 0  # a stop: it is made final when the use case runs again
    review_stand(actor=CLOCK, review=review)
    seat.state, seat.lease_expires_at = "done", None
    seat.save(update_fields=["state", "lease_expires_at"])
    policy = policy_of(task, standing_policy(decision.use_case, now))
    desk = Desk(CLOCK, task, decision, policy, now)
    known_compare(desk, review, review.reviewer)
    settle(desk, review)
    return 1


# --- People who left --------------------------------------------------------------------------


def leases_of_the_inactive_end(now: datetime) -> int:
    """Seats that a deactivated person holds, or was given, go back into the queue; drafts stay."""
    held = Seat.objects.filter(state="leased", holder__is_active=False)
    keys = list(held.values_list("pk", flat=True)[:BATCH])
    given = Seat.objects.filter(state="free", assigned_to__is_active=False)
    back = int(given.update(assigned_to=None, not_before=None))
    return back + for_each(keys, lambda key: _end_lease(key, now))


@transaction.atomic
def _end_lease(seat_id: int, now: datetime) -> int:
    task_id = Seat.objects.values_list("task", flat=True).get(pk=seat_id)
    task = task_lock(task_id)
    seat = Seat.objects.select_for_update(no_key=True, of=("self",)).get(pk=seat_id)
    holder = seat.holder
    if seat.state != "leased" or holder is None or holder.is_active:
        return 0
    if seat.answered:
        return _make_final(task, seat, now)
    seat_free(seat)
    return 1
