"""Tables as bytes: equal content gives equal bytes, so that a hash names it."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from apps.metrics.domain.tables import Numbers, Table, Text, ordered

MAGIC: Final = b"cells 1\n"
WIDTHS: Final = (np.int8, np.int16, np.int32, np.int64)
LEVEL: Final = 6


def pack(tables: Mapping[str, Table]) -> bytes:
    """Tables as bytes, the same bytes for the same content.

    Definition: the rows sorted and unused names left out (see ``ordered``), whole numbers and codes
    at the smallest width that holds them, little-endian; a JSON head names the columns; zlib.
    Parameters: ``tables`` by name. Returns: bytes that ``unpack`` reads.
    """
    heads: dict[str, Any] = {}
    body: list[bytes] = []
    for name in sorted(tables):
        table = ordered(tables[name])
        columns: list[list[Any]] = []
        for column, text in table.texts.items():
            columns.append(["text", column, _put(text.codes, body), list(text.names)])
        for column, values in table.numbers.items():
            columns.append(["number", column, _put(values, body)])
        heads[name] = {"rows": table.length, "columns": columns}
    head = json.dumps(heads, sort_keys=True, separators=(",", ":")).encode("ascii")
    return MAGIC + zlib.compress(struct.pack("<I", len(head)) + head + b"".join(body), LEVEL)


def _put(values: Numbers, body: list[bytes]) -> str:
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


def unpack(data: bytes) -> dict[str, Table]:
    """The tables that ``pack`` wrote. Raises: ValueError: these are not packed cells."""
    data = bytes(data)
    if not data.startswith(MAGIC):
        raise ValueError(f"packed cells begin with {MAGIC!r}, not {data[: len(MAGIC)]!r}")
    try:
        plain = zlib.decompress(data[len(MAGIC) :])
        (size,) = struct.unpack_from("<I", plain)
        heads = json.loads(plain[4 : 4 + size])
        return _tables(heads, plain, 4 + size)
    except (zlib.error, struct.error, KeyError, TypeError) as fault:
        raise ValueError(f"these packed cells cannot be read: {fault}") from fault


def _tables(heads: Mapping[str, Any], plain: bytes, at: int) -> dict[str, Table]:
    found: dict[str, Table] = {}
    for name, head in heads.items():
        rows = int(head["rows"])
        texts: dict[str, Text] = {}
        numbers: dict[str, Numbers] = {}
        for what, column, kind, *names in head["columns"]:
            values = np.frombuffer(plain, dtype=kind, count=rows, offset=at)
            at += values.nbytes
            if what == "text":
                texts[column] = Text(values.astype(np.int64), tuple(names[0]))
            elif values.dtype.kind == "f":
                numbers[column] = values.astype(np.float64)
            else:
                numbers[column] = values.astype(np.int64)
        found[name] = Table(texts, numbers, rows)
    return found
