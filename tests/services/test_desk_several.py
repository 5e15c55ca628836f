"""Several reviewers: who counts, when it is settled, and who decides when they differ."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.callers import caller_of_key
from apps.accounts.services import service_key_create
from apps.common.errors import BadInput, Conflict
from apps.decisions.models import Decision
from apps.notifications.models import OutboxEvent
from apps.outcomes.models import Outcome
from apps.registry.models import UseCase
from apps.reviews.models import Review, Seat
from apps.reviews.reliability import FITTER, reliability_refresh, weights_of
from apps.supervision.models import Intervention
from apps.workflow.desk.fitting import weighed_use_cases
from apps.workflow.desk.machines import reviewer_of
from apps.workflow.desk.opening import Opened, open_next
from apps.workflow.desk.submission import Submission
from apps.workflow.desk.submitting import review_submit
from tests.services.desks import SUITE, case, decide, desk, opened, person, say, task_of
from tests.services.gates import body, send

DENY = {"label": "deny", "confidence": 0.5}


def waiting(external_id: str = "a", **policy: Any) -> Decision:
    return case(desk(policy), external_id, **DENY)


def state(decision: Decision) -> tuple[str, str | None, str]:
    decision.refresh_from_db()
    return decision.status, decision.final_label, task_of(decision).status


def alive(decision: Decision) -> int:
    seats = Seat.objects.filter(task__decision=decision, state__in=("free", "leased"))
    return seats.count()


@pytest.mark.parametrize("combination", ["unanimous", "two_person", "majority", "weighted"])
def test_two_who_agree_release(db: None, combination: str) -> None:
    decision = waiting(reviews_required=2, combination=combination)
    decide(person("ann"), "confirm")
    assert state(decision) == ("pending", None, "open")
    decide(person("ben"), "confirm")
    assert state(decision) == ("released", "deny", "closed")
    assert alive(decision) == 0


@pytest.mark.parametrize("combination", ["unanimous", "two_person", "majority"])
def test_two_who_differ_leave_it_to_a_senior(db: None, combination: str) -> None:
    decision = waiting(reviews_required=2, combination=combination)
    ann, ben = person("ann"), person("ben")
    decide(ann, "confirm")
    decide(ben, "change", output={"label": "approve"})
    assert state(decision) == ("pending", None, "open")
    assert task_of(decision).ruling["state"] == "disagreement"
    seat = Seat.objects.get(state="free")
    assert (seat.stage, seat.pool.role) == ("adjudication", "senior_reviewer")
    # neither of them, nor another reviewer, may decide it
    assert [open_next(actor=p.actor, person=p) for p in (ann, ben, person("cid"))] == [None] * 3
    decide(person("sue", "senior_reviewer"), "change", output={"label": "approve"})
    # two_person: sue and ben both say approve, so that two people stand behind the release
    assert state(decision) == ("released", "approve", "closed")
    assert Review.objects.get(stage="adjudication").reviewer.username == "sue"


def test_a_senior_alone_does_not_make_two_persons(db: None) -> None:
    use_case = desk(
        {"reviews_required": 2, "combination": "two_person"}, labels=["approve", "deny", "refer"]
    )
    decision = case(use_case, **DENY)
    decide(person("ann"), "confirm")
    decide(person("ben"), "change", output={"label": "approve"})
    decide(person("sue", "senior_reviewer"), "change", output={"label": "refer"})
    assert state(decision)[0] == "pending"
    decide(person("tom", "senior_reviewer"), "change", output={"label": "refer"})
    assert state(decision) == ("released", "refer", "closed")


def test_a_majority_settles_as_soon_as_what_is_missing_cannot_turn_it(db: None) -> None:
    decision = waiting(reviews_required=3, combination="majority")
    decide(person("ann"), "withhold")
    late = person("cid")
    at = opened(late)
    decide(person("ben"), "withhold")
    assert state(decision) == ("withheld", None, "closed")
    with pytest.raises(Conflict, match="is closed"):
        say(late, at, "confirm")
    assert Review.objects.count() == 2


def test_who_abstains_is_replaced_by_another_person(db: None) -> None:
    decision, ann = waiting(), person("ann")
    decide(ann, "abstain")
    assert state(decision) == ("pending", None, "open")
    assert open_next(actor=ann.actor, person=ann) is None
    decide(person("ben"), "confirm")
    assert state(decision) == ("released", "deny", "closed")


def test_an_escalation_goes_up_the_chain_and_ends_at_its_top(db: None) -> None:
    decision = waiting(escalation=["senior_reviewer", "risk_lead"])
    decide(person("ann"), "escalate")
    task = task_of(decision)
    assert (task.level, task.role) == (1, "senior_reviewer")
    decide(person("sue", "senior_reviewer"), "escalate")
    task = task_of(decision)
    assert (task.level, task.role) == (2, "risk_lead")
    lead = person("lea", "risk_lead")
    at = opened(lead)
    with pytest.raises(BadInput, match="nobody is above"):
        say(lead, at, "escalate")
    say(lead, at, "withhold")
    assert state(decision) == ("withheld", None, "closed")
    told = OutboxEvent.objects.filter(type="review.escalated").order_by("pk")
    assert [event.data["role"] for event in told] == ["senior_reviewer", "risk_lead"]


def test_without_a_chain_an_escalation_goes_to_a_senior(db: None) -> None:
    decision = waiting()
    decide(person("ann"), "escalate")
    decide(person("sue", "senior_reviewer"), "confirm")
    assert state(decision) == ("released", "deny", "closed")


# --- Machines -------------------------------------------------------------------------------


def machine(name: str, say_verdict: str, **more: Any) -> Any:
    """A program with a key that reviews takes its next case and gives a verdict."""
    key, _secret = service_key_create(actor=SUITE, name=name, role="reviewer", use_case="")
    caller = caller_of_key(key)
    row = reviewer_of(caller)
    at: Opened | None = open_next(actor=caller.actor, person=row)
    assert at is not None
    sent = Submission(say_verdict, at.case.shown_hash, **more)
    return review_submit(
        actor=caller.actor, person=row, task_id=at.task.pk, lease=at.lease, submission=sent
    )


@pytest.mark.parametrize("combination", ["single", "majority", "weighted"])
def test_a_machine_s_vote_satisfies_no_human_review(db: None, combination: str) -> None:
    decision = waiting(combination=combination)
    done = machine("second model", "confirm")
    assert (done.review.machine, done.review.final) == (True, True)
    assert state(decision) == ("pending", None, "open")
    assert alive(decision) == 1
    decide(person("ann"), "confirm")
    assert state(decision) == ("released", "deny", "closed")
    assert not done.review.reviewer.signs_in


def test_a_machine_weighs_in_a_majority(db: None) -> None:
    decision = waiting(reviews_required=2, combination="majority")
    machine("second model", "confirm")
    decide(person("ann"), "confirm")
    decide(person("ben"), "change", output={"label": "approve"})
    # two of three votes say deny, and one of them is a person's
    assert state(decision) == ("released", "deny", "closed")


# --- Weighed -------------------------------------------------------------------------------


def history_of(use_case: UseCase, count: int = 40) -> None:
    """Past verdicts of three people: ann and ben are right, cid says approve to everything."""
    from apps.reviews.models import Review as Row
    from tests.services.desks import person as known

    people = {name: known(name) for name in ("ann", "ben", "cid")}
    send(use_case, *(body(f"past-{n}") for n in range(count)), past=True)
    for n, decision in enumerate(Decision.objects.filter(past=True).order_by("external_id")):
        truth = ("approve", "deny")[n % 2]
        for name, said in (("ann", truth), ("ben", truth), ("cid", "approve")):
            Row(
                use_case=use_case,
                decision=decision,
                reviewer=people[name],
                imported=True,
                label=said,
                created_at=timezone.now(),
            ).save(actor=SUITE)


def test_reliabilities_are_fitted_and_weigh_the_votes(db: None) -> None:
    use_case = desk(
        {"reviews_required": 3, "combination": "weighted", "posterior_level": 0.9, "reviews_max": 3}
    )
    history_of(use_case)
    fit = reliability_refresh(actor=FITTER, use_case=use_case, now=timezone.now())
    assert fit is not None
    assert (fit.document["cases"], fit.reviews, fit.document["converged"]) == (40, 120, True)
    weights = weights_of(use_case)
    assert weights is not None
    from apps.accounts.models import User

    ids = {u.username: str(u.pk) for u in User.objects.all()}
    ann, cid = (weights.reliabilities[ids[name]] for name in ("ann", "cid"))
    assert ann[1][1] > 0.9  # says deny where deny is true
    assert cid[1][0] > 0.9  # says approve where deny is true
    assert weighed_use_cases() == ["loan"]
    # nothing new was said: no second fit
    assert reliability_refresh(actor=FITTER, use_case=use_case, now=timezone.now()) is None
    # ann and ben outweigh cid, whose approve says nothing
    decision = case(use_case, "new", **DENY)
    for name, verdict, more in (
        ("ann", "confirm", {}),
        ("ben", "confirm", {}),
        ("cid", "change", {"output": {"label": "approve"}}),
    ):
        decide(User.objects.get(username=name), verdict, **more)
    assert state(decision) == ("released", "deny", "closed")


def test_it_collects_until_it_is_confident_and_no_further(db: None) -> None:
    """Unknown reviewers count as right three times in four: one vote makes 0.75, two that agree
    0.9, three 0.964 (27:1)."""
    decision = waiting(
        reviews_required=1, reviews_max=3, posterior_level=0.95, combination="weighted"
    )
    for name in ("ann", "ben"):
        decide(person(name), "confirm")
        assert state(decision) == ("pending", None, "open")
    decide(person("cid"), "confirm")
    assert state(decision) == ("released", "deny", "closed")
    assert Review.objects.count() == 3


# --- After the fact --------------------------------------------------------------------------


def supervised(external_id: str = "a", *, window: int | None = 60, **more: Any) -> Decision:
    policy = {"level": "HOTL", "intervention_minutes": window}
    return case(desk(policy, kinds=["label", "text", "number"], **more), external_id, **DENY)


def test_an_audit_that_agrees_is_an_outcome_and_no_intervention(db: None) -> None:
    decision = supervised()
    assert (decision.status, task_of(decision).kind) == ("released", "after")
    decide(person("ann"), "confirm")
    outcome = Outcome.objects.get()
    assert (outcome.source, outcome.label, outcome.correct) == ("audit", "deny", True)
    assert not Intervention.objects.exists()
    assert state(decision) == ("released", "deny", "closed")


def test_an_audit_that_differs_changes_the_decision_while_the_window_is_open(db: None) -> None:
    decision = supervised()
    decide(person("ann"), "change", output={"label": "approve"})
    outcome = Outcome.objects.get()
    assert (outcome.source, outcome.label, outcome.correct) == ("audit", "approve", False)
    assert state(decision) == ("reversed", "approve", "closed")
    made = Intervention.objects.get()
    assert (made.action, made.within_window, made.label) == ("change", True, "approve")


def test_after_the_window_an_audit_is_an_outcome_alone(db: None, monkeypatch: Any) -> None:
    from datetime import timedelta

    decision = supervised(window=1)
    ann = person("ann")
    later = timezone.now() + timedelta(minutes=2)
    at = opened(ann, now=later)
    say(ann, at, "change", output={"label": "approve"}, now=later)
    assert Outcome.objects.get().label == "approve"
    assert not Intervention.objects.exists()
    assert state(decision) == ("released", "deny", "closed")


def test_an_audit_that_withholds_reverses_and_states_no_label(db: None) -> None:
    decision = supervised()
    decide(person("ann"), "withhold")
    assert not Outcome.objects.exists()
    assert state(decision) == ("reversed", None, "closed")
    assert Intervention.objects.get().action == "reverse"


def test_an_audit_of_a_text_says_whether_the_ai_s_was_right(db: None) -> None:
    use_case = desk({"level": "HOTL"}, kinds=["label", "text"])
    case(use_case, kind="text", output={"text": "Dear you"})
    decide(person("ann"), "change", output={"text": "Dear me"})
    assert (Outcome.objects.get().correct, Outcome.objects.get().source) == (False, "audit")


def test_a_random_audit_before_release_is_an_outcome_too(db: None) -> None:
    from tests.services.gates import gate

    use_case = gate(policy={"audit_rate": 1.0})
    decision = case(use_case, label="deny", confidence=0.9)
    assert decision.reason_codes == "random_audit"
    decide(person("ann"), "change", output={"label": "approve"})
    outcome = Outcome.objects.get()
    assert (outcome.source, outcome.label, outcome.correct) == ("audit", "approve", False)
    assert state(decision) == ("released", "approve", "closed")


def test_in_pilot_a_verdict_is_recorded_and_moves_nothing(db: None) -> None:
    decision = case(desk(lifecycle="pilot"), **DENY)
    assert (decision.lane, decision.status) == ("shadow", "released")
    decide(person("ann"), "change", output={"label": "approve"})
    assert state(decision) == ("released", "deny", "closed")
    assert Review.objects.get().label == "approve"
    assert not Outcome.objects.exists()
    assert not Intervention.objects.exists()
