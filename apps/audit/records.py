"""Records: rows of the sources, as the canonical JSON that is hashed into the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.audit import databases
from apps.audit.domain.canonical import FlatRecordEncoder
from apps.audit.domain.merkle import leaf_hash
from apps.audit.record_schemas import Schema, schema_book
from apps.audit.sources import Source, sources
from apps.common.errors import LedgerBroken

RESERVED = ("type", "schema")


class Record(NamedTuple):
    """A record as it enters the ledger: its bytes, and what its leaf is listed by."""

    data: bytes
    at: str
    actor_id: str
    use_case: str | None


def _decimal4(value: int | None) -> str | None:
    return None if value is None else str(Decimal(value).scaleb(-4))


def _float(value: float | None) -> str | None:
    return None if value is None else repr(float(value))


CONVERTERS: dict[str, Callable[[Any], Any]] = {"decimal4": _decimal4, "float": _float}


class RecordReader:
    """Reads rows of one type under one schema and writes them as records.

    A field that no column holds any more (dropped, or changed in kind since) is not readable:
    ``missing`` names these, and the record cannot be made, only compared in its other fields.
    """

    def __init__(self, connection: BaseDatabaseWrapper, source: Source, schema: Schema) -> None:
        self.source, self.schema = source, schema
        self._database = databases.of(connection)
        today = schema_book().columns_today(schema)
        self.missing = frozenset(name for name, column in today.items() if column is None)
        self.columns = {name: column for name, column in today.items() if column is not None}
        self.fields = list(self.columns)
        required = {str(f.column) for f in source.model._meta.concrete_fields if not f.null}
        self.never_null = {name for name, column in self.columns.items() if column in required}
        self._key_at = self.fields.index(source.key)
        self._columns, self._converters = [], []
        for position, name in enumerate(self.fields):
            kind = schema.fields[name]
            self._columns.append(self._database.expression(f'"{today[name]}"', kind))
            converter = CONVERTERS.get(kind) or self._database.converter(kind)
            if converter is not None:
                self._converters.append((position, converter))
        self._encoder = FlatRecordEncoder([*RESERVED, *self.fields])
        self._time_at = self.fields.index(source.time)
        self._actor_at = self.fields.index(source.actor) if source.actor else None
        self._case_at = self.fields.index(source.use_case) if source.use_case else None

    def leaves(
        self, cursor: Any, entries: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, str, int, int, str, str, str | None, str, bytes]]:
        """Rows of the leaf table for (leaf index, record id), of those records that have a row."""
        found = self.rows(cursor, [record_id for _index, record_id in entries])
        head = (self.source.type, self.schema.number)
        for index, record_id in entries:
            if record_id in found:
                made = self.record(found[record_id])
                digest = leaf_hash(made.data)
                listed = (made.at, made.actor_id, made.use_case)
                yield index, head[0], record_id, head[1], *listed, made.data.decode(), digest

    def rows(self, cursor: Any, ids: Sequence[int]) -> dict[int, list[Any]]:
        """Record id -> values of ``fields``."""
        found: dict[int, list[Any]] = {}
        converters, key_at = self._converters, self._key_at
        for row in self._database.select_by_key(
            cursor, self._columns, self.source.table, self.source.key, ids
        ):
            values = list(row)
            for position, convert in converters:
                values[position] = convert(values[position])
            found[values[key_at]] = values
        return found

    def encode(self, values: list[Any]) -> bytes:
        return self._encoder.encode([self.source.type, self.schema.number, *values])

    def record(self, values: list[Any]) -> Record:
        actor = values[self._actor_at] if self._actor_at is not None else ""
        case = values[self._case_at] if self._case_at is not None else None
        return Record(self.encode(values), values[self._time_at], actor, case or None)


def reader_for_sealing(connection: BaseDatabaseWrapper, record_type: str) -> RecordReader:
    """The reader under the newest schema; refuses a model that its schema does not describe."""
    source, schema = sources().get(record_type), schema_book().newest(record_type)
    if source is None or schema is None:
        raise LedgerBroken(f"records of type {record_type!r} wait, but no code describes them")
    if dict(schema.fields) != source.columns:
        raise LedgerBroken(
            f"the model of {record_type!r} differs from its newest schema: run manage.py freeze_schemas"
        )
    return RecordReader(connection, source, schema)
