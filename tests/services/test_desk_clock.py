"""The clock of the desk: limits in working time, pauses, the chain of escalation and its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.common.errors import BadInput, Conflict
from apps.decisions.models import Decision
from apps.notifications.models import OutboxEvent
from apps.registry.models import UseCase
from apps.reviews.models import Draft, Review, ReviewTask, Seat
from apps.reviews.tasks import lapse_leases
from apps.supervision.stops import resume, stop
from apps.workflow.desk.asking import review_inform
from apps.workflow.desk.opening import open_next
from apps.workflow.tasks import sweep_desk
from tests.services.clocks import Clock, moved_clock
from tests.services.desks import SUITE, case, desk, opened, person, review_of, say, task_of
from tests.services.gates import LEAD, SECOND
from tests.services.oversight import in_force

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DENY = {"label": "deny", "confidence": 0.5}
# Weekdays 9 to 17 in Berlin, which is 8 to 16 in UTC in winter; Wednesday 2026-12-02 is a holiday.
OFFICE = {
    "timezone": "Europe/Berlin",
    "hours": {str(day): [["09:00", "17:00"]] for day in range(5)},
    "holidays": ["2026-12-02"],
}
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


# --- Working time -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrives", "minutes", "due"),
    [
        # Monday 8:00 and four hours
        (MONDAY, 240, MONDAY + 4 * HOUR),
        # Monday 15:30: half an hour today, the rest on Tuesday from 8:00
        (MONDAY + 7.5 * HOUR, 60, MONDAY + DAY + 0.5 * HOUR),
        # Tuesday 15:00: an hour today, Wednesday is a holiday, three hours on Thursday
        (MONDAY + DAY + 7 * HOUR, 240, MONDAY + 3 * DAY + 3 * HOUR),
        # Friday 15:00 over the weekend
        (MONDAY + 4 * DAY + 7 * HOUR, 120, MONDAY + 7 * DAY + 1 * HOUR),
        # Saturday: the clock begins on Monday
        (MONDAY + 5 * DAY, 60, MONDAY + 7 * DAY + 1 * HOUR),
    ],
)
def test_a_limit_runs_in_the_hours_of_the_use_case(
    clock: Clock, arrives: datetime, minutes: int, due: datetime
) -> None:
    clock.to(arrives)
    decision = waiting({"sla_minutes": minutes}, calendar=OFFICE)
    assert task_of(decision).due_at == due


def test_the_clock_starts_when_the_case_comes_not_when_the_ai_decided(clock: Clock) -> None:
    decision = case(desk({"sla_minutes": 60}), decided_at=(MONDAY - 9 * DAY).isoformat(), **DENY)
    assert task_of(decision).due_at == MONDAY + HOUR


def test_without_hours_the_clock_runs_at_night_and_without_a_limit_there_is_none(
    clock: Clock,
) -> None:
    clock.to(MONDAY + 5 * DAY)
    assert task_of(waiting({"sla_minutes": 60})).due_at == MONDAY + 5 * DAY + HOUR
    endless = case(desk(slug="endless"), "b", **DENY)
    assert task_of(endless).due_at is None
    clock.on(400 * DAY)
    sweep_desk()
    assert state(endless) == ("pending", "open")


def test_a_night_lapses_nothing(clock: Clock) -> None:
    clock.to(MONDAY + 7.5 * HOUR)
    decision = waiting({"sla_minutes": 60}, calendar=OFFICE)
    clock.to(MONDAY + DAY)  # sixteen hours later, thirty working minutes
    assert sweep_desk()["overdue"] == 0
    clock.on(29 * MINUTE)
    assert sweep_desk()["overdue"] == 0
    clock.on(MINUTE)
    assert sweep_desk()["overdue"] == 1
    assert state(decision) == ("withheld", "lapsed")


# --- Questions --------------------------------------------------------------------------------


def ask(who: Any, text: str = "Which branch?") -> Any:
    at = opened(who)
    return say(who, at, "ask", rationale=text)


def inform(decision: Decision, text: str = "North.") -> ReviewTask:
    return review_inform(actor=LEAD, task_id=task_of(decision).pk, text=text)


def test_while_a_question_waits_the_clock_does_not_run(clock: Clock) -> None:
    decision, ann, ben = waiting({"sla_minutes": 60}), person("ann"), person("ben")
    clock.on(20 * MINUTE)
    ask(ann)
    task = task_of(decision)
    assert (task.paused_at, task.status) == (clock.now, "open")
    clock.on(3 * HOUR)
    assert sweep_desk()["overdue"] == 0
    assert nothing_for(ben), "the case is kept for the one who asked"
    assert nothing_for(ann), "and waits for the answer"
    inform(decision)
    assert task_of(decision).due_at == MONDAY + 4 * HOUR  # 60 minutes and the three hours
    assert nothing_for(ben)
    at = opened(ann)
    assert [said["text"] for said in at.case.document["information"]] == ["Which branch?", "North."]
    say(ann, at, "confirm")
    assert state(decision) == ("released", "closed")
    assert (review_of(ann).verdict, Review.objects.count()) == ("confirm", 1)


def test_a_pause_counts_working_time_alone(clock: Clock) -> None:
    clock.to(MONDAY + 7.5 * HOUR)
    decision, ann = waiting({"sla_minutes": 60}, calendar=OFFICE), person("ann")
    assert task_of(decision).due_at == MONDAY + DAY + 30 * MINUTE
    ask(ann)
    clock.to(MONDAY + DAY + 15 * MINUTE)  # 30 working minutes on Monday and 15 on Tuesday
    inform(decision)
    assert task_of(decision).due_at == MONDAY + DAY + 75 * MINUTE


def test_a_question_pauses_no_longer_than_the_policy_says(clock: Clock) -> None:
    decision = waiting({"sla_minutes": 60, "ask_limit_minutes": 30})
    ann, ben = person("ann"), person("ben")
    ask(ann)
    clock.on(29 * MINUTE)
    assert sweep_desk()["pauses"] == 0
    clock.on(11 * MINUTE)  # the sweep comes ten minutes late: they count
    assert sweep_desk()["pauses"] == 1
    task = task_of(decision)
    assert (task.paused_at, task.due_at) == (None, MONDAY + 90 * MINUTE)
    assert nothing_for(ben)
    # the answer comes after all, and it is the one who asked who goes on
    inform(decision)
    assert task_of(decision).due_at == MONDAY + 90 * MINUTE
    at = opened(ann)
    with pytest.raises(Conflict, match="30 minutes for questions on this case are used up"):
        say(ann, at, "ask")
    say(ann, at, "confirm")
    assert state(decision) == ("released", "closed")


def test_several_questions_share_one_limit(clock: Clock) -> None:
    decision = waiting({"sla_minutes": 60, "ask_limit_minutes": 30})
    ann = person("ann")
    ask(ann)
    clock.on(20 * MINUTE)
    inform(decision)
    ask(ann, "And which year?")
    assert task_of(decision).paused_until == clock.now + 10 * MINUTE
    clock.on(10 * MINUTE)
    sweep_desk()
    assert task_of(decision).due_at == MONDAY + 90 * MINUTE


def test_who_informs_must_be_waited_for_and_must_say_something(clock: Clock) -> None:
    decision, ann = waiting({"sla_minutes": 60}), person("ann")
    with pytest.raises(Conflict, match="no question"):
        inform(decision)
    ask(ann)
    for text in ("", " ", "x" * 20_001, "a\x00b"):
        with pytest.raises(BadInput):
            inform(decision, text)
    inform(decision)
    with pytest.raises(Conflict, match="no question"):
        inform(decision)
    say(ann, opened(ann), "confirm")
    with pytest.raises(Conflict, match="is closed"):
        inform(decision)


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


# --- How much one person does ---------------------------------------------------------------------


def work_through(who: Any, count: int, clock: Clock, pause: timedelta = MINUTE) -> list[Any]:
    """Cases decided one after the other; what was suggested with each."""
    suggested = []
    for _ in range(count):
        at = opened(who)
        suggested.append(at.load.pause)
        say(who, at, "confirm")
        clock.on(pause)
    return suggested


def many(count: int, **policy: Any) -> UseCase:
    use_case = desk(policy)
    for n in range(count):
        case(use_case, f"c{n}", **DENY)
    return use_case


def test_after_so_many_in_a_row_a_pause_is_suggested_and_a_break_ends_the_row(
    clock: Clock,
) -> None:
    many(6, streak_limit=3)
    ann = person("ann")
    said = work_through(ann, 4, clock)
    assert said[:3] == [None] * 3
    assert said[3] == "3 cases in a row; a pause of 10 minutes is suggested at 3."
    clock.on(10 * MINUTE)
    assert work_through(ann, 1, clock) == [None]


def test_a_day_has_a_limit_and_ends_at_the_person_s_own_midnight(clock: Clock) -> None:
    many(6, daily_limit=2)
    kim = person("kim")
    kim.time_zone = "Asia/Tokyo"  # midnight is at 15:00 in UTC
    kim.save(actor=SUITE, reason="moved")
    clock.to(MONDAY + 6 * HOUR)
    said = work_through(kim, 3, clock)
    assert said[:2] == [None, None]
    assert said[2] == "2 cases today; the policy suggests to stop at 2."
    clock.to(MONDAY + 7.5 * HOUR)
    assert work_through(kim, 1, clock) == [None]


def test_the_limits_count_what_was_done_in_other_use_cases_too(clock: Clock) -> None:
    many(2, daily_limit=2)
    case(desk({"daily_limit": 2}, slug="other"), "o1", **DENY)
    ann = person("ann")
    work_through(ann, 2, clock)
    at = opened(ann, use_case="other")
    assert at.load.pause == "2 cases today; the policy suggests to stop at 2."


# --- Practice -----------------------------------------------------------------------------------


def decided(use_case: UseCase, by: Any, count: int) -> list[Decision]:
    found = [case(use_case, f"past-{n}", **DENY) for n in range(count)]
    for _ in found:
        say(by, opened(by), "confirm")
    return found


def test_an_empty_queue_gives_practice_until_the_week_s_minimum_is_reached(clock: Clock) -> None:
    use_case = desk({"min_weekly_cases": 2})
    ann, ben = person("ann"), person("ben")
    past = decided(use_case, ben, 3)
    seen = []
    for _ in range(2):
        at = opened(ann)
        assert (at.task.kind, at.task.decision_id in {d.pk for d in past}) == ("practice", True)
        seen.append(at.task.decision_id)
        say(ann, at, "change", output={"label": "approve"})
    assert len(set(seen)) == 2
    assert nothing_for(ann), "two a week are enough"
    # nothing moved, and the reviews are there, apart
    assert {state_of(d) for d in past} == {("released", "deny")}
    assert Review.objects.filter(task__kind="practice", right=None, final=True).count() == 2
    assert nothing_for(ben), "who has done the minimum gets none"
    clock.on(7 * DAY + MINUTE)
    assert opened(ann).task.kind == "practice", "another week"


def state_of(decision: Decision) -> tuple[str, str | None]:
    decision.refresh_from_db()
    return decision.status, decision.final_label


def test_while_the_queue_has_a_case_nobody_gets_practice(clock: Clock) -> None:
    use_case = desk({"min_weekly_cases": 5})
    ann, ben = person("ann"), person("ben")
    decided(use_case, ben, 2)
    waits = case(use_case, "new", **DENY)
    at = opened(ann)
    assert (at.task.kind, at.task.decision_id) == ("before", waits.pk)


def test_practice_is_for_those_who_are_qualified_and_not_on_their_own_cases(clock: Clock) -> None:
    use_case = desk({"min_weekly_cases": 3, "skills": ["law"]})
    ben = person("ben", skill="law")
    decided(use_case, ben, 1)
    assert nothing_for(person("ann")), "no skill, no practice"
    assert nothing_for(ben), "the only decided case is his own"
    assert opened(person("cid", skill="law")).task.kind == "practice"


def test_without_a_minimum_there_is_no_practice(clock: Clock) -> None:
    use_case = desk({})
    decided(use_case, person("ben"), 1)
    assert nothing_for(person("ann"))
    assert not ReviewTask.objects.filter(kind="practice").exists()
    in_force(use_case, confidence_threshold=0.99, min_weekly_cases=1)
    assert opened(person("cid")).task.kind == "practice"
