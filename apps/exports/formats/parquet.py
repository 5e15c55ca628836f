"""records.parquet: typed columns for data tools."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from apps.exports.domain.bundle import View
from apps.exports.domain.csv_view import cell_text
from apps.exports.formats.selection import Selection

BATCH = 10_000


def write(selection: Selection, path: Path) -> View:
    """Whole numbers and booleans keep their type where all schemas agree; all else is text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    plain = {frozenset({"int"}): pa.int64(), frozenset({"bool"}): pa.bool_()}
    kinds = {name: frozenset(kinds) for name, kinds in selection.spool.columns().items()}
    schema = pa.schema([(name, plain.get(kind, pa.string())) for name, kind in kinds.items()])
    texts = {name for name, kind in kinds.items() if kind not in plain}
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in _batches(selection):
            arrays = [
                pa.array(
                    [_value(row.get(field.name), field.name in texts) for row in rows], field.type
                )
                for field in schema
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
    return View(path)


def _batches(selection: Selection) -> Iterator[list[dict[str, Any]]]:
    records = selection.spool.records()
    while rows := list(islice(records, BATCH)):
        yield rows


def _value(value: Any, as_text: bool) -> Any:
    return cell_text(value) if as_text and value is not None else value
