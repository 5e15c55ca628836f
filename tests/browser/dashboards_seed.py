"""Fills the server of the dashboards' browser tests: months of past decisions and what came of them."""

from __future__ import annotations

import random
from datetime import timedelta

import django

django.setup()

from django.utils import timezone  # noqa: E402

from apps.accounts.services import person_create, role_grant  # noqa: E402
from apps.common.actor import Actor  # noqa: E402
from apps.decisions.models import Decision  # noqa: E402
from apps.metrics.cells.refreshing import cells_refresh  # noqa: E402
from apps.outcomes.services import outcome_record  # noqa: E402
from apps.policies.services import policy_approve, policy_draft, policy_propose  # noqa: E402
from apps.registry.models import UseCase  # noqa: E402
from apps.registry.services import use_case_create  # noqa: E402
from apps.workflow.arrivals import arrival, validator_of  # noqa: E402
from apps.workflow.intake import take_in  # noqa: E402

ACTOR, SECOND = Actor.command("browser-tests"), Actor.command("second")
SENDER = Actor("program", "sender", "sender")
PASSWORD = "a-long-pass-phrase-9"
PEOPLE = {"exe": ("Ellis Roe", "executive"), "cora": ("Cora Lund", "compliance_officer")}
DAYS, A_DAY = 60, 8


def use_case() -> UseCase:
    today = timezone.now().date()
    found = use_case_create(
        actor=ACTOR,
        reason="set-up",
        slug="loan-approval",
        name="Loan approval",
        lifecycle="live",
        labels=["approve", "deny"],
        favourable_label="approve",
        features=[
            {"name": "income", "type": "number"},
            {"name": "region", "type": "category"},
        ],
        subject_attributes=[{"name": "sex", "type": "category", "protected": True}],
        reference_from=today - timedelta(days=DAYS),
        reference_to=today - timedelta(days=DAYS // 2),
        cost_model={
            "currency": "EUR",
            "ai_cost_per_decision": "0.05",
            "review_cost_per_hour": "40.00",
            "review_minutes_default": "6",
            "human_minutes_per_decision": "12",
            "setup_cost": "2000",
            "error_costs": [
                {"true": "deny", "given": "approve", "cost": "500"},
                {"true": "approve", "given": "deny", "cost": "80"},
            ],
        },
    )
    draft = policy_draft(
        actor=ACTOR,
        use_case=found,
        document={"level": "HITL", "confidence_threshold": 0.7, "audit_rate": 0.2},
    )
    policy_propose(actor=ACTOR, policy=draft, reason="first")
    policy_approve(actor=SECOND, policy=draft, reason="agreed")
    return found


def decide(found: UseCase) -> None:
    """Past decisions whose income drifts from the middle on, with an AI that is right as it says."""
    draw, validator, now = random.Random(7), validator_of(found), timezone.now()
    bodies, truths = [], {}
    for number in range(DAYS * A_DAY):
        day = number // A_DAY
        sure = round(draw.uniform(0.5, 1.0), 3)
        label = draw.choice(["approve", "deny"])
        other = "deny" if label == "approve" else "approve"
        truths[f"loan-{number}"] = label if draw.random() < sure else other
        bodies.append(
            {
                "use_case": found.slug,
                "external_id": f"loan-{number}",
                "model": "scorer",
                "model_version": "1" if day < DAYS // 2 else "2",
                "kind": "label",
                "output": {"label": label, "confidence": sure},
                "features": {
                    "income": round(draw.gauss(40_000 if day < DAYS // 2 else 48_000, 9_000), 2),
                    "region": draw.choice(["north", "south", "west"]),
                },
                "subject": {"ref": f"p-{number}", "attributes": {"sex": draw.choice("FM")}},
                "decided_at": (now - timedelta(days=DAYS - day)).isoformat(),
            }
        )
    arrivals = [arrival(i, validator.validate(body, now)) for i, body in enumerate(bodies)]
    take_in(actor=SENDER, use_case=found.slug, arrivals=arrivals, past=True)
    for decision in Decision.objects.filter(use_case=found):
        outcome_record(actor=ACTOR, decision=decision, label=truths[decision.external_id])
    cells_refresh(found)


def seed() -> None:
    for login, (name, role) in PEOPLE.items():
        email = f"{login}@example.org"
        person = person_create(
            actor=ACTOR, username=login, name=name, email=email, password=PASSWORD, reason="set-up"
        )
        role_grant(actor=ACTOR, user=person, role=role, reason="set-up")
    decide(use_case())


if __name__ == "__main__":
    seed()
