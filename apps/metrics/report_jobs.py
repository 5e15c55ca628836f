"""Reports that somebody asked for: the job is a row, and a sweep makes what is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.actor import Actor, require_actor
from apps.common.errors import PlatformError
from apps.common.ids import uuid7
from apps.metrics.cells.refreshing import cells_refresh
from apps.metrics.first_reading import Window
from apps.metrics.models import ReportJob
from apps.metrics.reports import check_kinds, checked_window, report_run
from apps.policies.second_person import actors_known
from apps.registry.models import UseCase

WAITING, DONE, FAILED = "waiting", "done", "failed"
TRIED_FOR = timedelta(days=1)


@transaction.atomic
def report_ask(*, actor: Actor, use_case: UseCase, kind: str, window: Window) -> ReportJob:
    """Ask for a report; the same one that the same actor waits for already is that one.

    Raises: BadInput: no such kind, or a window that ends before it begins.
    """
    require_actor(actor)
    check_kinds([kind])
    window = checked_window(window)
    asked = {"use_case": use_case, "kind": kind, "begin": window.begin, "end": window.end}
    same = ReportJob.objects.filter(**asked, asked_by=actor.id, status=WAITING).first()
    if same is not None:
        return same
    return ReportJob.objects.create(
        id=uuid7(), asked_by=actor.id, asked_at=timezone.now(), status=WAITING, **asked
    )


def report_jobs_run(now: datetime) -> int:
    """Make what is asked for, oldest first; returns how many reports that were.

    What could not be made within a day has failed for good, and says so.
    """
    late = ReportJob.objects.filter(status=WAITING, asked_at__lte=now - TRIED_FOR)
    late.update(status=FAILED, error="it could not be made within a day", finished_at=now)
    waiting = ReportJob.objects.filter(status=WAITING).order_by("asked_at", "pk")
    return sum(report_job_run(key) for key in list(waiting.values_list("pk", flat=True)))


def report_job_run(key: UUID) -> bool:
    """Make one report; False where it is made already, or somebody is at it.

    Safe to run twice: the row stays locked until the report is there, and is free again if the
    worker dies.
    """
    job = ReportJob.objects.select_related("use_case").filter(pk=key, status=WAITING).first()
    if job is None:
        return False
    try:
        cells_refresh(job.use_case)  # a day at a time, each in its own transaction
        return _make(key)
    except PlatformError as error:
        found = ReportJob.objects.filter(pk=key, status=WAITING)
        found.update(status=FAILED, error=str(error), finished_at=timezone.now())
        return False


@transaction.atomic
def _make(key: UUID) -> bool:
    jobs = ReportJob.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
    job = jobs.select_related("use_case").filter(pk=key, status=WAITING).first()
    if job is None:
        return False
    job.report = report_run(
        actor=_asker(job.asked_by),
        use_case=job.use_case,
        kind=job.kind,
        window=Window(job.begin, job.end),
        refresh=False,
    )
    job.status, job.finished_at = DONE, timezone.now()
    job.save()
    return True


def _asker(key: str) -> Actor:
    """The actor of an id, by the name it has now."""
    known = actors_known([key])[key]
    return Actor(known.kind, key, known.name)
