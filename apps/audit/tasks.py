"""Nudges: what is to be done stands in the database, so each may be lost or come twice."""

from __future__ import annotations

from celery import shared_task

from apps.audit import delivery, events, sealing, verification


@shared_task(time_limit=600, ignore_result=True)  # type: ignore[untyped-decorator]
def seal_pending() -> int:
    return sealing.seal_all()


@shared_task(time_limit=300, ignore_result=True)  # type: ignore[untyped-decorator]
def deliver_checkpoints() -> dict[str, int]:
    return delivery.deliver_all()


@shared_task(time_limit=120, ignore_result=True)  # type: ignore[untyped-decorator]
def flush_repeated_events() -> int:
    return events.flush_repeated()


@shared_task(time_limit=3600, ignore_result=True)  # type: ignore[untyped-decorator]
def verify_ledger() -> bool:
    return verification.verify(full=True).ok
