from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class AuditConfig(AppConfig):
    name = "apps.audit"
    label = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        from apps.audit import checks, signals  # noqa: F401

        pre_migrate.connect(make_room_for_remakes, sender=self)
        post_migrate.connect(put_trail_in_place, sender=self)


def make_room_for_remakes(using: str, plan: Any = (), **kwargs: Any) -> None:
    """SQLite cannot rename a table that another's trigger names: they go, and come back after.

    A migrate that dies between leaves them missing, which the system check and every
    verification name.
    """
    from apps.audit import triggers

    if plan:
        triggers.step_aside(connections[using])


def put_trail_in_place(using: str, **kwargs: Any) -> None:
    """After every migrate: the triggers (a table remake loses them), then the frozen schemas."""
    from apps.audit import triggers
    from apps.audit.record_schemas import register_schemas

    connection = connections[using]
    triggers.install(connection)
    register_schemas(connection)
