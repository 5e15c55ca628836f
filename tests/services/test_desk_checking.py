"""Known answers: mixed in so that nothing shows it, compared, forgiven, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import Qualification
from apps.common.errors import BadInput, Conflict, NotFound
from apps.common.ids import uuid7
from apps.decisions.models import Decision
from apps.metrics.first_reading import Window, read_cases
from apps.outcomes.services import outcome_record
from apps.registry.models import UseCase
from apps.reviews.domain.intervals import wilson
from apps.reviews.known_answers import known_answer_end, known_answer_enter
from apps.reviews.models import KnownAnswer, Review, ReviewTask, Seat
from apps.reviews.reliability import FITTER, reliability_refresh, weights_of
from apps.reviews.seats import seat_release
from apps.workflow.desk import checking
from apps.workflow.desk.checking import known_answer_forgive, standing_on_known
from apps.workflow.desk.drawing import known_answers_draw
from apps.workflow.desk.opening import Opened, open_next, review_reveal
from apps.workflow.desk.submitting import said_of
from apps.workflow.tasks import draw_known_answers, sweep_desk
from tests.services.clocks import moved_clock
from tests.services.desks import SUITE, case, decide, desk, opened, person, review_of, say
from tests.services.gates import LEAD, body, send
from tests.services.oversight import in_force

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
DENY = {"label": "deny", "confidence": 0.5}
ALWAYS = {"known_answer_rate": 1.0}
APPROVE = {"label": "approve"}


def past_case(use_case: UseCase, external_id: str, by: Any, **more: Any) -> Decision:
    """A case that somebody has decided: with a rate of 1 only where no answer is known yet."""
    decision = case(use_case, external_id, **{**DENY, **more})
    say(by, opened(by), "confirm")
    decision.refresh_from_db()
    assert decision.status == "released"
    return decision


def know(decision: Decision, label: str = "deny", **more: Any) -> KnownAnswer:
    return known_answer_enter(
        actor=LEAD, decision_id=decision.pk, output={"label": label}, reason="agreed", **more
    )


def checked_desk(
    policy: dict[str, Any] | None = None, *, known: int = 1, **definition: Any
) -> tuple[UseCase, list[KnownAnswer]]:
    """A use case with cases of known answers (deny is right), decided by an old hand."""
    use_case = desk({**ALWAYS, **(policy or {})}, **definition)
    skill = (policy or {}).get("skills", [""])[0]
    old = person("old.hand", skill=skill)
    decided = [past_case(use_case, f"past-{n}", old) for n in range(known)]
    return use_case, [know(decision) for decision in decided]


def next_known(who: Any, use_case: UseCase, external_id: str) -> Opened:
    """A case comes in, and the claim for it is answered with a known one."""
    case(use_case, external_id, **DENY)
    at = opened(who)
    assert at.task.kind == "known"
    return at


def answers(who: Any, use_case: UseCase, said: str) -> None:
    """For each letter a known answer given right (r) or wrong (w)."""
    for n, letter in enumerate(said):
        at = next_known(who, use_case, f"{who.username}-{n}")
        if letter == "r":
            say(who, at, "confirm")
        else:
            say(who, at, "change", output=APPROVE)


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


# --- Nothing shows it ---------------------------------------------------------------------------

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
