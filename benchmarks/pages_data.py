"""What pages and dashboards show: decisions of many use cases up to this hour, and all around them.

On each use case's level follows where a decision goes. What came in of late waits for people or
for the commander; everything else is settled, with its task, seat, verdict and outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.cells_data import (
    DECISION,
    FILL,
    OUTCOME,
    PAYLOAD,
    RECORDED,
    REVIEW,
    REVIEWERS,
    insert,
    key,
)

Columns = Mapping[str, str]

REVIEWED = "level = 'HITL' AND waits"
PENDING = "at > %(open_since)s::timestamptz AND (level = 'HIC' OR (level = 'HITL' AND waits))"
SETTLED = f"{REVIEWED} AND NOT ({PENDING})"
NOTED = (
    "INSERT INTO audit_pendingrecord (record_type, record_id) "
    "SELECT %(record)s, {key} FROM made ORDER BY {key}"
)
DECIDED: Columns = {
    **DECISION,
    "external_id": "use_case || '-' || n",
    "lane": "CASE WHEN level = 'HOTL' THEN 'supervised' WHEN level = 'HIC' THEN 'command' "
    "WHEN waits THEN 'review' ELSE 'automatic' END",
    "after_review": "level = 'HOTL' AND luck < 0.1",
    "status": f"CASE WHEN {PENDING} THEN 'pending' ELSE 'released' END",
    "settled_at": f"CASE WHEN {PENDING} THEN NULL ELSE at + interval '1 hour' * luck END",
    "final_label": f"CASE WHEN {PENDING} THEN NULL ELSE {DECISION['final_label']} END",
}
TASK: Columns = {
    "id": key(3),
    "use_case_id": "use_case",
    "decision_id": "decision",
    "kind": "'before'",
    "status": f"CASE WHEN {PENDING} THEN 'open' ELSE 'closed' END",
    "reviews_required": "1",
    "due_at": "at + make_interval(mins => %(sla_minutes)s)",
    "rank": "at",
    "level": "0",
    "role": "''",
    "created_at": "at",
    "closed_at": f"CASE WHEN {PENDING} THEN NULL ELSE at + interval '1 hour' * luck END",
}
PERSON = f"(%(people)s::uuid[])[1 + (n %% {REVIEWERS})]"
SEAT: Columns = {
    "task_id": key(3),
    "number": "1",
    "stage": "'review'",
    "pool_id": "(%(pools)s::jsonb ->> use_case)::bigint",
    "rank": "at",
    "state": f"CASE WHEN {PENDING} THEN 'free' ELSE 'done' END",
    "holder_id": f"CASE WHEN {PENDING} THEN NULL ELSE {PERSON} END",
    "fence": "1",
    "answered": "false",
}
SAID: Columns = {**REVIEW, "use_case_id": "use_case", "task_id": key(3)}
LOOKED: Columns = {
    "at": "clock_timestamp()",
    "kind": "'content_seen'",
    "actor_kind": "'person'",
    "actor_id": f"{PERSON}::text",
    "actor_name": "'Reviewer'",
    "action": "'content.view'",
    "target": "decision::text",
    "use_case": "use_case",
    "count": "1",
    "detail": "'{}'",
}
TOLD: Columns = {
    "id": key(4),
    "type": "'decision.released'",
    "use_case": "use_case",
    "decision": "decision",
    "data": "'{}'",
    "created_at": "at",
    "seq": "n + 1",
}
KNOWN: Columns = {
    "id": key(5),
    "use_case_id": "use_case",
    "decision_id": "decision",
    "label": "truth",
    "source": "'drawn'",
    "status": "'active'",
    "made_by": "'benchmark'",
    "created_at": "at",
}
ALERT: Columns = {
    "id": key(6),
    "use_case_id": "use_case",
    "kind": "'rubber_stamping'",
    "about": "n::text",
    "status": "CASE WHEN n %% 40000 < 1000 THEN 'raised' ELSE 'resolved' END",
    "detail": "'Answers within seconds, and never against the AI.'",
    "value": "0.99",
    "n": "500",
    "raised_at": "at",
    "acknowledged_by": "''",
    "resolved_by": "CASE WHEN n %% 40000 < 1000 THEN '' ELSE 'benchmark' END",
    "resolved_at": "CASE WHEN n %% 40000 < 1000 THEN NULL ELSE at END",
    "note": "''",
}
STEPPED_IN: Columns = {
    "id": key(7),
    "use_case_id": "use_case",
    "decision_id": "decision",
    "action": "'change'",
    "within_window": "true",
    "label": "truth",
    "reason_commitment": "''",
    "made_by": "'benchmark'",
    "made_at": "at",
}


class Rows(NamedTuple):
    """Rows of one table: their columns and of which decisions. ``record``: the type under which
    each, or its history row, is sealed."""

    table: str
    columns: Columns
    which: str = "true"
    record: str = ""
    history: str = ""

    @property
    def recorded(self) -> str:
        return self.history or self.table

    @property
    def key(self) -> str:
        return "history_id" if self.history else "id"


ROWS = (
    Rows("decisions_decision", DECIDED, "true", "decision", "decisions_historicaldecision"),
    Rows("decisions_payload", PAYLOAD),
    Rows(
        "outcomes_outcome",
        {**OUTCOME, "use_case_id": "use_case"},
        f"chance < 0.8 AND NOT ({PENDING})",
        "outcome",
        "outcomes_historicaloutcome",
    ),
    Rows("reviews_reviewtask", TASK, REVIEWED, "review_task", "reviews_historicalreviewtask"),
    Rows("reviews_seat", SEAT, REVIEWED),
    Rows("reviews_review", SAID, SETTLED, "review", "reviews_historicalreview"),
    Rows("audit_accessevent", LOOKED, SETTLED, "access_event"),
    Rows("notifications_outboxevent", TOLD),
    Rows(
        "reviews_knownanswer",
        KNOWN,
        f"{REVIEWED} AND luck < 0.01",
        "known_answer",
        "reviews_historicalknownanswer",
    ),
    Rows("metrics_alert", ALERT, "n %% 997 = 7", "alert", "metrics_historicalalert"),
    Rows(
        "supervision_intervention",
        STEPPED_IN,
        "level = 'HOTL' AND luck > 0.98",
        "intervention",
        "supervision_historicalintervention",
    ),
)


def fill(cursor: Any, first: int, count: int, values: Mapping[str, Any]) -> None:
    """Decisions ``first`` to ``first + count`` in the order of time, with all that belongs to them.

    The rows are as the platform leaves them, and what its triggers note for the sealer is noted
    here: row by row the triggers would take most of the time.
    Parameters: ``values``, of ``version``, ``people`` and ``pools`` (slug -> pool, as JSON),
    ``use_cases``, ``policies`` and ``levels`` (arrays side by side, of which the decisions take
    their turn), ``start``, ``step`` (seconds), ``open_since`` and ``sla_minutes``.
    """
    triggers = _triggers(cursor)
    _switch(cursor, triggers, "DISABLE")
    try:
        for begin in range(first, first + count, FILL):
            bounds = {**values, "first": begin, "last": min(begin + FILL, first + count) - 1}
            for rows in ROWS:
                _insert(cursor, rows, bounds)
    finally:
        _switch(cursor, triggers, "ENABLE ALWAYS")


def _triggers(cursor: Any) -> list[tuple[str, str]]:
    """The triggers of the tables that are filled, each with its table."""
    tables = {name for rows in ROWS for name in (rows.table, rows.recorded) if name}
    cursor.execute(
        "SELECT tgrelid::regclass::text, tgname FROM pg_trigger "
        "WHERE tgrelid::regclass::text = ANY(%s) AND NOT tgisinternal",
        [sorted(tables)],
    )
    return list(cursor.fetchall())


def _switch(cursor: Any, triggers: list[tuple[str, str]], what: str) -> None:
    for table, trigger in triggers:
        cursor.execute(f'ALTER TABLE {table} {what} TRIGGER "{trigger}"')


def _insert(cursor: Any, rows: Rows, bounds: Mapping[str, Any]) -> None:
    """History first; of what it returns come the live rows and what waits for the sealer."""
    if not rows.record:
        cursor.execute(insert(rows.table, rows.columns, rows.which), bounds)
        return
    columns = {**rows.columns, **RECORDED} if rows.history else rows.columns
    statement = f"WITH made AS ({insert(rows.recorded, columns, rows.which)} RETURNING *) "
    if rows.history:
        listed = ", ".join(f'"{name}"' for name in rows.columns)
        live = f'INSERT INTO "{rows.table}" ({listed}) SELECT {listed} FROM made'
        statement += f", live AS ({live}) "
    cursor.execute(statement + NOTED.format(key=rows.key), {**bounds, "record": rows.record})
