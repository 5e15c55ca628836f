"""Evidence as a person reads it: marked text, images with boxes, tables, files, links. Pure.

What cannot be shown is said to be so: a reviewer never meets raw data. No address of another host
is loaded by a page; it is offered as a link.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

MAX_ROWS: Final = 200
MAX_COLUMNS: Final = 40
MAX_CELL: Final = 500
IMAGE_STARTS: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}
PDF_START: Final = b"%PDF-"
_DATA_ADDRESS = re.compile(r"data:([\w.+/-]*)((?:;[\w=.-]+)*?)(;base64)?,", re.IGNORECASE)
_FIGURE = re.compile(r"[-+]?[\d.,' ]*\d\s?%?", re.ASCII)
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text. ``notes``: the numbers of the marks that cover it, none for plain text;
    ``opens``: the marks that begin here."""

    text: str
    notes: tuple[int, ...] = ()
    opens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A mark's number and what it says."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Box:
    """A place in an image, in per cent of its width and height."""

    number: int
    x: float
    y: float
    width: float
    height: float


class Cell(NamedTuple):
    """A cell of a table; ``is_number``: its whole column holds numbers alone."""

    text: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence, ready to be shown; ``kind`` chooses the template's branch."""

    number: int
    kind: str
    title: str
    spans: Sequence[Span] = ()
    notes: Sequence[Note] = ()
    source: str = ""
    boxes: Sequence[Box] = ()
    header: Sequence[Cell] = ()
    rows: Sequence[Sequence[Cell]] = ()
    address: str = ""
    host: str = ""
    size: int = 0
    why: str = ""
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """The bytes of a file that came inside a case."""

    content: bytes
    media_type: str


def pieces_of(evidence: Sequence[Mapping[str, Any]] | None) -> list[Piece]:
    """Each piece of evidence as it is shown, in the order sent."""
    return [piece_of(number, item) for number, item in enumerate(evidence or (), 1)]


def piece_of(number: int, item: Mapping[str, Any]) -> Piece:
    kind = str(item.get("kind"))
    title = str(item.get("title") or f"{KIND_WORDS.get(kind, 'Evidence')} {number}")
    regions = [region for region in item.get("regions") or () if isinstance(region, Mapping)]
    show = SHOWN.get(kind)
    if show is None:
        return Piece(number, "unknown", title, why=f"Evidence of the kind {kind} cannot be shown.")
    return show(number, title, item.get("content"), regions)


# --- Text -----------------------------------------------------------------------------------


def spans_of(text: str, regions: Sequence[Mapping[str, Any]]) -> tuple[list[Span], list[Note]]:
    """Text cut at every end of a mark, and what the marks say.

    Definition: a region is ``{"start", "end", "note"}``, a half-open range of characters; a range
    that is empty or not in the text marks nothing. Marks may overlap: a run names all that cover it.
    Parameters: ``text``; ``regions``. Returns: runs that join to ``text``, and the marks by number.
    """
    marks = [(mark[0], mark[1], region) for region in regions if (mark := _range(region, text))]
    marks.sort(key=lambda mark: (mark[0], mark[1]))
    notes = [Note(n, _note(region)) for n, (_start, _end, region) in enumerate(marks, 1)]
    cuts = sorted({0, len(text), *(edge for mark in marks for edge in mark[:2])})
    spans = []
    for start, end in pairwise(cuts):
        over = tuple(n for n, mark in enumerate(marks, 1) if mark[0] <= start and end <= mark[1])
        opens = tuple(n for n in over if marks[n - 1][0] == start)
        spans.append(Span(text[start:end], over, opens))
    return spans, notes


def _range(region: Mapping[str, Any], text: str) -> tuple[int, int] | None:
    start, end = _whole(region.get("start")), _whole(region.get("end"))
    if start is None or end is None or not 0 <= start < end:
        return None
    return (start, min(end, len(text))) if start < len(text) else None


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _note(region: Mapping[str, Any]) -> str:
    return str(region.get("note") or region.get("label") or "marked")


def _text(number: int, title: str, content: Any, regions: Sequence[Mapping[str, Any]]) -> Piece:
    spans, notes = spans_of(str(content or ""), regions)
    return Piece(number, "text", title, spans=spans, notes=notes)


# --- Images and files -----------------------------------------------------------------------


def boxes_of(regions: Sequence[Mapping[str, Any]]) -> tuple[list[Box], list[Note]]:
    """Places in an image.

    Definition: a region is ``{"x", "y", "width", "height", "note"}`` in per cent of the image's
    width and height from its upper left corner; what lies outside is cut off, a region without an
    area inside marks nothing. Returns: boxes and notes, numbered alike.
    """
    found = [(box, region) for region in regions if (box := _box(region))]
    boxes = [Box(n, *box) for n, (box, _region) in enumerate(found, 1)]
    return boxes, [Note(n, _note(region)) for n, (_box, region) in enumerate(found, 1)]


def _box(region: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    given = [region.get(name) for name in ("x", "y", "width", "height")]
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in given):
        return None
    x, y, width, height = (float(value) for value in given if value is not None)
    if not all(math.isfinite(value) for value in (x, y, width, height)):
        return None
    left, top, right, bottom = (
        max(0.0, x),
        max(0.0, y),
        min(100.0, x + width),
        min(100.0, y + height),
    )
    if right <= left or bottom <= top:
        return None
    return round(left, 3), round(top, 3), round(right - left, 3), round(bottom - top, 3)


def attachment_of(content: object) -> Attachment | None:
    """The bytes inside a data address or a base64 text, None where it holds neither.

    Definition: the media type is read from the bytes' first characters, never from what was said
    of them: a page must not be made to run what was sent as an image.
    """
    if not isinstance(content, str):
        return None
    text = content.strip()
    found = _DATA_ADDRESS.match(text)
    if found and not found[3]:
        return None
    encoded = text[found.end() :] if found else text
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Attachment(data, media_type_of(data)) if data else None


def media_type_of(data: bytes) -> str:
    """What bytes are by how they begin; unknown ones are only ever offered as a file."""
    for start, media_type in IMAGE_STARTS.items():
        if data.startswith(start):
            return media_type
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return "application/pdf" if data.startswith(PDF_START) else "application/octet-stream"


def _image(number: int, title: str, content: Any, regions: Sequence[Mapping[str, Any]]) -> Piece:
    attached = attachment_of(content)
    boxes, notes = boxes_of(regions)
    if attached is not None and attached.media_type.startswith("image/"):
        encoded = base64.b64encode(attached.content).decode()
        source = f"data:{attached.media_type};base64,{encoded}"
        return Piece(number, "image", title, notes=notes, boxes=boxes, source=source)
    if elsewhere := _elsewhere(content):
        return Piece(number, "link", title, notes=notes, address=elsewhere[0], host=elsewhere[1])
    return Piece(number, "unknown", title, notes=notes, why="The image cannot be read.")


def _pdf(number: int, title: str, content: Any, regions: Sequence[Mapping[str, Any]]) -> Piece:
    notes = [Note(n, _note(region)) for n, region in enumerate(regions, 1)]
    attached = attachment_of(content)
    if attached is not None and attached.media_type == "application/pdf":
        return Piece(number, "pdf", title, notes=notes, size=len(attached.content))
    if elsewhere := _elsewhere(content):
        return Piece(number, "link", title, notes=notes, address=elsewhere[0], host=elsewhere[1])
    return Piece(number, "unknown", title, notes=notes, why="The PDF file cannot be read.")


# --- Tables and links -----------------------------------------------------------------------


def table_of(content: object) -> tuple[list[str], list[list[str]]] | None:
    """A table's header and rows from text (comma, semicolon or tab), lists, objects or one object.

    Returns: all cells as text, each row as long as the header; None where nothing is tabular.
    """
    if isinstance(content, str):
        return _table_of_text(content)
    if isinstance(content, Mapping):
        if isinstance(content.get("rows"), list):
            return _table_of_rows(content["rows"], content.get("columns") or content.get("header"))
        return ["Name", "Value"], [[str(name), cell(value)] for name, value in content.items()]
    return _table_of_rows(content, None) if isinstance(content, list) else None


def _table_of_text(text: str) -> tuple[list[str], list[list[str]]] | None:
    lines = text.strip("\r\n")
    if not lines.strip():
        return None
    first = lines.splitlines()[0]
    delimiter = max("\t;,|", key=first.count)
    rows = [row for row in csv.reader(io.StringIO(lines), delimiter=delimiter) if row]
    return _table_of_rows(rows[1:], rows[0]) if rows else None


def _table_of_rows(rows: list[Any], header: Any) -> tuple[list[str], list[list[str]]] | None:
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = list(dict.fromkeys(str(name) for row in rows for name in row))
        return names, [[cell(row.get(name)) for name in names] for row in rows]
    lists = [row if isinstance(row, list) else [row] for row in rows]
    if header is None and lists:
        header, lists = lists[0], lists[1:]
    if not isinstance(header, list):
        return None
    width = max([len(header), *map(len, lists)])
    names = [cell(name) for name in header] + [""] * (width - len(header))
    return names, [[*map(cell, row), *[""] * (width - len(row))] for row in lists]


def cell(value: object) -> str:
    """A value as a person reads it in a table or beside its name; never as data."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        text = "; ".join(f"{name}: {cell(item)}" for name, item in value.items()) or "–"
    elif isinstance(value, list | tuple):
        text = ", ".join(cell(item) for item in value) or "–"
    else:
        text = str(value)
    return text if len(text) <= MAX_CELL else f"{text[: MAX_CELL - 1]}…"


def _table(number: int, title: str, content: Any, regions: Sequence[Mapping[str, Any]]) -> Piece:
    notes = [Note(n, _note(region)) for n, region in enumerate(regions, 1)]
    found = table_of(content)
    if found is None or not found[0]:
        return Piece(number, "unknown", title, notes=notes, why="The table cannot be read.")
    header, rows = found
    cut = len(rows) > MAX_ROWS or len(header) > MAX_COLUMNS
    said = f"{len(rows)} rows and {len(header)} columns; the first {MAX_ROWS} and {MAX_COLUMNS}."
    kinds = [_is_numbers(column) for column in zip(*rows, strict=True)] or [False] * len(header)
    head, *shown = (
        [Cell(*pair) for pair in zip(row[:MAX_COLUMNS], kinds, strict=False)]
        for row in [header, *rows[:MAX_ROWS]]
    )
    left = said if cut else ""
    return Piece(number, "table", title, notes=notes, header=head, rows=shown, left_out=left)


def _is_numbers(column: Sequence[str]) -> bool:
    held = [text for text in column if text != "–"]
    return bool(held) and all(_FIGURE.fullmatch(text) for text in held)


def _url(number: int, title: str, content: Any, regions: Sequence[Mapping[str, Any]]) -> Piece:
    notes = [Note(n, _note(region)) for n, region in enumerate(regions, 1)]
    elsewhere = _elsewhere(content)
    if elsewhere is None:
        return Piece(number, "unknown", title, notes=notes, why="The address cannot be opened.")
    return Piece(number, "link", title, notes=notes, address=elsewhere[0], host=elsewhere[1])


def _elsewhere(content: object) -> tuple[str, str] | None:
    """An http or https address and its host; None for anything that a link must not lead to."""
    if not isinstance(content, str) or not _WEB_ADDRESS.fullmatch(content.strip()):
        return None
    try:
        host = urlsplit(content.strip()).hostname
    except ValueError:
        return None
    return (content.strip(), host) if host else None


KIND_WORDS: Final = {
    "text": "Text",
    "image": "Image",
    "pdf": "PDF",
    "table": "Table",
    "url": "Link",
}
SHOWN: Final = {"text": _text, "image": _image, "pdf": _pdf, "table": _table, "url": _url}
