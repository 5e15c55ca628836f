"""Rotation: after a long run of one use case the next case comes from another, where time allows."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.registry.models import UseCase
from apps.reviews.models import Review, Seat
from apps.reviews.rotation import IN_A_ROW, run_of
from apps.reviews.seats import seat_release
from tests.services.gates import body, send
from tests.services.queues import SUITE, claim, claimed, desk, reviewer, waiting

pytestmark = pytest.mark.django_db
LONG = {"sla_minutes": 20_000}


def judged(person: User, case: UseCase, *external_ids: str) -> None:
    """Reviews of decisions of a use case, by one person."""
    for one in send(case, *(body(name, confidence=1.0) for name in external_ids)):
        Review(
            use_case=case,
            decision_id=UUID(str(one.id)),
            reviewer=person,
            verdict="confirm",
            label="approve",
            saw_ai=True,
            created_at=timezone.now(),
        ).save(actor=SUITE, reason="for the suite")


def names(count: int) -> list[str]:
    return [f"past-{n}" for n in range(count)]


@pytest.fixture
def rex() -> User:
    return reviewer("rex")


def case_of(seat: Seat) -> str:
    return str(seat.pool.use_case_id)


def test_after_a_long_run_the_next_case_is_another_use_cases(rex: User) -> None:
    loans, claims = desk("loan", **LONG), desk("claims", **LONG)
    waiting(loans, "first"), waiting(claims, "later")
    judged(rex, loans, *names(IN_A_ROW - 1))
    assert run_of(rex.pk) is None
    seat = claimed(rex)
    assert case_of(seat) == "loan"
    assert seat.lease is not None
    seat_release(
        actor=rex.actor, task_id=seat.task_id, lease=seat.lease, person=rex, now=timezone.now()
    )
    judged(rex, loans, "past-last")
    assert run_of(rex.pk) == "loan"
    assert case_of(claimed(rex)) == "claims"


def test_what_is_urgent_comes_first_all_the_same(rex: User) -> None:
    loans, claims = desk("loan", sla_minutes=60), desk("claims", **LONG)
    waiting(loans, "urgent"), waiting(claims, "later")
    judged(rex, loans, *names(IN_A_ROW))
    assert case_of(claimed(rex)) == "loan"


def test_without_other_work_the_run_goes_on(rex: User) -> None:
    loans, claims = desk("loan", **LONG), desk("claims", **LONG)
    waiting(loans, "one")
    judged(rex, loans, *names(IN_A_ROW))
    assert case_of(claimed(rex)) == "loan"
    assert claims.slug == "claims"


def test_who_asks_for_one_queue_gets_it(rex: User) -> None:
    loans, claims = desk("loan", **LONG), desk("claims", **LONG)
    waiting(loans, "one"), waiting(claims, "later")
    judged(rex, loans, *names(IN_A_ROW))
    seat = claim(rex, "loan", timezone.now() + timedelta(seconds=1))
    assert seat is not None
    assert case_of(seat) == "loan"
