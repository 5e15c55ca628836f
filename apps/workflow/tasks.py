"""Nudges of the desk and the gate: what is to be done is a row, so each may be lost or come twice."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.workflow import rerouting
from apps.workflow.desk import asking, deadlines, drawing, fitting, undo


@shared_task(time_limit=60, ignore_result=True)  # type: ignore[untyped-decorator]
def submit_due_drafts() -> int:
    return undo.drafts_submit_due(timezone.now())


@shared_task(time_limit=300, ignore_result=True)  # type: ignore[untyped-decorator]
def sweep_desk() -> dict[str, int]:
    """In this order: an answer that stands may settle a task before its time is found over."""
    now = timezone.now()
    return {
        "inactive": deadlines.leases_of_the_inactive_end(now),
        "stand": deadlines.blind_answers_stand(now),
        "pauses": asking.pauses_end(now),
        "overdue": deadlines.deadlines_sweep(now),
        "followed": deadlines.escalated_seats_follow(now),
    }


@shared_task(time_limit=600, ignore_result=True)  # type: ignore[untyped-decorator]
def draw_known_answers() -> int:
    return drawing.known_answers_draw(timezone.now())


@shared_task(time_limit=120, ignore_result=True)  # type: ignore[untyped-decorator]
def refresh_reliabilities() -> int:
    """One task a use case: a large one does not hold up the others."""
    return fitting.nudge_each(fit_reliability.delay)


@shared_task(time_limit=1800, ignore_result=True)  # type: ignore[untyped-decorator]
def fit_reliability(use_case: str) -> bool:
    return fitting.fit_one(use_case, timezone.now())


@shared_task(time_limit=1800, ignore_result=True)  # type: ignore[untyped-decorator]
def finish_reroutes() -> int:
    """Decisions that a resume was to route again and that were left, by a crash or a new stop."""
    return rerouting.reroutes_finish()
