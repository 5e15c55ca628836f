"""Known answers compared: what a wrong one costs, and what is given back when the answer was bad."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import Qualification
from apps.common.errors import BadInput, Conflict
from apps.decisions.models import Decision
from apps.metrics.first_reading import Window, read_cases
from apps.registry.models import UseCase
from apps.reviews.domain.intervals import wilson
from apps.reviews.known_answers import known_answer_end
from apps.reviews.models import KnownAnswer, Review
from apps.reviews.reliability import FITTER, reliability_refresh, weights_of
from apps.workflow.desk.checking import known_answer_forgive, standing_on_known
from apps.workflow.desk.opening import open_next, review_reveal
from apps.workflow.desk.submitting import said_of
from apps.workflow.tasks import sweep_desk
from tests.services.clocks import moved_clock
from tests.services.desks import SUITE, case, desk, opened, person, review_of, say
from tests.services.gates import LEAD, body, send
from tests.services.known import (
    ALWAYS,
    APPROVE,
    DENY,
    answers,
    checked_desk,
    know,
    next_known,
)
from tests.services.oversight import in_force

MINUTE = timedelta(minutes=1)


# --- Compared -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "more", "right"),
    [
        ("confirm", {}, True),
        ("change", {"output": APPROVE}, False),
        ("withhold", {}, False),
        ("abstain", {}, None),
        ("escalate", {}, None),
    ],
)
def test_a_verdict_is_compared_and_moves_nothing(
    db: None, verdict: str, more: dict[str, Any], right: bool | None
) -> None:
    use_case, (known,) = checked_desk()
    ann = person("ann")
    done = say(ann, next_known(ann, use_case, "new"), verdict, **more)
    assert (review_of(ann).right, done.task.status) == (right, "closed")
    assert done.right is done.known is None, "without feedback nothing is said"
    known.decision.refresh_from_db()
    assert (known.decision.status, known.decision.final_label) == ("released", "deny")


def test_it_is_the_blind_answer_that_counts(db: None) -> None:
    use_case = desk({"blind": True, **ALWAYS})
    old, ann = person("old.hand"), person("ann")
    past = case(use_case, "past", **DENY)
    at = opened(old)
    say(old, at, "answer", output={"label": "deny"})
    at = review_reveal(actor=old.actor, person=old, task_id=at.task.pk, lease=at.lease)
    say(old, at, "confirm")
    know(past)
    at = next_known(ann, use_case, "new")
    given = say(ann, at, "answer", output=APPROVE)
    assert said_of(given) == ("open", "pending")
    seen = review_reveal(actor=ann.actor, person=ann, task_id=at.task.pk, lease=at.lease)
    say(ann, seen, "change", output={"label": "deny"})  # led by the AI
    assert review_of(ann).right is False


def test_a_blind_answer_left_to_lapse_is_compared_too(db: None, monkeypatch: Any) -> None:
    clock = moved_clock(monkeypatch, datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    use_case = desk({"blind": True, **ALWAYS})
    old, ann = person("old.hand"), person("ann")
    past = case(use_case, "past", **DENY)
    say(old, opened(old), "answer", output={"label": "deny"})
    clock.on(20 * MINUTE)
    sweep_desk()
    know(past)
    at = next_known(ann, use_case, "new")
    say(ann, at, "answer", output=APPROVE)
    clock.on(20 * MINUTE)
    assert sweep_desk()["stand"] == 1
    assert review_of(ann).right is False


@pytest.mark.parametrize("feedback", [True, False])
def test_feedback_is_given_at_once_where_the_policy_says(db: None, feedback: bool) -> None:
    use_case, _known = checked_desk({"feedback": feedback})
    ann = person("ann")
    done = say(ann, next_known(ann, use_case, "new"), "change", output=APPROVE)
    expected = {"right": False, "answer": {"label": "deny"}} if feedback else None
    assert (done.known, done.right) == (expected, False if feedback else None)
    assert review_of(ann).right is False


def test_no_figure_of_accuracy_counts_them(db: None) -> None:
    """One decision, decided once: its first verdict is the old hand's, whoever was tested."""
    use_case, (known,) = checked_desk({"blind": False})
    for name in ("ann", "ben"):
        who = person(name)
        say(who, next_known(who, use_case, name), "change", output=APPROVE)
    (found,) = (c for c in read_cases(use_case, Window()) if c.in_effect == "deny")
    assert found.verdicts == ()
    for review in Review.objects.filter(decision=known.decision):
        review.initial_label = review.label
        review.save(actor=SUITE, reason="as if answered blind")
    (found,) = (c for c in read_cases(use_case, Window()) if c.in_effect == "deny")
    assert found.verdicts == ("deny",)


# --- Below the floor ------------------------------------------------------------------------------

STRICT = {"skills": ["credit"], "known_answer_floor": 0.8}


def held(who: Any) -> Qualification:
    found: Qualification = Qualification.objects.get(user=who)
    return found


def test_who_is_surely_below_the_floor_loses_the_qualification_with_the_interval(
    db: None,
) -> None:
    """None of 3 right: the Wilson interval ends at 0.56, of 1 of 1 wrong at 0.79: below 0.8."""
    use_case, _known = checked_desk(STRICT, known=4)
    ann, ben = person("ann", skill="credit"), person("ben", skill="credit")
    answers(ben, use_case, "rw")
    assert held(ben).status == "held", "half of two says nothing yet"
    assert wilson(1, 2)[1] > 0.8
    answers(ann, use_case, "w")
    low, high = wilson(0, 1)
    assert high < 0.8
    lost = held(ann)
    assert lost.status == "lost"
    assert lost.evidence == {
        "known_answers": {
            "use_case": "loan",
            "value": 0.0,
            "low": round(low, 6),
            "high": round(high, 6),
            "n": 1,
            "floor": 0.8,
        }
    }
    row = Qualification.history.filter(id=lost.pk).latest()
    assert row.history_user_id == "system:known-answers"
    assert "0.00 of 1 known answers right, 95 % interval 0.00 to 0.79" in row.history_change_reason
    case(use_case, "more", **DENY)
    assert open_next(actor=ann.actor, person=ann) is None
    assert open_next(actor=ben.actor, person=ben) is not None


def test_without_a_floor_nobody_loses_anything(db: None) -> None:
    use_case, _known = checked_desk({"skills": ["credit"]}, known=3)
    ann = person("ann", skill="credit")
    answers(ann, use_case, "www")
    assert held(ann).status == "held"
    assert standing_on_known(ann, use_case, 0.5)[:4] == (0.0, *wilson(0, 3), 3)


# --- Forgiven -------------------------------------------------------------------------------------


def forgive(known: KnownAnswer) -> int:
    return known_answer_forgive(actor=LEAD, known_id=known.pk, reason="two answers are right")


def test_a_forgiven_one_gives_back_what_fell_by_it(db: None) -> None:
    use_case, (known,) = checked_desk(STRICT)
    ann = person("ann", skill="credit")
    answers(ann, use_case, "w")
    assert held(ann).status == "lost"
    assert forgive(known) == 1
    assert (held(ann).status, held(ann).evidence) == ("held", None)
    assert review_of(ann).right is None
    assert standing_on_known(ann, use_case, 0.8).n == 0
    known.refresh_from_db()
    assert known.status == "forgiven"
    with pytest.raises(Conflict, match="is forgiven already"):
        forgive(known)
    assert opened(ann).task.kind == "before", "it is not shown any more"
    row = Qualification.history.latest()
    assert "not below the floor any more" in row.history_change_reason


def test_what_rests_on_others_too_stays_and_is_computed_again(db: None) -> None:
    use_case, known = checked_desk(STRICT, known=2)
    ann = person("ann", skill="credit")
    in_force(use_case, confidence_threshold=0.99, **{**ALWAYS, **STRICT, "known_answer_floor": 0.7})
    answers(ann, use_case, "ww")  # of one alone the interval ends at 0.79, of two at 0.66
    assert held(ann).status == "lost"
    assert held(ann).evidence["known_answers"]["n"] == 2
    forgive(known[0])
    # one is left: 0.79 is not below 0.7
    assert held(ann).status == "held"
    assert standing_on_known(ann, use_case, 0.7).n == 1


def test_what_a_person_took_is_not_given_back(db: None) -> None:
    from apps.accounts.qualifications import qualification_grant, qualification_revoke

    use_case, (known,) = checked_desk(STRICT)
    ann = person("ann", skill="credit")
    answers(ann, use_case, "w")
    qualification_grant(actor=LEAD, user=ann, skill="credit", reason="a second chance")
    qualification_revoke(actor=LEAD, qualification=held(ann), reason="left the team")
    forgive(known)
    assert held(ann).status == "revoked"


def test_reliability_is_fitted_anew_without_what_was_said_on_a_bad_one(db: None) -> None:
    use_case, known = checked_desk({"combination": "weighted"}, known=2)
    people = {name: person(name) for name in ("ann", "ben", "cid")}
    history_of(use_case, people)
    for name, who in people.items():
        for n in range(2):
            at = next_known(who, use_case, f"{name}-{n}")
            say(who, at, "change", output=APPROVE)
    reliability_refresh(actor=FITTER, use_case=use_case, now=timezone.now())
    before = weights_of(use_case)
    assert before is not None
    fitted = len(labels(use_case))
    assert forgive(known[0]) == 3
    after = weights_of(use_case)
    assert after is not None
    assert len(labels(use_case)) == fitted - 3
    assert after.reliabilities != before.reliabilities
    forgive(known[1])
    assert len(labels(use_case)) == fitted - 6


def labels(use_case: UseCase) -> list[Any]:
    from apps.reviews.reliability import labels_given

    return labels_given(use_case)


def history_of(use_case: UseCase, people: dict[str, Any], count: int = 12) -> None:
    """Past verdicts on cases that are half approve and half deny; cid is wrong in every third."""
    send(use_case, *(body(f"old-{n}") for n in range(count)), past=True)
    for n, decision in enumerate(Decision.objects.filter(past=True).order_by("external_id")):
        truth = ("approve", "deny")[n % 2]
        for name, who in people.items():
            wrong = name == "cid" and n % 3 == 0
            Review(
                use_case=use_case,
                decision=decision,
                reviewer=who,
                imported=True,
                label=("deny" if truth == "approve" else "approve") if wrong else truth,
                created_at=timezone.now(),
            ).save(actor=SUITE)


def test_a_retired_one_is_shown_no_more_and_what_was_answered_stands(db: None) -> None:
    use_case, (known,) = checked_desk(STRICT)
    ann = person("ann", skill="credit")
    answers(ann, use_case, "w")
    known_answer_end(actor=LEAD, known_id=known.pk, status="retired", reason="shown enough")
    assert (held(ann).status, review_of(ann).right) == ("lost", False)
    assert opened(person("ben", skill="credit")).task.kind == "before"
    with pytest.raises(BadInput, match="not one of forgiven, retired"):
        known_answer_end(actor=LEAD, known_id=known.pk, status="active", reason="again")
