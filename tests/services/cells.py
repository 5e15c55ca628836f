"""What the tests of the cells share: a use case with features and groups, and plain readings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from apps.metrics.cells.window import WindowCells
from apps.metrics.domain.tables import Table, labels
from apps.metrics.models import DayCells
from apps.registry.models import UseCase
from apps.workflow.use_case_files import use_case_load
from tests.metrics.rows import ACTOR, DAY, judge, label, send, turn_out

FIRST = DAY.date()
FEATURES = [
    {"name": "income", "type": "number"},
    {"name": "region", "type": "category"},
    {"name": "owner", "type": "boolean"},
    {"name": "since", "type": "date"},
    {"name": "remark", "type": "text"},
    {"name": "sector", "type": "category", "protected": True},
]


def use_case_with_features(slug: str = "loans", **more: Any) -> UseCase:
    definition = {
        "slug": slug,
        "labels": ["low", "high"],
        "positive_label": "high",
        "features": FEATURES,
        "subject_attributes": [{"name": "sex", "type": "category", "protected": True}],
        **more,
    }
    file = {
        "use_case": definition,
        "policy": {"level": "HITL", "confidence_threshold": 0.7, "audit_rate": 0.2},
        "proposer": "ann",
        "approver": "ben",
    }
    return use_case_load(actor=ACTOR, raw=json.dumps(file).encode()).use_case


def body(name: str, draw: Random, days: int = 5, **more: Any) -> dict[str, Any]:
    """A decision with any features and groups, some of them missing."""
    features = {
        "income": draw.choice([None, draw.gauss(10, 3), draw.randrange(20)]),
        "region": draw.choice(["north", "south", None]),
        "owner": draw.random() < 0.5,
        "since": f"2025-0{draw.randrange(1, 10)}-11",
        "sector": draw.choice(["a", "b"]),
    }
    kept = {key: value for key, value in features.items() if value is not None}
    subject = {"ref": f"s-{name}", "attributes": {"sex": draw.choice(["F", "M"])}}
    if draw.random() < 0.1:
        subject = {"ref": f"s-{name}"}
    at = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    at += timedelta(seconds=draw.randrange(days * 86_400))
    confidence = draw.choice([0.5, 0.8, 0.95, draw.random()])
    given = draw.choice(["low", "high"])
    made = label(name, given, confidence, decided_at=at.isoformat(), features=kept, subject=subject)
    return {**made, **more}


def fill(people: Sequence[Any], use_case: UseCase, seed: int, count: int = 120) -> list[str]:
    """Decisions of five days with any mix of verdicts and outcomes."""
    draw = Random(seed)
    names = [f"{seed}-{n}" for n in range(count)]
    send(use_case, [body(name, draw) for name in names])
    for name in names:
        for person in draw.sample(people, draw.choice([0, 0, 1, 3])):
            judge(
                name,
                person,
                draw.choice(["low", "high"]),
                saw_ai=draw.choice([True, False, None]),
                initial_label=draw.choice([None, "low", "high"]),
                active_seconds=draw.choice([None, 3.0, draw.random() * 600]),
            )
        for _ in range(draw.choice([0, 1, 1, 2])):
            turn_out(name, draw.choice(["low", "high"]))
    return names


def counted(table: Table, columns: Sequence[str], n: str = "n") -> Counter[Any]:
    """The rows of a table by some of its columns."""
    values = [
        labels(table, name) if name in table.texts else table.numbers[name].tolist()
        for name in columns
    ]
    found: Counter[Any] = Counter()
    for *key, count in zip(*values, table.ints(n).tolist(), strict=True):
        found[tuple(key)] += count
    return Counter({key: count for key, count in found.items() if count})


def hashes(use_case: UseCase) -> dict[tuple[date, str], str]:
    rows = DayCells.objects.filter(use_case=use_case)
    return {(day, family): key for day, family, key in rows.values_list("day", "family", "blob_id")}


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def flows(cells: WindowCells) -> Counter[Any]:
    return counted(cells.table("flow", "counts"), ["name", "a", "b"])
