"""What every reader yields."""

from __future__ import annotations

from typing import Final, NamedTuple

from apps.common.errors import BadInput

# A row of a table may be as large as the body of one decision.
MAX_ROW_BYTES: Final = 1_048_576


class SourceRow(NamedTuple):
    """One row of a file.

    ``line``: number of the line it begins on, from 1 (Parquet: number of the row); ``data``:
    columns by name, the bytes of a JSON line, or the fault that makes the row unreadable (reading
    goes on after it).
    """

    line: int
    data: dict[str, object] | bytes | BadInput


class Progress(NamedTuple):
    """How far a reader has come.

    ``rows``: rows yielded; ``done`` and ``total``: in ``unit``, which is bytes or rows.
    """

    rows: int
    done: int
    total: int
    unit: str
