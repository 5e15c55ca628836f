"""Known answers: which cases they are, and when they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.utils import timezone

from apps.common.errors import BadInput, Conflict, NotFound
from apps.common.ids import uuid7
from apps.decisions.models import Decision
from apps.outcomes.services import outcome_record
from apps.reviews.known_answers import known_answer_end, known_answer_enter
from apps.reviews.models import KnownAnswer, Seat
from apps.reviews.seats import seat_release
from apps.workflow.desk import checking
from apps.workflow.desk.drawing import known_answers_draw
from apps.workflow.desk.opening import open_next
from apps.workflow.tasks import draw_known_answers
from tests.services.desks import case, decide, desk, opened, person, say
from tests.services.gates import LEAD
from tests.services.known import (
    ALWAYS,
    DENY,
    checked_desk,
    know,
    past_case,
)
from tests.services.oversight import in_force

# --- Mixed in -----------------------------------------------------------------------------------


def test_a_known_answer_comes_instead_of_the_next_case_which_stays_in_the_queue(db: None) -> None:
    use_case, (known,) = checked_desk()
    ann = person("ann")
    waits = case(use_case, "new", **DENY)
    at = opened(ann)
    assert (at.task.kind, at.task.decision_id) == ("known", known.decision_id)
    assert Seat.objects.get(task__decision=waits).state == "free"
    assert opened(ann).lease == at.lease, "a second browser gets the same one"
    say(ann, at, "confirm")
    assert opened(ann).task.decision_id == waits.pk, "each is shown once"
    known.decision.refresh_from_db()
    assert (known.decision.status, known.decision.final_label) == ("released", "deny")


def test_where_nothing_waits_no_known_answer_comes(db: None) -> None:
    """A queue that is never empty would say which cases are there to test."""
    checked_desk()
    ann = person("ann")
    assert open_next(actor=ann.actor, person=ann) is None


@contextmanager
def nth_claim(nth: int) -> Iterator[None]:
    """As if the reviewer had given ``nth`` - 1 verdicts."""
    kept = checking.due
    checking.due = lambda key, reviewer, _nth, rate: kept(key, reviewer, nth, rate)  # type: ignore[assignment]
    try:
        yield
    finally:
        checking.due = kept  # type: ignore[assignment]


def test_they_come_at_the_policy_s_rate_and_twice_as_often_at_first(db: None) -> None:
    """Over 400 reviewers at one and the same claim: at rate 0.1 the first claims are answered with
    a known case in 20 of 100, later ones in 10. 99.9 % of such counts lie within 3.3 standard
    deviations: 80 +- 27 and 40 +- 20."""
    from apps.reviews.domain.known_answers import due

    people = [str(uuid7()) for _ in range(400)]
    early = sum(due(b"\x07" * 32, who, 5, 0.1) for who in people)
    late = sum(due(b"\x07" * 32, who, 21, 0.1) for who in people)
    assert 53 <= early <= 107
    assert 20 <= late <= 60


def test_the_draw_is_by_the_number_of_verdicts_so_that_giving_back_draws_no_other(
    db: None,
) -> None:
    use_case, _known = checked_desk({"known_answer_rate": 0.5}, known=3)
    people = [person(f"p{n}") for n in range(12)]
    for n in range(3):
        case(use_case, f"new-{n}", **DENY)
    kinds: dict[str, set[str]] = {}
    for _round in range(3):
        for who in people:
            at = opened(who)
            kinds.setdefault(who.username, set()).add(at.task.kind)
            seat_release(
                actor=who.actor,
                person=who,
                task_id=at.task.pk,
                lease=at.lease,
                now=timezone.now(),
            )
    assert all(len(found) == 1 for found in kinds.values()), kinds
    # 0.5 doubled for first cases is 1: all of them
    assert set.union(*kinds.values()) == {"known"}


def test_a_rate_of_zero_mixes_nothing_in(db: None) -> None:
    use_case, _known = checked_desk({"known_answer_rate": 0.0})
    case(use_case, "new", **DENY)
    assert opened(person("ann")).task.kind == "before"


def test_after_the_first_cases_the_rate_is_the_policy_s_own(db: None) -> None:
    """Of 60 reviewers at their 21st claim at rate 0.5, within 3.3 deviations of 30: 17 to 43."""
    use_case, _known = checked_desk({"known_answer_rate": 0.5})
    case(use_case, "new", **DENY)
    policy = checking.standing_policy(use_case, timezone.now())
    assert policy is not None
    people = [person(f"p{n}") for n in range(60)]
    with nth_claim(20):
        early = [checking.known_is_due(p, use_case, policy, timezone.now()) for p in people]
    with nth_claim(21):
        late = [checking.known_is_due(p, use_case, policy, timezone.now()) for p in people]
    assert all(early)
    assert 17 <= sum(late) <= 43


def test_nobody_is_tested_with_a_case_that_they_have_an_interest_in(db: None) -> None:
    """Reviewed before, sent in, entered as a known answer, or about oneself."""
    use_case = desk(ALWAYS)
    old, ann = person("old.hand"), person("ann")
    mine = past_case(use_case, "about-ann", old, subject={"ref": "ann"})
    entered = past_case(use_case, "entered", old)
    know(mine)
    known_answer_enter(
        actor=ann.actor, decision_id=entered.pk, output={"label": "deny"}, reason="agreed"
    )
    waits = case(use_case, "new", **DENY)
    for who in (ann, old):
        at = opened(who)
        assert (at.task.kind, at.task.decision_id) == ("before", waits.pk), who.username
        seat_release(
            actor=who.actor, person=who, task_id=at.task.pk, lease=at.lease, now=timezone.now()
        )
    assert opened(person("ben")).task.kind == "known"


# --- Where they come from -------------------------------------------------------------------------


def test_they_are_drawn_from_decided_cases_whose_truth_turned_out(db: None) -> None:
    use_case = desk()
    old = person("old.hand")
    right, wrong, untold = (past_case(use_case, name, old) for name in ("r", "w", "u"))
    waits = case(use_case, "waits", **DENY)
    for decision, label in ((right, "deny"), (wrong, "approve"), (waits, "deny")):
        outcome_record(actor=LEAD, decision=decision, source="observed", reason="seen", label=label)
    assert draw_known_answers() == 0, "the policy mixes none in"
    in_force(use_case, confidence_threshold=0.99, known_answer_rate=0.1)
    assert (draw_known_answers(), draw_known_answers()) == (2, 0)
    found = {known.decision_id: known for known in KnownAnswer.objects.all()}
    assert {pk: known.label for pk, known in found.items()} == {
        right.pk: "deny",
        wrong.pk: "approve",
    }
    assert {known.source for known in found.values()} == {"drawn"}
    assert untold.pk not in found
    # what was taken out once is not drawn again
    known_answer_end(
        actor=LEAD, known_id=found[right.pk].pk, status="retired", reason="shown enough"
    )
    assert draw_known_answers() == 0


def test_no_more_are_drawn_than_are_kept(db: None, monkeypatch: Any) -> None:
    from apps.workflow.desk import drawing

    monkeypatch.setattr(drawing, "KEPT", 3)
    use_case = desk({"known_answer_rate": 0.1})
    old = person("old.hand")
    for n in range(5):
        decision = past_case(use_case, f"d{n}", old)
        outcome_record(
            actor=LEAD, decision=decision, source="observed", reason="seen", label="deny"
        )
    assert known_answers_draw(timezone.now()) == 3
    assert known_answers_draw(timezone.now()) == 0


def test_what_was_never_sent_to_people_is_drawn_only_where_such_cases_are_audited(
    db: None,
) -> None:
    """Its reasons would stand out where no case of that kind ever comes to the desk."""
    use_case = desk({"confidence_threshold": 0.5, "known_answer_rate": 0.1})
    sure = case(use_case, "sure", label="deny", confidence=0.9)
    assert sure.lane == "automatic"
    outcome_record(actor=LEAD, decision=sure, source="observed", reason="seen", label="deny")
    assert draw_known_answers() == 0
    in_force(use_case, confidence_threshold=0.5, known_answer_rate=1.0, audit_rate=0.05)
    assert draw_known_answers() == 1
    case(use_case, "unsure", label="deny", confidence=0.4)
    at = opened(person("ann"))
    assert (at.task.kind, at.task.decision_id) == ("known", sure.pk)
    assert at.case.document["reasons"] == [
        {
            "code": "random_audit",
            "rule": "audit_rate",
            "value": 0.05,
            "text": "Drawn at random for audit: 5 % of such decisions are.",
        }
    ]


def test_what_cannot_be_a_known_answer_is_refused_and_why_is_said(db: None) -> None:
    use_case = desk(ALWAYS)
    waits = case(use_case, "waits", **DENY)
    with pytest.raises(Conflict, match="waits for people still"):
        know(waits)
    done = past_case_of(waits)
    with pytest.raises(BadInput) as refusal:
        know(done, "maybe")
    assert [fault.pointer for fault in refusal.value.errors] == ["/output/label"]
    know(done)
    with pytest.raises(Conflict, match="known already"):
        know(done)
    with pytest.raises(NotFound):
        known_answer_enter(
            actor=LEAD, decision_id=uuid7(), output={"label": "deny"}, reason="agreed"
        )


def past_case_of(decision: Decision) -> Decision:
    decide(person("cid"), "confirm")
    decision.refresh_from_db()
    return decision
