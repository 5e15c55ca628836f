"""Parquet: flat columns, read in batches."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from apps.common.errors import BadInput
from apps.decisions.domain.readers.rows import Progress, SourceRow

BATCH_ROWS = 4_096


class ParquetReader:
    """Yields each row as column name -> plain value.

    Definition: times become RFC 3339 text (without a zone where the column has none), dates
    ``YYYY-MM-DD``, decimals decimal text; null and NaN are None, since data frames write one for
    the other. Columns of bytes are refused by name. Lists and structs are refused by name when no
    ``columns`` are chosen, for a table of records has one value a cell; those that ``columns``
    names are delivered as lists and dicts.
    Errors: BadInput for a file that is not Parquet, a nested or a missing column.
    """

    def __init__(
        self,
        path: Path,
        *,
        resume_from: int = 1,
        columns: Collection[str] | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        # pyarrow takes long to load, and most runs read no Parquet
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            self._file: Any = pq.ParquetFile(path)
        except pa.ArrowException as fault:
            raise BadInput(f"{path.name} cannot be read as Parquet: {fault}") from None
        self._unreadable: type[Exception] = pa.ArrowException
        self._batch_rows = batch_rows
        self._resume_from = resume_from
        self._rows = 0
        self._seen = 0
        schema = self._file.schema_arrow
        self._chosen = _chosen_columns(schema, columns, pa.types.is_nested)
        for name in self._chosen:
            kind = schema.field(name).type
            if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
                raise BadInput(f"the column {name!r} holds bytes ({kind}); store it as text")
        self.columns: tuple[str, ...] | None = tuple(self._chosen)

    @property
    def progress(self) -> Progress:
        """How far the reader has come, in rows."""
        return Progress(self._rows, self._seen, self._file.metadata.num_rows, "rows")

    def __iter__(self) -> Iterator[SourceRow]:
        try:
            for batch in self._file.iter_batches(self._batch_rows, columns=self._chosen):
                if self._seen + batch.num_rows < self._resume_from:
                    self._seen += batch.num_rows
                    continue
                yield from self._rows_of(batch.to_pylist())
        except self._unreadable as fault:
            raise BadInput(f"the file is broken behind row {self._seen}: {fault}") from None

    def _rows_of(self, records: list[dict[str, object]]) -> Iterator[SourceRow]:
        for record in records:
            self._seen += 1
            if self._seen < self._resume_from:
                continue
            self._rows += 1
            yield SourceRow(self._seen, {name: _plain(value) for name, value in record.items()})

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _chosen_columns(schema: Any, columns: Collection[str] | None, is_nested: Any) -> list[str]:
    names: list[str] = list(schema.names)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BadInput(f"the file names the column {repeated[0]!r} twice")
    if columns is not None:
        missing = sorted(set(columns) - set(names))
        if missing:
            raise BadInput(f"the file has no column {missing[0]!r}; it has: {', '.join(names)}")
        return [name for name in names if name in columns]
    for name in names:
        kind = schema.field(name).type
        if is_nested(kind):
            raise BadInput(f"the column {name!r} is nested ({kind}); one value a cell is allowed")
    return names


def _plain(value: object) -> object:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
