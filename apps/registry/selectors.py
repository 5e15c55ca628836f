"""Reading the registry where every decision passes."""

from __future__ import annotations

from apps.common.columns import ModelColumns, Reading, Rows
from apps.registry.models import UseCase

USE_CASE = ModelColumns(UseCase)


def use_case_by_slug(slug: str) -> UseCase | None:
    """The use case as it stands, None where there is none. ``slug`` is text that can be stored."""
    return use_case_reading(slug).now()


def use_case_reading(slug: str) -> Reading[UseCase | None]:
    sql = f"SELECT {USE_CASE.of('u')} FROM registry_usecase u WHERE u.slug = %s"  # noqa: S608
    return Reading(sql, [slug], _use_case)


def _use_case(rows: Rows) -> UseCase | None:
    return USE_CASE.instance(rows[0]) if rows else None
