"""Nudges: which days have changed stands in the database, so each may be lost or come twice."""

from __future__ import annotations

import logging
from datetime import date

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from apps.metrics import report_jobs, schedules
from apps.metrics.cells import sweeping
from apps.metrics.watch import evaluating

log = logging.getLogger(__name__)
STALE_S = 60  # by then the next sweep has sent the day again


@shared_task(time_limit=600, ignore_result=True)  # type: ignore[untyped-decorator]
def sweep_cells() -> int:
    """Mark the days that have changed, and send one task for each."""
    return sweeping.sweep(_send_day)


def _send_day(use_case: str, day: str) -> None:
    build_day.apply_async((use_case, day), expires=STALE_S)


@shared_task(  # type: ignore[untyped-decorator]
    time_limit=1800,
    ignore_result=True,
    acks_late=True,
    reject_on_worker_lost=True,
    autoretry_for=(OperationalError,),
    retry_backoff=True,
    max_retries=5,
)
def build_day(use_case: str, day: str) -> bool:
    """Count one day of one use case again; after the last retry the next sweep sends it."""
    return sweeping.build_one(use_case, day)


@shared_task(time_limit=1800, ignore_result=True)  # type: ignore[untyped-decorator]
def check_cells() -> int:
    """Compare the cells with the rows; what differs is logged, and counted again."""
    found = sweeping.check_all()
    for slug, days in found.items():
        log.error("cells of %s differ from the rows on %d days: %s", slug, len(days), days)
    return sum(map(len, found.values()))


@shared_task(time_limit=3600, ignore_result=True)  # type: ignore[untyped-decorator]
def run_report_jobs() -> int:
    """Make the reports that somebody asked for."""
    return report_jobs.report_jobs_run(timezone.now())


@shared_task(time_limit=120, ignore_result=True)  # type: ignore[untyped-decorator]
def evaluate_alerts() -> int:
    """One task a use case: a large one does not hold up the others."""
    return evaluating.nudge_each(evaluate_alerts_of.delay)


@shared_task(time_limit=1800, ignore_result=True)  # type: ignore[untyped-decorator]
def evaluate_alerts_of(use_case: str) -> int:
    return len(evaluating.alerts_evaluate_one(use_case, timezone.now()))


@shared_task(time_limit=120, ignore_result=True)  # type: ignore[untyped-decorator]
def run_due_reports() -> int:
    """One task a report that a schedule asks for now."""
    due = schedules.runs_due(timezone.now())
    for use_case, kind, day in due:
        run_scheduled_report.delay(use_case, kind, day.isoformat())
    return len(due)


@shared_task(time_limit=1800, ignore_result=True)  # type: ignore[untyped-decorator]
def run_scheduled_report(use_case: str, kind: str, day: str) -> bool:
    """Safe to come twice: what was made meanwhile is left as it is."""
    run = schedules.DueRun(use_case, kind, date.fromisoformat(day))
    return schedules.run_due(run) is not None
