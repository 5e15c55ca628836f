"""What the lead sees: lengths, ages, risk, people, and what the queue will come to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.reviews.assignments import seat_assign
from apps.reviews.models import Review, ReviewTask, Seat
from apps.reviews.selectors import (
    outlook,
    people_states,
    queue_states,
    rank_parts_of,
    tasks_waiting,
)
from tests.services.queues import LEAD, SUITE, body, claimed, desk, reviewer, send, waiting

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def aged(*minutes: float, slug: str = "loan", **policy: Any) -> Any:
    """Open tasks of these ages; the history triggers see each change as one."""
    case, now = desk(slug, **policy), timezone.now()
    for number, age in enumerate(minutes):
        (task,) = waiting(case, f"{slug}-{number}")
        task.created_at = now - age * MINUTE
        if task.due_at is not None:
            task.due_at = task.created_at + timedelta(minutes=policy["sla_minutes"])
        task.save(actor=SUITE, reason="aged")
    return now


def verdict(person: Any, task: ReviewTask, seconds: float, at: Any) -> None:
    Review(
        use_case_id=task.use_case_id,
        decision=task.decision,
        task=task,
        reviewer=person,
        verdict="confirm",
        active_seconds=seconds,
        reviewed_at=at,
        created_at=at,
    ).save(actor=SUITE)


def test_ages_are_by_nearest_rank(db: None) -> None:
    """Of ten ages 1..10: the 5th, the 9th and the 10th (ceil of 5, 9 and 9.9)."""
    now = aged(*range(1, 11))
    (state,) = queue_states(now)
    assert {p: round(age) for p, age in state.ages.items()} == {50: 5, 90: 9, 99: 10}
    assert (state.waiting, state.free_seats, state.at_risk) == (10, 10, 0)
    assert state.oldest_at == now - 10 * MINUTE


def test_one_case_has_the_same_age_at_each_percentile(db: None) -> None:
    now = aged(7)
    (state,) = queue_states(now)
    assert {p: round(age) for p, age in state.ages.items()} == {50: 7, 90: 7, 99: 7}


def test_at_risk_is_the_last_quarter_of_the_limit_and_overdue_past_it(db: None) -> None:
    """A limit of 100 minutes: 76 minutes old is at risk, 74 is not, 101 is overdue."""
    now = aged(10, 74, 76, 99, 101, sla_minutes=100)
    (state,) = queue_states(now)
    assert (state.waiting, state.at_risk, state.overdue) == (5, 2, 1)


def test_use_cases_are_counted_apart_and_only_those_asked_for(db: None) -> None:
    aged(1, slug="first")
    now = aged(1, 2, slug="second", reviews_required=2)
    first, second = queue_states(now)
    assert (first.use_case, first.waiting, second.waiting, second.free_seats) == (
        "first",
        1,
        2,
        4,
    )
    assert [state.use_case for state in queue_states(now, ["second"])] == ["second"]
    assert {task.use_case_id for task in tasks_waiting(["second"])} == {"second"}


def test_seats_held_given_and_lapsed_show_by_person(db: None) -> None:
    now = timezone.now()
    case = desk(cases=3)
    ann, ben = reviewer("ann"), reviewer("ben")
    held = claimed(ann)
    task = ReviewTask.objects.exclude(pk=held.task_id).first()
    seat_assign(actor=LEAD, task_id=task.pk, person=ben, reason="knows it")
    verdict(ben, task, 90.0, now)
    (state,) = queue_states(now)
    assert (state.free_seats, state.held_seats, state.assigned_seats) == (1, 1, 1)
    one, other = people_states(now)
    assert (one.username, one.held, one.lapsed_leases, one.assigned, one.done) == (
        "ann",
        1,
        0,
        0,
        0,
    )
    assert (other.username, other.assigned, other.done, other.minutes_per_case) == (
        "ben",
        1,
        1,
        1.5,
    )
    late = now + 16 * MINUTE
    assert [(p.held, p.lapsed_leases) for p in people_states(late)] == [(0, 1), (0, 0)]
    assert people_states(late, ["other"]) == []
    assert case.slug == "loan"


def test_lapsed_tasks_of_the_last_day_are_counted(db: None) -> None:
    now = aged(1, 2)
    task = ReviewTask.objects.first()
    task.status, task.closed_at = "lapsed", now
    task.save(actor=SUITE, reason="too late")
    (state,) = queue_states(now)
    assert (state.waiting, state.lapsed) == (1, 1)
    assert queue_states(now + 25 * HOUR)[0].lapsed == 0


def test_the_outlook_is_erlang_c_of_the_last_day() -> None:
    """2 cases an hour of 15 minutes are half a person's work. With one person the chance to wait
    is 0.5 and the wait 0.5 * 15 / (1 - 0.5) = 15 minutes."""
    found = outlook(2.0, 15.0, 1, 60)
    assert (found.utilisation, round(found.wait_minutes or 0, 9)) == (0.5, 15.0)
    assert found.staffing == 2
    assert outlook(2.0, 15.0, 1, None).staffing is None
    none = outlook(2.0, 15.0, 0, 10)
    assert (none.wait_minutes, none.staffing) == (None, None)
    assert "no number of people can hold it" in (none.why or "")


def test_the_parts_of_a_rank_add_up_to_it(db: None) -> None:
    costs = {"error_costs": [{"true": "deny", "given": "approve", "cost": "1998"}]}
    case = desk(sla_minutes=60, definition={"risk_tier": "high", "cost_model": costs})
    (task,) = waiting(case, "a", confidence=0.5)
    parts = rank_parts_of(tasks_waiting().get())
    assert (parts.due_at, parts.tier_minutes, parts.uncertainty_minutes) == (task.due_at, 240, 30)
    assert round(parts.cost_minutes, 9) == 60  # 20 * log10(1 + 1998 / 2)
    assert parts.rank == task.rank == Seat.objects.get().rank


def test_the_queries_of_the_figures_grow_neither_with_tasks_nor_with_use_cases(db: None) -> None:
    aged(1)
    claimed(reviewer("first"))
    counts = []
    for slug in ("second", "third"):
        with CaptureQueriesContext(connection) as seen:
            queue_states(timezone.now())
            people_states(timezone.now())
        counts.append(len(seen))
        send(desk(slug), *(body(f"{slug}-{n}", confidence=0.5) for n in range(20)))
        claimed(reviewer(f"of-{slug}"))
    assert counts[0] == counts[1] <= 14, counts


def test_business_hours_move_the_due_time(db: None) -> None:
    """Nobody works in a week of holidays ahead: 60 minutes of work end later than in an hour."""
    now = timezone.now()
    days = [(now + timedelta(days=n)).date().isoformat() for n in range(-1, 8)]
    hours = {str(day): [["00:00", "24:00"]] for day in range(7)}
    calendar = {"timezone": "UTC", "hours": hours, "holidays": days}
    (task,) = waiting(desk(sla_minutes=60, definition={"calendar": calendar}), "a")
    first_day = (now + timedelta(days=8)).date()
    assert (task.due_at.date(), task.due_at.hour, task.due_at.minute) == (first_day, 1, 0)
