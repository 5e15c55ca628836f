"""Nudges: what has expired stands in the database."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.api import idempotency


@shared_task(time_limit=300, ignore_result=True)
def sweep_stored_answers() -> int:
    return idempotency.sweep(timezone.now())
