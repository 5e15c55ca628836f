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
from apps.audit.models import Leaf
from apps.audit.record_schemas import schema_book
from apps.audit.records import RecordReader
from apps.audit.sources import Source, sources

LEAF_COLUMNS = (
    *("index", "record_type", "record_id", "schema", "data"),
    *("at", "actor_id", "use_case"),
)


class StoredLeaf(NamedTuple):
    """A row of the leaf table, as it is compared value by value."""

    leaf_index: int
    record_type: str
    record_id: int
    schema: int
    data: str
    at: datetime
    actor_id: str
    use_case: str | None

    @classmethod
    def of(cls, leaf: Leaf) -> StoredLeaf:
        return cls(
            *(leaf.index, leaf.record_type, leaf.record_id, leaf.schema, leaf.data),
            *(leaf.at, leaf.actor_id, leaf.use_case),
        )

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

    def compare_run(self, first: int, last: int) -> None:
        """Compare the leaves from ``first`` to ``last``, the equal ones by the database alone."""
        for kind, schema, *records in self._groups(first, last):
            reader, unlike = self._reader(kind, schema), None
            if reader is not None:
                unlike_rows = databases.of(connection).unlike_rows
                unlike = unlike_rows(self.cursor, reader, (first, last), tuple(records))
            if unlike is None:
                where = 'WHERE "index" BETWEEN %s AND %s AND record_type = %s AND "schema" = %s'
                self.compare(self._read(where, [first, last, kind, schema]))
            elif unlike:
                self.compare(self._read(f'WHERE "index" IN ({",".join(map(str, unlike))})', []))

    def _groups(self, first: int, last: int) -> list[tuple[str, int, int, int]]:
        """(type, schema, lowest record, highest record) of the leaves of a run."""
        self.cursor.execute(
            'SELECT record_type, "schema", min(record_id), max(record_id) FROM audit_leaf '
            'WHERE "index" BETWEEN %s AND %s GROUP BY record_type, "schema" ORDER BY 1, 2',
            [first, last],
        )
        return self.cursor.fetchall()  # type: ignore[no-any-return]

    def _read(self, where: str, values: list[Any]) -> list[StoredLeaf]:
        columns = ", ".join(f'"{name}"' for name in LEAF_COLUMNS)
        query = f'SELECT {columns} FROM audit_leaf {where} ORDER BY "index"'  # noqa: S608
        self.cursor.execute(query, values)
        return list(map(StoredLeaf._make, self.cursor.fetchall()))

    def compare(self, leaves: Sequence[StoredLeaf]) -> None:
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
            rows = reader.rows(self.cursor, [leaf.record_id for leaf in group])
            for leaf in group:
                self._check_listing(reader.source, leaf)
                self._compare_one(reader, leaf, rows.get(leaf.record_id))

    def _check_listing(self, source: Source, leaf: StoredLeaf) -> None:
        if not leaf.listed_as(source):
            detail = f"leaf {leaf.leaf_index} is listed under another time, actor or use case"
            self.findings.add("audit_leaf", leaf.leaf_index, "listing", detail)

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
