"""Who is away, and who stands in: what was given to the one goes to the other meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict
from apps.common.prepared import Prepared
from apps.common.saving import checked_reason
from apps.reviews.models import Absence

AWAY: Final = Prepared(
    lambda delegate, now: Absence.objects.filter(
        delegate=delegate, starts_at__lte=now, ends_at__gt=now
    ).values_list("person_id"),
    delegate=Absence.delegate,
    now=Absence.starts_at,
)


@transaction.atomic
def absence_add(
    *,
    actor: Actor,
    person: User,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    delegate: User | None = None,
) -> Absence:
    """``person`` is away; cases given to them go to the delegate until they are back."""
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    if ends_at <= starts_at:
        raise BadInput(f"{ends_at.isoformat()} is not after the beginning", "/ends_at")
    if ends_at <= timezone.now():
        raise BadInput(f"{ends_at.isoformat()} lies in the past", "/ends_at")
    if delegate is not None and delegate.pk == person.pk:
        raise BadInput(f"{person.username} cannot stand in for themselves", "/delegate")
    User.objects.select_for_update(no_key=True).get(pk=person.pk)  # one absence at a time
    clash = Absence.objects.filter(person=person, starts_at__lt=ends_at, ends_at__gt=starts_at)
    if (known := clash.first()) is not None:
        raise Conflict(
            f"{person.username} is away already from {known.starts_at} to {known.ends_at}"
        )
    row = Absence(person=person, delegate=delegate, starts_at=starts_at, ends_at=ends_at)
    row.save(actor=actor, reason=reason)
    return row


@transaction.atomic
def absence_end(*, actor: Actor, absence: Absence, reason: str) -> Absence:
    """Back early, or not away after all: it ends now, or before it began."""
    require_actor(actor)
    held: Absence = Absence.objects.select_for_update(no_key=True).get(pk=absence.pk)
    now = timezone.now()
    if held.ends_at <= now:
        raise Conflict(f"the absence ended at {held.ends_at} already")
    held.ends_at = max(now, held.starts_at)
    held.save(actor=actor, reason=checked_reason(reason, required=True))
    return held


def stood_in_for(person: User, now: datetime) -> list[Any]:
    """Keys of the people for whom ``person`` stands in at ``now``."""
    return [key for (key,) in AWAY.rows(delegate=person.pk, now=now)]
