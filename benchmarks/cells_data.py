"""Decisions of many days in the tables, made by the server: as many as the figures are measured on.

Every row has its history row, written first, as the triggers ask for. The same number gives the
same decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.policies.domain.sampling import draws

SLUG = "cells"
FEW = "cells-few"  # the same days and groups, with a tenth of the decisions
DAYS = 90
START = "2026-01-01 00:00:00+00"
NUMBERS = [f"n{i:02d}" for i in range(12)]
CATEGORIES = [f"c{i:02d}" for i in range(8)]
LEVELS = (2, 3, 4, 6, 8, 12, 25, 60)
REVIEWERS = 40
AUDIT_RATE = 0.02
FILL = 50_000  # decisions a statement: well within the slack of the trail's clock
RECORDED = {
    "history_type": "'+'",
    "history_user_id": "'1'",
    "history_user_kind": "'person'",
    "history_user_name": "'benchmark'",
    "history_change_reason": "''",
    "history_date": "clock_timestamp()",
}


def share(salt: int) -> str:
    """A number in [0, 1) by decision, as SQL: the server's own hash of its number."""
    return f"((hashint8extended(n * 64 + {salt}, 7) & 1048575) / 1048576.0)"


def normal(salt: int) -> str:
    """Box and Muller's, from two of them."""
    return f"(sqrt(-2 * ln(1 - {share(salt)})) * cos(6.283185307179586 * {share(salt + 1)}))"


def features() -> str:
    """The features as JSON text, as SQL."""
    levels = [
        f"""'"{name}":"level-' || floor({share(24 + i)} * {LEVELS[i]})::int || '"'"""
        for i, name in enumerate(CATEGORIES)
    ]
    numbers = [
        f"""'"{name}":' || round({normal(2 * i)}::numeric, 4)""" for i, name in enumerate(NUMBERS)
    ]
    return "'{' || concat_ws(',', " + ", ".join([*levels, *numbers]) + ") || '}'"


def key(kind: int) -> str:
    """A UUID of version 7: the decision's time, then its number."""
    milliseconds = "to_hex((extract(epoch FROM at) * 1000)::bigint)"
    return f"(lpad({milliseconds}, 12, '0') || '7000800{kind}' || lpad(to_hex(n), 12, '0'))::uuid"


# OFFSET 0: each value is worked out once, not wherever it is used
SOURCE = f"""(
  SELECT n, score, {key(0)} AS decision, {share(41)} AS luck, {share(42)} AS chance,
    CASE WHEN score >= 0.5 THEN 'approve' ELSE 'deny' END AS given,
    CASE WHEN {share(41)} < 0.15 + 0.7 * score THEN 'approve' ELSE 'deny' END AS truth,
    round(greatest(score, 1 - score)::numeric, 4)::float8 AS confidence,
    greatest(score, 1 - score) < 0.6 AS waits, at,
    (%(use_cases)s::text[])[place] AS use_case,
    (%(policies)s::uuid[])[place] AS policy, (%(levels)s::text[])[place] AS level
  FROM (SELECT n::bigint, {share(40)} AS score,
          1 + n %% cardinality(%(use_cases)s::text[]) AS place,
          %(start)s::timestamptz + (n * %(step)s) * interval '1 second' AS at
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n OFFSET 0) numbered
  OFFSET 0
) made"""

DECISION = {
    "id": "decision",
    "use_case_id": "use_case",
    "external_id": "'case-' || n",
    "model_version_id": "%(version)s::uuid",
    "kind": "'label'",
    "label": "given",
    "confidence": "confidence",
    "label_not_top": "false",
    "amount": "(1000000 * floor(1 + chance * 90))::bigint",
    "decided_at": "at",
    "created_at": "at",
    "submitted_by": "'1'",
    "past": "false",
    "lane": "CASE WHEN waits THEN 'review' ELSE 'automatic' END",
    "reason_codes": "CASE WHEN waits THEN 'confidence_below_threshold' ELSE 'within_policy' END",
    "sampling_probability": "CASE WHEN waits THEN NULL ELSE 0.02 END",
    "after_review": "false",
    "policy_id": "policy",
    "routed_at": "at",
    "lifecycle": "'live'",
    "model_status": "'active'",
    "status": "'released'",
    "settled_at": "at",
    "final_label": "CASE WHEN waits AND chance < 0.5 THEN truth ELSE given END",
}
OUTCOME = {
    "id": key(1),
    "use_case_id": "use_case",
    "decision_id": "decision",
    "source": "'observed'",
    "label": "truth",
    "correct": "truth = given",
    "created_at": "at",
}
REVIEW = {
    "id": key(2),
    "use_case_id": "use_case",
    "decision_id": "decision",
    "reviewer_id": f"(%(people)s::uuid[])[1 + (n %% {REVIEWERS})]",
    "imported": "false",
    "machine": "false",
    "stage": "'review'",
    "verdict": "CASE WHEN chance < 0.5 AND truth <> given THEN 'change' ELSE 'confirm' END",
    "final": "true",
    "label": "CASE WHEN chance < 0.5 THEN truth ELSE given END",
    "initial_label": "CASE WHEN luck < 0.7 THEN truth ELSE given END",
    "saw_ai": "true",
    "active_seconds": "5 + 200 * luck",
    "reason_code": "''",
    "reviewed_at": "at",
    "created_at": "at",
}
PAYLOAD = {
    "decision": "decision",
    "digest": "''",
    "salt": "''::bytea",
    "features": features(),
    "subject": "'{\"attributes\":{\"group\":\"' || (ARRAY['A','B','C','D','E'])[1 + floor("
    + share(50)
    + ' * 5)::int] || \'","sex":"\' || CASE WHEN '
    + share(51)
    + " < 0.5 THEN 'F' ELSE 'M' END || '\"},\"ref\":\"person-' || n || '\"}'",
}


def insert(table: str, columns: Mapping[str, str], where: str = "true") -> str:
    listed = ", ".join(f'"{name}"' for name in columns)
    return f'INSERT INTO "{table}" ({listed}) SELECT {", ".join(columns.values())} FROM {SOURCE} WHERE {where}'  # noqa: E501


# who waits under a threshold of 0.6, and who was drawn among the others
LOW = "confidence < 0.6"
PICKED = f"({LOW} OR n = ANY(%(drawn)s::bigint[]))"
ROUTED = {
    "lane": f"CASE WHEN {PICKED} THEN 'review' ELSE 'automatic' END",
    "reason_codes": f"CASE WHEN {LOW} THEN 'confidence_below_threshold' "
    f"WHEN {PICKED} THEN 'random_audit' ELSE 'within_policy' END",
    "sampling_probability": f"CASE WHEN {LOW} THEN NULL ELSE {AUDIT_RATE} END",
    "final_label": f"CASE WHEN {PICKED} AND chance < 0.5 THEN truth ELSE given END",
}


def fill(
    cursor: Any, first: int, count: int, step: float, seed: bytes, values: Mapping[str, Any]
) -> None:
    """Decisions ``first`` to ``first + count``, ``step`` seconds apart, with what belongs to them.

    They are routed as the platform would have: below the threshold and, of the others, those whose
    draw with ``seed`` is below the audit rate wait for people.
    """
    for begin in range(first, first + count, FILL):
        last = min(begin + FILL, first + count) - 1
        numbers = range(begin, last + 1)
        low = draws(seed, [f"case-{n}" for n in numbers]) < AUDIT_RATE
        drawn = [n for n, is_low in zip(numbers, low.tolist(), strict=True) if is_low]
        bounds = {**values, "first": begin, "last": last, "step": step, "drawn": drawn}
        for table, history, columns, which in (
            ("decisions_decision", "decisions_historicaldecision", {**DECISION, **ROUTED}, "true"),
            ("outcomes_outcome", "outcomes_historicaloutcome", OUTCOME, "chance < 0.8"),
            ("reviews_review", "reviews_historicalreview", REVIEW, PICKED),
        ):
            cursor.execute(insert(history, {**columns, **RECORDED}, which), bounds)
            cursor.execute(insert(table, columns, which), bounds)
        cursor.execute(insert("decisions_payload", PAYLOAD), bounds)
