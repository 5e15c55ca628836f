"""The forms in which an export shows its records: one table, a module for each that is written.

JSON Lines has none: records.jsonl is the evidence itself and in every bundle.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from apps.exports.domain.bundle import View
from apps.exports.formats import comma_separated, parquet, spreadsheet, summary
from apps.exports.formats.selection import Selection

DEFAULT = ("jsonl", "csv")


class Format(NamedTuple):
    """``member``: its name in the bundle. ``write`` makes the file; None where it is evidence."""

    member: str
    write: Callable[[Selection, Path], View] | None


FORMATS: dict[str, Format] = {
    "jsonl": Format("records.jsonl", None),
    "csv": Format("records.csv", comma_separated.write),
    "parquet": Format("records.parquet", parquet.write),
    "xlsx": Format("records.xlsx", spreadsheet.write),
    "pdf": Format("summary.pdf", summary.write),
}
