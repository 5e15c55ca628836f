"""Use cases with decisions, groups, reviews and outcomes, for the reports made of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from apps.accounts.services import person_create
from apps.common.actor import Actor
from apps.registry.models import UseCase
from apps.workflow.use_case_files import use_case_load
from tests.metrics.rows import DAY, judge, label, send, turn_out

ACTOR = Actor.command("suite")
COSTS = {
    "currency": "USD",
    "ai_cost_per_decision": "0.10",
    "review_cost_per_hour": "36.00",
    "review_minutes_default": "5",
    "human_minutes_per_decision": "10",
    "setup_cost": "100",
    "fixed_cost_per_month": "0",
    "baseline": "human_only",
    "error_costs": [
        {"true": "high", "given": "low", "cost": "50"},
        {"true": "low", "given": "high", "cost": "10"},
    ],
}


def define(slug: str = "loans", policy: dict[str, Any] | None = None, **definition: Any) -> UseCase:
    """A use case with two protected attributes, a number and a category, and a cost model."""
    written = {
        "slug": slug,
        "labels": ["low", "high"],
        "positive_label": "high",
        "kinds": ["label"],
        "lifecycle": "live",
        "features": [
            {"name": "income", "type": "number"},
            {"name": "region", "type": "category"},
        ],
        "subject_attributes": [
            {"name": "race", "type": "category", "protected": True},
            {"name": "sex", "type": "category", "protected": True},
        ],
        "cost_model": COSTS,
    }
    file = {
        "use_case": {**written, **definition},
        "policy": {"level": "HITL", "confidence_threshold": 0.6, **(policy or {})},
        "proposer": "ann",
        "approver": "ben",
    }
    return use_case_load(actor=ACTOR, raw=json.dumps(file).encode()).use_case


def people(*names: str) -> list[Any]:
    return [person_create(actor=ACTOR, username=name, password=None) for name in names]


def body(external_id: str, given: str, confidence: float, day: int = 0, **more: Any) -> Any:
    """A decision of DAY + ``day`` with its features and its subject's attributes."""
    attributes = {name: more.pop(name) for name in ("race", "sex") if name in more}
    features = {name: more.pop(name) for name in ("income", "region") if name in more}
    decided = (DAY + timedelta(days=day)).isoformat()
    subject = (
        {"subject": {"ref": f"s-{external_id}", "attributes": attributes}} if attributes else {}
    )
    return label(
        external_id, given, confidence, decided_at=decided, features=features, **subject, **more
    )


class Row(NamedTuple):
    """One decision of a random population as it was made up; None for what there is not."""

    external_id: str
    day: int
    given: str
    true: str | None
    confidence: float
    race: str | None
    sex: str
    income: float | None
    region: str
    verdicts: tuple[tuple[str, str, str | None, bool, float | None], ...]


def population(n: int = 240, seed: int = 5, days: int = 5) -> list[Row]:
    """Decisions with verdicts: (reviewer, label, first label, saw the AI, seconds)."""
    draw = random.Random(seed)
    found = []
    for i in range(n):
        race = draw.choice(["A", "A", "B", "C", None])
        sex = draw.choice(["F", "M"])
        truth = "high" if draw.random() < 0.35 + 0.15 * (race == "B") else "low"
        wrong = {"low": "high", "high": "low"}[truth]
        given = truth if draw.random() < 0.75 else wrong
        verdicts = []
        for reviewer in draw.sample(["rita", "rob", "ruth", "ray"], draw.choice([0, 0, 1, 2, 3])):
            first = truth if draw.random() < 0.7 else wrong
            saw = draw.random() < 0.5
            final = given if saw and draw.random() < 0.6 else first
            seconds = draw.choice([None, 3.0, 30.0, 95.0, 240.0])
            verdicts.append((reviewer, final, first if saw else None, saw, seconds))
        found.append(
            Row(
                external_id=f"case-{i:04}",
                day=i * days // n,
                given=given,
                true=truth if draw.random() < 0.8 else None,
                confidence=round(draw.uniform(0.5, 1.0), draw.choice([2, 4, 9])),
                race=race,
                sex=sex,
                income=None if draw.random() < 0.05 else round(draw.gauss(40, 10), 2),
                region=draw.choice("NESW"),
                verdicts=tuple(verdicts),
            )
        )
    return found


def record(use_case: UseCase, rows: Iterable[Row]) -> None:
    """Write a population: its decisions, its imported reviews, its outcomes."""
    rows = list(rows)
    names = sorted({verdict[0] for row in rows for verdict in row.verdicts})
    persons = dict(zip(names, people(*names), strict=True))
    send(use_case, [_body(row) for row in rows])
    for row in rows:
        for reviewer, said, first, saw, seconds in row.verdicts:
            judge(
                row.external_id,
                persons[reviewer],
                said,
                saw_ai=saw,
                initial_label=first,
                active_seconds=seconds,
            )
        if row.true is not None:
            turn_out(row.external_id, row.true)


def _body(row: Row) -> Any:
    more = {"race": row.race} if row.race else {}
    more |= {"income": row.income} if row.income is not None else {}  # type: ignore[dict-item]
    return body(
        row.external_id,
        row.given,
        row.confidence,
        row.day,
        sex=row.sex,
        region=row.region,
        **more,
    )
