"""Reading the stop under a share lock: it waits for a stop that is being written, and sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection


def _suffix() -> str:
    # SQLite has one writer at a time and this transaction is it: nothing can change meanwhile.
    return " FOR SHARE" if connection.vendor == "postgresql" else ""


def shared_lifecycle(use_case: str) -> str:
    """The use case's lifecycle as committed now, held until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT lifecycle FROM registry_usecase WHERE slug = %s{_suffix()}",  # noqa: S608
            [use_case],
        )
        return str(cursor.fetchone()[0])


def shared_withdrawn(version_ids: Sequence[Any]) -> set[str]:
    """Ids of the model versions that are withdrawn as committed now, all held likewise."""
    from apps.registry.models import ModelVersion

    field = ModelVersion._meta.pk
    keys = [field.get_db_prep_value(key, connection) for key in version_ids]
    marks = ", ".join(["%s"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, status FROM registry_modelversion WHERE id IN ({marks}) "  # noqa: S608
            f"ORDER BY id{_suffix()}",
            keys,
        )
        return {
            str(field.to_python(key)) for key, status in cursor.fetchall() if status != "active"
        }
