"""The least that any sealer or verifier does: read the rows, write them as JSON, hash them.

No ledger, no Django, no comparison: psycopg, json and hashlib alone, over the rows that the
benchmarks of the ledger read, with values already made text by the server.
"""

from __future__ import annotations

import json
import os
import sys
import time
from hashlib import sha256

import psycopg

CHUNK = 20_000
COLUMNS = {
    "history_user_kind": "{}",
    "history_user_name": "{}",
    "id": "{}::text",
    "name": "{}",
    "provider": "{}",
    "intended_purpose": "{}",
    "limits": "{}",
    "history_user_id": "{}",
    "history_change_reason": "{}",
    "history_id": "{}",
    "history_date": "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    "history_type": "{}",
}


def main(records: int, after: int = 0) -> None:
    """``records`` rows, those after the history id ``after``."""
    names = [*COLUMNS, "type", "schema"]
    columns = ", ".join(form.format(f'"{name}"') for name, form in COLUMNS.items())
    query = (
        f"SELECT {columns} FROM registry_historicalaisystem WHERE history_id > {after} "
        f"ORDER BY history_id LIMIT {records}"
    )
    with (
        psycopg.connect(os.environ["DATABASE_URL"]) as connection,
        connection.cursor("rows") as cursor,
    ):
        began, count = time.perf_counter(), 0
        cursor.execute(query)
        while rows := cursor.fetchmany(CHUNK):
            for row in rows:
                record = dict(zip(names, (*row, "ai_system", 1), strict=True))
                text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                sha256(b"\0" + text.encode()).digest()
            count += len(rows)
        seconds = time.perf_counter() - began
    print(json.dumps({"records": count, "seconds": seconds}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
