"""How much one person does: pauses suggested, and practice where the queue gives too little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.decisions.models import Decision
from apps.registry.models import UseCase
from apps.reviews.models import Review, ReviewTask
from apps.workflow.desk.opening import open_next
from tests.services.clocks import Clock, moved_clock
from tests.services.desks import SUITE, case, desk, opened, person, say
from tests.services.oversight import in_force

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DENY = {"label": "deny", "confidence": 0.5}
MONDAY = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)  # the office opens


@pytest.fixture
def clock(db: None, monkeypatch: Any) -> Clock:
    return moved_clock(monkeypatch, MONDAY)


def nothing_for(who: Any) -> bool:
    return open_next(actor=who.actor, person=who) is None


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
