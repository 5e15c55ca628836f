"""What the tests of policies and supervision share: people, a policy in force, decisions."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.common.actor import Actor
from apps.common.errors import PlatformError
from apps.common.ids import uuid7
from apps.decisions.domain.content import commitment, encode_content
from apps.decisions.models import Decision, Payload
from apps.policies.models import PolicyVersion
from apps.policies.services import policy_approve, policy_draft, policy_propose
from apps.registry.models import AISystem, ModelVersion, UseCase
from apps.registry.services import ai_system_register, model_version_register, use_case_create

LEAD, SECOND, SUITE = (Actor.command(name) for name in ("lead", "second", "suite"))
LOANS: dict[str, Any] = {
    "slug": "loan-approval",
    "labels": ["approve", "deny"],
    "lifecycle": "live",
    "features": [{"name": "income", "type": "number"}, {"name": "region", "type": "category"}],
    "subject_attributes": [{"name": "sex", "type": "category", "protected": True}],
}
EVERYTHING: dict[str, Any] = {"all": []}


def loans(**data: Any) -> UseCase:
    return use_case_create(actor=SUITE, reason="for the suite", **{**LOANS, **data})


def proposed(use_case: UseCase, **document: Any) -> PolicyVersion:
    draft = policy_draft(actor=LEAD, use_case=use_case, document={"level": "HITL", **document})
    return policy_propose(actor=LEAD, policy=draft)


def in_force(use_case: UseCase, **document: Any) -> PolicyVersion:
    return policy_approve(actor=SECOND, policy=proposed(use_case, **document))


def model_version(version: str = "1.0") -> ModelVersion:
    known = ModelVersion.objects.filter(version=version).first()
    if known is not None:
        return known
    system = AISystem.objects.filter(name="scorer").first()
    system = system or ai_system_register(actor=SUITE, name="scorer")
    return model_version_register(actor=SUITE, system=system, version=version)


def decision(
    policy: PolicyVersion, output: dict[str, Any] | None = None, **fields: Any
) -> Decision:
    """A released supervised decision of kind label, unless ``fields`` say otherwise."""
    now = timezone.now()
    key = fields.pop("id", None) or uuid7()
    kind = fields.get("kind", "label")
    row: dict[str, Any] = {
        "use_case": policy.use_case,
        "external_id": f"case-{key}",
        "kind": kind,
        "lane": "supervised",
        "status": "released",
        "reason_codes": "within_policy",
        "policy": policy,
        "created_at": now,
        "routed_at": now,
        "lifecycle": "live",
        "model_status": "active",
        "submitted_by": "suite",
    }
    if kind == "label" and output is None:
        row |= {"label": "deny", "confidence": 0.9}
    if "model_version" not in fields:
        row["model_version"] = model_version()
    row |= fields
    if row["status"] == "released" and kind == "label":
        row |= {"final_label": row["label"], "settled_at": now}
    salt, text = os.urandom(16), None if output is None else encode_content(output)
    if text is not None:
        row["output_commitment"] = commitment(salt, text)
    made = Decision(id=key, **row)
    made.save(actor=SUITE)
    content = None if text is None else text.decode()
    Payload(decision=key, digest="0" * 64, salt=salt * 2, output=content).save()
    return made


def at_once(calls: int, call: Callable[[int], Any]) -> list[Any]:
    """Results, or names of errors, of ``call(0)``, ``call(1)``... that begin together, each on a
    connection of its own."""
    together = Barrier(calls)

    def attempt(number: int) -> Any:
        together.wait(timeout=30)
        try:
            return call(number)
        except PlatformError as error:
            return type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(calls) as pool:
        return list(pool.map(attempt, range(calls)))
