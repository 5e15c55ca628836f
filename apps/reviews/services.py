"""Tasks: opened when a decision asks people, closed when they have answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.common.actor import Actor
from apps.decisions.models import Decision
from apps.registry.models import UseCase
from apps.reviews.domain.business_hours import add_minutes
from apps.reviews.domain.calendar_reading import parse_calendar
from apps.reviews.domain.priority import rank, stake_of, stakes
from apps.reviews.models import ReviewTask
from apps.reviews.seats import seats_add


def due_at(policy: Mapping[str, Any], use_case: UseCase, now: datetime) -> datetime | None:
    """The clock starts when the decision arrives and runs in the hours of the use case's calendar;
    without a limit there is none."""
    minutes = policy.get("sla_minutes")
    if not minutes:
        return None
    calendar = None if use_case.calendar is None else parse_calendar(use_case.calendar)
    return add_minutes(calendar, now, minutes)


def use_case_stakes(use_case: UseCase) -> dict[str, float]:
    """What it can cost to give each label in a use case, by its cost model."""
    return stakes(use_case.cost_model.get("error_costs", ()))


@transaction.atomic
def task_open(
    *, actor: Actor, decision: Decision, policy: Mapping[str, Any], now: datetime, before: bool
) -> ReviewTask:
    """Ask people about one decision, before its release or after it: a seat for each review."""
    use_case = decision.use_case
    due = due_at(policy, use_case, now)
    stake = stake_of(use_case_stakes(use_case), decision.label, decision.amount)
    task = ReviewTask(
        use_case=use_case,
        decision=decision,
        kind="before" if before else "after",
        status="open",
        reviews_required=policy["reviews_required"],
        due_at=due,
        rank=rank(now, due, use_case.risk_tier, decision.confidence, stake),
        created_at=now,
    )
    task.save(actor=actor, reason="asked for")
    seats_add(task=task, count=task.reviews_required, skills=policy["skills"])
    return task
