"""Steps on the benchmarks' trail, each in a process of its own: ``python -m benchmarks.trail STEP``.

Each prints one JSON document: what it did, its seconds, and the peak of its memory.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from statistics import median
from typing import Any

import django

VERSIONS = 10  # history rows of each live row
FILL = 50_000  # history rows a statement: well within the slack of the trail's clock
SINGLE = 300  # records sealed one by one
PROOFS = 2_000

# History first, then the live rows that equal its newest: the order that the triggers ask for.
HISTORY = """
INSERT INTO registry_historicalaisystem (history_user_kind, history_user_name, id, name, provider,
  intended_purpose, limits, history_user_id, history_change_reason, history_date, history_type)
SELECT 'person', 'Benchmark ' || n %% 40, md5(%(run)s::text || n %% %(live)s)::uuid,
  %(run)s::text || '-' || n %% %(live)s, 'Provider ' || n %% 100,
  'Ranks applications by the risk that they default within a year, version ' || n / %(live)s || '.',
  'Not for "small" firms; no data before 2019.', (n %% 40)::text, 'version ' || n / %(live)s,
  clock_timestamp(), CASE WHEN n < %(live)s THEN '+' ELSE '~' END
FROM generate_series(%(first)s, %(last)s) AS n ORDER BY n
"""
LIVE = """
INSERT INTO registry_aisystem (id, name, provider, intended_purpose, limits)
SELECT id, name, provider, intended_purpose, limits FROM (
  SELECT DISTINCT ON (id) * FROM registry_historicalaisystem WHERE name LIKE %(run)s::text || '-%%'
  ORDER BY id, history_id DESC) newest
"""


def fill(records: str) -> dict[str, Any]:
    """Write history rows in bulk, as an import would, and their live rows."""
    from django.db import connection

    total, run = int(records), f"run{records}"
    live = max(1, total // VERSIONS)
    with connection.cursor() as cursor:
        for first in range(0, total, FILL):
            last = min(first + FILL, total) - 1
            bounds = {"run": run, "live": live, "first": first, "last": last}
            cursor.execute(HISTORY, bounds)
        # Without statistics the guard of the live table would scan its history for each row.
        cursor.execute("VACUUM ANALYZE registry_historicalaisystem")
        cursor.execute(LIVE, {"run": run})
    return {"records": total}


def settle() -> dict[str, Any]:
    """What autovacuum does within minutes; the figures are those of a server that has had them."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {}


def newest() -> dict[str, Any]:
    """The id of the newest history row."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT max(history_id) FROM registry_historicalaisystem")
        return {"history_id": cursor.fetchone()[0]}


def seal(records: str = "") -> dict[str, Any]:
    """Seal what is pending, or as many batches as hold ``records``.

    The clock starts where a running sealer is: connected, with the schemas and the key read.
    """
    from django.db import connection

    from apps.audit import keys, sealing
    from apps.audit.records import reader_for_sealing

    connection.ensure_connection()
    keys.signing_key()
    reader_for_sealing(connection, "ai_system")
    most = int(records) if records else sys.maxsize
    began, sealed = time.perf_counter(), 0
    while sealed < most and (batch := sealing.seal_batch()):
        sealed += batch
    return {"records": sealed, "seconds": time.perf_counter() - began}


def seal_one() -> dict[str, Any]:
    """The median of sealing a single pending record, commit included."""
    from django.db import connection

    from apps.audit import ledger, sealing

    run, times = f"single{time.time_ns()}", []
    for number in range(SINGLE):
        bounds = {"run": f"{run}-{number}", "live": 1, "first": 0, "last": 0}
        with connection.cursor() as cursor:
            cursor.execute(HISTORY, bounds)
            cursor.execute(LIVE, {"run": f"{run}-{number}"})
        began = time.perf_counter()
        sealed = sealing.seal_batch()
        times.append(time.perf_counter() - began)
        assert sealed == 1, sealed
    head = ledger.checked_head()
    return {"median_s": median(times), "tree_size": head.tree_size}


def verify() -> dict[str, Any]:
    from apps.audit import verification

    began = time.perf_counter()
    run = verification.verify(full=True)
    seconds = time.perf_counter() - began
    assert run.ok, run.findings[:3]
    return {"records": run.records, "seconds": seconds}


def prove() -> dict[str, Any]:
    """The median of an inclusion proof to the newest checkpoint, of leaves chosen at random."""
    from apps.audit import ledger
    from apps.audit.domain.merkle import verify_inclusion

    size, times = ledger.checked_head().tree_size, []
    chosen = random.Random(1).sample(range(size), PROOFS)
    for index in chosen:
        began = time.perf_counter()
        leaf, proof, head = ledger.prove_inclusion(index)
        times.append(time.perf_counter() - began)
        assert verify_inclusion(index, head.tree_size, leaf, proof, head.root_hash)
    return {"median_s": median(times), "tree_size": size}


STEPS = {step.__name__: step for step in (fill, settle, newest, seal, seal_one, verify, prove)}


def main(name: str, *arguments: str) -> None:
    django.setup()
    document = STEPS[name](*arguments)
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**document, "memory_mib": memory_mib}))


if __name__ == "__main__":
    main(*sys.argv[1:])
