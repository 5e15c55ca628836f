"""The stored decisions as frames, for peers that read no database.

``reference.parquet`` holds the rows of the profile's days, ``current.parquet`` all of them: the
features, the protected attributes, the label given, the true one where it is known, the confidence
in the label given and the score of "approve", the positive label.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.cells_data import CATEGORIES, NUMBERS, SLUG, START
from benchmarks.cells_steps import PROFILE_DAYS

CHUNK = 50_000
LABEL, OTHER = "approve", "deny"
REFERENCE_FIRST = ("reference", "current")
TEXTS = (*CATEGORIES, "sex", "group", "given", "true")
ROWS = """
SELECT d.label, o.label, d.confidence, p.features, p.subject FROM decisions_decision d
JOIN decisions_payload p ON p.decision = d.id LEFT JOIN outcomes_outcome o ON o.decision_id = d.id
WHERE d.use_case_id = %s AND d.decided_at < %s ORDER BY d.id
"""


def write_frames(folder: Path) -> dict[str, int]:
    """Both files. Returns: the rows of each."""
    end = date.fromisoformat(START[:10]) + timedelta(days=PROFILE_DAYS)
    return {
        "reference": _write(folder / "reference.parquet", end),
        "current": _write(folder / "current.parquet", date.max),
    }


def _write(path: Path, end: date) -> int:
    texts = pa.dictionary(pa.int32(), pa.string())
    fields = [pa.field(name, pa.float64()) for name in (*NUMBERS, "confidence", "score")]
    schema = pa.schema([*fields, *(pa.field(name, texts) for name in TEXTS)])
    written = 0
    with pq.ParquetWriter(path, schema) as writer:
        for rows in _chunks(end):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            written += len(rows)
    return written


def _chunks(end: date) -> Iterator[list[dict[str, Any]]]:
    from django.db import connection, transaction

    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(ROWS, [SLUG, end])
        while found := cursor.fetchmany(CHUNK):
            yield [_row(*one) for one in found]


def _row(given: str, true: str | None, sure: float, features: str, subject: str) -> dict[str, Any]:
    score = sure if given == LABEL else round(1 - sure, 4)
    own = {"given": given, "true": true, "confidence": sure, "score": score}
    return {**json.loads(features), **json.loads(subject)["attributes"], **own}


def frame_of(folder: Path, name: str, columns: list[str] | None = None) -> pd.DataFrame:
    """A file as a frame, its texts as categories."""
    return pd.read_parquet(folder / f"{name}.parquet", columns=columns)
