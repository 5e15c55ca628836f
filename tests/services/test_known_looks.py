"""A known answer looks like any other case to whoever is asked it, and has a clock like the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.reviews.models import ReviewTask
from apps.workflow.desk.opening import Opened, review_reveal
from apps.workflow.desk.submitting import said_of
from apps.workflow.tasks import sweep_desk
from tests.services.clocks import moved_clock
from tests.services.desks import case, desk, opened, person, say
from tests.services.known import (
    DENY,
    checked_desk,
    know,
    next_known,
)
from tests.services.oversight import in_force

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FULL = {
    "features": {"income": 41000},
    "subject": {"ref": "cust-77", "attributes": {"sex": "F"}},
    "explanation": {"text": "low income"},
    "evidence": [{"kind": "text", "title": "Letter", "content": "please"}],
    "amount": "250.00",
}
DEFINED = {
    "features": [{"name": "income", "type": "number"}],
    "subject_attributes": [{"name": "sex", "type": "category", "protected": True}],
}
# What may differ between two cases of one kind, and nothing else may.
OWN = ("external_id", "created_at", "decided_at", "due_at")


def two_cases(monkeypatch: Any, policy: dict[str, Any]) -> tuple[Opened, Opened]:
    """The same content as a known answer that was decided weeks ago, and as a case that waits."""
    clock = moved_clock(monkeypatch, datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    policy = {"sla_minutes": 240, "escalation": ["senior_reviewer"], **policy}
    use_case = desk(policy, **DEFINED)
    old = person("old.hand")
    decided = clock.now - 5 * MINUTE
    past = case(use_case, "case-1", **DENY, **FULL, decided_at=decided.isoformat())
    at = opened(old)
    if policy.get("blind"):
        say(old, at, "answer", output={"label": "deny"})
        at = review_reveal(actor=old.actor, person=old, task_id=at.task.pk, lease=at.lease)
    say(old, at, "confirm")
    know(past)
    clock.on(20 * DAY)
    decided = clock.now - 5 * MINUTE
    case(use_case, "case-2", **DENY, **FULL, decided_at=decided.isoformat())
    in_force(
        use_case,
        **{"confidence_threshold": 0.99, "known_answer_rate": 1.0, **policy},
    )
    clock.on(90 * MINUTE)  # both would have waited for so long
    first, second = person("ann"), person("ben")
    known = opened(first)
    in_force(use_case, **{"confidence_threshold": 0.99, **policy, "known_answer_rate": 0.0})
    plain = opened(second)
    assert (known.task.kind, plain.task.kind) == ("known", "before")
    return known, plain


@pytest.mark.parametrize("is_blind", [False, True])
def test_a_known_answer_looks_like_any_other_case(
    db: None, monkeypatch: Any, is_blind: bool
) -> None:
    known, plain = two_cases(monkeypatch, {"blind": is_blind})
    assert known.case.stage == plain.case.stage == ("blind" if is_blind else "open")
    one, other = known.case.document, plain.case.document
    assert list(one) == list(other), "the same members in the same order"
    assert {k: v for k, v in one.items() if k not in OWN} == {
        k: v for k, v in other.items() if k not in OWN
    }
    # it came about when the case came whose place it took, and has its limit and its place
    for name in OWN[1:]:
        apart = datetime.fromisoformat(other[name]) - datetime.fromisoformat(one[name])
        assert timedelta() < apart <= timedelta(seconds=5), name
    assert (known.seat.rank, known.task.level) == (plain.seat.rank, plain.task.level)
    assert known.lease_expires_at - known.seat.leased_at == (  # type: ignore[operator]
        plain.lease_expires_at - plain.seat.leased_at  # type: ignore[operator]
    )
    text = json.dumps({k: v for k, v in one.items() if k not in ("asked", "instructions")})
    for word in ("known", "practice", "released", "settled", "past"):
        assert word not in text.lower(), word
    assert len(known.case.shown_hash) == len(plain.case.shown_hash)


def test_what_is_answered_to_its_verdict_is_what_any_case_would_be_told(db: None) -> None:
    use_case, _known = checked_desk(known=3)
    told = {}
    for name, verdict, more in (
        ("ann", "confirm", {}),
        ("ben", "withhold", {}),
        ("cid", "abstain", {}),
    ):
        who = person(name)
        at = next_known(who, use_case, name)
        told[verdict] = said_of(say(who, at, verdict, **more))
    assert told == {
        "confirm": ("closed", "released"),
        "withhold": ("closed", "withheld"),
        "abstain": ("open", "pending"),
    }


def test_it_has_a_clock_like_the_others_and_stays_with_its_reviewer(
    db: None, monkeypatch: Any
) -> None:
    clock = moved_clock(monkeypatch, datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    use_case, (known,) = checked_desk({"sla_minutes": 60, "escalation": ["senior_reviewer"]})
    ann, sue = person("ann"), person("sue", "senior_reviewer")
    case(use_case, "new", **DENY)
    clock.on(50 * MINUTE)
    at = opened(ann)
    assert at.task.decision_id == known.decision_id
    clock.on(10 * MINUTE)
    assert sweep_desk()["overdue"] == 2  # the case in the queue, and this one with it
    again = opened(ann)
    assert (again.task.pk, again.task.role) == (at.task.pk, "")
    assert opened(sue).task.decision_id != known.decision_id
    clock.on(70 * MINUTE)
    sweep_desk()
    assert ReviewTask.objects.get(kind="known").status == "lapsed"
    known.decision.refresh_from_db()
    assert known.decision.status == "released", "nothing moves"
