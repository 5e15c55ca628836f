"""References that a trigger checks for a whole statement, in the place of a foreign key.

A foreign key is checked row by row, which costs the bulk writer more than any index. Where a model
says ``db_constraint=False`` the same is held by triggers: a reference leads to a row that stands,
the row is locked against deletion until the writer's transaction ends, and it can be neither
deleted nor given another key while something refers to it. Unlike Django's foreign keys these are
checked at once: what is referred to is written first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.apps import apps
from django.db import models

from apps.audit.sources import sources


class Reference(NamedTuple):
    """``column`` of ``table`` holds the ``key`` of a row of ``target``, or NULL."""

    table: str
    column: str
    target: str
    key: str


def references(tables: set[str]) -> list[Reference]:
    """Every checked reference between tables that stand. A history refers to what may be gone."""
    histories = {source.table for source in sources().values() if source.live is not None}
    return [
        found
        for model in apps.get_models()
        if model._meta.db_table not in histories
        for found in _of(model)
        if {found.table, found.target} <= tables
    ]


def by_table(found: list[Reference]) -> dict[str, list[Reference]]:
    grouped: dict[str, list[Reference]] = {}
    for reference in found:
        grouped.setdefault(reference.table, []).append(reference)
    return grouped


def by_target(found: list[Reference]) -> dict[str, list[Reference]]:
    grouped: dict[str, list[Reference]] = {}
    for reference in found:
        grouped.setdefault(reference.target, []).append(reference)
    return grouped


def _of(model: type[models.Model]) -> Iterator[Reference]:
    for field in model._meta.local_concrete_fields:
        if isinstance(field, models.ForeignKey) and not getattr(field, "db_constraint", True):
            target = field.target_field
            yield Reference(
                model._meta.db_table,
                str(field.column),
                target.model._meta.db_table,
                str(target.column),
            )
