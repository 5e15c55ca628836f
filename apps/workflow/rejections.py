"""The file beside a file of records that names each rejected line once, across kills."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from apps.common.errors import BadInput, FieldError

LONGEST_ROW = 16_384  # characters of a rejected row that are kept
Rejection = tuple[int, tuple[FieldError, ...], str | None]


class RejectedFile:
    """``FILE.rejected.jsonl``: ``{"line", "errors": [{"pointer", "detail"}], "row", "run"}`` a line.

    ``run`` names the work that an entry belongs to: other work on a file of the same name begins
    the list anew, and work that is resumed after it does not go on in another's list.

    A chunk's entries are on disk before the chunk commits. A kill in between leaves entries of
    lines that were never taken in: they stand at the end, and ``cut`` takes them off.
    """

    def __init__(self, source: Path, run: str = "") -> None:
        self.path = source.with_name(f"{source.name}.rejected.jsonl")
        self.run = run

    def cut(self, after: int) -> int:
        """Drop the entries of lines after ``after`` and those of other work; returns how many stay.
        None left: no file."""
        try:
            kept, size = _entries_up_to(self.path, self.run, after)
            if size:
                os.truncate(self.path, size)
            else:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from None
        return kept

    def write(self, rejections: Iterable[Rejection]) -> None:
        """Append entries, and have them on disk on return."""
        text = "".join(_entry(self.run, *rejection) for rejection in rejections)
        if not text:
            return
        try:
            with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> BadInput:
        return BadInput(f"{self.path}, where rejected rows go, cannot be used: {error.strerror}")


def _entry(run: str, line: int, errors: tuple[FieldError, ...], row: str | None) -> str:
    named = [{"pointer": error.pointer, "detail": error.detail} for error in errors]
    entry = {"line": line, "errors": named, "row": row, "run": run}
    return json.dumps(entry, ensure_ascii=False) + "\n"


def _entries_up_to(path: Path, run: str, after: int) -> tuple[int, int]:
    """(number, bytes) of the whole entries at the start of the file that stand for such lines."""
    kept = size = 0
    if not path.exists():
        return kept, size
    with path.open("rb") as file:
        for raw in file:
            line = _line_of(raw, run)
            if line is None or line > after:
                break
            kept, size = kept + 1, size + len(raw)
    return kept, size


def _line_of(raw: bytes, run: str) -> int | None:
    """The line that an entry names; None for a half-written one, and for one of other work."""
    try:
        entry: Any = json.loads(raw) if raw.endswith(b"\n") else None
    except ValueError:
        return None
    if not isinstance(entry, dict) or entry.get("run") != run:
        return None
    line = entry.get("line")
    return line if isinstance(line, int) else None
