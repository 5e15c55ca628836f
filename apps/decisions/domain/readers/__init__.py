"""Streaming readers of files of records: CSV, JSON Lines and Parquet, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Protocol

from apps.common.errors import BadInput
from apps.decisions.domain.readers.csv_reader import CsvReader
from apps.decisions.domain.readers.jsonl_reader import JsonLinesReader
from apps.decisions.domain.readers.parquet_reader import ParquetReader
from apps.decisions.domain.readers.rows import Progress, SourceRow

__all__ = ["Progress", "Reader", "SourceRow", "open_reader"]


class Reader(Protocol):
    """What every reader is: an iterator of rows that knows how far it has come."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Column names in order; None for JSON Lines, where each line names its own."""

    @property
    def progress(self) -> Progress:
        """How far the reader has come."""

    def __iter__(self) -> Iterator[SourceRow]:
        """The rows, each with its line number."""

    def close(self) -> None:
        """Close the file."""


_Opener = Callable[[Path, int, Collection[str] | None], Reader]


def _csv(path: Path, first_line: int, columns: Collection[str] | None) -> Reader:
    return CsvReader(path, resume_from=first_line)


def _json_lines(path: Path, first_line: int, columns: Collection[str] | None) -> Reader:
    return JsonLinesReader(path, resume_from=first_line)


def _parquet(path: Path, first_line: int, columns: Collection[str] | None) -> Reader:
    return ParquetReader(path, resume_from=first_line, columns=columns)


_BY_SUFFIX: dict[str, _Opener] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".txt": _csv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
    ".pq": _parquet,
}


def open_reader(
    path: Path, *, resume_from: int = 1, columns: Collection[str] | None = None
) -> Reader:
    """The reader for a file, by the ending of its name.

    Parameters: ``path``; ``resume_from``, the first line (for Parquet: row) to yield, from 1;
    ``columns``, the ones a mapping uses (Parquet reads no others; None: all).
    Returns: a Reader. Errors: BadInput for another ending or a file that cannot be read as named.
    """
    opener = _BY_SUFFIX.get(path.suffix.lower())
    if opener is None:
        known = ", ".join(_BY_SUFFIX)
        raise BadInput(f"{path.name} ends in {path.suffix or 'nothing'!r}; known are: {known}")
    return opener(path, resume_from, columns)
