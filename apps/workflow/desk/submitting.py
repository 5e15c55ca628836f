"""A verdict is given: bound to what was shown, recorded, and followed by what it leads to.

Everything of one verdict commits together or not at all. The last step before the commit reads the
stop, as the intake does: a verdict on a stopped use case moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict, NotPermitted, StaleCase
from apps.decisions.bulk.locks import shared_stop
from apps.decisions.domain.lifecycle import Status
from apps.decisions.models import Decision
from apps.decisions.selectors import output_of
from apps.decisions.services import decision_lock
from apps.registry.models import Lifecycle
from apps.reviews.domain.display import difference
from apps.reviews.drafts import draft_keep, drafts_drop
from apps.reviews.models import Draft, Review, ReviewTask, Seat
from apps.reviews.reviewing import Said, review_begun, review_say
from apps.reviews.seats import held_seat
from apps.workflow.desk.asking import question_ask, task_lock
from apps.workflow.desk.case import CHECKING, Case, case_for, policy_of, standing_policy
from apps.workflow.desk.checking import known_compare
from apps.workflow.desk.closed import looks_of
from apps.workflow.desk.machines import is_machine
from apps.workflow.desk.settling import Desk, may_escalate, settle
from apps.workflow.desk.stages import ADJUDICATION, BLIND, REVEALED
from apps.workflow.desk.submission import Submission, Verdict, checked
from apps.workflow.desk.words import FIRST, OUTPUT, RATIONALE, words_add

STOPPED: Final = (Lifecycle.SUSPENDED, Lifecycle.RETIRED)


class TakenBack(Conflict):
    """A scheduled verdict that was taken back, or made final, by somebody who held the lock first."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a verdict. ``stage``: what comes next at this seat, None when it is done;
    ``right``: against a known answer, where the policy gives feedback at once."""

    task: ReviewTask
    decision: Decision
    review: Review
    stage: str | None
    right: bool | None = None
    known: dict[str, Any] | None = None


def review_submit(
    *,
    actor: Actor,
    person: User,
    task_id: UUID,
    lease: UUID,
    submission: Submission,
    now: datetime | None = None,
    draft: int | None = None,
) -> Submitted:
    """Give a verdict at the seat that ``person`` holds under ``lease``; ``draft``: only while this
    draft is still on its way.

    Raises:
        NotFound: there is no such task.
        Conflict: the lease is over or somebody else's, the task is not open, the use case was
            stopped; StaleCase: the case is not any more what was shown. What was written is kept.
        NotPermitted: the right or the skill is gone. BadInput: every fault of the verdict.
    """
    require_actor(actor)
    at = now or timezone.now()
    try:
        with transaction.atomic():
            if draft is not None:
                _require_on_its_way(task_id, draft)
            return _submit(actor, person, task_id, lease, submission, at)
    except TakenBack:
        raise
    except (Conflict, NotPermitted) as refusal:
        _keep(person, task_id, lease, submission, str(refusal), at)
        raise


def _require_on_its_way(task_id: UUID, draft: int) -> None:
    task_lock(task_id)
    if not Draft.objects.filter(pk=draft, submit_at__isnull=False).exists():
        raise TakenBack("the verdict was taken back, or is final already")


def _keep(
    person: User, task_id: UUID, lease: UUID, submission: Submission, why: str, now: datetime
) -> None:
    """Nothing typed is lost: in a transaction of its own, after the refused one rolled back."""
    task = ReviewTask.objects.filter(pk=task_id).first()
    if task is not None and not Review.objects.filter(task=task, reviewer=person, final=True):
        body = submission.as_text()
        with transaction.atomic():
            draft_keep(person=person, task=task, lease=lease, body=body, why=why, now=now)


@dataclass(frozen=True, slots=True)
class _Sitting:
    """A seat with its task and decision, all locked, and the case as it is now."""

    seat: Seat
    task: ReviewTask
    decision: Decision
    case: Case
    verdict: Verdict


def _submit(
    actor: Actor, person: User, task_id: UUID, lease: UUID, sent: Submission, now: datetime
) -> Submitted:
    sitting = sit_down(actor, person, task_id, lease, sent, now)
    seat, task, decision = sitting.seat, sitting.task, sitting.decision
    policy = policy_of(task, standing_policy(decision.use_case, now))
    desk = Desk(actor, task, decision, policy, now)
    if sitting.verdict.code == "ask":
        review = question_ask(desk, seat, person, _said(sitting, person), sitting.verdict.rationale)
        stage: str | None = sitting.case.stage
    elif sitting.case.stage == BLIND and _is_first(sitting):
        review, stage = _record_first(actor, person, sitting, now), REVEALED
    else:
        review, stage = _record(actor, person, sitting, now), None
        known = known_compare(desk, review, person) if task.kind in CHECKING else None
        settle(desk, review)
        refuse_if_stopped(task, sitting.case.binding, decision)
        feedback = known if policy.document["feedback"] else None
        right = None if feedback is None else feedback["right"]
        return Submitted(task, _moved(decision), review, stage, right, feedback)
    refuse_if_stopped(task, sitting.case.binding, decision)
    return Submitted(task, decision, review, stage)


def sit_down(
    actor: Actor, person: User, task_id: UUID, lease: UUID, sent: Submission, now: datetime
) -> _Sitting:
    """Lock what the verdict bears on, and check that it may be given as it is."""
    seat = held_seat(task_id=task_id, lease=lease, person=person, now=now, actor=actor)
    task = seat.task
    decision = task.decision = decision_lock(task.decision_id)
    if task.kind == "before" and decision.status != Status.PENDING:
        raise Conflict(f"the decision is {decision.status} already: nothing waits for a review")
    case = case_for(seat, person, now)
    _check_shown(seat, case, sent.shown_hash)
    verdict = checked(sent, case, decision)
    if verdict.code == "escalate" and task.kind not in CHECKING:
        _check_escalation(task, seat, decision, now)
    return _Sitting(seat, task, decision, case, verdict)


def _check_shown(seat: Seat, case: Case, shown_hash: str) -> None:
    if seat.shown_hash is None:
        raise Conflict("the case was not opened under this lease: claim it again")
    if shown_hash != seat.shown_hash:
        raise Conflict(f"shown_hash {shown_hash[:64]!r} is not that of the case that was shown")
    if shown_hash != case.shown_hash:
        changed = difference(seat.shown or {}, case.binding)
        where = ", ".join(str(entry["pointer"]) for entry in changed) or "what is shown"
        raise StaleCase(f"the case has changed since it was shown: {where}", changed)


def _check_escalation(task: ReviewTask, seat: Seat, decision: Decision, now: datetime) -> None:
    policy = policy_of(task, standing_policy(decision.use_case, now))
    if not may_escalate(task, policy, seat):
        raise BadInput("nobody is above to escalate this case to: decide or abstain", "/verdict")


def _is_first(sitting: _Sitting) -> bool:
    """An answer before a reveal; where no model has spoken there is nothing to reveal."""
    return sitting.verdict.code == "answer" and output_of(sitting.decision) is not None


def _said(sitting: _Sitting, person: User, *, final: bool = False) -> Said:
    verdict, case = sitting.verdict, sitting.case
    is_label = sitting.decision.kind == "label" and verdict.output is not None
    return Said(
        verdict=verdict.code,
        final=final,
        stage="adjudication" if case.stage == ADJUDICATION else "review",
        saw_ai=case.stage != BLIND and output_of(sitting.decision) is not None,
        label=str(verdict.output["label"]) if is_label and verdict.output else None,
        reason_code=verdict.reason_code,
        confidence=verdict.confidence,
        active_seconds=verdict.active_seconds,
        shown_hash=case.shown_hash,
    )


def _record_first(actor: Actor, person: User, sitting: _Sitting, now: datetime) -> Review:
    """The blind answer: it stands if nothing follows, and is kept beside what does."""
    review = review_begun(sitting.task, person, now)
    review.machine = is_machine(person)
    said = _said(sitting, person)
    review.initial_label = said.label
    commitments = _committed(sitting, review, FIRST, "initial_commitment")
    commitments |= _committed(sitting, review, OUTPUT, "output_commitment")
    commitments |= _rationale(sitting, review)
    review_say(
        actor=actor, review=review, said=said, now=now, reason="answered blind", **commitments
    )
    sitting.seat.answered = True
    sitting.seat.save(update_fields=["answered"])
    drafts_drop(person=person, task=sitting.task)
    return review


def _record(actor: Actor, person: User, sitting: _Sitting, now: datetime) -> Review:
    review = review_begun(sitting.task, person, now)
    review.machine = is_machine(person)
    said = _said(sitting, person, final=True)
    commitments: dict[str, Any] = {"output_commitment": None}
    commitments |= _committed(sitting, review, OUTPUT, "output_commitment")
    commitments |= _rationale(sitting, review)
    review_say(actor=actor, review=review, said=said, now=now, reason=said.verdict, **commitments)
    seat_done(sitting.seat)
    drafts_drop(person=person, task=sitting.task)
    return review


def seat_done(seat: Seat) -> None:
    """The review is given. Whoever gave it stays the holder: no second seat of this task."""
    seat.state, seat.lease_expires_at = "done", None
    seat.save(update_fields=["state", "lease_expires_at"])


def _committed(sitting: _Sitting, review: Review, part: str, column: str) -> dict[str, str]:
    """Outputs other than a label are content."""
    if sitting.decision.kind == "label" or sitting.verdict.output is None:
        return {}
    return {column: words_add(sitting.decision, part, review.pk, sitting.verdict.output)}


def _rationale(sitting: _Sitting, review: Review) -> dict[str, str]:
    words = sitting.verdict.rationale
    if not words:
        return {}
    return {"rationale_commitment": words_add(sitting.decision, RATIONALE, review.pk, words)}


def refuse_if_stopped(task: ReviewTask, binding: dict[str, Any], decision: Decision) -> None:
    """The last step before the commit: the stop as it is committed now, held until this ends."""
    lifecycle, withdrawn = shared_stop(task.use_case_id, [decision.model_version_id])
    if lifecycle in STOPPED:
        raise Conflict(f"the use case {task.use_case_id} is {lifecycle}: no verdict takes effect")
    status = "withdrawn" if withdrawn else "active"
    now = {**binding, "lifecycle": lifecycle, "model_status": status}
    if now != binding:
        raise StaleCase("the case has changed since it was shown", difference(binding, now))


def said_of(done: Submitted) -> tuple[str, str]:
    """The task's and the decision's status as they are told to the reviewer. Of a case that only
    shows how well people decide: as they would be if it were what it looks like, unless feedback
    says at once what it was."""
    task, decision, review = done.task, done.decision, done.review
    if task.kind not in CHECKING or done.known is not None:
        return task.status, decision.status
    looks = looks_of(task, standing_policy(decision.use_case, timezone.now()))
    after = looks.kind == "after"
    open_still = not review.final or review.verdict in ("escalate", "abstain")
    if open_still or looks.reviews_required > 1:
        return "open", looks.status
    if review.verdict == "withhold":
        return "closed", Status.REVERSED if after else Status.WITHHELD
    return "closed", Status.RELEASED


def _moved(decision: Decision) -> Decision:
    """An intervention moves a row of its own: what is answered is what stands."""
    decision.refresh_from_db(fields=["status", "final_label", "final_commitment", "settled_at"])
    return decision
