"""records.csv: for spreadsheets and scripts; a verifier compares it cell by cell."""

from __future__ import annotations

from pathlib import Path

from apps.exports.domain.bundle import View
from apps.exports.domain.csv_view import write_csv
from apps.exports.formats.selection import Selection


def write(selection: Selection, path: Path) -> View:
    with path.open("wb") as file:
        neutralised = write_csv(selection.spool.records(), selection.columns, file)
    return View(path, neutralised)
