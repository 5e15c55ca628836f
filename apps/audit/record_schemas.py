"""The frozen field list of each (type, schema): how a record is written, and re-read for ever.

Each app keeps its schemas in ``record_schemas.json`` beside its migrations. ``manage.py
freeze_schemas`` adds a schema when a tracked model changed; an existing one is never edited, and the
database remembers each definition (RecordSchema), so that an edit is found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.audit.domain.canonical import canonical_json
from apps.audit.sources import sources
from apps.common.errors import LedgerBroken

FILE = "record_schemas.json"


@dataclass(frozen=True, slots=True)
class Schema:
    """``fields``: column -> kind. ``renamed``: name before -> name now. ``dropped``: gone since."""

    type: str
    number: int
    fields: Mapping[str, str]
    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    @property
    def definition(self) -> str:
        body = {
            "fields": dict(self.fields),
            "renamed": dict(self.renamed),
            "dropped": list(self.dropped),
        }
        return canonical_json(body).decode()


class SchemaBook:
    """All schemas by type and number."""

    def __init__(self, schemas: Mapping[str, Mapping[int, Schema]]) -> None:
        self.schemas = schemas

    def newest(self, record_type: str) -> Schema | None:
        numbers = self.schemas.get(record_type)
        return numbers[max(numbers)] if numbers else None

    def get(self, record_type: str, number: int) -> Schema | None:
        return self.schemas.get(record_type, {}).get(number)

    def columns_today(self, schema: Schema) -> dict[str, str | None]:
        """Field of ``schema`` -> the column that holds it now; None when none does, or not in kind."""
        newest = self.newest(schema.type) or schema
        return {
            name: self._today(schema, newest, name, kind) for name, kind in schema.fields.items()
        }

    def _today(self, schema: Schema, newest: Schema, name: str, kind: str) -> str | None:
        for number in range(schema.number + 1, newest.number + 1):
            later = self.schemas[schema.type][number]
            if name in later.dropped:
                return None
            name = later.renamed.get(name, name)
            if later.fields.get(name) != kind:
                return None
        return name


def read_schemas(path: Path) -> dict[str, dict[int, Schema]]:
    document: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    return {
        record_type: {
            int(number): Schema(
                record_type,
                int(number),
                body["fields"],
                body.get("renamed", {}),
                tuple(body.get("dropped", ())),
            )
            for number, body in numbers.items()
        }
        for record_type, numbers in document.items()
    }


@cache
def schema_book() -> SchemaBook:
    found: dict[str, dict[int, Schema]] = {}
    for config in apps.get_app_configs():
        path = Path(config.path) / FILE
        if config.name.startswith("apps.") and path.exists():
            found.update(read_schemas(path))
    return SchemaBook(found)


def next_schema(record_type: str, renamed: Mapping[str, str]) -> Schema | None:
    """The schema that the model asks for now, or None when the newest one still fits."""
    columns = sources()[record_type].columns
    newest = schema_book().newest(record_type)
    if newest is None:
        return Schema(record_type, 1, columns)
    if dict(newest.fields) == columns:
        return None
    dropped = tuple(sorted(set(newest.fields) - set(columns) - set(renamed)))
    return Schema(record_type, newest.number + 1, columns, renamed, dropped)


def register_schemas(connection: BaseDatabaseWrapper) -> None:
    """Write each definition down when first met; refuse one that was edited since."""
    from apps.audit.models import RecordSchema

    if RecordSchema._meta.db_table not in connection.introspection.table_names():
        return
    known = {
        (row.described_type, row.number): row.definition
        for row in RecordSchema.objects.using(connection.alias).all()
    }
    for numbers in schema_book().schemas.values():
        for schema in numbers.values():
            before = known.get((schema.type, schema.number))
            if before is None:
                row = RecordSchema(
                    described_type=schema.type, number=schema.number, definition=schema.definition
                )
                row.save(using=connection.alias)
            elif before != schema.definition:
                raise LedgerBroken(
                    f"record schema {schema.type}/{schema.number} was edited after it was used: "
                    "restore it and add a schema instead (manage.py freeze_schemas)"
                )
