"""When a limit lapses: the chain of escalation, its end, and sweeps that need nothing but rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.common.errors import BadInput, Conflict
from apps.decisions.models import Decision
from apps.notifications.models import OutboxEvent
from apps.reviews.models import Draft, Review, ReviewTask, Seat
from apps.reviews.tasks import lapse_leases
from apps.supervision.stops import resume, stop
from apps.workflow.desk.opening import open_next
from apps.workflow.tasks import sweep_desk
from tests.services.clocks import Clock, moved_clock
from tests.services.desks import SUITE, case, desk, opened, person, review_of, say, task_of
from tests.services.gates import LEAD, SECOND

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DENY = {"label": "deny", "confidence": 0.5}
MONDAY = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)  # the office opens


@pytest.fixture
def clock(db: None, monkeypatch: Any) -> Clock:
    return moved_clock(monkeypatch, MONDAY)


def waiting(policy: dict[str, Any], **definition: Any) -> Decision:
    return case(desk(policy, **definition), **DENY)


def state(decision: Decision) -> tuple[str, str]:
    decision.refresh_from_db()
    return decision.status, task_of(decision).status


def free_pools(decision: Decision) -> set[str]:
    return {seat.pool.role for seat in Seat.objects.filter(task__decision=decision, state="free")}


def nothing_for(who: Any) -> bool:
    return open_next(actor=who.actor, person=who) is None


# --- The chain --------------------------------------------------------------------------------

CHAIN = ["senior_reviewer", "supervisor", "risk_lead"]


def test_each_lapse_leads_to_the_next_role_and_the_last_to_the_fallback(clock: Clock) -> None:
    decision = waiting({"sla_minutes": 60, "escalation": CHAIN})
    roles = {"reviewer": person("ann"), **{role: person(role, role) for role in CHAIN}}
    for level, role in enumerate(CHAIN, 1):
        clock.on(60 * MINUTE)
        assert sweep_desk()["overdue"] == 1
        task = task_of(decision)
        assert (task.level, task.role, task.status) == (level, role, "open")
        assert task.due_at == clock.now + 60 * MINUTE
        assert free_pools(decision) == {role}
        assert sweep_desk()["overdue"] == 0, "one step a lapse"
        for other, who in roles.items():
            if other != role:
                assert nothing_for(who), f"{other} may not take what waits for the {role}"
        at = opened(roles[role])
        assert at.task.pk == task.pk
    clock.on(60 * MINUTE)
    assert sweep_desk()["overdue"] == 1
    assert state(decision) == ("withheld", "lapsed")
    told = OutboxEvent.objects.filter(type="review.escalated").order_by("created_at")
    assert [(e.data["level"], e.data["role"], e.data["why"]) for e in told] == [
        (level, role, "sla") for level, role in enumerate(CHAIN, 1)
    ]
    reasons = ReviewTask.history.order_by("history_id").values_list(
        "history_change_reason", flat=True
    )
    assert list(reasons)[1:] == [
        "its time ran out: to senior reviewer",
        "its time ran out: to supervisor",
        "its time ran out: to risk lead",
        "its time ran out",
    ]


def test_whoever_holds_the_case_when_it_escalates_may_finish_it(clock: Clock) -> None:
    decision = waiting({"sla_minutes": 60, "escalation": ["senior_reviewer"]})
    ann, sue = person("ann"), person("sue", "senior_reviewer")
    clock.on(50 * MINUTE)
    opened(ann)
    clock.on(10 * MINUTE)
    sweep_desk()
    assert nothing_for(sue)
    say(ann, opened(ann), "confirm")  # shown again: that it went up is part of what is bound
    assert state(decision) == ("released", "closed")


def test_a_seat_that_comes_free_after_the_escalation_is_the_next_role_s(clock: Clock) -> None:
    """At each level: the one who held it as a reviewer, and the one who held it as a senior."""
    decision = waiting({"sla_minutes": 60, "escalation": ["senior_reviewer", "risk_lead"]})
    ann, ben, sue = person("ann"), person("ben"), person("sue", "senior_reviewer")
    lea = person("lea", "risk_lead")
    clock.on(50 * MINUTE)
    opened(ann)
    clock.on(10 * MINUTE)
    sweep_desk()
    clock.on(5 * MINUTE)  # ann's lease is over
    assert lapse_leases() == 1
    assert sweep_desk()["followed"] == 1
    assert free_pools(decision) == {"senior_reviewer"}
    assert nothing_for(ben)
    clock.on(50 * MINUTE)
    opened(sue)
    clock.on(5 * MINUTE)
    sweep_desk()
    assert task_of(decision).role == "risk_lead"
    clock.on(10 * MINUTE)  # sue's lease is over
    lapse_leases()
    assert sweep_desk()["followed"] == 1
    assert free_pools(decision) == {"risk_lead"}
    say(lea, opened(lea), "withhold")
    assert state(decision) == ("withheld", "closed")


def test_skills_are_asked_of_reviewers_and_seniors_and_not_of_an_office(clock: Clock) -> None:
    waiting({"sla_minutes": 60, "escalation": ["senior_reviewer", "risk_lead"], "skills": ["law"]})
    plain, able = person("sue", "senior_reviewer"), person("sam", "senior_reviewer", skill="law")
    lea = person("lea", "risk_lead")
    clock.on(60 * MINUTE)
    sweep_desk()
    assert nothing_for(plain)
    assert opened(able)
    clock.on(60 * MINUTE)
    sweep_desk()
    assert opened(lea)


# --- The end ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tier", "fallback", "output", "status"),
    [
        ("high", "withhold", DENY, "withheld"),
        ("minimal", "withhold", DENY, "withheld"),
        ("minimal", "release", DENY, "released"),
        ("minimal", "release", {**DENY, "scores": {"deny": 0.5, "approve": 0.5}}, "released"),
        ("minimal", "release", None, "withheld"),  # no model has spoken: nothing to release
    ],
)
def test_at_the_end_the_fallback_decides(
    clock: Clock, tier: str, fallback: str, output: Any, status: str
) -> None:
    use_case = desk({"sla_minutes": 60, "fallback": fallback}, risk_tier=tier)
    decision = case(use_case, output=output)
    clock.on(60 * MINUTE)
    sweep_desk()
    assert state(decision) == (status, "lapsed")
    assert decision.final_label == ("deny" if status == "released" else None)
    assert Decision.history.latest().history_change_reason == "its time ran out"
    assert Decision.history.latest().history_user_id == "system:desk"
    assert OutboxEvent.objects.get(decision=decision.pk).type == f"decision.{status}"
    assert not Seat.objects.exclude(state="closed").exists()


@pytest.mark.parametrize("kind", ["number", "text"])
def test_a_fallback_releases_other_outputs_too(clock: Clock, kind: str) -> None:
    output = {"number": {"value": 7}, "text": {"text": "Dear you"}}[kind]
    policy = {"sla_minutes": 60, "fallback": "release"}
    use_case = desk(policy, risk_tier="minimal", kinds=["number", "text"])
    decision = case(use_case, kind=kind, output=output)
    clock.on(60 * MINUTE)
    sweep_desk()
    assert state(decision) == ("released", "lapsed")


@pytest.mark.parametrize("tier", ["limited", "high"])
def test_release_is_a_fallback_of_minimal_risk_alone(clock: Clock, tier: str) -> None:
    with pytest.raises(BadInput) as refusal:
        desk({"sla_minutes": 60, "fallback": "release"}, risk_tier=tier)
    assert [fault.pointer for fault in refusal.value.errors] == ["/fallback"]


def test_in_a_stop_the_fallback_releases_nothing(clock: Clock) -> None:
    use_case = desk({"sla_minutes": 60, "fallback": "release"}, risk_tier="minimal")
    decision = case(use_case, **DENY)
    stop(actor=LEAD, use_case=use_case, reason="odd figures")
    clock.on(60 * MINUTE)
    sweep_desk()
    assert state(decision) == ("withheld", "lapsed")
    resume(actor=SECOND, use_case=use_case, reason="explained")
    assert state(decision) == ("withheld", "lapsed")


def test_a_click_after_the_end_is_refused_and_names_the_state(clock: Clock) -> None:
    decision, ann = waiting({"sla_minutes": 60}), person("ann")
    clock.on(50 * MINUTE)
    at = opened(ann)
    clock.on(10 * MINUTE)
    sweep_desk()
    with pytest.raises(Conflict, match=f"{at.task.pk} is lapsed") as refusal:
        say(ann, at, "change", output={"label": "approve"}, rationale="a long thought")
    assert "nothing more can be said" in str(refusal.value)
    assert state(decision) == ("withheld", "lapsed")
    assert not Review.objects.exists()
    assert "a long thought" in Draft.objects.get().body


def test_what_people_settled_in_time_is_left_alone(clock: Clock) -> None:
    decision, ann = waiting({"sla_minutes": 60}), person("ann")
    say(ann, opened(ann), "confirm")
    clock.on(DAY)
    assert sweep_desk()["overdue"] == 0
    assert state(decision) == ("released", "closed")


def test_a_review_after_the_fact_lapses_and_moves_nothing(clock: Clock) -> None:
    decision = waiting({"level": "HOTL", "sla_minutes": 60, "intervention_minutes": 600})
    clock.on(60 * MINUTE)
    sweep_desk()
    assert state(decision) == ("released", "lapsed")


# --- From the database alone --------------------------------------------------------------------


def test_the_sweeps_need_nothing_but_rows(clock: Clock) -> None:
    """Nobody said when a lease ends: the tasks take no argument and find it, once."""
    decision = waiting({"sla_minutes": 240})
    ann, ben = person("ann"), person("ben")
    first = opened(ann)
    clock.on(15 * MINUTE)
    assert (lapse_leases(), lapse_leases()) == (1, 0)
    seat = Seat.objects.get()
    assert (seat.state, seat.holder, seat.lease) == ("free", None, None)
    with pytest.raises(Conflict, match="claim the case again"):
        say(ann, first, "confirm", rationale="what I thought")
    assert "what I thought" in Draft.objects.get().body
    assert opened(ben).task.pk == first.task.pk
    clock.on(4 * HOUR)
    assert [sweep_desk()["overdue"] for _ in range(2)] == [1, 0]
    assert state(decision) == ("withheld", "lapsed")


def test_one_sweep_finds_many(clock: Clock) -> None:
    use_case = desk({"sla_minutes": 60})
    found = [case(use_case, f"c{n}", **DENY) for n in range(7)]
    clock.on(60 * MINUTE)
    assert sweep_desk()["overdue"] == 7
    assert {state(decision) for decision in found} == {("withheld", "lapsed")}


def test_a_blind_answer_whose_lease_ran_out_stands(clock: Clock) -> None:
    decision, ann = waiting({"blind": True}), person("ann")
    say(ann, opened(ann), "answer", output={"label": "approve"})
    clock.on(15 * MINUTE)
    assert lapse_leases() == 0, "an answer is given: the seat is no longer anybody's to take"
    assert sweep_desk()["stand"] == 1
    assert state(decision) == ("released", "closed")
    assert (decision.final_label, review_of(ann).verdict) == ("approve", "answer")
    assert sweep_desk()["stand"] == 0


def test_the_seat_of_whoever_was_deactivated_goes_back(clock: Clock) -> None:
    from apps.accounts.services import person_update

    decision = waiting({})
    ann, ben = person("ann"), person("ben")
    at = opened(ann)
    person_update(actor=SUITE, user=ann, is_active=False, reason="left")
    assert nothing_for(ben)
    assert sweep_desk()["inactive"] == 1
    say(ben, opened(ben), "confirm")
    assert state(decision) == ("released", "closed")
    with pytest.raises(Conflict, match="is closed"):
        say(ann, at, "withhold")
