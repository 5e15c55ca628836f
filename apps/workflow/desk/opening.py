"""The claim's door: the next case for a person, opened under a lease, with the trace that it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.events import Event, record_event
from apps.common.actor import Actor, require_actor
from apps.common.errors import Conflict
from apps.common.prepared import Prepared
from apps.decisions.selectors import payload_of
from apps.policies.models import PolicyVersion
from apps.registry.models import Lifecycle, ModelVersion, UseCase
from apps.reviews.models import Review, ReviewTask, Seat
from apps.reviews.pools import caller_for, missing_for, pool_for
from apps.reviews.seats import held_seat, seat_free, seat_taken
from apps.workflow.desk.case import Case, case_for, standing_policy
from apps.workflow.desk.checking import known_is_due, known_seat, practice_seat
from apps.workflow.desk.closing import task_without_content
from apps.workflow.desk.pauses import Load, load_of
from apps.workflow.desk.stages import BLIND
from apps.workflow.desk.undo import drafts_submit_due

SHOWN: Final = "case_shown"
ATTEMPTS: Final = 20  # erased cases passed over in one claim
# What a case is made of, in four queries: to plan one that joins all takes twice as long as these.
SEAT: Final = Prepared(
    lambda key: Seat.objects.filter(pk=key).select_related("pool", "task__decision"), key=Seat.id
)
USE_CASE: Final = Prepared(lambda slug: UseCase.objects.filter(pk=slug), slug=UseCase.slug)
VERSION: Final = Prepared(
    lambda key: ModelVersion.objects.filter(pk=key).select_related("system"), key=ModelVersion.id
)
POLICY: Final = Prepared(lambda key: PolicyVersion.objects.filter(pk=key), key=PolicyVersion.id)


@dataclass(frozen=True, slots=True)
class Opened:
    """A case under a lease. ``load``: how much the person has done, and whether to pause."""

    seat: Seat
    task: ReviewTask
    case: Case
    lease: UUID
    lease_expires_at: datetime
    load: Load


def open_next(
    *, actor: Actor, person: User, use_case: str | None = None, now: datetime | None = None
) -> Opened | None:
    """The next case for ``person``, None where nothing waits for them.

    Their own case first, then what was given to them, then the queue, into which known answers
    are mixed; where it is empty, a case for practice to whoever had too few.

    Raises:
        NotPermitted: the person is deactivated.
    """
    require_actor(actor)
    at = now or timezone.now()
    drafts_submit_due(at, person=person)  # what they did a moment ago counts before what is next
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return _open_one(actor, person, use_case, at)
        except _ErasedError as erased:
            # In a transaction of its own: a task is locked before its seats, and the claim, which
            # is undone, had locked the seat.
            task_without_content(erased.task, at)
    return None


class _ErasedError(Exception):
    """The case that came next has no content any more."""

    def __init__(self, task: UUID) -> None:
        super().__init__(str(task))
        self.task = task


def _open_one(actor: Actor, person: User, slug: str | None, now: datetime) -> Opened | None:
    seat = _seat_for(actor, person, slug, now)
    if seat is None:
        return None
    if payload_of(seat.task.decision) is None:
        raise _ErasedError(seat.task_id)
    return _open(actor, person, seat, now)


def open_again(
    *, actor: Actor, person: User, task_id: UUID, lease: UUID, now: datetime | None = None
) -> Opened:
    """The case of a lease that the person holds, as it is now: after a stale verdict, in a second
    browser, or when the page is opened again.

    Raises: as ``held_seat``.
    """
    at = now or timezone.now()
    with transaction.atomic():
        seat = held_seat(task_id=task_id, lease=lease, person=person, now=at, actor=actor)
        return _open(actor, person, _with_rows(seat), at)


def review_reveal(
    *, actor: Actor, person: User, task_id: UUID, lease: UUID, now: datetime | None = None
) -> Opened:
    """What a blind case hid, after the first answer was committed.

    Raises: as ``held_seat``; Conflict where the first answer is not given yet.
    """
    at = now or timezone.now()
    with transaction.atomic():
        seat = held_seat(task_id=task_id, lease=lease, person=person, now=at, actor=actor)
        opened = _open(actor, person, _with_rows(seat), at)
        if opened.case.stage == BLIND:
            raise Conflict("nothing is revealed before the first answer is given: submit it first")
        return opened


def seat_with_case(key: int) -> Seat:
    """A seat with all that its case is made of."""
    seat: Seat
    (seat,) = SEAT.rows(key=key)
    decision = seat.task.decision
    (decision.use_case,) = USE_CASE.rows(slug=decision.use_case_id)
    (decision.model_version,) = VERSION.rows(key=decision.model_version_id)
    (decision.policy,) = POLICY.rows(key=decision.policy_id)
    return seat


def _with_rows(seat: Seat) -> Seat:
    """The seat as it is at hand, with all that its case is made of."""
    row = seat_with_case(seat.pk)
    seat.pool, seat.task = row.pool, row.task
    return seat


def _seat_for(actor: Actor, person: User, slug: str | None, now: datetime) -> Seat | None:
    seat = seat_taken(actor=actor, person=person, use_case=slug, now=now)
    if seat is None:
        return _practice_for(actor, person, slug, now)
    task = _with_rows(seat).task
    if seat.shown_hash is not None or seat.assigned_to_id is not None:
        return seat  # theirs before, or given to them
    if seat.stage != "review" or seat.pool.role:
        return seat  # it went up: nobody is tested while it waits
    use_case = task.decision.use_case
    policy = standing_policy(use_case, now)
    if policy is None or not known_is_due(person, use_case, policy, now):
        return seat
    if caller_for(actor, person).may("known_answer.view", use_case.slug):
        return seat  # whoever can read which cases these are is not tested by them
    known = known_seat(actor, person, use_case, policy, now, task)
    if known is None:
        return seat
    seat_free(seat)  # in this transaction: nobody saw it leave the queue
    return _leased(actor, person, known, now)


def _leased(actor: Actor, person: User, made: Seat, now: datetime) -> Seat | None:
    """A task made for this person is claimed like any other: it is given to them alone."""
    slug = made.pool.use_case_id
    seat = seat_taken(actor=actor, person=person, use_case=slug, now=now)
    return None if seat is None else _with_rows(seat)


def _practice_for(actor: Actor, person: User, slug: str | None, now: datetime) -> Seat | None:
    caller = caller_for(actor, person)
    for use_case in _practised(slug):
        policy = standing_policy(use_case, now)
        if policy is None:
            continue
        pool = pool_for(use_case.slug, skills=policy.document["skills"])
        if missing_for(caller, person, pool, now) is None:
            made = practice_seat(actor, person, use_case, policy, now)
            if made is not None:
                return _leased(actor, person, made, now)
    return None


def _practised(slug: str | None) -> list[UseCase]:
    """Live use cases whose policy asks that nobody gets fewer than so many cases a week."""
    active = PolicyVersion.objects.filter(status="active").select_related("use_case")
    active = active.filter(use_case__lifecycle=Lifecycle.LIVE).order_by("use_case")
    if slug is not None:
        active = active.filter(use_case=slug)
    return [policy.use_case for policy in active if policy.document.get("min_weekly_cases")]


def _open(actor: Actor, person: User, seat: Seat, now: datetime) -> Opened:
    """Bind the seat to what is shown now. That it was shown is a record of its own."""
    if seat.answered and not Review.objects.filter(task=seat.task, reviewer=person).exists():
        seat.answered = False  # the first answer was another person's: this one sees it blind too
    in_force = standing_policy(seat.task.decision.use_case, now)
    case = case_for(seat, person, now, in_force)
    if seat.shown_hash != case.shown_hash:
        seat.shown_hash, seat.shown = case.shown_hash, case.binding
        seat.save(update_fields=["shown_hash", "shown", "answered"])
        _record_shown(actor, seat, case)
    if seat.lease is None or seat.lease_expires_at is None:
        raise Conflict("the lease is over: claim the case again")
    load = load_of(person, in_force, now)
    return Opened(seat, seat.task, case, seat.lease, seat.lease_expires_at, load)


def _record_shown(actor: Actor, seat: Seat, case: Case) -> None:
    task = seat.task
    record_event(
        Event(
            SHOWN,
            actor,
            action="review.take",
            target=str(task.decision_id),
            use_case=task.use_case_id,
            detail={"task": str(task.pk), "stage": case.stage, "shown_hash": case.shown_hash},
        )
    )
