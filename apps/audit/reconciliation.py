"""Set against set: rows that no leaf knows, and live rows that differ from their history."""

from __future__ import annotations

from django.db import connection

from apps.audit.findings import LIMIT, Findings
from apps.audit.sources import Source, sources
from apps.audit.triggers import live_columns


def find_unsealed(findings: Findings) -> None:
    """Rows of a source that are neither a leaf nor pending: something took them off the list."""
    for source in sources().values():
        for (record,) in _query(
            f'SELECT s."{source.key}" FROM "{source.table}" s '  # noqa: S608
            "WHERE NOT EXISTS (SELECT 1 FROM audit_leaf l WHERE l.record_type = %s "
            f'AND l.record_id = s."{source.key}") '
            "AND NOT EXISTS (SELECT 1 FROM audit_pendingrecord p WHERE p.record_type = %s "
            f'AND p.record_id = s."{source.key}") LIMIT {LIMIT}',
            [source.type, source.type],
        ):
            findings.add(source.table, record, "unsealed_row", "neither sealed nor pending")


def find_live_differences(findings: Findings) -> None:
    """Live rows that are not what their newest history row says."""
    for source in sources().values():
        if source.live is not None:
            _compare_live(source, findings)


def _compare_live(source: Source, findings: Findings) -> None:
    assert source.live is not None
    live, key = source.live._meta.db_table, source.live._meta.pk.column
    different = "IS DISTINCT FROM" if connection.vendor == "postgresql" else "IS NOT"
    columns = [c for c in live_columns(source) if c != key]
    newest = (
        f'(SELECT h.* FROM "{source.table}" h JOIN (SELECT "{key}" AS k, max(history_id) AS m '  # noqa: S608
        f'FROM "{source.table}" GROUP BY "{key}") n ON h.history_id = n.m)'
    )
    unequal = " OR ".join(f'l."{c}" {different} h."{c}"' for c in columns) or "1 = 0"
    for record, state in _query(
        f'SELECT l."{key}", h.history_type FROM "{live}" l LEFT JOIN {newest} h ON h."{key}" = l."{key}" '  # noqa: S608
        f"WHERE h.history_id IS NULL OR h.history_type = '-' OR {unequal} LIMIT {LIMIT}"
    ):
        if state is None:
            findings.add(live, record, "no_history", "a live row without any history row")
        elif state == "-":
            findings.add(live, record, "undead_row", "a live row whose history says it was deleted")
        else:
            findings.add(
                live, record, "live_differs", "the live row differs from its newest history row"
            )
    for (record,) in _query(
        f"SELECT h.\"{key}\" FROM {newest} h WHERE h.history_type <> '-' "  # noqa: S608
        f'AND NOT EXISTS (SELECT 1 FROM "{live}" l WHERE l."{key}" = h."{key}") LIMIT {LIMIT}'
    ):
        findings.add(
            live, record, "missing_live_row", "the live row is gone, its history has no end"
        )


def _query(sql: str, params: list[str] | None = None) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params or [])
        rows: list[tuple[object, ...]] = cursor.fetchall()
    return rows
