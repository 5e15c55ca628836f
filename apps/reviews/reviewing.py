"""Reviews as rows: a first answer, what it becomes, and questions asked before it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from apps.accounts.models import User
from apps.common.actor import Actor
from apps.reviews.models import Review, ReviewTask


class Said(NamedTuple):
    """What a person says at one step, content aside."""

    verdict: str
    final: bool
    stage: str
    saw_ai: bool
    label: str | None
    reason_code: str
    confidence: float | None
    active_seconds: float | None
    shown_hash: str


def review_begun(task: ReviewTask, person: User, now: datetime) -> Review:
    """The person's review of this task: one each, from the first word to the last."""
    found: Review | None = Review.objects.filter(task=task, reviewer=person).first()
    return found or Review(
        use_case_id=task.use_case_id,
        decision_id=task.decision_id,
        task=task,
        reviewer=person,
        final=False,
        created_at=now,
    )


def review_say(
    *, actor: Actor, review: Review, said: Said, now: datetime, reason: str, **commitments: Any
) -> Review:
    """Record one step of a review: its row as it stands now, and its history row."""
    review.verdict, review.final, review.stage = said.verdict, said.final, said.stage
    review.label, review.saw_ai = said.label, said.saw_ai
    review.reason_code, review.shown_hash = said.reason_code, said.shown_hash
    if said.confidence is not None:
        review.confidence = said.confidence
    if said.active_seconds is not None:
        review.active_seconds = (review.active_seconds or 0.0) + said.active_seconds
    for name, value in commitments.items():
        setattr(review, name, value)
    review.reviewed_at = now
    review.save(actor=actor, reason=reason)
    return review


def review_stand(*, actor: Actor, review: Review) -> Review:
    """The first answer is the verdict: nothing followed it."""
    review.verdict, review.final = "answer", True
    review.save(actor=actor, reason="the first answer stands")
    return review
