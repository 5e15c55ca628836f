"""The clock of the desk: limits in working time, and pauses while a question waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.common.errors import BadInput, Conflict
from apps.decisions.models import Decision
from apps.reviews.models import Review, ReviewTask
from apps.workflow.desk.asking import review_inform
from apps.workflow.desk.opening import open_next
from apps.workflow.tasks import sweep_desk
from tests.services.clocks import Clock, moved_clock
from tests.services.desks import case, desk, opened, person, review_of, say, task_of
from tests.services.gates import LEAD

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
