"""Tables as bytes: equal content gives equal bytes, so that a hash names it.

The bytes: MAGIC, the length of the head (4 bytes, little-endian), the head (JSON, zlib), then each
table's columns one after the other (zlib), a table at a time, so that reading one costs that one.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from apps.metrics.domain.axes import Runs, along, rows_of, runs_of
from apps.metrics.domain.tables import Floats, Numbers, Table, Text, ordered

MAGIC: Final = b"cells 2\n"
FIRST_MAGIC: Final = b"cells 1\n"  # all tables in one stream: reports of that time name such cells
WIDTHS: Final = (np.int8, np.int16, np.int32, np.int64)
LEVEL: Final = 6
FAULTS: Final = (zlib.error, struct.error, KeyError, TypeError, UnicodeDecodeError, IndexError)
Body = list[bytes]


def pack(tables: Mapping[str, Table], axes: Mapping[str, str] | None = None) -> bytes:
    """Tables as bytes, the same bytes for the same content.

    Definition: the rows sorted and unused names left out (see ``ordered``), whole numbers and codes
    at the smallest width that holds them, little-endian. A table with an axis is written as runs
    where that is shorter (see ``runs_of``); of sums that are mostly 0 those that are not.
    Parameters: ``tables`` by name; ``axes``: table -> the column of whole numbers along which its
    "n" counts. Returns: bytes that ``unpack`` reads.
    """
    heads: dict[str, Any] = {}
    bodies: Body = []
    for name in sorted(tables):
        body: Body = []
        written = _put_table(ordered(tables[name]), (axes or {}).get(name), body)
        bodies.append(zlib.compress(b"".join(body), LEVEL))
        heads[name] = {**written, "size": len(bodies[-1])}
    text = json.dumps(heads, sort_keys=True, separators=(",", ":")).encode("ascii")
    head = zlib.compress(text, LEVEL)
    return MAGIC + struct.pack("<I", len(head)) + head + b"".join(bodies)


def _put_table(table: Table, axis: str | None, body: Body) -> dict[str, Any]:
    table = table if axis is None else along(table, axis)
    runs = None if axis is None else runs_of(table, axis)
    if runs is None:
        return {"rows": table.length, "columns": _put_columns(table, body)}
    sums = {name: one for name, one in table.numbers.items() if one.dtype == np.float64}
    heads = {"rows": runs.heads.length, "columns": _put_columns(runs.heads, body)}
    counts = [len(runs.counts), _put(runs.counts, body)]
    rest = _put_columns(Table({}, sums, table.length), body)
    return {"axis": axis, "runs": heads, "counts": counts, "rows": table.length, "columns": rest}


def _put_columns(table: Table, body: Body) -> list[list[Any]]:
    columns: list[list[Any]] = []
    for column, text in table.texts.items():
        columns.append(["text", column, _put(text.codes, body), list(text.names)])
    for column, values in table.numbers.items():
        places = np.flatnonzero(values) if values.dtype == np.float64 else None
        if places is None or len(places) * 2 > table.length:
            columns.append(["number", column, _put(values, body)])
        else:
            kinds = (_put(places.astype(np.int64), body), _put(values[places], body))
            columns.append(["few", column, *kinds, len(places)])
    return columns


def _put(values: Numbers, body: Body) -> str:
    """Adds a column to the body. Returns: the name of its type."""
    kind = np.dtype(np.float64) if values.dtype == np.float64 else _narrowest(values)
    kind = kind.newbyteorder("<")
    body.append(values.astype(kind).tobytes())
    return kind.str


def _narrowest(values: Numbers) -> np.dtype[Any]:
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    for kind in WIDTHS:
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return np.dtype(kind)
    raise ValueError(f"{low} to {high} is not within 64 bits")


class Unpacked(Mapping[str, Table]):
    """Packed tables by name, each read when it is asked for: what is not asked for costs nothing."""

    def __init__(self, heads: Mapping[str, Any], streams: Mapping[str, bytes]) -> None:
        self._heads, self._streams = heads, streams

    def __getitem__(self, name: str) -> Table:
        head = self._heads[name]
        with _named(name):
            return _table(head, _Reader(zlib.decompress(self._streams[name])))

    def runs(self, name: str) -> Runs | Table:
        """A table as it is written: its runs without their floats, or its rows."""
        head = self._heads[name]
        if "axis" not in head:
            return self[name]
        with _named(name):
            return _runs(head, _Reader(zlib.decompress(self._streams[name])))

    def __contains__(self, name: object) -> bool:
        return name in self._heads

    def __iter__(self) -> Iterator[str]:
        return iter(self._heads)

    def __len__(self) -> int:
        return len(self._heads)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except (*FAULTS, ValueError) as fault:
        raise ValueError(f"the packed cells {name!r} cannot be read: {fault}") from fault


def runs_in(tables: Mapping[str, Table], name: str) -> Runs | Table:
    """One of some tables, as runs where it is packed as such."""
    return tables.runs(name) if isinstance(tables, Unpacked) else tables[name]


def unpack(data: bytes) -> Mapping[str, Table]:
    """The tables that ``pack`` wrote, now or in its first form.

    Raises: ValueError: these are not packed cells, or not all of them.
    """
    data = bytes(data)
    magic = data[: len(MAGIC)]
    if magic not in (MAGIC, FIRST_MAGIC):
        raise ValueError(f"packed cells begin with {MAGIC!r}, not {magic!r}")
    try:
        return _unpacked(data) if magic == MAGIC else _first_form(data)
    except FAULTS as fault:
        raise ValueError(f"these packed cells cannot be read: {fault}") from fault


def _unpacked(data: bytes) -> Unpacked:
    (size,) = struct.unpack_from("<I", data, len(MAGIC))
    at = len(MAGIC) + 4
    heads = json.loads(zlib.decompress(data[at : at + size]))
    at += size
    streams: dict[str, bytes] = {}
    for name in sorted(heads):
        streams[name] = data[at : at + heads[name]["size"]]
        at += heads[name]["size"]
    if at != len(data):
        raise ValueError(f"these packed cells are {len(data)} bytes long, not {at}")
    return Unpacked(heads, streams)


def _first_form(data: bytes) -> dict[str, Table]:
    plain = zlib.decompress(data[len(FIRST_MAGIC) :])
    (size,) = struct.unpack_from("<I", plain)
    heads = json.loads(plain[4 : 4 + size])
    reader = _Reader(plain[4 + size :])
    return {name: _table(head, reader) for name, head in heads.items()}


class _Reader:
    """Columns one after the other."""

    def __init__(self, plain: bytes) -> None:
        self._plain, self._at = plain, 0

    def narrow(self, kind: str, rows: int) -> Any:
        """A column at the width it was written with."""
        values = np.frombuffer(self._plain, dtype=kind, count=rows, offset=self._at)
        self._at += values.nbytes
        return values

    def column(self, kind: str, rows: int) -> Numbers:
        values = self.narrow(kind, rows)
        wide: Any = values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
        return wide  # type: ignore[no-any-return]


def _table(head: Mapping[str, Any], reader: _Reader) -> Table:
    if "axis" not in head:
        return _columns(head, reader)
    rows = rows_of(_runs(head, reader), head["axis"])
    sums = _columns(head, reader)
    return Table(rows.texts, {**rows.numbers, **sums.numbers}, rows.length)


def _runs(head: Mapping[str, Any], reader: _Reader) -> Runs:
    heads = _columns(head["runs"], reader)
    size, kind = head["counts"]
    return Runs(heads, reader.narrow(kind, size))


def _columns(head: Mapping[str, Any], reader: _Reader) -> Table:
    rows = int(head["rows"])
    texts: dict[str, Text] = {}
    numbers: dict[str, Numbers] = {}
    for what, column, kind, *more in head["columns"]:
        if what == "few":
            of_value, count = more
            numbers[column] = _spread(
                reader.column(kind, count), reader.column(of_value, count), rows
            )
            continue
        held: Any = reader.column(kind, rows)
        if what == "text":
            texts[column] = Text(held, tuple(more[0]))
        else:
            numbers[column] = held
    return Table(texts, numbers, rows)


def _spread(places: Any, values: Any, rows: int) -> Floats:
    sums: Floats = np.zeros(rows, dtype=np.float64)
    sums[places] = values
    return sums
