"""Nudges: which leases and qualifications are over stands in the database."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.reviews import leases, practice


@shared_task(time_limit=120, ignore_result=True)  # type: ignore[untyped-decorator]
def lapse_leases() -> int:
    return leases.leases_lapse(timezone.now())


@shared_task(time_limit=600, ignore_result=True)  # type: ignore[untyped-decorator]
def lapse_qualifications() -> int:
    return practice.qualifications_lapse(timezone.now())
