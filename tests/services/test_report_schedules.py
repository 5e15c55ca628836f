"""Reports made by schedule: what is due, what was missed, and what a change asks for anew."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from apps.accounts.callers import caller_of_command, caller_of_user
from apps.common.errors import BadInput, Conflict, NotFound, NotPermitted
from apps.metrics.models import Report, ReportSchedule
from apps.metrics.schedules import (
    last_runs,
    missed_runs,
    next_day,
    report_schedule_add,
    report_schedule_change,
    reports_run_due,
    runs_due,
)
from apps.metrics.tasks import run_due_reports, run_scheduled_report
from tests.services.figures import define

pytestmark = pytest.mark.django_db
CALLER = caller_of_command("suite")


def later(days: int, hours: int = 1) -> datetime:
    return datetime.combine(today(), datetime.min.time(), UTC) + timedelta(days=days, hours=hours)


def today() -> date:
    return datetime.now(UTC).date()


def schedule(**more: Any) -> Any:
    given = {"use_case": "loans", "starts_on": today(), "kinds": ["accuracy", "bias"], **more}
    return report_schedule_add(caller=CALLER, **given)


def test_what_is_due_is_made_once_over_the_window_before_its_day() -> None:
    define()
    schedule(window_days=7)
    now = later(3)
    assert [(run.kind, run.day) for run in runs_due(now)] == [
        ("accuracy", today() + timedelta(days=3)),
        ("bias", today() + timedelta(days=3)),
    ]
    assert reports_run_due(now) == 2
    assert (reports_run_due(now), runs_due(now)) == (0, [])
    report = Report.objects.get(kind="bias")
    assert report.scheduled_for == today() + timedelta(days=3)
    assert report.end == later(3, 0)
    assert report.begin == later(-4, 0)


def test_the_scheduler_s_task_makes_what_is_due_and_comes_twice_without_harm() -> None:
    define()
    schedule(kinds=["compliance", "business"])
    assert run_due_reports() == 2
    assert Report.objects.count() == 2
    assert not run_scheduled_report("loans", "business", today().isoformat())
    assert not run_scheduled_report("loans", "drift", today().isoformat())  # nobody asked for it
    assert run_due_reports() == 0


def test_runs_between_two_dues_are_none() -> None:
    define()
    schedule(every_days=7)
    assert reports_run_due(later(0)) == 2
    assert runs_due(later(6, 23)) == []
    assert len(runs_due(later(7, 0))) == 2


def test_missed_runs_are_seen_and_not_made_up_for() -> None:
    define()
    schedule(kinds=["accuracy"])
    assert reports_run_due(later(0)) == 1
    # nobody was at work on the first and the second day
    assert missed_runs(later(2, 1)) == [("loans", "accuracy", today() + timedelta(days=1))]
    assert [run.day for run in missed_runs(later(2, 3))] == [
        today() + timedelta(days=days) for days in (2, 1)
    ]
    assert reports_run_due(later(2, 3)) == 1
    assert [run.day for run in missed_runs(later(2, 3))] == [today() + timedelta(days=1)]
    assert missed_runs(later(2, 3), ["cards"]) == []


def test_a_schedule_that_was_put_off_asks_for_nothing() -> None:
    define()
    schedule()
    change(active=False)
    assert runs_due(later(5)) == missed_runs(later(5)) == []


def since(days: int, **more: Any) -> None:
    """A schedule that has been in force for so many days."""
    given = {"kinds": ["accuracy", "bias"], **more}
    held = ReportSchedule(use_case=define(), starts_on=today() - timedelta(days=days), **given)
    held.save(actor=CALLER.actor, reason="for the suite")


def change(**changes: Any) -> Any:
    reason = changes.pop("reason", "it is needed")
    return report_schedule_change(caller=CALLER, use_case="loans", reason=reason, **changes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kinds": ["accuracy", "luck"]}, "/kind: 'luck' is not a kind of report; allowed: acc"),
        ({"kinds": []}, "/kinds: at least one of accuracy, bias"),
        ({"every_days": 0}, "/every_days: every_days=0; allowed: 1 to 366"),
        ({"window_days": 5_000}, "/window_days: window_days=5000; allowed: 1 to 3660"),
        ({"window_days": True}, "/window_days: window_days=True; allowed"),
        ({"starts_on": date(2020, 1, 1)}, "/starts_on: starts_on=2020-01-01 has passed; allowed"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    define()
    with pytest.raises(BadInput) as caught:
        schedule(**given)
    assert said in str(caught.value)


def test_who_may_not_run_reports_sets_no_schedule(make_person: Any) -> None:
    define()
    reviewer = caller_of_user(make_person("rita", "reviewer"))
    with pytest.raises(NotPermitted):
        report_schedule_add(caller=reviewer, use_case="loans")


def test_a_use_case_has_one_schedule() -> None:
    define()
    schedule()
    with pytest.raises(Conflict, match="has a schedule of reports: change that one"):
        schedule()


def test_without_a_schedule_or_a_use_case_there_is_nothing_to_change() -> None:
    define()
    with pytest.raises(NotFound, match="loans has no schedule"):
        change(every_days=2)
    with pytest.raises(NotFound, match="no use case 'cards'"):
        report_schedule_change(caller=CALLER, use_case="cards", reason="x", every_days=2)


def test_a_change_keeps_what_it_does_not_name_and_is_in_the_trail() -> None:
    define()
    schedule(every_days=7, window_days=14)
    held = change(window_days=90, reason="a quarter is asked for")
    assert (held.every_days, held.window_days, held.kinds) == (7, 90, ["accuracy", "bias"])
    first, second = ReportSchedule.history.order_by("history_id")
    assert (first.window_days, second.window_days) == (14, 90)
    assert second.history_change_reason == "a quarter is asked for"


@pytest.mark.parametrize(
    "changes",
    [{"every_days": 1}, {"kinds": ["accuracy", "bias", "drift"]}],
    ids=["oftener", "kind"],
)
def test_what_nobody_had_asked_for_is_not_missed(changes: dict[str, Any]) -> None:
    """Weekly since eight days ago, both runs made; today more is asked for, from the next run on."""
    since(8, every_days=7)
    assert reports_run_due(later(-8)) == reports_run_due(later(-1)) == 2
    held = change(**changes)
    assert held.starts_on == today() + timedelta(days=6)
    assert missed_runs(later(0, 5)) == runs_due(later(0, 5)) == []
    assert {run.day for run in runs_due(later(6))} == {held.starts_on}


def test_days_on_which_it_was_paused_were_not_missed() -> None:
    since(5, kinds=["accuracy"], active=False)
    held = change(active=True)
    assert held.starts_on == today()
    days = [run.day for run in missed_runs(later(1, 3))]
    assert days == [today() + timedelta(days=1), today()]


def test_what_was_asked_for_a_moment_ago_is_not_missed_yet() -> None:
    define()
    held = schedule(kinds=["accuracy"])
    now = held.asked_at
    assert missed_runs(now) == []
    assert missed_runs(now + timedelta(minutes=119)) == []
    assert [run.day for run in missed_runs(now + timedelta(minutes=121))][-1] == today()
    change(kinds=["accuracy", "bias"])
    assert missed_runs(datetime.now(UTC) + timedelta(minutes=119)) == []


def test_less_than_before_keeps_the_days_that_were_missed_since_it_began() -> None:
    since(2)
    change(kinds=["bias"], window_days=60)
    found = [(run.kind, (today() - run.day).days) for run in missed_runs(later(0, 3))]
    assert found == [("bias", 0), ("bias", 1), ("bias", 2)]


@pytest.mark.parametrize(
    ("every_days", "after", "expected"), [(1, 0, 0), (1, 3, 3), (7, 1, 7), (7, 7, 7), (7, 8, 14)]
)
def test_the_next_day_is_the_first_of_the_rhythm_that_has_not_passed(
    every_days: int, after: int, expected: int
) -> None:
    define()
    held = schedule(every_days=every_days)
    assert next_day(held, later(after)) == today() + timedelta(days=expected)


def test_the_last_run_is_the_newest_day_that_was_made() -> None:
    define()
    held = schedule(kinds=["business"])
    assert last_runs([held]) == {}
    reports_run_due(later(0))
    reports_run_due(later(2))
    report = Report.objects.get(scheduled_for=today() + timedelta(days=2))
    assert last_runs([held]) == {"loans": (report.scheduled_for, report.created_at)}
