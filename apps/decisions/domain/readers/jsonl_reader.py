"""JSON Lines: one JSON object a line, UTF-8, lines ending in LF or CRLF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from apps.common.errors import BadInput
from apps.decisions.domain.readers.rows import MAX_ROW_BYTES, Progress, SourceRow

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class JsonLinesReader:
    """Yields the bytes of each line; parsing is left to the caller, who knows what to expect.

    Empty lines are skipped and counted. A last line without a line end is yielded as it is: if it
    was cut in the middle, its parsing says so. A line that is too long is a fault, and reading
    goes on behind it without holding it in memory. A byte order mark at the start is skipped.
    """

    columns: tuple[str, ...] | None = None

    def __init__(
        self, path: Path, *, resume_from: int = 1, max_line_bytes: int = MAX_ROW_BYTES
    ) -> None:
        self._file = path.open("rb")
        self._total = path.stat().st_size
        self._resume_from = resume_from
        self._limit = max_line_bytes
        self._rows = 0

    @property
    def progress(self) -> Progress:
        """How far the reader has come, in bytes."""
        return Progress(self._rows, self._file.tell(), self._total, "bytes")

    def __iter__(self) -> Iterator[SourceRow]:
        number = 0
        # room for the line end and one byte more, which tells a full line from a longer one
        while raw := self._file.readline(self._limit + 3):
            number += 1
            complete = raw.endswith(b"\n")
            if number == 1:
                raw = raw.removeprefix(_BYTE_ORDER_MARK)
            text = raw.removesuffix(b"\n").removesuffix(b"\r")
            too_long = len(text) > self._limit
            if too_long and not complete:
                self._skip_line()
            if number < self._resume_from or not text.strip():
                continue
            self._rows += 1
            yield SourceRow(number, self._too_long(number) if too_long else text)

    def _skip_line(self) -> None:
        while (rest := self._file.readline(65_536)) and not rest.endswith(b"\n"):
            pass

    def _too_long(self, number: int) -> BadInput:
        return BadInput(f"line {number} has more than {self._limit:,} bytes, which is not allowed")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
