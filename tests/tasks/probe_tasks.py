"""Tasks of the suite alone: a worker loads them with ``-I tests.tasks.probe_tasks``."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.common.tasks import ActorTask


@shared_task(bind=True, base=ActorTask)
def register_system(self: Any, name: str) -> None:
    """Writes one tracked row under the actor of the message."""
    from apps.registry.services import ai_system_register

    ai_system_register(actor=self.actor, name=name, reason="by a worker")
