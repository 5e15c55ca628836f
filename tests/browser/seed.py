"""Fills the browser tests' server: people with roles, use cases, a sealed and verified trail."""

from __future__ import annotations

import django

django.setup()

from apps.accounts.services import person_create, role_grant  # noqa: E402
from apps.audit.delivery import deliver_all  # noqa: E402
from apps.audit.sealing import seal_all  # noqa: E402
from apps.audit.verification import verify  # noqa: E402
from apps.common.actor import Actor  # noqa: E402
from apps.registry.services import (  # noqa: E402
    decision_right_grant,
    use_case_create,
    use_case_update,
)

ACTOR = Actor.command("browser-tests")
PASSWORD = "a-long-pass-phrase-9"
PEOPLE = {
    "ada": ("Ada Moreau", "administrator"),
    "aud": ("Audrey Itou", "auditor"),
    "rita": ("Rita Lang", "risk_lead"),
    "rex": ("Rex Vieira", "reviewer"),
    "tom": ("Tom Factor", "reviewer"),
}


def seed() -> None:
    made = {}
    for login, (name, role) in PEOPLE.items():
        email = f"{login}@example.org"
        made[login] = person_create(
            actor=ACTOR, username=login, name=name, email=email, password=PASSWORD, reason="set-up"
        )
        role_grant(actor=ACTOR, user=made[login], role=role, reason="set-up")
    case = use_case_create(
        actor=made["rita"].actor,
        reason="first use case",
        slug="loan-approval",
        name="Loan approval",
        description="Consumer loans of up to 50,000.",
        industry="banking",
        risk_tier="high",
        lifecycle="live",
        labels=["approve", "deny"],
        features=[{"name": "income", "type": "number", "description": "A year, before tax."}],
        subject_attributes=[{"name": "sex", "type": "category", "protected": True}],
        cost_model={
            "currency": "EUR",
            "review_cost_per_hour": "40.00",
            "error_costs": [{"true": "deny", "given": "approve", "cost": "9000"}],
        },
    )
    owner = made["rita"]
    use_case_update(actor=owner.actor, slug=case.slug, reason="owner was missing", owner=owner)
    decision_right_grant(
        actor=ACTOR, use_case=case, right="set_policy", person=owner, reason="named holder"
    )
    seal_all()
    deliver_all()
    verify(full=True)


seed()
