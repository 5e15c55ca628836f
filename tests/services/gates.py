"""What the tests of the gate share: a use case with a policy in force, and decisions to send."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from apps.common.actor import Actor
from apps.policies.models import PolicyVersion
from apps.policies.services import policy_approve, policy_draft, policy_propose
from apps.registry.models import UseCase
from apps.registry.services import use_case_create
from apps.workflow.arrivals import Arrival, arrival, validator_of
from apps.workflow.intake import take_in
from apps.workflow.taken import Taken

LEAD = Actor.command("lead")
SECOND = Actor.command("second")
SENDER = Actor("program", "sender", "sender")


def policy_in_force(use_case: UseCase, **document: Any) -> PolicyVersion:
    draft = policy_draft(actor=LEAD, use_case=use_case, document={"level": "HITL", **document})
    policy_propose(actor=LEAD, policy=draft, reason="first")
    return policy_approve(actor=SECOND, policy=draft, reason="agreed")


def gate(slug: str = "loan", policy: dict[str, Any] | None = None, **definition: Any) -> UseCase:
    """A live use case with labels approve and deny, and its policy in force."""
    use_case = use_case_create(
        actor=LEAD,
        reason="for the suite",
        slug=slug,
        **{"labels": ["approve", "deny"], "lifecycle": "live", **definition},
    )
    policy_in_force(use_case, **(policy or {}))
    return use_case


def body(
    external_id: str, label: str = "approve", confidence: float | None = 0.9, **more: Any
) -> dict[str, Any]:
    output: dict[str, Any] = {"label": label}
    if confidence is not None:
        output["confidence"] = confidence
    return {
        "use_case": "loan",
        "external_id": external_id,
        "model": "scorer",
        "model_version": "1",
        "kind": "label",
        "output": output,
        **more,
    }


def arrivals(use_case: UseCase, *bodies: dict[str, Any]) -> list[Arrival]:
    validator, now = validator_of(use_case), timezone.now()
    return [
        arrival(i, validator.validate({**b, "use_case": use_case.slug}, now))
        for i, b in enumerate(bodies)
    ]


def send(use_case: UseCase, *bodies: dict[str, Any], past: bool = False) -> list[Taken]:
    return take_in(
        actor=SENDER, use_case=use_case.slug, arrivals=arrivals(use_case, *bodies), past=past
    )
