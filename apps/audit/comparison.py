"""Each leaf against the row that it was made of, under the schema that it was made under."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from django.db import connection

from apps.audit import databases
from apps.audit.findings import Findings
from apps.audit.record_schemas import schema_book
from apps.audit.records import RecordReader
from apps.audit.sources import Source, sources


class StoredLeaf(NamedTuple):
    """A row of the leaf table, as verification reads it."""

    leaf_index: int
    record_type: str
    record_id: int
    schema: int
    data: str
    leaf_hash: bytes
    at: datetime
    actor_id: str
    use_case: str | None

    def listed_as(self, source: Source) -> bool:
        """Whether the columns that lists are filtered by are those of the data that was hashed.

        Looked for in the text: a quote inside a JSON string is escaped, so that no value can
        look like a member.
        """
        # Both databases give it in UTC, one without saying so: the zone is cut off.
        at = self.at.isoformat(timespec="microseconds")[:26]
        members = [f'"{source.time}":"{at}Z"']
        if source.actor:
            members.append(f'"{source.actor}":{encode_basestring(self.actor_id)}')
        if source.use_case and self.use_case is not None:
            members.append(f'"{source.use_case}":{encode_basestring(self.use_case)}')
        elif source.use_case:
            empty = (f'"{source.use_case}":""', f'"{source.use_case}":null')
            return all(m in self.data for m in members) and any(m in self.data for m in empty)
        return all(member in self.data for member in members)


class LeafComparison:
    """Compares chunks of leaves with their rows; keeps one reader per (type, schema)."""

    def __init__(self, cursor: Any, findings: Findings) -> None:
        self.cursor, self.findings = cursor, findings
        self._readers: dict[tuple[str, int], RecordReader | None] = {}

    def compare(self, leaves: Sequence[StoredLeaf], *, is_run: bool = False) -> None:
        """``is_run``: the leaves follow each other, so that the database can compare them as one."""
        groups: dict[tuple[str, int], list[StoredLeaf]] = defaultdict(list)
        for leaf in leaves:
            groups[leaf.record_type, leaf.schema].append(leaf)
        for (kind, schema), group in groups.items():
            reader = self._reader(kind, schema)
            if reader is None:
                for leaf in group:
                    detail = f"leaf {leaf.leaf_index}: no code describes {kind}/{schema}"
                    self.findings.add("audit_leaf", leaf.leaf_index, "unknown_schema", detail)
                continue
            for leaf in group:
                if not leaf.listed_as(reader.source):
                    detail = (
                        f"leaf {leaf.leaf_index} is listed under another time, actor or use case"
                    )
                    self.findings.add("audit_leaf", leaf.leaf_index, "listing", detail)
            group = self._unlike(reader, group) if is_run else group
            rows = reader.rows(self.cursor, [leaf.record_id for leaf in group])
            for leaf in group:
                self._compare_one(reader, leaf, rows.get(leaf.record_id))

    def _unlike(self, reader: RecordReader, run: list[StoredLeaf]) -> list[StoredLeaf]:
        """Those of ``run`` that have to be compared here: all, where the database compares none."""
        compare = databases.of(connection).unlike_rows
        ids = [leaf.record_id for leaf in run]
        unlike = compare(self.cursor, reader, run[0].leaf_index, run[-1].leaf_index, ids)
        return run if unlike is None else [leaf for leaf in run if leaf.leaf_index in unlike]

    def _reader(self, kind: str, number: int) -> RecordReader | None:
        if (kind, number) not in self._readers:
            source, schema = sources().get(kind), schema_book().get(kind, number)
            known = source is not None and schema is not None
            self._readers[kind, number] = (
                RecordReader(connection, source, schema) if known else None  # type: ignore[arg-type]
            )
        return self._readers[kind, number]

    def _compare_one(
        self, reader: RecordReader, leaf: StoredLeaf, values: list[Any] | None
    ) -> None:
        table = reader.source.table
        if values is None:
            detail = f"sealed as leaf {leaf.leaf_index}, but the row is gone"
            self.findings.add(table, leaf.record_id, "missing_row", detail)
        elif reader.missing or reader.encode(values) != leaf.data.encode():
            self._name_differences(reader, leaf, values)

    def _name_differences(self, reader: RecordReader, leaf: StoredLeaf, values: list[Any]) -> None:
        """Field by field: a field that no column holds any more rests on its leaf alone."""
        try:
            sealed = json.loads(leaf.data)
        except ValueError:
            sealed = None
        if not isinstance(sealed, dict):
            detail = "the leaf's data is not a JSON object"
            self.findings.add("audit_leaf", leaf.leaf_index, "changed_leaf", detail)
            return
        expected = {"type": leaf.record_type, "schema": leaf.schema}
        stored = {**expected, **dict(zip(reader.fields, values, strict=True))}
        differing = [k for k, v in stored.items() if k not in sealed or not _same(sealed[k], v)]
        unknown = set(sealed) - set(stored) - reader.missing
        if differing or unknown:
            names = ", ".join(sorted({*differing, *unknown}))
            self.findings.add(
                reader.source.table,
                leaf.record_id,
                "changed_value",
                f"differs from leaf {leaf.leaf_index} in: {names}",
            )


def _same(sealed: object, stored: object) -> bool:
    return type(sealed) is type(stored) and sealed == stored
