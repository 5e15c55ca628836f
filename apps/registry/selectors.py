"""Reading the registry where every decision passes."""

from __future__ import annotations

from apps.common.columns import ModelColumns, fetched
from apps.registry.models import UseCase

USE_CASE = ModelColumns(UseCase)


def use_case_by_slug(slug: str) -> UseCase | None:
    """The use case as it stands, None where there is none. ``slug`` is text that can be stored."""
    rows = fetched(
        f"SELECT {USE_CASE.of('u')} FROM registry_usecase u WHERE u.slug = %s",  # noqa: S608
        [slug],
    )
    return USE_CASE.instance(rows[0]) if rows else None
