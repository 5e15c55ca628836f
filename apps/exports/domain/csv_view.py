"""Audit records as CSV: a view for spreadsheets, every cell of which the evidence can confirm.

The form is fixed byte for byte, so that a verifier can write each row again from the evidence:
UTF-8 without a byte order mark; rows ended by CR LF; fields quoted only where RFC 4180 needs it.
A missing key and null are an empty field, empty text is a field of two quotes, true and false are
words, integers decimal.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO

Scalar = str | int | bool | None

# What a spreadsheet may take for the start of a formula: the ASCII and full-width operators, and
# the control characters that it strips before it looks. Leading spaces do not protect.
_START = r"[ \u00a0]*[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(_START)
_FORMULA_IN_A_LATER_LINE = re.compile(rf"(?:\r\n|\n|\r(?!\n)){_START}")
_NEEDS_QUOTES = re.compile(r'[",\r\n]')


def neutralise(text: str) -> str:
    """Keep a spreadsheet from running a cell as a formula.

    A single quote is put before a text of which any line begins, after spaces or no-break spaces,
    with one of = + - @ (ASCII or full-width), tab, CR, LF or NUL. Negative numbers get one too.
    Returns the text, with the quote where needed.
    Source: OWASP ASVS 5.0 requirement 1.2.10, OWASP "CSV Injection".
    """
    # Most cells are one line: looking at their start alone is several times as fast.
    several_lines = "\n" in text or "\r" in text
    if _FORMULA.match(text) or (several_lines and _FORMULA_IN_A_LATER_LINE.search(text)):
        return f"'{text}"
    return text


def cell_text(value: Scalar) -> str:
    """Write a value as the text of a cell: null is empty, booleans are true and false."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def write_csv(
    records: Iterable[Mapping[str, Scalar]], columns: Sequence[str], out: BinaryIO
) -> int:
    """Write records as CSV, one row each after a header row.

    columns: the union of the records' keys, unique, in the order of the columns;
    out: a binary file open for writing.
    Returns the number of cells that were neutralised, the header's included.
    Raises ValueError for a column that comes twice and for a record with a key that is no column:
    a view never leaves data out.
    Source: RFC 4180; `neutralise`.
    """
    known = set(columns)
    if len(known) != len(columns):
        raise ValueError(f"a column comes twice in {list(columns)!r}")
    neutralised = _write_row(columns, out)
    for number, record in enumerate(records, 1):
        if not record.keys() <= known:
            raise ValueError(f"record {number} has keys without a column: {record.keys() - known}")
        neutralised += _write_row([record.get(column) for column in columns], out)
    return neutralised


def _write_row(values: Sequence[Scalar], out: BinaryIO) -> int:
    texts = [cell_text(value) for value in values]
    safe = [neutralise(text) for text in texts]
    fields = [
        '""' if text == "" and value is not None else _quote(text)
        for text, value in zip(safe, values, strict=True)
    ]
    out.write((",".join(fields) + "\r\n").encode())
    return sum(before != after for before, after in zip(texts, safe, strict=True))


def _quote(text: str) -> str:
    if _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
