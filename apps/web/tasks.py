"""The sign of life of scheduler and worker."""

from __future__ import annotations

from celery import shared_task

from apps.web.installation import beat


@shared_task(time_limit=30, ignore_result=True)
def note_heartbeat() -> None:
    beat()
