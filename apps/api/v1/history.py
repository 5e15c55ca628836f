"""The history of one object as documents: who changed what, when and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from apps.api.bodies import Document

CHANGES: dict[str, Literal["created", "changed", "deleted"]] = {
    "+": "created",
    "~": "changed",
    "-": "deleted",
}


class ActorDocument(Document):
    """Who acted, under the name held at the time."""

    kind: Literal["person", "program", "system", "command"]
    id: str
    name: str


class FieldChange(Document):
    field: str
    before: Any
    after: Any


class ChangeDocument(Document):
    """One row of history beside the one before it."""

    id: int
    at: datetime
    change: Literal["created", "changed", "deleted"]
    actor: ActorDocument
    reason: str
    changes: list[FieldChange]


def change_documents(rows: list[Any]) -> Iterator[ChangeDocument]:
    """``rows``: successive history rows of one object, newest first. One query for all."""
    older = _predecessor(rows[-1]) if rows else None
    for row, before in zip(rows, [*rows[1:], older], strict=False):
        yield _change_document(row, before)


def _predecessor(row: Any) -> Any:
    key = row.instance_type._meta.pk.attname
    same = type(row).objects.filter(**{key: getattr(row, key)}, history_id__lt=row.history_id)
    return same.order_by("-history_id").first()


def _change_document(row: Any, before: Any) -> ChangeDocument:
    names = [f.attname for f in row.tracked_fields]
    changes = [
        FieldChange(field=name, before=_plain(before, name), after=_plain(row, name))
        for name in names
        if before is None or getattr(before, name) != getattr(row, name)
    ]
    return ChangeDocument(
        id=row.history_id,
        at=row.history_date,
        change=CHANGES[row.history_type],
        actor=ActorDocument(
            kind=row.history_user_kind, id=row.history_user_id, name=row.history_user_name
        ),
        reason=row.history_change_reason,
        changes=changes,
    )


def _plain(row: Any, name: str) -> Any:
    value = None if row is None else getattr(row, name)
    return str(value) if isinstance(value, Decimal | date | UUID) else value
