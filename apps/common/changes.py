"""The history of one tracked object, as a person reads it: who, when, why, what changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.common.models import TrackedModel

VERBS = {"+": "created", "~": "changed", "-": "ended"}
HIDDEN = frozenset({"password", "key_hash", "credential_fingerprint"})
LIMIT = 100


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field's value before and after, as text; a secret one says only that it changed."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    at: datetime
    actor: str
    actor_kind: str
    verb: str
    reason: str
    fields: Sequence[FieldChange]


def change_entries(instance: TrackedModel, limit: int = LIMIT) -> list[ChangeEntry]:
    """The newest ``limit`` entries, newest first: a query, and one per reference changed."""
    rows: list[Any] = list(instance.history.order_by("-history_id")[: limit + 1])
    pairs = list(zip(rows, [*rows[1:], None], strict=True))[:limit]
    changes = [_changes(row, before) for row, before in pairs]
    names = _names_of_references(type(instance), changes)
    return [_entry(row, found, names) for row, found in zip(rows, changes, strict=False)]


def _changes(row: Any, before: Any) -> list[Any]:
    """The fields that differ from the row before; a creation and an end differ in none."""
    if before is None or row.history_type != "~":
        return []
    return list(row.diff_against(before).changes)


def _names_of_references(model: type[TrackedModel], changes: list[list[Any]]) -> dict[Any, str]:
    """Key -> name of every object that a changed reference pointed or points to, if it still is."""
    keys: dict[str, set[Any]] = {}
    for change in (change for found in changes for change in found):
        if model._meta.get_field(change.field).is_relation:
            keys.setdefault(change.field, set()).update({change.old, change.new} - {None})
    names: dict[Any, str] = {}
    for field, wanted in keys.items():
        target: Any = model._meta.get_field(field).related_model
        names |= {key: str(held) for key, held in target._default_manager.in_bulk(wanted).items()}
    return names


def _entry(row: Any, changes: list[Any], names: dict[Any, str]) -> ChangeEntry:
    return ChangeEntry(
        at=row.history_date,
        actor=row.history_user_name,
        actor_kind=row.history_user_kind,
        verb=VERBS[row.history_type],
        reason=row.history_change_reason,
        fields=[
            FieldChange(c.field, _shown(c.field, c.old, names), _shown(c.field, c.new, names))
            for c in changes
        ],
    )


def _shown(field: str, value: Any, names: dict[Any, str]) -> str:
    if field in HIDDEN:
        return "not shown"
    if value is None or value == "":
        return "empty"
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return names.get(value) or str(value)
