"""Access events: refusals, failed logins, exports, personal data seen. Each its own transaction."""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.audit.models import AccessEvent, RepeatedEvent
from apps.common.actor import Actor, require_actor
from apps.common.errors import NotPermitted
from apps.common.fields import stored_json

ANONYMOUS = Actor("system", "anonymous", "anonymous")


@dataclass(frozen=True, slots=True)
class Event:
    """What is to be recorded. ``detail`` holds no personal data: codes, counts, pseudonyms."""

    kind: str
    actor: Actor
    action: str = ""
    target: str = ""
    use_case: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def record_event(event: Event, *, count: int = 1) -> AccessEvent:
    """Write ``event`` into the trail."""
    require_actor(event.actor)
    row = AccessEvent(
        at=timezone.now(),
        kind=event.kind,
        actor_kind=event.actor.kind,
        actor_id=event.actor.id,
        actor_name=event.actor.name,
        action=event.action[:60],
        target=event.target[:200],
        use_case=event.use_case[:80],
        detail=event.detail,
        count=count,
    )
    # no savepoint: where it cannot be written, what it tells of must not happen either
    with transaction.atomic(savepoint=False):
        row.save()
    return row


def record_repeatable(event: Event, *, source: str) -> None:
    """Write ``event``; its repeats from one source within a minute become one more record.

    So a stranger who knocks a thousand times leaves two records, with the count in the second.
    """
    key = "|".join((event.kind, event.actor.id, event.action, event.use_case, source))
    fingerprint = hashlib.sha256(key.encode()).hexdigest()
    with transaction.atomic():
        if _count_up(fingerprint, int(time.time()) // 60, event) == 1:
            record_event(event)


def record_refusal(actor: Actor, refusal: NotPermitted, *, address: str | None, door: str) -> None:
    """A refused permission, in a transaction of its own after the refused one has rolled back.

    ``address`` of the network, kept as a pseudonym; ``door``: where it was asked.
    """
    source = source_of(address)
    event = Event(
        "permission_refused",
        actor,
        action=refusal.action,
        use_case=refusal.use_case or "",
        detail={"source": source, "door": door},
    )
    record_repeatable(event, source=source)


def _count_up(fingerprint: str, minute: int, event: Event) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_repeatedevent (fingerprint, minute, count, event) "
            "VALUES (%s, %s, 1, %s) "
            "ON CONFLICT (fingerprint, minute) DO UPDATE SET count = audit_repeatedevent.count + 1 "
            "RETURNING count",
            [fingerprint, minute, stored_json(asdict(event))],
        )
        return int(cursor.fetchone()[0])


def flush_repeated(now_s: float | None = None) -> int:
    """Write the sums of minutes that are over; returns how many records that made."""
    minute, written = int(now_s or time.time()) // 60, 0
    with transaction.atomic():
        rows = RepeatedEvent.objects.select_for_update().filter(minute__lt=minute).order_by("pk")
        for row in rows[:10_000]:
            if row.count > 1:
                document = dict(row.event)
                event = Event(**{**document, "actor": Actor(**document["actor"])})
                record_event(event, count=row.count - 1)
                written += 1
            row.delete()
    return written


def source_of(address: str | None) -> str:
    """A keyed pseudonym of a network address: tells sources apart, names none."""
    digest = hmac.new(settings.PSEUDONYM_KEY.encode(), (address or "").encode(), hashlib.sha256)
    return digest.hexdigest()[:16]
