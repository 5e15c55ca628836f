"""records.xlsx: one sheet, written row by row in constant memory; a verifier compares each cell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from apps.common.errors import BadInput
from apps.exports.domain.bundle import View
from apps.exports.domain.csv_view import Scalar, neutralise
from apps.exports.formats.selection import Selection

MOST_RECORDS = 1_048_575  # rows of a sheet, less the header
NO_CLOCK = datetime(1980, 1, 1)  # noqa: DTZ001 (xlsxwriter takes it as it is, and writes it as UTC)


def write(selection: Selection, path: Path) -> View:
    import xlsxwriter

    if selection.spool.count > MOST_RECORDS:
        words = f"a sheet holds {MOST_RECORDS} records, not {selection.spool.count}; choose csv"
        raise BadInput(words, "/formats")
    options = {"constant_memory": True, "tmpdir": str(path.parent)}
    book = xlsxwriter.Workbook(str(path), options)
    book.set_properties({"created": NO_CLOCK})
    sheet = book.add_worksheet("records", worksheet_class=_plain_worksheet())
    neutralised = _write_row(sheet, 0, selection.columns)
    for number, record in enumerate(selection.spool.records(), 1):
        neutralised += _write_row(sheet, number, [record.get(c) for c in selection.columns])
    book.close()
    return View(path, neutralised)


def _write_row(sheet: Any, row: int, values: Sequence[Scalar]) -> int:
    """Write one row; returns how many of its cells were neutralised."""
    neutralised = 0
    for column, value in enumerate(values):
        written = 0
        if isinstance(value, str):
            safe = neutralise(value)
            neutralised += safe != value
            written = sheet.write_string(row, column, safe)
        elif isinstance(value, bool):
            sheet.write_boolean(row, column, value)
        elif value is not None:
            sheet.write_number(row, column, value)
        if written:
            words = f"row {row + 1} holds a text too long for a cell of xlsx; choose csv"
            raise BadInput(words, "/formats")
    return neutralised


def _plain_worksheet() -> type[Any]:
    """A sheet on which every text is a text.

    In constant memory xlsxwriter passes a text that begins with <r> and ends with </r> through as
    markup: a record could then write cells of its own.
    """
    from xlsxwriter.worksheet import Worksheet

    class PlainWorksheet(Worksheet):  # type: ignore[misc]
        def _xml_rich_inline_string(self, string: str, attributes: Any) -> None:
            self._xml_inline_string(string, False, attributes)

    return PlainWorksheet
