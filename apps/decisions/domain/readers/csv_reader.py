"""CSV with a header: comma, semicolon or tab; LF, CRLF or CR; UTF-8 with or without a mark."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from apps.common.errors import BadInput
from apps.decisions.domain.readers.rows import MAX_ROW_BYTES, Progress, SourceRow

DELIMITERS = (",", ";", "\t")

_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# bytes that are not UTF-8 are read as these lone surrogates, so that a bad row can be named and
# the good ones after it still be read
_UNDECODED = re.compile("[\udc80-\udcff]")


class CsvReader:
    """Yields each row as column name -> text.

    Definition: RFC 4180, with line ends inside quotes kept. The delimiter is the one of comma,
    semicolon and tab that stands most often outside quotes in the header. A row with another
    number of cells than the header, with bytes that are not UTF-8 or with broken quotes is a
    fault; an unclosed quote, which swallows the rest of the file, ends the reading as soon as the
    row exceeds its limit. Empty lines are skipped and counted.
    Errors: BadInput at once for a missing, empty or ambiguous header or a file in UTF-16.
    """

    def __init__(
        self, path: Path, *, resume_from: int = 1, max_row_chars: int = MAX_ROW_BYTES
    ) -> None:
        # the module's own limit of 131,072 would refuse cells that a decision may hold
        csv.field_size_limit(max(csv.field_size_limit(), max_row_chars))
        self._binary = path.open("rb")
        self._total = path.stat().st_size
        self._resume_from = resume_from
        self._rows = 0
        try:
            self._lines = _Lines(self._text(), max_row_chars)
            self.columns: tuple[str, ...] | None = self._read_header()
        except BadInput:
            self._binary.close()
            raise

    def _text(self) -> io.TextIOWrapper:
        if self._binary.read(2) in _UTF16_MARKS:
            raise BadInput("the file is UTF-16; save it as UTF-8")
        self._binary.seek(0)
        return io.TextIOWrapper(
            self._binary, encoding="utf-8-sig", errors="surrogateescape", newline=""
        )

    def _read_header(self) -> tuple[str, ...]:
        first = self._lines.first_line()
        bare = _QUOTED.sub("", first)
        self.delimiter = max(DELIMITERS, key=bare.count)
        self._reader = csv.reader(self._lines, delimiter=self.delimiter, strict=True)
        self._lines.begin_row()
        try:
            names = next(self._reader)
        except (StopIteration, csv.Error) as fault:
            raise BadInput(f"the header cannot be read: {fault}") from None
        _check_header(names)
        return tuple(names)

    @property
    def progress(self) -> Progress:
        """How far the reader has come, in bytes (of the block that is being read)."""
        done = self._total if self._binary.closed else self._binary.tell()
        return Progress(self._rows, done, self._total, "bytes")

    def __iter__(self) -> Iterator[SourceRow]:
        names = self.columns or ()
        while True:
            line = self._lines.count + 1
            self._lines.begin_row()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as fault:
                data: dict[str, object] | BadInput = BadInput(f"line {line}: {fault}")
            else:
                if not cells:
                    continue
                data = _row_of(line, names, cells)
            if line >= self._resume_from:
                self._rows += 1
                yield SourceRow(line, data)

    def close(self) -> None:
        """Close the file."""
        self._binary.close()


def _check_header(names: list[str]) -> None:
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise BadInput(f"column {position} of the header has no name")
        if _UNDECODED.search(name):
            raise BadInput(f"line 1: the name of column {position} is not UTF-8")
        if name in seen:
            raise BadInput(f"the header names the column {name!r} twice")
        seen.add(name)
    if not names:
        raise BadInput("the header is empty; the first line names the columns")


def _row_of(line: int, names: tuple[str, ...], cells: list[str]) -> dict[str, object] | BadInput:
    if len(cells) != len(names):
        return BadInput(f"line {line} has {len(cells)} cells; the header names {len(names)}")
    row: dict[str, object] = dict(zip(names, cells, strict=True))
    for name, cell in zip(names, cells, strict=True):
        if not cell.isascii() and (found := _UNDECODED.search(cell)):
            byte = ord(found[0]) - 0xDC00
            return BadInput(f"line {line}: the cell {name!r} is not UTF-8 (byte {byte:#04x})")
    return row


class _Lines:
    """Feeds lines to the CSV parser, counts them, and bounds what one row may take in."""

    def __init__(self, text: io.TextIOWrapper, limit: int) -> None:
        self._text = text
        self._limit = limit
        self._left = limit
        self._held: str | None = None
        self.count = 0

    def first_line(self) -> str:
        """The header's first line, which is read again afterwards; blank lines are passed over."""
        while line := self._text.readline(self._limit + 1):
            if line.strip("\r\n"):
                self._held = line
                return line
            self.count += 1
        raise BadInput("the file is empty; the first line names the columns")

    def begin_row(self) -> None:
        """Give the next row the whole limit again."""
        self._left = self._limit
        self._start = self.count + 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._held if self._held is not None else self._text.readline(self._left + 1)
        self._held = None
        if not line:
            raise StopIteration
        self._left -= len(line)
        if self._left < 0:
            raise BadInput(
                f"the row that begins on line {self._start} has more than {self._limit:,} "
                "characters; is a quote never closed?"
            )
        self.count += 1
        return line
