"""Several workers who find the same matter at one moment, each on a connection of their own."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.callers import caller_of_command
from apps.metrics.alerts import alert_raise, alert_resolve
from apps.metrics.limits import alert_limit_set
from apps.metrics.models import Alert, AlertLimit, ReportSchedule
from apps.metrics.schedules import report_schedule_add, reports_run_due
from apps.metrics.watch.evaluating import alerts_evaluate_one
from apps.notifications.models import OutboxEvent
from apps.registry.models import UseCase
from tests.metrics.rows import ACTOR, define, label, send, turn_out
from tests.services.oversight import at_once

CALLER = caller_of_command("suite")


def writers() -> int:
    """SQLite has one writer at a time: there is no race to be had."""
    return 1 if connection.vendor == "sqlite" else 4


@pytest.fixture
def use_case(committed_db: Any) -> UseCase:
    return define()


def raise_it(use_case: UseCase) -> Alert | None:
    return alert_raise(use_case=use_case, kind="limit", about="x", detail="a figure strayed")


def raised_events() -> int:
    return OutboxEvent.objects.filter(type="alert.raised").count()


def test_one_of_several_raises_the_alert_and_the_others_find_it_open(use_case: UseCase) -> None:
    found = at_once(writers(), lambda number: raise_it(use_case))
    assert [one is not None for one in found].count(True) == 1
    assert Alert.objects.count() == raised_events() == 1
    assert Alert.history.count() == 1


def test_different_matters_are_each_raised(use_case: UseCase) -> None:
    def raise_own(number: int) -> Alert | None:
        return alert_raise(use_case=use_case, kind="limit", about=str(number), detail="strayed")

    found = at_once(writers(), raise_own)
    assert all(found)
    assert Alert.objects.count() == len(found)


def test_workers_who_evaluate_a_use_case_at_once_raise_a_broken_limit_once(
    use_case: UseCase,
) -> None:
    names = [f"c{i}" for i in range(5)]
    send(
        use_case,
        [label(name, "low", decided_at=f"2026-03-01T1{i}:00:00Z") for i, name in enumerate(names)],
    )
    for name in names:
        turn_out(name, "high")
    alert_limit_set(
        actor=ACTOR,
        use_case=use_case,
        metric="accuracy.ai.value",
        op="<",
        value=0.9,
        smallest=1,
        in_a_row=1,
        window_days=366,
    )
    moment = timezone.now()
    found = at_once(writers(), lambda number: alerts_evaluate_one(use_case.slug, moment))
    limits = [alert for alerts in found for alert in alerts if alert.kind == "limit"]
    assert len(limits) == 1
    assert Alert.objects.filter(kind="limit").count() == 1


def test_of_several_who_resolve_it_one_does_and_the_others_are_told(use_case: UseCase) -> None:
    made = raise_it(use_case)
    assert made is not None

    def resolve(number: int) -> str:
        return alert_resolve(actor=ACTOR, alert=made, note=f"by {number}").note

    found = at_once(writers(), resolve)
    notes = [one for one in found if one != "Conflict"]
    assert len(notes) == 1
    assert Alert.objects.get().note == notes[0]


def test_of_several_who_set_the_same_limit_or_schedule_one_does(use_case: UseCase) -> None:
    def limit(number: int) -> AlertLimit:
        given = {"metric": "drift.psi.max", "op": ">", "value": 0.25}
        return alert_limit_set(actor=ACTOR, use_case=use_case, **given)

    def schedule(number: int) -> ReportSchedule:
        return report_schedule_add(caller=CALLER, use_case=use_case.slug, kinds=["bias"])

    for act, model in ((limit, AlertLimit), (schedule, ReportSchedule)):
        found = at_once(writers(), act)
        assert [one for one in found if one != "Conflict"] == list(model.objects.all())


def test_of_several_who_make_the_reports_that_are_due_one_does(use_case: UseCase) -> None:
    report_schedule_add(caller=CALLER, use_case=use_case.slug, kinds=["bias", "business"])
    moment = timezone.now()
    assert sum(at_once(writers(), lambda number: reports_run_due(moment))) == 2
