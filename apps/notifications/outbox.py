"""The outbox: events are written with what they tell, and numbered when they are published."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from apps.notifications.models import OutboxEvent

RELAY_LOCK = 0x4F555442  # "OUTB"
BATCH = 10_000
TYPES = (
    "decision.released",
    "decision.withheld",
    "decision.reversed",
    "review.escalated",
    "alert.raised",
    "use_case.suspended",
    "use_case.resumed",
    "policy.activated",
    "retraining.recommended",
)


def event_add(
    type: str, *, use_case: str, data: dict[str, Any], decision: UUID | None = None
) -> None:
    """Inside the transaction of what happened: no event without it, and none lost with it."""
    OutboxEvent(
        type=type, use_case=use_case, decision=decision, data=data, created_at=timezone.now()
    ).save(force_insert=True)


def publish(batch: int = BATCH) -> int:
    """Number what is committed and not yet numbered; one relay at a time, gap-free."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RELAY_LOCK])
        waiting = list(
            OutboxEvent.objects.filter(seq__isnull=True)
            .order_by("id")
            .values_list("id", flat=True)[:batch]
        )
        if not waiting:
            return 0
        last = OutboxEvent.objects.aggregate(last=Max("seq"))["last"] or 0
        field = OutboxEvent._meta.pk
        cursor.executemany(
            "UPDATE notifications_outboxevent SET seq = %s WHERE id = %s",
            [
                (number, field.get_db_prep_value(key, connection))
                for number, key in enumerate(waiting, last + 1)
            ],
        )
    return len(waiting)


def events_after(seq: int, *, use_cases: frozenset[str] | None, limit: int) -> list[OutboxEvent]:
    """Published events above ``seq``, of the use cases given (None: of all)."""
    found = OutboxEvent.objects.filter(seq__gt=seq)
    if use_cases is not None:
        found = found.filter(use_case__in=use_cases)
    return list(found.order_by("seq")[:limit])
