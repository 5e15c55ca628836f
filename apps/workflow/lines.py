"""The lines of a file of records: read, mapped and checked, in chunks of bounded size.

Everything here is pure Python without the database, so that the next chunk can be prepared beside
the work on the last one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from apps.common.errors import BadInput, FieldError, NotFound
from apps.decisions.domain.mapping import (
    Mapping,
    RowMapper,
    mapping_from_header,
    mapping_from_toml,
)
from apps.decisions.domain.readers import Progress, Reader, SourceRow, open_reader
from apps.decisions.domain.schema import DecisionSchema
from apps.decisions.domain.strict_json import parse_object
from apps.workflow.rejections import LONGEST_ROW

CHUNK_ROWS = 2_500
CHUNK_BYTES = 16 * 1024 * 1024  # rows may be a megabyte each: both bound what is held at once


T = TypeVar("T")
Check = Callable[[int, dict[str, Any]], T]


class Packing(NamedTuple):
    """How a record goes to another process where it is read by one: as fewer, plainer values."""

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]


class RecordFile(NamedTuple):
    """A file and how its rows become records of a kind: decisions, reviews or outcomes."""

    path: Path
    records: str
    mapping: Mapping | None = None
    mapping_text: str = ""

    def identity(self, *more: str) -> str:
        """SHA-256 over the content, the mapping and ``more``: the same work has the same name."""
        with self.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        parts = [content, hashlib.sha256(self.mapping_text.encode()).hexdigest(), *more]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def record_file(path: Path, records: str, mapping_path: Path | None) -> RecordFile:
    """The file with its mapping, read and checked.

    Raises:
        NotFound: a file is not there. BadInput: it cannot be read, or is no mapping of ``records``.
    """
    with _named_faults(path):
        if not path.is_file():
            raise NotFound(f"there is no file {path}")
        path.open("rb").close()
    if mapping_path is None:
        return RecordFile(path, records)
    with _named_faults(mapping_path):
        if not mapping_path.is_file():
            raise NotFound(f"there is no mapping {mapping_path}")
        text = mapping_path.read_text(encoding="utf-8")
    mapping = mapping_from_toml(text)
    if mapping.records != records:
        raise BadInput(f"{mapping_path} maps {mapping.records}; {records} are wanted", "/records")
    return RecordFile(path, records, mapping, text)


@contextmanager
def _named_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not text in UTF-8") from None


@dataclass(slots=True)
class Chunk(Generic[T]):
    """Lines in their order: records that passed their checks, and what is wrong with the others."""

    records: list[tuple[int, T]] = field(default_factory=list)
    faults: dict[int, tuple[FieldError, ...]] = field(default_factory=dict)
    rows: dict[int, dict[str, object] | bytes | None] = field(default_factory=dict)
    last: int = 0
    size: int = 0
    progress: Progress | None = None

    def row_text(self, line: int) -> str | None:
        """The row as it stood in the file, bounded; None where it could not even be read."""
        row = self.rows.get(line)
        if row is None:
            return None
        if isinstance(row, bytes):
            return row[: 4 * LONGEST_ROW].decode(errors="replace")[:LONGEST_ROW]
        return json.dumps(row, ensure_ascii=False, default=str)[:LONGEST_ROW]


class LineReader(Generic[T]):
    """Reads a file from its first line and yields chunks of what comes after ``resume_after``.

    ``check`` turns the body of a record into what is taken in, or raises BadInput. Where earlier
    lines bear on later ones (``reads_all``, or a mapping that passes over repeats), the lines up
    to ``resume_after`` are checked again and left out of the chunks. ``repeats`` counts the rows
    passed over because the mapping takes one record a key.
    """

    def __init__(
        self,
        file: RecordFile,
        check: Check[T],
        *,
        schema: DecisionSchema,
        resume_after: int = 0,
        reads_all: bool = False,
        packing: Packing | None = None,
    ) -> None:
        self._check = check
        self.packing = packing
        self._resume_after = resume_after
        self.file_bytes = file.path.stat().st_size
        self.repeats = 0
        mapping = file.mapping
        begins_at_once = reads_all or (mapping is not None and mapping.once_key is not None)
        first = 1 if begins_at_once else resume_after + 1
        self._reader = _opened(file.path, mapping, first)
        try:
            self._mapper = _mapper(file, self._reader.columns, schema)
        except BadInput:
            self._reader.close()
            raise

    def close(self) -> None:
        self._reader.close()

    def pack(self) -> None:
        """From here on, records are packed: each at once, while the processor has it at hand."""
        if self.packing is not None:
            check, pack = self._check, self.packing.pack
            self._check = lambda line, body: pack(check(line, body))

    def chunks(self) -> Iterator[Chunk[T]]:
        """Chunks in the order of the file; what was read before a fault of the file comes first."""
        chunk: Chunk[T] = Chunk()
        rows = iter(self._reader)
        while True:
            try:
                row = next(rows, None)
            except BadInput:
                if chunk.last:
                    yield self._finished(chunk)
                raise
            if row is None:
                break
            self._add(chunk, row)
            if chunk.size >= CHUNK_BYTES or len(chunk.rows) >= CHUNK_ROWS:
                yield self._finished(chunk)
                chunk = Chunk()
        if chunk.last:
            yield self._finished(chunk)

    def _finished(self, chunk: Chunk[T]) -> Chunk[T]:
        chunk.progress = self._reader.progress
        return chunk

    def _add(self, chunk: Chunk[T], row: SourceRow) -> None:
        line, data = row
        record: T | None = None
        errors: tuple[FieldError, ...] = ()
        try:
            body = self._body(data)
            if body is None:
                self.repeats += 1
            else:
                record = self._check(line, body)
        except BadInput as fault:
            errors = tuple(fault.errors)
        if line <= self._resume_after:
            return
        chunk.last = line
        kept = None if isinstance(data, BadInput) else data
        chunk.rows[line] = kept
        chunk.size += _size(kept)
        if errors:
            chunk.faults[line] = errors
        elif record is not None:
            chunk.records.append((line, record))

    def _body(self, data: dict[str, object] | bytes | BadInput) -> dict[str, object] | None:
        if isinstance(data, BadInput):
            raise data
        row = parse_object(data) if isinstance(data, bytes) else data
        return row if self._mapper is None else self._mapper(row)


def _mapper(
    file: RecordFile, columns: tuple[str, ...] | None, schema: DecisionSchema
) -> RowMapper | None:
    """By the mapping, else by the names of the columns; JSON Lines without one are bodies."""
    if file.mapping is not None:
        return RowMapper(file.mapping, columns, schema)
    if columns is None:
        return None
    return RowMapper(mapping_from_header(file.records, columns), columns, schema)


def _opened(path: Path, mapping: Mapping | None, first: int) -> Reader:
    others = mapping is not None and (mapping.features.others or mapping.attributes.others)
    columns = None if mapping is None or others else mapping.named_columns()
    with _named_faults(path):
        return open_reader(path, resume_from=first, columns=columns)


def _size(row: dict[str, object] | bytes | None) -> int:
    if isinstance(row, dict):
        return sum(len(cell) for cell in row.values() if isinstance(cell, str))
    return 0 if row is None else len(row)
