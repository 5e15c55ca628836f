"""The history of one tracked object, as a person reads it: who, when, why, what changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model

from apps.common.models import TrackedModel

VERBS = {"+": "created", "~": "changed", "-": "ended"}
HIDDEN = frozenset({"password", "key_hash", "credential_fingerprint"})
LIMIT = 100
PERSON = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # in a field such as proposed_by


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
    names: dict[Any, str] = _names_of_people(changes)
    for field, wanted in keys.items():
        target: Any = model._meta.get_field(field).related_model
        names |= {key: str(held) for key, held in target._default_manager.in_bulk(wanted).items()}
    return names


def _names_of_people(changes: list[list[Any]]) -> dict[Any, str]:
    """Id -> name of the people whose ids fields such as ``proposed_by`` hold as text."""
    values = {
        value
        for change in (change for found in changes for change in found)
        if change.field.endswith("_by")
        for value in (change.old, change.new)
        if isinstance(value, str) and PERSON.fullmatch(value)
    }
    people: Any = get_user_model()._default_manager
    return {str(key): str(one) for key, one in people.in_bulk(values).items()} if values else {}


def _entry(row: Any, changes: list[Any], names: dict[Any, str]) -> ChangeEntry:
    return ChangeEntry(
        at=row.history_date,
        actor=row.history_user_name,
        actor_kind=row.history_user_kind,
        verb=VERBS[row.history_type],
        reason=row.history_change_reason,
        fields=[part for change in changes for part in _parts(change, names)],
    )


def _parts(change: Any, names: Mapping[Any, str]) -> Iterator[FieldChange]:
    """One line a field; of a list or an object one line for each of its parts that differs."""
    field, before, after = change.field, change.old, change.new
    if not any(isinstance(value, (list, dict)) for value in (before, after)) or field in HIDDEN:
        yield FieldChange(field, _shown(field, before, names), _shown(field, after, names))
        return
    old, new = dict(_flat(before)), dict(_flat(after))
    for path in dict.fromkeys([*old, *new]):
        if old.get(path) != new.get(path):
            name = f"{field}: {path}" if path else field
            yield FieldChange(name, old.get(path, "empty"), new.get(path, "empty"))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(where it stands in words, its text) of each value in lists and objects; rows of a list by
    their name, else by their number."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _flat(held, f"{path} {key}".strip())
    elif isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        for number, row in enumerate(value, 1):
            name = row.get("name") if isinstance(row, dict) else None
            yield from _flat(row, f"{path} {name or number}".strip())
    elif isinstance(value, list):
        yield path, ", ".join(_text(one) for one in value) or "empty"
    else:
        yield path, _text(value)


def _text(value: Any) -> str:
    if value is None or value == "":
        return "empty"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _shown(field: str, value: Any, names: Mapping[Any, str]) -> str:
    if field in HIDDEN:
        return "not shown"
    return names.get(value) or _text(value)
