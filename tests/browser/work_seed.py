"""Fills the server of the browser tests of decisions, supervision and policies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402

from apps.accounts.models import User  # noqa: E402
from apps.accounts.services import person_create, role_grant  # noqa: E402
from apps.audit.delivery import deliver_all  # noqa: E402
from apps.audit.sealing import seal_all  # noqa: E402
from apps.decisions.models import Decision  # noqa: E402
from apps.outcomes.services import outcome_record  # noqa: E402
from apps.policies.services import policy_draft, policy_propose  # noqa: E402
from apps.supervision.interventions import decision_intervene  # noqa: E402
from apps.supervision.mandates import mandate_issue  # noqa: E402
from apps.supervision.stops import resume, stop  # noqa: E402
from apps.workflow.desk.opening import open_next  # noqa: E402
from apps.workflow.desk.submission import Submission  # noqa: E402
from apps.workflow.desk.submitting import review_submit  # noqa: E402
from tests.browser.desk_seed import ACTOR, PASSWORD, SECOND, label, send, use_case  # noqa: E402

PEOPLE = {
    "viv": ("Viv Larsen", "supervisor"),
    "con": ("Con Abara", "commander"),
    "cleo": ("Cleo Haas", "compliance_officer"),
}


def more_people() -> dict[str, User]:
    made = {}
    for login, (name, role) in PEOPLE.items():
        made[login] = person_create(
            actor=ACTOR, username=login, name=name, password=PASSWORD, reason="set-up"
        )
        role_grant(actor=ACTOR, user=made[login], role=role, reason="set-up")
    return made


def on_the_loop() -> Any:
    case = use_case(
        "alert-response",
        {"level": "HOTL", "intervention_minutes": 240, "confidence_threshold": 0.7},
        name="Alert response",
        labels=["isolate", "ignore"],
    )
    send(
        case,
        *(
            label(f"alert-{n:02}", "isolate" if n % 3 else "ignore", 0.6 + n / 40)
            for n in range(12)
        ),
    )
    return case


def in_command() -> Any:
    case = use_case(
        "valve-setpoints", {"level": "HIC"}, name="Valve setpoints", labels=["open", "close"]
    )
    begin = timezone.now()
    mandate_issue(
        actor=ACTOR,
        use_case=case,
        scope={"field": "amount", "op": "<", "value": "100.00"},
        valid_to=begin + timedelta(days=7),
        max_count=4,
        max_amount="1000.00",
        name="Small moves",
        reason="routine",
    )
    send(
        case,
        *(
            label(f"move-{n:02}", "open", 0.9, amount="40.00" if n % 2 else "900.00")
            for n in range(6)
        ),
    )
    return case


def reviewed() -> None:
    """One loan with a whole way: reviewed, released, its outcome known."""
    held = Decision.objects.get(external_id="app-001")
    lou = User.objects.get(username="lou")
    opened = open_next(actor=lou.actor, person=lou, use_case="loan-approval")
    assert opened is not None
    review_submit(
        actor=lou.actor,
        person=lou,
        task_id=opened.task.pk,
        lease=opened.lease,
        submission=Submission(
            "change",
            opened.case.shown_hash,
            output={"label": "approve"},
            rationale="The late instalments were settled in time.",
            reason_code="better_than_scored",
        ),
    )
    settled = Decision.objects.get(pk=opened.task.decision_id)
    outcome_record(actor=ACTOR, decision=settled, label="approve")
    assert held.use_case_id == settled.use_case_id


def seed() -> None:
    people = more_people()
    loop, _command = on_the_loop(), in_command()
    undone = Decision.objects.filter(use_case=loop, status="released").first()
    assert undone is not None
    decision_intervene(
        actor=people["viv"].actor, decision_id=undone.pk, action="reverse", reason="a test machine"
    )
    stop(actor=people["viv"].actor, use_case=loop, reason="floods the desk")
    resume(actor=people["con"].actor, use_case=loop, reason="the feed is mended")
    reviewed()
    document = {
        "level": "HOTL",
        "intervention_minutes": 60,
        "confidence_threshold": 0.8,
        "rules": [
            {
                "name": "night",
                "when": {
                    "all": [
                        {"field": "label", "op": "==", "value": "isolate"},
                        {
                            "any": [
                                {"field": "confidence", "op": "<", "value": 0.9},
                                {"field": "novelty", "op": "==", "value": True},
                            ]
                        },
                    ]
                },
                "then": "review",
            }
        ],
        "tripwires": [{"metric": "drift.psi.max", "op": ">", "value": 0.25, "action": "alert"}],
    }
    rita = User.objects.get(username="rita")
    policy_propose(
        actor=SECOND, policy=policy_draft(actor=SECOND, use_case=loop, document=document)
    )
    policy_draft(actor=rita.actor, use_case=loop, document={**document, "audit_rate": 0.02})
    seal_all()
    deliver_all()


seed()
