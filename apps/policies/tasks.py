"""Nudges: which version is due, and which seed is over, stands in the database."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.policies import activation, seeds


@shared_task(time_limit=120, ignore_result=True)  # type: ignore[untyped-decorator]
def activate_due_policies() -> int:
    return activation.activate_due(timezone.now())


@shared_task(time_limit=600, ignore_result=True)  # type: ignore[untyped-decorator]
def disclose_ended_seeds() -> int:
    return seeds.disclose_ended(timezone.now())
