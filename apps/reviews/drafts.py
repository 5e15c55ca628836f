"""Drafts: what a person has written at a seat so far. Kept when a lease lapses, gone when it counts."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from apps.accounts.models import User
from apps.common.errors import BadInput
from apps.common.prepared import Prepared
from apps.common.saving import refuse_unstorable
from apps.reviews.models import Draft, ReviewTask, Seat

MAX_DRAFT: Final = 400_000
NEWEST: Final = Prepared(
    lambda person, task: Draft.objects.filter(person=person, seat__task=task).order_by(
        "-updated_at", "-pk"
    )[:1],
    person=Draft.person,
    task=Seat.task,
)


def draft_save(*, person: User, seat: Seat, body: str, now: datetime) -> Draft:
    """Keep what is written so far; a draft on its way to be made final is not touched by it."""
    if not isinstance(body, str) or len(body) > MAX_DRAFT:
        raise BadInput(f"a draft is text of at most {MAX_DRAFT:,} characters", "/body")
    refuse_unstorable(body=body)
    draft, made = Draft.objects.get_or_create(
        seat=seat, person=person, defaults={"body": body, "updated_at": now}
    )
    if not made and draft.submit_at is None:
        draft.body, draft.updated_at = body, now
        draft.save(update_fields=["body", "updated_at"])
    return draft


def draft_of(*, person: User, task_id: UUID) -> Draft | None:
    """What ``person`` has written at any seat of the task, the newest first."""
    found: Draft | None = NEWEST.first(person=person.pk, task=task_id)
    return found


def draft_keep(
    *, person: User, task: ReviewTask, lease: UUID, body: str, why: str, now: datetime
) -> Draft | None:
    """Keep a verdict that came too late, with why it was refused: at the seat of its lease, where
    the person has a draft already, or else at the first seat of the task."""
    seats = Seat.objects.filter(task=task).order_by("number")
    seat = (
        seats.filter(lease=lease).first()
        or seats.filter(drafts__person=person).first()
        or seats.first()
    )
    if seat is None or len(body) > MAX_DRAFT:
        return None
    draft, _made = Draft.objects.update_or_create(
        seat=seat,
        person=person,
        defaults={"body": body, "submit_at": None, "refused": why, "updated_at": now},
    )
    return draft


def drafts_drop(*, person: User, task: ReviewTask) -> None:
    """What was written has become a review."""
    Draft.objects.filter(person=person, seat__task=task).delete()
