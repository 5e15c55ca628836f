"""Decisions, reviews and outcomes as rows, for the readings of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.common.actor import Actor
from apps.decisions.models import Decision
from apps.outcomes.models import Outcome
from apps.registry.models import UseCase
from apps.reviews.models import Review
from apps.workflow.arrivals import arrival, validator_of
from apps.workflow.intake import take_in
from apps.workflow.use_case_files import use_case_load

ACTOR = Actor.command("suite")
DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


def define(slug: str = "loans", lifecycle: str = "live", **policy: Any) -> UseCase:
    """A use case with the labels low and high, and its policy in force."""
    definition = {
        "slug": slug,
        "labels": ["low", "high"],
        "positive_label": "high",
        "kinds": ["label", "text", "number"],
        "lifecycle": lifecycle,
    }
    file = {
        "use_case": definition,
        "policy": {"level": "HITL", **policy},
        "proposer": "ann",
        "approver": "ben",
    }
    return use_case_load(actor=ACTOR, raw=json.dumps(file).encode()).use_case


def label(
    external_id: str, given: str | None, confidence: float = 0.9, **more: Any
) -> dict[str, Any]:
    output = None if given is None else {"label": given, "confidence": confidence}
    return {"external_id": external_id, "kind": "label", "output": output, **more}


def send(use_case: UseCase, bodies: Iterable[dict[str, Any]], *, past: bool = True) -> None:
    validate = validator_of(use_case).validate
    now = timezone.now()
    common = {"use_case": use_case.slug, "model": "scorer", "model_version": "1"}
    written = {"decided_at": DAY.isoformat()}
    arrivals = [
        arrival(place, validate({**common, **written, **body}, now))
        for place, body in enumerate(bodies, 1)
    ]
    taken = take_in(actor=ACTOR, use_case=use_case.slug, arrivals=arrivals, past=past)
    assert {one.state for one in taken} == {"accepted"}


def decision(external_id: str) -> Decision:
    found: Decision = Decision.objects.get(external_id=external_id)
    return found


def judge(
    external_id: str, reviewer: User, said: str, *, saw_ai: bool | None = False, **more: Any
) -> None:
    held = decision(external_id)
    more = {"imported": True, "created_at": timezone.now(), **more}
    row = Review(
        use_case_id=held.use_case_id,
        decision=held,
        reviewer=reviewer,
        label=said,
        saw_ai=saw_ai,
        **more,
    )
    row.save(actor=ACTOR)


def turn_out(external_id: str, truth: str | None, **more: Any) -> None:
    held = decision(external_id)
    more = {"created_at": timezone.now(), **more}
    Outcome(use_case_id=held.use_case_id, decision=held, label=truth, **more).save(actor=ACTOR)
