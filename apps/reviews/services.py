"""Tasks: opened when a decision asks people, closed when they have answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.common.actor import Actor
from apps.decisions.models import Decision
from apps.reviews.domain.priority import rank
from apps.reviews.models import ReviewTask


def due_at(policy: Mapping[str, Any], now: datetime) -> datetime | None:
    """The clock starts when the decision arrives; without a limit there is none."""
    minutes = policy.get("sla_minutes")
    return now + timedelta(minutes=minutes) if minutes else None


@transaction.atomic
def task_open(
    *, actor: Actor, decision: Decision, policy: Mapping[str, Any], now: datetime, before: bool
) -> ReviewTask:
    """Ask people about one decision, before its release or after it."""
    due = due_at(policy, now)
    task = ReviewTask(
        use_case=decision.use_case,
        decision=decision,
        kind="before" if before else "after",
        status="open",
        reviews_required=policy["reviews_required"],
        due_at=due,
        rank=rank(now, due, decision.use_case.risk_tier, decision.confidence),
        created_at=now,
    )
    task.save(actor=actor, reason="asked for")
    return task
