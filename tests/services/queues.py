"""What the tests of the queue share: a use case whose cases wait, people who may take them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.qualifications import qualification_grant
from apps.accounts.services import person_create, role_grant
from apps.common.actor import Actor
from apps.registry.models import UseCase
from apps.reviews.models import ReviewTask, Seat
from apps.reviews.seats import seat_claim
from tests.services.gates import LEAD, body, gate, send

SUITE = Actor.command("suite")


def desk(slug: str = "loan", cases: int = 0, definition: Any = None, **policy: Any) -> UseCase:
    """A use case in which every case waits for people, with so many of them sent in."""
    case = gate(slug, policy={"confidence_threshold": 1.0, **policy}, **(definition or {}))
    if cases:
        waiting(case, *(f"{slug}-{n}" for n in range(cases)))
    return case


def waiting(case: UseCase, *external_ids: str, **fields: Any) -> list[ReviewTask]:
    """Cases sent in, each in a call of its own; the tasks that they opened, in that order."""
    found = []
    for external_id in external_ids:
        send(case, body(external_id, **{"confidence": 0.5, **fields}))
        found.append(ReviewTask.objects.get(decision__external_id=external_id))
    return found


def reviewer(username: str, *skills: str, role: str = "reviewer", use_case: str = "") -> User:
    person = person_create(actor=SUITE, username=username)
    role_grant(actor=SUITE, user=person, role=role, use_case=use_case)
    for skill in skills:
        qualification_grant(actor=LEAD, user=person, skill=skill, reason="examined")
    return person


def claim(person: User, use_case: str | None = None, now: datetime | None = None) -> Seat | None:
    return seat_claim(
        actor=person.actor, person=person, use_case=use_case, now=now or timezone.now()
    )


def claimed(person: User, use_case: str | None = None, now: datetime | None = None) -> Seat:
    seat = claim(person, use_case, now)
    assert seat is not None, f"nothing waits for {person.username}"
    return seat
