"""A reviewer asks for information: the clock waits, within a limit, and the case comes back to them."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict, NotFound
from apps.common.saving import refuse_unstorable
from apps.decisions.services import decision_lock
from apps.registry.models import UseCase
from apps.reviews.domain.business_hours import Calendar, add_minutes, minutes_between
from apps.reviews.domain.calendar_reading import parse_calendar
from apps.reviews.models import Review, ReviewTask, Seat
from apps.reviews.reviewing import Said, review_begun, review_say
from apps.reviews.seats import seat_free
from apps.workflow.desk.machines import is_machine
from apps.workflow.desk.settling import Desk
from apps.workflow.desk.sweeping import for_each
from apps.workflow.desk.words import INFORMATION, QUESTION, dialogue, words_add

USED: Final = "paused_minutes"  # in the task's ruling: working minutes that did not count so far
MAX_INFORMATION: Final = 20_000
CLOCK: Final = Actor.system("desk")
BATCH: Final = 500


def question_ask(desk: Desk, seat: Seat, person: User, said: Said, question: str) -> Review:
    """Put the question, stop the clock, and keep the seat for the one who asked."""
    task = desk.task
    limit = desk.policy.document["ask_limit_minutes"]
    left = 0.0 if limit is None else limit - _used(task)
    if left <= 0:
        raise Conflict(f"the {limit} minutes for questions on this case are used up: decide it")
    review = review_begun(task, person, desk.now)
    review.machine = is_machine(person)
    # What was answered before stays: the question only says that more is needed.
    said = said._replace(label=review.label, final=False)
    kept = words_add(desk.decision, QUESTION, task.pk, question)
    review_say(
        actor=desk.actor,
        review=review,
        said=said,
        now=desk.now,
        reason="asked for information",
        rationale_commitment=kept,
    )
    if task.paused_at is None:
        task.paused_at = desk.now
        task.paused_until = add_minutes(calendar_of(desk.decision.use_case), desk.now, left)
        task.save(actor=desk.actor, reason="waits for information")
    seat_free(seat)
    seat.assigned_to, seat.not_before = person, task.paused_until
    seat.save(update_fields=["assigned_to", "not_before"])
    return review


def calendar_of(use_case: UseCase) -> Calendar | None:
    return None if use_case.calendar is None else parse_calendar(use_case.calendar)


def _used(task: ReviewTask) -> float:
    return float((task.ruling or {}).get(USED, 0.0))


@transaction.atomic
def review_inform(
    *, actor: Actor, task_id: UUID, text: str, now: datetime | None = None
) -> ReviewTask:
    """Answer what a reviewer asked: the clock goes on, and the case is theirs again at once.

    Raises:
        NotFound: there is no such task. Conflict: it is not open, or nothing was asked.
        BadInput: the text is empty or too long.
    """
    require_actor(actor)
    if not isinstance(text, str) or not 0 < len(text.strip()) <= MAX_INFORMATION:
        detail = f"text of 1 to {MAX_INFORMATION:,} characters is allowed"
        raise BadInput(detail, "/text")
    refuse_unstorable(text=text)
    task = task_lock(task_id)
    if task.status != "open":
        raise Conflict(f"the review task {task_id} is {task.status}: nobody waits for an answer")
    decision = task.decision = decision_lock(task.decision_id)
    said = [entry["kind"] for entry in dialogue(decision, task.pk)]
    if said.count("question") <= said.count("answer"):
        raise Conflict("no question about this case waits for an answer")
    words_add(decision, INFORMATION, task.pk, text.strip())
    _clock_goes_on(task, now or timezone.now(), actor, "information came")
    return task


def task_lock(task_id: UUID) -> ReviewTask:
    """The task, locked until the transaction ends: always before its seats and its decision."""
    task: ReviewTask | None = (
        ReviewTask.objects.select_for_update(no_key=True).filter(pk=task_id).first()
    )
    if task is None:
        raise NotFound(f"there is no review task {task_id}")
    return task


def _clock_goes_on(task: ReviewTask, now: datetime, actor: Actor, why: str) -> None:
    """What the task waited does not count; whoever asked may go on."""
    if task.paused_at is not None:
        end = min(now, task.paused_until or now)
        calendar = calendar_of(task.use_case)
        waited = max(0.0, minutes_between(calendar, task.paused_at, end))
        if task.due_at is not None:
            task.due_at = add_minutes(calendar, task.due_at, waited)
        task.ruling = {**(task.ruling or {}), USED: round(_used(task) + waited, 3)}
        task.paused_at = task.paused_until = None
    task.save(actor=actor, reason=why)
    Seat.objects.filter(task=task, state="free", not_before__isnull=False).update(not_before=None)


def pauses_end(now: datetime) -> int:
    """Pauses that reached their limit: the clock goes on although the answer is missing."""
    over = ReviewTask.objects.filter(status="open", paused_until__lte=now)
    keys = list(over.order_by("paused_until").values_list("pk", flat=True)[:BATCH])
    return for_each(keys, lambda key: _end_pause(key, now))


@transaction.atomic
def _end_pause(task_id: UUID, now: datetime) -> int:
    task = task_lock(task_id)
    if task.status != "open" or task.paused_until is None or task.paused_until > now:
        return 0
    _clock_goes_on(task, now, CLOCK, "the time for an answer is over")
    return 1
