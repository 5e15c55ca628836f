"""The relay's nudge: what is unpublished stands in the database."""

from __future__ import annotations

from celery import shared_task

from apps.notifications import outbox


@shared_task(time_limit=120, ignore_result=True)  # type: ignore[untyped-decorator]
def publish_events() -> int:
    return outbox.publish()
