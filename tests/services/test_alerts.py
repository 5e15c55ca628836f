"""Alerts: limits over windows in a row, tripwires and what they do, and what people make of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from apps.audit.models import VerificationRun
from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict, NotPermitted
from apps.metrics import alerts
from apps.metrics.alerts import alert_acknowledge, alert_raise, alert_resolve
from apps.metrics.domain.figures import Figure
from apps.metrics.domain.watching import (
    Limit,
    broken,
    broken_in_a_row,
    past_windows,
    running_window,
    sentence,
)
from apps.metrics.limits import alert_limit_retire, alert_limit_set
from apps.metrics.models import Alert, AlertLimit, ReportSchedule
from apps.metrics.tasks import evaluate_alerts
from apps.metrics.watch.evaluating import alerts_evaluate, alerts_evaluate_one
from apps.notifications.models import OutboxEvent
from apps.policies.models import PolicyVersion
from apps.policies.tightening import policy_to_hitl
from apps.registry.models import UseCase
from apps.supervision.models import Stop
from apps.supervision.stops import resume
from tests.metrics.rows import ACTOR, decision, define, judge, label, send, turn_out
from tests.services.gates import policy_in_force

pytestmark = pytest.mark.django_db

FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PROGRAM = Actor("program", "key", "key")
LEAD = Actor.command("lead")


def a_day(use_case: UseCase, at: datetime, n: int, right: int) -> None:
    """``n`` decisions of one day with their outcomes, the AI right in so many."""
    names = [f"{at:%m%d}-{i}" for i in range(n)]
    send(use_case, [label(name, "low", 0.9, decided_at=at.isoformat()) for name in names])
    for i, name in enumerate(names):
        turn_out(name, "low" if i < right else "high")


def limit(use_case: UseCase, **more: Any) -> AlertLimit:
    given = {"metric": "accuracy.ai.value", "op": "<", "value": 0.8, "smallest": 10}
    return alert_limit_set(actor=LEAD, use_case=use_case, **{**given, "window_days": 1, **more})


def raised(use_case: UseCase, now: datetime) -> list[tuple[str, str]]:
    return [(one.kind, one.about) for one in alerts_evaluate_one(use_case.slug, now)]


def an_alert(use_case: UseCase, **more: Any) -> Alert:
    given: dict[str, Any] = {"kind": "limit", "about": "x", "detail": "a figure strayed"}
    alert = alert_raise(use_case=use_case, **{**given, **more})
    assert alert is not None
    return alert


# When a figure breaks its limit


@pytest.mark.parametrize(
    ("op", "value", "is_broken"),
    [("<", 0.5, False), ("<=", 0.5, True), (">", 0.5, False), (">=", 0.5, True), (">", 0.4, True)],
)
def test_a_limit_is_broken_on_its_side(op: str, value: float, is_broken: bool) -> None:
    assert broken(Limit("accuracy.ai", op, value, 30), Figure(0.5, 30)) is is_broken


def test_too_few_cases_and_no_value_break_nothing_and_a_figure_of_no_cases_can() -> None:
    asked = Limit("m", ">", 0.0, 30)
    assert not broken(asked, Figure(1.0, 29))
    assert not broken(asked, Figure(None, 100, "why"))
    assert broken(asked, Figure(7.0, None))


def test_all_windows_in_a_row_must_break_it() -> None:
    asked = Limit("accuracy.ai", "<", 0.8, 10)
    low, high = Figure(0.7, 10), Figure(0.9, 10)
    assert broken_in_a_row(asked, [low, low])
    assert not broken_in_a_row(asked, [low, high])
    assert not broken_in_a_row(asked, [])
    assert sentence(asked, [low, low]) == "accuracy.ai is below 0.8: 0.7 (n = 10), 0.7 (n = 10)"


def test_windows_are_whole_days_that_are_over_and_do_not_overlap() -> None:
    now = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
    at = [datetime(2026, 3, day, tzinfo=UTC) for day in (10, 3)]
    before = datetime(2026, 2, 24, tzinfo=UTC)
    assert past_windows(now, 7, 2) == [(at[1], at[0]), (before, at[1])]
    assert running_window(now, 7, None) == (
        datetime(2026, 3, 4, tzinfo=UTC),
        datetime(2026, 3, 11, tzinfo=UTC),
    )
    assert running_window(now, 7, now)[0] == now
    assert running_window(now, 7, before)[0] == datetime(2026, 3, 4, tzinfo=UTC)


# Limits


def test_a_limit_that_is_broken_in_two_windows_in_a_row_is_raised_once() -> None:
    use_case = define()
    one = limit(use_case)
    a_day(use_case, FIRST, 20, 12)
    assert raised(use_case, FIRST + DAY) == []
    a_day(use_case, FIRST + DAY, 20, 14)
    assert raised(use_case, FIRST + 2 * DAY) == [("limit", str(one.pk))]
    alert = Alert.objects.get()
    assert alert.detail == "accuracy.ai.value is below 0.8: 0.7 (n = 20), 0.6 (n = 20)"
    assert (alert.value, alert.n, alert.limit, alert.status) == (0.7, 20, one, "raised")
    event = OutboxEvent.objects.get(type="alert.raised")
    assert event.data["alert"] == str(alert.pk)
    assert raised(use_case, FIRST + 2 * DAY) == []
    assert Alert.history.count() == 1


def test_a_window_that_strays_alone_or_rests_on_few_cases_raises_nothing() -> None:
    use_case = define()
    limit(use_case)
    a_day(use_case, FIRST, 20, 20)
    a_day(use_case, FIRST + DAY, 20, 5)
    a_day(use_case, FIRST + 2 * DAY, 9, 0)
    for days in (1, 2, 3):
        assert raised(use_case, FIRST + days * DAY) == []


def test_a_day_that_is_not_over_is_not_judged() -> None:
    use_case = define()
    limit(use_case, in_a_row=1)
    a_day(use_case, FIRST, 20, 0)
    assert raised(use_case, FIRST + timedelta(hours=3)) == []
    assert len(raised(use_case, FIRST + DAY)) == 1


def test_what_is_resolved_comes_again_only_with_a_window_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_case = define()
    limit(use_case, in_a_row=1)
    a_day(use_case, FIRST, 20, 0)
    now = FIRST + DAY
    monkeypatch.setattr(alerts, "timezone", SimpleNamespace(now=lambda: now))
    assert len(raised(use_case, now)) == 1
    alert_resolve(actor=LEAD, alert=Alert.objects.get(), note="a faulty feed")
    assert raised(use_case, now) == []
    a_day(use_case, FIRST + DAY, 20, 0)
    assert len(raised(use_case, now + DAY)) == 1


def test_a_retired_limit_is_asked_no_longer() -> None:
    use_case = define()
    one = limit(use_case, in_a_row=1)
    a_day(use_case, FIRST, 20, 0)
    alert_limit_retire(actor=LEAD, limit=one, reason="no longer needed")
    assert raised(use_case, FIRST + DAY) == []
    with pytest.raises(Conflict, match="retired already"):
        alert_limit_retire(actor=LEAD, limit=one, reason="again")


def test_a_limit_that_leads_to_no_figure_says_so_once() -> None:
    use_case = define()
    one = limit(use_case, metric="accuracy.nothing.value")
    assert raised(use_case, FIRST) == [("unreadable_limit", str(one.pk))]
    assert "leads to no figure" in Alert.objects.get().detail
    alert_resolve(actor=LEAD, alert=Alert.objects.get(), note="known")
    assert raised(use_case, FIRST) == []


@pytest.mark.parametrize(
    ("given", "pointers"),
    [
        ({"metric": "weather.wind"}, ["/metric"]),
        ({"metric": "accuracy"}, ["/metric"]),
        ({"metric": "accuracy..value"}, ["/metric"]),
        ({"metric": 7}, ["/metric"]),
        ({"op": "=="}, ["/op"]),
        ({"value": float("nan")}, ["/value"]),
        ({"value": True}, ["/value"]),
        ({"value": 10**400}, ["/value"]),
        ({"smallest": 0, "in_a_row": 13}, ["/smallest", "/in_a_row"]),
        ({"window_days": 1.5}, ["/window_days"]),
    ],
)
def test_a_limit_that_cannot_be_is_refused_by_its_fields(
    given: dict[str, Any], pointers: list[str]
) -> None:
    use_case = define()
    with pytest.raises(BadInput) as refused:
        limit(use_case, **given)
    assert [fault.pointer for fault in refused.value.errors] == pointers
    assert not AlertLimit.objects.exists()


def test_a_figure_has_one_limit_on_a_side() -> None:
    use_case = define()
    limit(use_case)
    with pytest.raises(Conflict, match="retire it first"):
        limit(use_case, value=0.9)
    limit(use_case, op=">", value=0.99)


# People


def test_an_alert_is_acknowledged_and_resolved_by_people_with_a_note() -> None:
    alert = an_alert(define())
    seen = alert_acknowledge(actor=LEAD, alert=alert, note="looking")
    assert (seen.status, seen.acknowledged_by, seen.note) == ("acknowledged", LEAD.id, "looking")
    with pytest.raises(Conflict, match="is acknowledged"):
        alert_acknowledge(actor=LEAD, alert=alert)
    with pytest.raises(BadInput, match="reason"):
        alert_resolve(actor=LEAD, alert=alert, note="  ")
    done = alert_resolve(actor=LEAD, alert=alert, note="a faulty feed")
    assert (done.status, done.resolved_by, done.note) == ("resolved", LEAD.id, "a faulty feed")
    assert done.resolved_at is not None
    with pytest.raises(Conflict, match="resolved already"):
        alert_resolve(actor=LEAD, alert=alert, note="again")
    notes = [row.note for row in Alert.history.filter(id=alert.pk).order_by("history_id")]
    assert notes == ["", "looking", "a faulty feed"]


@pytest.mark.parametrize("actor", [PROGRAM, Actor.system("anything")])
def test_no_program_settles_an_alert(actor: Actor) -> None:
    alert = an_alert(define())
    with pytest.raises(NotPermitted, match="it takes a person"):
        alert_acknowledge(actor=actor, alert=alert)
    with pytest.raises(NotPermitted, match="it takes a person"):
        alert_resolve(actor=actor, alert=alert, note="fine")
    assert Alert.objects.get().status == "raised"


def test_one_open_alert_a_matter() -> None:
    use_case = define()
    alert = an_alert(use_case)
    assert alert_raise(use_case=use_case, kind="limit", about="x", detail="again") is None
    an_alert(use_case, about="y")
    alert_resolve(actor=LEAD, alert=alert, note="done")
    an_alert(use_case)
    assert Alert.objects.count() == 3


# Tripwires


def wired(action: str, level: str = "HITL", **more: Any) -> UseCase:
    wire = {"metric": "accuracy.ai", "op": "<", "value": 0.8, "action": action, **more}
    return define(level=level, tripwires=[wire])


def test_a_tripwire_suspends_and_the_figure_is_in_the_trail() -> None:
    use_case = wired("suspend")
    a_day(use_case, FIRST, 40, 20)
    assert [kind for kind, _ in raised(use_case, FIRST)] == ["tripwire"]
    use_case.refresh_from_db()
    assert use_case.lifecycle == "suspended"
    stop = Stop.objects.get()
    assert stop.stopped_by == "system:tripwires"
    found = "tripwire of version 1: accuracy.ai is below 0.8: 0.5 (n = 40)"
    assert Stop.history.get(id=stop.pk).history_change_reason == found
    assert Alert.objects.get().detail == found
    assert OutboxEvent.objects.filter(type="use_case.suspended").count() == 1
    assert raised(use_case, FIRST) == []


def test_a_tripwire_waits_for_thirty_cases() -> None:
    use_case = wired("suspend")
    a_day(use_case, FIRST, 29, 0)
    assert raised(use_case, FIRST) == []
    use_case.refresh_from_db()
    assert use_case.lifecycle == "live"


def test_after_a_resume_the_days_before_are_not_held_against_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_case = wired("suspend")
    a_day(use_case, FIRST, 40, 20)
    clock = SimpleNamespace(now=lambda: FIRST + timedelta(hours=1))
    monkeypatch.setattr(alerts, "timezone", clock)
    assert len(raised(use_case, FIRST)) == 1
    alert_resolve(actor=LEAD, alert=Alert.objects.get(), note="a faulty feed, mended")
    resume(actor=LEAD, use_case=use_case, reason="mended")
    assert raised(use_case, FIRST + timedelta(hours=2)) == []
    use_case.refresh_from_db()
    assert use_case.lifecycle == "live"
    a_day(use_case, FIRST + DAY, 40, 20)
    assert len(raised(use_case, FIRST + DAY)) == 1
    use_case.refresh_from_db()
    assert use_case.lifecycle == "suspended"


def test_a_tripwire_puts_people_in_the_loop() -> None:
    use_case = wired("to_hitl", level="HOTL")
    a_day(use_case, FIRST, 40, 20)
    before = PolicyVersion.objects.get()
    assert len(raised(use_case, FIRST)) == 1
    active = PolicyVersion.objects.get(status="active")
    assert (active.number, active.level) == (2, "HITL")
    assert active.document == {**before.document, "level": "HITL"}
    assert active.proposed_by == "system:tripwires"
    assert active.approved_by == before.approved_by != active.proposed_by
    assert PolicyVersion.objects.get(number=1).status == "superseded"
    use_case.refresh_from_db()
    assert use_case.lifecycle == "live"
    reasons = PolicyVersion.history.filter(id=active.pk).values_list(
        "history_change_reason", flat=True
    )
    assert all("accuracy.ai is below 0.8" in reason for reason in reasons)
    # the same tripwire stands in the new version: its alert is open
    assert raised(use_case, FIRST) == []
    send(use_case, [label("next", "low", 0.9)], past=False)
    assert decision("next").lane == "automatic"  # not supervised any more


@pytest.mark.parametrize("level", ["HITL", "HIC"])
def test_where_people_decide_already_it_is_an_alert_alone(level: str) -> None:
    use_case = wired("to_hitl", level=level)
    a_day(use_case, FIRST, 40, 20)
    assert len(raised(use_case, FIRST)) == 1
    assert PolicyVersion.objects.get(status="active").level == level
    assert policy_to_hitl(actor=LEAD, use_case=use_case, reason="again") is None


def test_a_tripwire_that_only_alerts_stops_nothing() -> None:
    use_case = wired("alert")
    a_day(use_case, FIRST, 40, 20)
    assert len(raised(use_case, FIRST)) == 1
    use_case.refresh_from_db()
    assert (use_case.lifecycle, Stop.objects.count()) == ("live", 0)


def test_a_tripwire_on_drift_without_a_reference_is_quiet_and_a_mistyped_one_is_not() -> None:
    use_case = wired("suspend", metric="drift.psi.max", op=">", value=0.25)
    a_day(use_case, FIRST, 40, 40)
    assert raised(use_case, FIRST) == []
    policy_in_force(
        use_case,
        tripwires=[{"metric": "drft.psi", "op": ">", "value": 0.2, "action": "suspend"}],
    )
    assert [kind for kind, _ in raised(use_case, FIRST)] == ["unreadable_tripwire"]
    use_case.refresh_from_db()
    assert use_case.lifecycle == "live"


# What is watched without a limit


def test_a_run_of_confirmations_longer_than_chance_is_raised_by_reviewer(make_person: Any) -> None:
    use_case, ann, ben = define(), make_person("p.ann"), make_person("p.ben")
    names = [f"c-{i}" for i in range(60)]
    send(use_case, [label(name, "low", 0.9, decided_at=FIRST.isoformat()) for name in names])
    for i, name in enumerate(names):
        at = FIRST + timedelta(minutes=i)
        judge(name, ann, "low", saw_ai=True, reviewed_at=at)
        judge(name, ben, "low" if i % 2 else "high", saw_ai=True, reviewed_at=at)
    found = raised(use_case, FIRST)
    assert ("rubber_stamping", "p.ann") in found
    assert ("rubber_stamping", "p.ben") not in found
    alert = Alert.objects.get(kind="rubber_stamping")
    assert (alert.value, alert.n) == (60.0, 60)
    assert "no proof" in alert.detail


def test_a_team_that_does_worse_than_the_better_of_the_two_is_raised(make_person: Any) -> None:
    use_case, ann = define(confidence_threshold=0.95), make_person("p.ann")
    names = [f"c-{i}" for i in range(60)]
    send(use_case, [label(name, "low", 0.9, decided_at=FIRST.isoformat()) for name in names])
    for i, name in enumerate(names):
        # the AI is right in all; people, who saw it, talked half of them out of it
        judge(name, ann, "low" if i % 2 else "high", saw_ai=True, reviewed_at=FIRST)
        turn_out(name, "low")
    assert ("team_loss", "") in raised(use_case, FIRST)
    alert = Alert.objects.get(kind="team_loss")
    assert (alert.value, alert.n) == (-0.5, 60)
    assert "less accurate than the AI alone" in alert.detail


def test_a_report_that_was_not_made_is_raised_once() -> None:
    use_case = define()
    schedule = ReportSchedule(use_case=use_case, kinds=["accuracy"], starts_on=FIRST.date())
    schedule.save(actor=ACTOR, reason="for the suite")
    assert raised(use_case, FIRST) == [("missed_run", "accuracy")]
    assert "due on 2026-03-01" in Alert.objects.get().detail
    assert raised(use_case, FIRST + DAY) == []


def test_a_trail_that_contradicts_itself_is_raised_until_the_next_verification() -> None:
    use_case = define()

    def verified(*, ok: bool) -> None:
        now = timezone.now()
        VerificationRun.objects.create(
            started_at=now,
            finished_at=now,
            full=True,
            ok=ok,
            records=7,
            tree_size=7,
            root="",
            findings=[] if ok else [{"kind": "leaf"}],
        )

    verified(ok=True)
    assert raised(use_case, FIRST) == []
    verified(ok=False)
    assert raised(use_case, FIRST) == [("trail", "")]
    alert_resolve(actor=LEAD, alert=Alert.objects.get(), note="a restored backup")
    assert raised(use_case, FIRST) == []
    verified(ok=False)
    assert raised(use_case, FIRST) == [("trail", "")]


def test_every_use_case_in_service_or_with_a_limit_is_evaluated() -> None:
    live, draft, other = define("a"), define("b", lifecycle="draft"), define("c", lifecycle="draft")
    limit(other, metric="accuracy.nothing.value")
    limit(live, metric="accuracy.nothing.value")
    found = alerts_evaluate(FIRST)
    assert [alert.use_case_id for alert in found] == [live.slug, other.slug]
    assert draft.slug not in {alert.use_case_id for alert in found}
    assert alerts_evaluate_one("nothing", FIRST) == []


def test_the_schedule_evaluates_each_use_case_in_a_task_of_its_own() -> None:
    use_case = wired("suspend")
    yesterday = timezone.now() - DAY
    a_day(use_case, yesterday, 40, 20)
    assert evaluate_alerts() == 1
    use_case.refresh_from_db()
    assert use_case.lifecycle == "suspended"
    assert {task["task"] for task in settings.CELERY_BEAT_SCHEDULE.values()} >= {
        "apps.metrics.tasks.evaluate_alerts",
        "apps.metrics.tasks.run_report_jobs",
    }
