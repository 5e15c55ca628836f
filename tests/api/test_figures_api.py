"""Reports, the executive figures, the frontier, simulations, alerts and limits over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.metrics.alerts import alert_raise
from apps.metrics.models import Alert, AlertLimit, Report, ReportJob
from apps.metrics.report_jobs import TRIED_FOR, report_jobs_run
from apps.metrics.tasks import run_report_jobs
from apps.policies.services import policy_draft
from apps.registry.models import UseCase
from tests.metrics.rows import define, label, send, turn_out
from tests.services.gates import LEAD

pytestmark = pytest.mark.django_db
NOTHING = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def loans() -> UseCase:
    """Six decisions on two days: the AI right in one of three, then in all three."""
    use_case = define("loans", confidence_threshold=0.7)
    for day, right in (("01", 1), ("02", 3)):
        names = [f"{day}-{i}" for i in range(3)]
        at = f"2026-03-{day}T12:00:00Z"
        send(
            use_case,
            [label(name, "low", 0.6 + 0.1 * i, decided_at=at) for i, name in enumerate(names)],
        )
        for i, name in enumerate(names):
            turn_out(name, "low" if i < right else "high")
    return use_case


# Reports


def test_a_report_is_asked_for_made_and_read(loans: UseCase, program: Any) -> None:
    lead = program("risk_lead")
    asked = {"use_case": "loans", "kind": "accuracy", "from": "2026-03-01T00:00:00Z"}
    response = lead.post("reports/", asked)
    assert response.status_code == 202, response.content
    waiting = response.json()
    assert (waiting["status"], waiting["result"], waiting["to"]) == ("waiting", None, None)
    assert response["Location"].endswith(f"/reports/{waiting['id']}/")
    assert lead.post("reports/", asked).json()["id"] == waiting["id"]
    assert run_report_jobs() == 1
    done = lead.get(f"reports/{waiting['id']}/").json()
    assert (done["id"], done["status"], done["from"]) == (
        waiting["id"],
        "done",
        "2026-03-01T00:00:00Z",
    )
    assert done["result"]["ai"]["value"] == pytest.approx(4 / 6)
    report = Report.objects.get()
    assert done["report"] == str(report.pk)
    same = lead.get(f"reports/{report.pk}/").json()
    assert same == {**done, "id": str(report.pk)}
    made = Report.history.get(id=report.pk)
    assert (made.history_user_kind, made.history_user_name) == ("program", "risk_lead ")
    assert run_report_jobs() == 0
    assert lead.post("reports/", asked).json()["id"] != waiting["id"]


def test_the_same_key_is_answered_as_the_first_time(loans: UseCase, program: Any) -> None:
    lead, body = program("risk_lead"), {"use_case": "loans", "kind": "bias"}
    key = {"headers": {"Idempotency-Key": "k-1"}}
    first = lead("post", "reports/", body, **key)
    run_report_jobs()
    again = lead("post", "reports/", body, **key)
    assert (again.status_code, again.content) == (202, first.content)
    assert lead("post", "reports/", {**body, "kind": "drift"}, **key).status_code == 422
    assert ReportJob.objects.count() == 1


def test_reports_are_listed_by_use_case_kind_and_window(loans: UseCase, program: Any) -> None:
    lead = program("risk_lead")
    for kind, more in (
        ("accuracy", {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}),
        ("accuracy", {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}),
        ("business", {}),
    ):
        lead.post("reports/", {"use_case": "loans", "kind": kind, **more})
    report_jobs_run(timezone.now())

    def kinds(**query: str) -> list[str]:
        return [row["kind"] for row in lead.get("reports/", **query).json()["results"]]

    assert kinds() == ["business", "accuracy", "accuracy"]
    assert kinds(kind="accuracy", use_case="loans") == ["accuracy", "accuracy"]
    assert kinds(**{"from": "2026-03-02T00:00:00Z"}) == ["accuracy"]
    assert kinds(to="2026-03-02T00:00:00Z") == ["accuracy"]
    assert "result" not in lead.get("reports/").json()["results"][0]
    assert kinds(page_size="1") == ["business"]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"use_case": "loans", "kind": "weather"}, ["/kind"]),
        ({"use_case": "loans"}, ["/kind"]),
        ({"use_case": "loans", "kind": "bias", "from": "yesterday"}, ["/from"]),
        (
            {
                "use_case": "loans",
                "kind": "bias",
                "from": "2026-03-02T00:00:00Z",
                "to": "2026-03-01T00:00:00Z",
            },
            ["/to"],
        ),
    ],
)
def test_a_report_that_cannot_be_is_refused_by_its_field(
    body: dict[str, Any], at: list[str], loans: UseCase, program: Any, pointers: Any
) -> None:
    assert pointers(program("risk_lead").post("reports/", body)) == at
    assert not ReportJob.objects.exists()


def test_what_could_not_be_made_in_a_day_has_failed_and_says_so(
    loans: UseCase, program: Any
) -> None:
    lead = program("risk_lead")
    asked = lead.post("reports/", {"use_case": "loans", "kind": "bias"}).json()
    ReportJob.objects.update(asked_at=timezone.now() - TRIED_FOR - timedelta(seconds=1))
    assert report_jobs_run(timezone.now()) == 0
    found = lead.get(f"reports/{asked['id']}/").json()
    assert (found["status"], found["error"]) == ("failed", "it could not be made within a day")


def test_reports_are_seen_where_they_may_be(loans: UseCase, program: Any, stranger: Any) -> None:
    body = {"use_case": "loans", "kind": "accuracy"}
    asked = program("risk_lead").post("reports/", body).json()
    assert stranger.get("reports/").status_code == 401
    assert program("reviewer").get("reports/").status_code == 403
    assert program("auditor").post("reports/", body).status_code == 403
    define("cards")
    outsider = program("risk_lead", "cards")
    assert outsider.post("reports/", body).status_code == 404
    run_report_jobs()
    assert outsider.get("reports/").json()["results"] == []
    assert outsider.get("reports/", use_case="loans").status_code == 404
    for key in (asked["id"], str(Report.objects.get().pk), NOTHING):
        assert outsider.get(f"reports/{key}/").status_code == 404


# The executive figures


def test_the_summary_has_each_process_and_how_it_moved(loans: UseCase, program: Any) -> None:
    executive = program("executive")
    alert_raise(use_case=loans, kind="limit", about="x", detail="a figure strayed")
    window = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}
    found = executive.get("metrics/summary/", **window).json()
    assert (found["from"], found["to"]) == (window["from"], window["to"])
    (line,) = found["use_cases"]
    assert (line["use_case"], line["decisions"]) == ("loans", 3)
    # of 0.6, 0.7 and 0.8 the first is below the threshold of 0.7
    assert line["automation_rate"]["value"] == pytest.approx(2 / 3)
    assert line["accuracy"]["ai"]["value"] == 1.0
    assert line["accuracy"]["human"]["value"] is None
    assert line["open_alerts"] == {"n": 1, "by_kind": {"limit": 1}}
    assert line["trend"]["from"] == "2026-03-01T00:00:00Z"
    assert line["trend"]["change"]["accuracy_ai"] == pytest.approx(1 - 1 / 3)
    assert line["trend"]["change"]["accuracy_human"] is None
    assert {"net_value", "roi", "cost_per_decision", "compliance"} <= line.keys()


def test_without_both_ends_there_is_no_trend_and_it_says_why(loans: UseCase, program: Any) -> None:
    (line,) = program("executive").get("metrics/summary/", use_case="loans").json()["use_cases"]
    assert line["decisions"] == 6
    assert (line["trend"]["change"], "both ends" in line["trend"]["why"]) == (None, True)


def test_the_summary_holds_what_its_reader_may_see(
    loans: UseCase, program: Any, pointers: Any
) -> None:
    define("cards")
    limited = program("executive", "cards")
    lines = limited.get("metrics/summary/").json()["use_cases"]
    assert [line["use_case"] for line in lines] == ["cards"]
    assert limited.get("metrics/summary/", use_case="loans").status_code == 404
    assert program("reviewer").get("metrics/summary/").status_code == 403
    upside_down = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
    assert pointers(limited.get("metrics/summary/", **upside_down)) == ["/to"]


# What-if


def test_the_frontier_of_a_draft(loans: UseCase, program: Any, pointers: Any) -> None:
    draft = policy_draft(actor=LEAD, use_case=loans, document={"level": "HITL"})
    lead = program("risk_lead")
    found = lead.get(f"policies/{draft.pk}/frontier/").json()
    assert len(found["points"]) == 101
    assert (found["n"], found["policy"]["number"], found["from"]) == (6, 2, None)
    assert found["ai"]["value"] == pytest.approx(4 / 6)
    query = {"goal": "speed", "max_error": "0.5", "from": "2026-03-02T00:00:00Z"}
    best = lead.get(f"policies/{draft.pk}/frontier/", **query).json()["best"]
    assert (best["goal"], best["review_share"]) == ("speed", 0.0)
    for name, value in (("max_error", "1.5"), ("max_error", "nan"), ("goal", "fame")):
        assert pointers(lead.get(f"policies/{draft.pk}/frontier/", **{name: value})) == [f"/{name}"]


def test_a_draft_is_simulated_and_nothing_is_written(
    loans: UseCase, program: Any, pointers: Any
) -> None:
    draft = policy_draft(
        actor=LEAD, use_case=loans, document={"level": "HITL", "confidence_threshold": 0.75}
    )
    lead, path = program("risk_lead"), f"policies/{draft.pk}/simulate/"
    found = lead.post(path).json()
    assert (found["decisions"], found["routed"], found["changes"]["n"]) == (6, 6, 2)
    assert found["lanes"]["then"] == {
        "automatic": {"n": 2, "share": pytest.approx(1 / 3)},
        "review": {"n": 4, "share": pytest.approx(2 / 3)},
    }
    assert found["changes"]["by_lane"] == [{"from": "automatic", "to": "review", "n": 2}]
    newest = lead.post(path, {"most": 3, "from": "2026-03-01T00:00:00Z"}).json()
    assert newest["routed"] == 3
    draft.refresh_from_db()
    assert draft.status == "draft"
    for body, at in (({"most": 0}, "/most"), ({"most": 10**9}, "/most"), ({"x": 1}, "/x")):
        assert pointers(lead.post(path, body)) == [at]


@pytest.mark.parametrize(("method", "path"), [("get", "frontier"), ("post", "simulate")])
def test_what_if_is_for_those_who_oversee(
    method: str, path: str, loans: UseCase, program: Any, stranger: Any
) -> None:
    draft = policy_draft(actor=LEAD, use_case=loans, document={"level": "HITL"})
    address = f"policies/{draft.pk}/{path}/"
    assert getattr(stranger, method)(address).status_code == 401
    assert getattr(program("reviewer"), method)(address).status_code == 403
    define("cards")
    assert getattr(program("risk_lead", "cards"), method)(address).status_code == 404
    assert getattr(program("compliance_officer"), method)(address).status_code == 200


# Alerts


@pytest.fixture
def alert(loans: UseCase) -> Alert:
    found = alert_raise(use_case=loans, kind="limit", about="x", detail="a figure strayed", n=40)
    assert found is not None
    return found


def test_a_person_acknowledges_and_resolves_an_alert(
    alert: Alert, session: Any, make_person: Any, pointers: Any
) -> None:
    person = session(make_person("ada", "risk_lead"))
    (row,) = person.get("alerts/").json()["results"]
    assert (row["id"], row["status"], row["n"]) == (str(alert.pk), "raised", 40)
    seen = person.post(f"alerts/{alert.pk}/acknowledge/", {"note": "looking"}).json()
    assert (seen["status"], seen["acknowledged_by"]["name"]) == ("acknowledged", "ada")
    assert person.post(f"alerts/{alert.pk}/acknowledge/").status_code == 409
    assert pointers(person.post(f"alerts/{alert.pk}/resolve/")) == ["/note"]
    done = person.post(f"alerts/{alert.pk}/resolve/", {"note": "a faulty feed"}).json()
    assert (done["status"], done["note"], done["resolved_by"]["name"]) == (
        "resolved",
        "a faulty feed",
        "ada",
    )
    assert person.post(f"alerts/{alert.pk}/resolve/", {"note": "again"}).status_code == 409
    assert person.get(f"alerts/{alert.pk}/").json() == done
    assert person.get("alerts/", status="raised").json()["results"] == []
    assert len(person.get("alerts/", status="resolved", kind="limit").json()["results"]) == 1


def test_alerts_are_seen_and_handled_where_they_may_be(
    alert: Alert, program: Any, stranger: Any, session: Any, make_person: Any
) -> None:
    path = f"alerts/{alert.pk}/"
    assert stranger.get("alerts/").status_code == 401
    assert program("reviewer").get("alerts/").status_code == 403
    assert program("risk_lead").post(path + "acknowledge/").status_code == 403  # a program
    executive = session(make_person("eve", "executive"))
    assert executive.get(path).status_code == 200
    assert executive.post(path + "acknowledge/").status_code == 403
    define("cards")
    outsider = session(make_person("out", "risk_lead", use_case="cards"))
    for response in (
        outsider.get(path),
        outsider.post(path + "acknowledge/"),
        outsider.post(path + "resolve/", {"note": "n"}),
        outsider.get("alerts/", use_case="loans"),
        outsider.get(f"alerts/{NOTHING}/"),
    ):
        assert response.status_code == 404
    assert outsider.get("alerts/").json()["results"] == []


# Limits

LIMIT = {"use_case": "loans", "metric": "accuracy.ai.value", "op": "<", "value": 0.8}


def test_a_limit_is_set_and_retired(loans: UseCase, program: Any, pointers: Any) -> None:
    lead = program("risk_lead")
    response = lead.post("alert-limits/", {**LIMIT, "in_a_row": 3, "reason": "agreed"})
    assert response.status_code == 201
    made = response.json()
    assert (made["in_a_row"], made["smallest"], made["active"]) == (3, 30, True)
    assert response["Location"].endswith(f"/alert-limits/{made['id']}/")
    assert lead.post("alert-limits/", LIMIT).status_code == 409
    assert lead.get("alert-limits/", use_case="loans").json()["results"] == [made]
    assert pointers(lead.post(f"alert-limits/{made['id']}/retire/")) == ["/reason"]
    retired = lead.post(f"alert-limits/{made['id']}/retire/", {"reason": "no longer"}).json()
    assert retired == {**made, "active": False}
    again = {"reason": "no longer"}
    assert lead.post(f"alert-limits/{made['id']}/retire/", again).status_code == 409
    assert lead.get(f"alert-limits/{made['id']}/").json() == retired


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"metric": "weather"}, "/metric"),
        ({"op": "=="}, "/op"),
        ({"value": "0.8"}, "/value"),
        ({"smallest": 0}, "/smallest"),
        ({"in_a_row": 100}, "/in_a_row"),
        ({"window_days": 0}, "/window_days"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_by_its_field(
    change: dict[str, Any], at: str, loans: UseCase, program: Any, pointers: Any
) -> None:
    found = set(pointers(program("risk_lead").post("alert-limits/", {**LIMIT, **change})))
    assert {pointer[: len(at)] for pointer in found} == {at}
    assert not AlertLimit.objects.exists()


def test_limits_are_set_where_they_may_be(loans: UseCase, program: Any, stranger: Any) -> None:
    assert stranger.post("alert-limits/", LIMIT).status_code == 401
    assert program("supervisor").post("alert-limits/", LIMIT).status_code == 403
    define("cards")
    outsider = program("risk_lead", "cards")
    assert outsider.post("alert-limits/", LIMIT).status_code == 404
    made = program("risk_lead").post("alert-limits/", LIMIT).json()
    assert outsider.get(f"alert-limits/{made['id']}/").status_code == 404
    retire = outsider.post(f"alert-limits/{made['id']}/retire/", {"reason": "r"})
    assert retire.status_code == 404
    assert AlertLimit.objects.get().active
