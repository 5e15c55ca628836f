"""A verdict that can be taken back for a moment: a draft with the time at which it is final."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.common.actor import Actor, require_actor
from apps.common.errors import Conflict, PlatformError
from apps.common.prepared import Prepared
from apps.reviews.models import Draft, Seat
from apps.workflow.desk.asking import task_lock
from apps.workflow.desk.submission import Submission
from apps.workflow.desk.submitting import TakenBack, review_submit, sit_down
from apps.workflow.desk.sweeping import for_each

UNDO: Final = timedelta(seconds=10)
MARGIN: Final = timedelta(minutes=2)  # what a late sweep may take before the lease ends
BATCH: Final = 200


def _due(now: Any) -> Any:
    return Draft.objects.filter(submit_at__lte=now).order_by("submit_at").values_list("pk")


DUE: Final = Prepared(lambda now: _due(now)[:BATCH], now=Draft.submit_at)
DUE_OF: Final = Prepared(
    lambda now, person: _due(now).filter(person=person)[:BATCH],
    now=Draft.submit_at,
    person=Draft.person,
)


def draft_schedule(
    *,
    actor: Actor,
    person: User,
    task_id: UUID,
    lease: UUID,
    submission: Submission,
    now: datetime | None = None,
) -> Draft:
    """Give a verdict that is final in ten seconds unless it is taken back before. Its faults are
    found now, while the person still looks at the case.

    Raises: as ``review_submit``.
    """
    require_actor(actor)
    at = now or timezone.now()
    with transaction.atomic():
        sitting = sit_down(actor, person, task_id, lease, submission, at)
        _outlive(sitting.seat, at + UNDO + MARGIN)
        body = json.dumps({"lease": str(lease), "verdict": json.loads(submission.as_text())})
        draft, _made = Draft.objects.update_or_create(
            seat=sitting.seat,
            person=person,
            defaults={"body": body, "submit_at": at + UNDO, "refused": "", "updated_at": at},
        )
        return draft


def _outlive(seat: Seat, until: datetime) -> None:
    """The lease must not end between the verdict and the moment at which it is final."""
    if seat.lease_expires_at is None or seat.lease_expires_at < until:
        seat.lease_expires_at = until
        seat.save(update_fields=["lease_expires_at"])


def draft_take_back(*, person: User, task_id: UUID, now: datetime | None = None) -> Draft:
    """Undo: the verdict is a draft again, and the case is still the person's.

    Raises:
        Conflict: it is final already, or none was given.
    """
    with transaction.atomic():
        task_lock(task_id)  # whoever makes it final holds this lock
        draft: Draft | None = Draft.objects.filter(
            person=person, seat__task=task_id, submit_at__isnull=False
        ).first()
        if draft is None or draft.submit_at is None or draft.submit_at <= (now or timezone.now()):
            raise Conflict("there is nothing to take back: the verdict is final, or none was given")
        draft.body = json.dumps(json.loads(draft.body)["verdict"])
        draft.submit_at = None
        draft.save(update_fields=["body", "submit_at"])
        return draft


def drafts_submit_due(now: datetime, *, person: User | None = None) -> int:
    """Make final what nobody took back; returns how many became reviews. Safe to run twice and at
    once in two places: a draft becomes a review under the lock of its task, once."""
    rows = DUE.rows(now=now) if person is None else DUE_OF.rows(now=now, person=person.pk)
    return for_each([key for (key,) in rows], lambda key: _submit_one(key, now))


def _submit_one(key: int, now: datetime) -> int:
    draft = (
        Draft.objects.select_related("person", "seat").filter(pk=key, submit_at__lte=now).first()
    )
    if draft is None:
        return 0
    said = json.loads(draft.body)
    person: User = draft.person
    try:
        review_submit(
            actor=person.actor,
            person=person,
            task_id=draft.seat.task_id,
            lease=UUID(said["lease"]),
            submission=Submission(**said["verdict"]),
            now=now,
            draft=key,
        )
    except TakenBack:
        return 0
    except PlatformError as refusal:
        # It stays a draft, with the words that its writer needs to go on.
        Draft.objects.filter(pk=key, submit_at__isnull=False).update(
            body=json.dumps(said["verdict"]), submit_at=None, refused=str(refusal)
        )
        return 0
    return 1
