"""Nudges: which exports are asked for stands in the database."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.exports import jobs


@shared_task(time_limit=3600, ignore_result=True)  # type: ignore[untyped-decorator]
def run_export_jobs() -> int:
    """Make the bundles that somebody asked for."""
    return jobs.export_jobs_run()


@shared_task(time_limit=600, ignore_result=True)  # type: ignore[untyped-decorator]
def tidy_exports() -> int:
    return jobs.exports_tidy(timezone.now())
