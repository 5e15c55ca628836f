"""The pages of report schedules: what comes next, what was missed, added, changed and paused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.callers import caller_of_command
from apps.accounts.domain.matrix import ACTIONS, PEOPLE
from apps.metrics.models import ReportSchedule
from apps.metrics.schedules import report_schedule_add, reports_run_due
from apps.registry.models import UseCase

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]
CALLER = caller_of_command("suite")
PAGE = "/reports/schedules/"
ONE = "/reports/schedules/of/loan-approval/"
GIVEN = {
    "schedule-every_days": "7",
    "schedule-window_days": "30",
    "schedule-kinds": ["accuracy", "bias"],
    "schedule-starts_on": "",
    "schedule-reason": "the board asks for it",
}
ADDED = {**GIVEN, "schedule-use_case": "loan-approval"}


@pytest.fixture
def signed_in(make_person: Any) -> SignedIn:
    def make(*roles: str, use_case: str = "", username: str = "someone") -> Client:
        client = Client()
        client.force_login(make_person(username, *roles, use_case=use_case))
        return client

    return make


@pytest.fixture
def loans(make_use_case: Any) -> UseCase:
    found: UseCase = make_use_case("loan-approval", name="Loan approval")
    return found


def today() -> date:
    return datetime.now(UTC).date()


def since(use_case: UseCase, days: int) -> None:
    begin = today() - timedelta(days=days)
    held = ReportSchedule(use_case=use_case, starts_on=begin, kinds=["compliance"])
    held.save(actor=CALLER.actor, reason="for the suite")


def test_an_empty_list_says_what_to_do_next(signed_in: SignedIn, loans: UseCase) -> None:
    assert "Say below" in signed_in("risk_lead").get(PAGE).content.decode()
    reader = signed_in("executive", username="reader").get(PAGE)
    assert "A risk lead" in reader.content.decode()
    assert reader.context["add_form"] is None


def test_reports_are_scheduled_with_the_reason_in_the_trail(
    signed_in: SignedIn, loans: UseCase
) -> None:
    answer = signed_in("risk_lead").post(f"{PAGE}add/", ADDED, follow=True)
    (row,) = answer.context["rows"]
    assert (row.rhythm, row.next_day) == ("every 7 days over the 30 days before", today())
    assert row.schedule.kinds == ["accuracy", "bias"]
    assert (row.last, answer.context["add_form"]) == (None, None)
    (record,) = ReportSchedule.history.all()
    assert record.history_change_reason == "the board asks for it"


def test_next_last_and_missed_runs_are_shown(signed_in: SignedIn, loans: UseCase) -> None:
    since(loans, 3)
    made = datetime.combine(today() - timedelta(days=2), datetime.min.time(), UTC)
    assert reports_run_due(made) == 1
    (row,) = signed_in("executive").get(PAGE).context["rows"]
    days = {run.day for run in row.missed}
    assert {today() - timedelta(days=one) for one in (1, 3)} <= days
    assert today() - timedelta(days=2) not in days
    assert row.last.day == today() - timedelta(days=2)
    text = signed_in("executive", username="other").get(ONE).content.decode()
    assert "Not made up for" in text
    assert f"{today() - timedelta(days=3):%Y}" in text


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"schedule-every_days": "0"}, "every_days", "greater than or equal to 1"),
        ({"schedule-window_days": "9999"}, "window_days", "less than or equal to 3660"),
        ({"schedule-kinds": []}, "kinds", "required"),
        ({"schedule-kinds": ["luck"]}, "kinds", "luck is not one of the available choices"),
        ({"schedule-starts_on": "2020-01-01"}, "starts_on", "starts_on=2020-01-01 has passed"),
        ({"schedule-starts_on": "soon"}, "starts_on", "Enter a valid date"),
        ({"schedule-reason": " "}, "reason", "required"),
        ({"schedule-use_case": "nowhere"}, "use_case", "nowhere is not one of"),
    ],
    ids=["often", "back", "none", "luck", "past", "soon", "reason", "nowhere"],
)
def test_what_cannot_be_is_said_at_its_field_and_what_was_typed_is_kept(
    signed_in: SignedIn, loans: UseCase, changes: dict[str, Any], field: str, said: str
) -> None:
    answer = signed_in("risk_lead").post(f"{PAGE}add/", {**ADDED, **changes})
    assert answer.status_code == 400
    assert said in " ".join(answer.context["add_form"].errors[field])
    assert answer.context["add_form"].data["schedule-window_days"] in ("30", "9999")
    assert not ReportSchedule.objects.exists()


def test_the_second_of_two_who_schedule_it_is_told(signed_in: SignedIn, loans: UseCase) -> None:
    report_schedule_add(caller=CALLER, use_case="loan-approval")
    answer = signed_in("risk_lead").post(f"{PAGE}add/", ADDED)
    assert answer.status_code == 409
    assert "change that one" in answer.content.decode()


def test_a_schedule_is_changed_paused_and_goes_on(signed_in: SignedIn, loans: UseCase) -> None:
    report_schedule_add(caller=CALLER, use_case="loan-approval")
    client = signed_in("compliance_officer")
    row = client.post(f"{ONE}change/", GIVEN, follow=True).context["row"]
    assert (row.schedule.every_days, row.schedule.kinds) == (7, ["accuracy", "bias"])
    assert row.schedule.starts_on == today()
    off = {"active": "false", "reason": "nobody reads them in August"}
    row = client.post(f"{ONE}switch/", off, follow=True).context["row"]
    assert (row.schedule.active, row.next_day) == (False, None)
    again = client.post(f"{ONE}switch/", off)
    assert (again.status_code, "paused already" in again.content.decode()) == (409, True)
    row = client.post(
        f"{ONE}switch/", {"active": "true", "reason": "September"}, follow=True
    ).context["row"]
    assert (row.schedule.active, row.next_day) == (True, today())


@pytest.mark.parametrize("reason", ["", " ", "a\x00b"], ids=["none", "blank", "unstorable"])
def test_a_pause_needs_a_reason(signed_in: SignedIn, loans: UseCase, reason: str) -> None:
    report_schedule_add(caller=CALLER, use_case="loan-approval")
    answer = signed_in("risk_lead").post(f"{ONE}switch/", {"active": "false", "reason": reason})
    assert answer.status_code == 400
    assert ReportSchedule.objects.get().active


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_who_may_not_schedule_is_offered_nothing_and_refused(
    signed_in: SignedIn, loans: UseCase, role: str
) -> None:
    report_schedule_add(caller=CALLER, use_case="loan-approval")
    client = signed_in(role)
    may_see, may = (role in ACTIONS[a].roles for a in ("report.view", "report_schedule.set"))
    seen = client.get(ONE)
    assert seen.status_code == (200 if may_see else 403)
    if may_see:
        assert (seen.context["form"] is not None) == may
    statuses = {client.post(f"{ONE}change/", GIVEN).status_code}
    statuses.add(client.post(f"{ONE}switch/", {"active": "false", "reason": "x"}).status_code)
    assert statuses == {302 if may else 403}
    assert client.post(f"{PAGE}add/", ADDED).status_code == (409 if may else 403)


def test_a_person_limited_to_a_use_case_sees_and_sets_its_schedule_alone(
    signed_in: SignedIn, loans: UseCase, make_use_case: Any
) -> None:
    make_use_case("fraud-triage")
    report_schedule_add(caller=CALLER, use_case="fraud-triage")
    client = signed_in("risk_lead", use_case="loan-approval")
    page = client.get(PAGE)
    assert page.context["rows"] == []
    assert dict(page.context["add_form"].fields["use_case"].choices).keys() == {"loan-approval"}
    other = "/reports/schedules/of/fraud-triage/"
    assert client.get(other).status_code == 404
    assert client.post(f"{other}change/", GIVEN).status_code == 404
    assert (
        client.post(f"{PAGE}add/", {**ADDED, "schedule-use_case": "fraud-triage"}).status_code
        == 400
    )


def test_a_use_case_without_a_schedule_is_not_found(signed_in: SignedIn, loans: UseCase) -> None:
    assert signed_in("risk_lead").get(ONE).status_code == 404


def test_the_list_costs_the_same_number_of_queries_at_any_length(
    signed_in: SignedIn, make_use_case: Any
) -> None:
    client = signed_in("risk_lead")

    def seen(count: int) -> int:
        begin = UseCase.objects.count()
        for n in range(begin, begin + count):
            since(make_use_case(f"case-{n}"), 3)
        make_use_case(f"free-{begin}")
        client.get(PAGE)
        with CaptureQueriesContext(connection) as queries:
            assert len(client.get(PAGE).context["rows"]) >= count
        return len(queries)

    assert seen(2) == seen(6)
