"""``report-schedules/``: added, read, changed, and refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.accounts.callers import caller_of_command
from apps.metrics.models import ReportSchedule
from apps.metrics.schedules import report_schedule_add
from apps.registry.models import UseCase

pytestmark = pytest.mark.django_db
LISTED = "report-schedules/"
ONE = "report-schedules/loans/"
REASON = {"reason": "the board asks for it"}


@pytest.fixture
def loans(make_use_case: Any) -> UseCase:
    found: UseCase = make_use_case("loans")
    return found


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def held(**more: Any) -> ReportSchedule:
    return report_schedule_add(caller=caller_of_command("suite"), use_case="loans", **more)


def test_reports_are_scheduled_read_and_changed(loans: UseCase, program: Any) -> None:
    lead = program("risk_lead")
    asked = {"use_case": "loans", "every_days": 7, "kinds": ["bias", "drift"]}
    made = lead.post(LISTED, asked)
    assert (made.status_code, made["Location"].endswith(f"/{ONE}")) == (201, True)
    expected = {
        "use_case": "loans",
        "every_days": 7,
        "window_days": 30,
        "kinds": ["bias", "drift"],
        "starts_on": today(),
        "active": True,
        "next_run": today(),
        "last_run": None,
    }
    assert {name: made.json()[name] for name in expected} == expected
    assert lead.get(LISTED).json()["results"][0]["use_case"] == "loans"
    changed = lead.patch(ONE, {"active": False, **REASON})
    assert (changed.json()["active"], changed.json()["next_run"]) == (False, None)
    assert lead.get(ONE).json() == changed.json()
    reasons = ReportSchedule.history.order_by("history_id").values_list("history_change_reason")
    assert [reason for (reason,) in reasons] == ["", REASON["reason"]]


def test_what_was_missed_is_listed(loans: UseCase, program: Any) -> None:
    begin = datetime.now(UTC).date() - timedelta(days=2)
    row = ReportSchedule(use_case=loans, starts_on=begin, kinds=["bias"])
    row.save(actor=caller_of_command("suite").actor, reason="for the suite")
    missed = program("auditor").get(ONE).json()["missed"]
    assert {"kind": "bias", "day": begin.isoformat()} in missed


@pytest.mark.parametrize(
    ("given", "pointer", "said"),
    [
        ({"every_days": 0}, "/every_days", "every_days=0; allowed: 1 to 366"),
        ({"every_days": 10**30}, "/every_days", "allowed: 1 to 366"),
        ({"window_days": 4000}, "/window_days", "window_days=4000; allowed: 1 to 3660"),
        ({"window_days": "30"}, "/window_days", "valid integer"),
        ({"window_days": True}, "/window_days", "valid integer"),
        ({"kinds": []}, "/kinds", ""),
        ({"kinds": ["luck"]}, "/kinds/0", "luck"),
        ({"kinds": "bias"}, "/kinds", ""),
        ({"starts_on": "2020-01-01"}, "/starts_on", "starts_on=2020-01-01 has passed"),
        ({"starts_on": "soon"}, "/starts_on", "not a date"),
        ({"active": "yes"}, "/active", ""),
        ({"often": 1}, "/often", ""),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
@pytest.mark.parametrize("method", ["post", "patch"])
def test_what_cannot_be_is_refused_by_its_field(
    loans: UseCase, program: Any, given: dict[str, Any], pointer: str, said: str, method: str
) -> None:
    lead = program("risk_lead")
    if method == "patch":
        held()
        answer = lead.patch(ONE, {**given, **REASON})
    else:
        answer = lead.post(LISTED, {"use_case": "loans", **given})
    assert answer.status_code == 400, answer.content
    (error,) = answer.json()["errors"]
    assert (error["pointer"], said in error["detail"]) == (pointer, True), error


def test_a_second_one_is_a_conflict_and_a_change_needs_a_reason(
    loans: UseCase, program: Any
) -> None:
    held()
    lead = program("risk_lead")
    assert lead.post(LISTED, {"use_case": "loans"}).status_code == 409
    answer = lead.patch(ONE, {"every_days": 2})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/reason")


def test_who_may_not_schedule_is_refused_and_outsiders_see_nothing(
    loans: UseCase, make_use_case: Any, program: Any, stranger: Any
) -> None:
    make_use_case("cards")
    held()
    assert stranger.get(LISTED).status_code == 401
    reader = program("executive")
    assert reader.get(ONE).status_code == 200
    assert reader.post(LISTED, {"use_case": "cards"}).status_code == 403
    assert reader.patch(ONE, {"every_days": 2, **REASON}).status_code == 403
    outsider = program("risk_lead", use_case="cards")
    assert outsider.get(LISTED).json()["results"] == []
    assert outsider.get(ONE).status_code == 404
    assert outsider.patch(ONE, {"every_days": 2, **REASON}).status_code == 404
    assert outsider.get("report-schedules/cards/").status_code == 404
    assert outsider.post(LISTED, {"use_case": "loans"}).status_code == 404
