"""The records of one export on disk, so that the ledger is read once for all formats."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from apps.audit.record_schemas import schema_book
from apps.audit.records import RESERVED
from apps.exports.selectors import LedgerRecord

Scalar = str | int | bool | None


class Spool:
    """One record a line, in leaf order, and what is to be known of all of them."""

    def __init__(self, path: Path, records: Iterable[LedgerRecord]) -> None:
        self._path = path
        self.schemas: Counter[tuple[str, int]] = Counter()
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None
        with path.open("wb") as file:
            for record in records:
                file.write(b"%d %b\n" % (record.leaf_index, record.data.encode()))
                self._note(record)

    def _note(self, record: LedgerRecord) -> None:
        self.schemas[record.type, record.schema] += 1
        if self.first_at is None or record.at < self.first_at:
            self.first_at = record.at
        if self.last_at is None or record.at > self.last_at:
            self.last_at = record.at

    @property
    def count(self) -> int:
        return self.schemas.total()

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        """(leaf index, the exact bytes that were hashed)."""
        with self._path.open("rb") as file:
            for line in file:
                index, _, data = line.partition(b" ")
                yield int(index), data[:-1]

    def records(self) -> Iterator[dict[str, Scalar]]:
        for _index, data in self.leaves():
            record: dict[str, Any] = json.loads(data)
            yield record

    def columns(self) -> dict[str, set[str]]:
        """Key -> the kinds it has, of all records here: each schema's own order, schemas sorted."""
        found: dict[str, set[str]] = {"type": {"text"}, "schema": {"int"}}
        assert tuple(found) == RESERVED
        for record_type, number in sorted(self.schemas):
            schema = schema_book().get(record_type, number)
            if schema is None:
                raise ValueError(f"no code describes records of {record_type}/{number}")
            for name, kind in schema.fields.items():
                found.setdefault(name, set()).add(kind)
        return found
