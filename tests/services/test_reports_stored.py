"""Stored reports: made again from their cells and from the rows, and made by schedule."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.accounts.callers import caller_of_command, caller_of_user
from apps.audit import ledger
from apps.audit.sealing import seal_all
from apps.common.errors import BadInput, NotPermitted
from apps.metrics.first_reading import Window
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.models import CellBlob, Report
from apps.metrics.recomputing import report_recompute, report_recompute_from_rows
from apps.metrics.reports import report_run, run_reports
from apps.metrics.schedules import (
    missed_runs,
    report_schedule_set,
    reports_run_due,
    runs_due,
)
from apps.metrics.tasks import run_due_reports, run_scheduled_report
from apps.registry.models import UseCase
from tests.metrics.rows import DAY, turn_out
from tests.services.figures import ACTOR, define, population, record

pytestmark = pytest.mark.django_db
CALLER = caller_of_command("suite")


@pytest.fixture
def filled() -> UseCase:
    """120 decisions of five days, the first two of them the reference."""
    use_case = define(reference_from="2026-03-01", reference_to="2026-03-03")
    record(use_case, population(120, 2))
    return use_case


def run(use_case: UseCase, kind: str, window: Window | None = None) -> Report:
    made = report_run(actor=ACTOR, use_case=use_case, kind=kind, window=window)
    return Report.objects.get(pk=made.pk)


# --- Made again -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_made_again_from_its_cells_is_the_same_to_the_byte(
    filled: UseCase, kind: str
) -> None:
    within = Window(DAY + timedelta(hours=2), DAY + timedelta(days=2, hours=3))
    for window in (Window(), within):
        report = run(filled, kind, window)
        turn_out("case-0003", "high")  # what comes later changes nothing of it
        turn_out("case-0040", "low")
        again = report_recompute(report)
        assert again.same
        assert (again.differs, again.code_version) == ([], report.code_version)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_give_the_same_figures_as_long_as_they_are_the_same(
    filled: UseCase, kind: str
) -> None:
    for window in (Window(), Window(DAY - timedelta(hours=1), DAY + timedelta(days=3))):
        again = report_recompute_from_rows(run(filled, kind, window))
        assert (again.same, again.differs, again.days) == (True, [], [])


def test_rows_that_changed_since_are_said_to_have(filled: UseCase) -> None:
    seal_all()
    report = run(filled, "accuracy")
    wrong = {"low": "high", "high": "low"}
    row = next(row for row in population(120, 2) if row.true is not None)
    turn_out(row.external_id, wrong[row.true or ""])
    seal_all()
    again = report_recompute_from_rows(report)
    assert not again.same
    assert "ai.value" in again.differs
    assert ["2026-03-01", "outcome"] in again.days
    assert {day for day, _family in again.days} == {"2026-03-01"}
    assert again.records_since == 1
    assert report_recompute(report).same


def test_a_report_says_what_it_rests_on(filled: UseCase) -> None:
    seal_all()
    head = ledger.checked_head()
    report = run(filled, "accuracy", Window(DAY - timedelta(hours=12), None))
    assert (report.tree_size, report.root_hash) == (head.tree_size, head.root_hash.hex())
    assert report.code_version.startswith("0.1.0+")
    assert report.parameters["libraries"]["fairlearn"]
    assert report.parameters["facts"]["labels"] == ["low", "high"]
    assert {family for _day, family, _hash in report.cells} == set(KINDS["accuracy"].families)
    assert len({day for day, _family, _hash in report.cells}) == 5
    used = {key for _day, _family, key in report.cells}
    assert CellBlob.objects.filter(hash__in=used).count() == len(used)
    assert report.history.count() == 1  # type: ignore[attr-defined]


def test_a_report_that_was_tampered_with_does_not_come_out_the_same(filled: UseCase) -> None:
    report = run(filled, "accuracy")
    report.result["ai"]["value"] = 0.999
    again = report_recompute(report)
    assert not again.same
    assert again.differs == ["ai.value"]


def test_an_auditor_makes_a_report_again_by_command(filled: UseCase) -> None:
    report = run(filled, "bias")

    def again(*options: str) -> str:
        out = StringIO()
        call_command("recompute_report", str(report.pk), *options, stdout=out, stderr=StringIO())
        return out.getvalue()

    assert again() == "bias of loans: the same\n"
    document = json.loads(again("--from-rows", "--json"))
    assert (document["same"], document["differs"], document["days"]) == (True, [], [])
    turned = next(row for row in population(120, 2) if row.true == "low" and row.race)
    turn_out(turned.external_id, "high")
    with pytest.raises(SystemExit) as ended:
        again("--from-rows")
    assert ended.value.code == 1
    assert again() == "bias of loans: the same\n"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("seven", "'seven' is not the id of a report: a UUID"),
        ("00000000-0000-7000-8000-000000000000", "there is no report"),
    ],
)
def test_a_report_that_there_is_not_cannot_be_made_again(key: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("recompute_report", key, stdout=StringIO())


def test_run_reports_stores_each_kind_and_prints_the_same(filled: UseCase) -> None:
    (document,) = run_reports(caller=CALLER, use_case="loans")
    assert document.keys() == {"use_case", "from", "to", *KINDS}
    stored = {report.kind: report.result for report in Report.objects.all()}
    assert stored == {kind: document[kind] for kind in KINDS}


# --- By schedule ----------------------------------------------------------------------------


def later(days: int, hours: int = 1) -> datetime:
    return datetime.combine(today(), datetime.min.time(), UTC) + timedelta(days=days, hours=hours)


def today() -> date:
    return timezone.now().date()


def schedule(**more: Any) -> Any:
    given = {"use_case": "loans", "starts_on": today(), "kinds": ["accuracy", "bias"], **more}
    return report_schedule_set(caller=CALLER, **given)


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
    schedule(active=False)
    assert runs_due(later(5)) == missed_runs(later(5)) == []


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
        report_schedule_set(caller=reviewer, use_case="loans", starts_on=today())
