"""The stop button, mandates, interventions and rulings over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from apps.accounts.services import role_grant
from apps.audit.models import AccessEvent
from apps.decisions.models import Decision
from apps.policies.models import PolicyVersion
from apps.registry.models import UseCase
from apps.supervision.models import Intervention, Mandate, Ruling, Stop
from tests.api.conftest import ApiClient
from tests.services.oversight import EVERYTHING, decision, in_force, loans

Pointers = Callable[[Any], list[str]]
Program = Callable[..., ApiClient]
SUSPEND, RESUME = "use-cases/loan-approval/suspend/", "use-cases/loan-approval/resume/"
MANDATE = {
    "use_case": "loan-approval",
    "scope": {"field": "amount", "op": "<=", "value": "5000"},
    "max_count": 100,
    "max_amount": "25000.00",
    "valid_from": "2098-01-01T00:00:00Z",
    "valid_to": "2099-01-01T00:00:00Z",
    "name": "small loans",
    "reason": "agreed",
}


@pytest.fixture
def use_case(db: None) -> UseCase:
    return loans()


@pytest.fixture
def hotl(use_case: UseCase) -> PolicyVersion:
    return in_force(use_case, level="HOTL", intervention_minutes=60)


@pytest.fixture
def hic(use_case: UseCase) -> PolicyVersion:
    return in_force(use_case, level="HIC")


@pytest.fixture
def commander(db: None, program: Program) -> ApiClient:
    return program("commander")


@pytest.fixture
def supervisor(db: None, program: Program) -> ApiClient:
    return program("supervisor")


# --- Stop and resume ------------------------------------------------------------------------


def test_one_stops_and_another_resumes(
    use_case: UseCase, supervisor: ApiClient, commander: ApiClient
) -> None:
    stopped = supervisor.post(SUSPEND, {"reason": "odd figures"})
    assert (stopped.status_code, stopped.json()["lifecycle"]) == (200, "suspended")
    resumed = commander.post(RESUME, {"reason": "explained"})
    assert (resumed.status_code, resumed.json()["lifecycle"]) == (200, "live")
    assert Stop.objects.get().withheld == "leave"


def test_the_one_who_stopped_gets_403_and_it_is_recorded(
    use_case: UseCase, commander: ApiClient
) -> None:
    commander.post(SUSPEND, {"reason": "r"})
    response = commander.post(RESUME, {"reason": "r"})
    assert response.status_code == 403
    assert AccessEvent.objects.get(kind="permission_refused").action == "use_case.resume"
    assert UseCase.objects.get().lifecycle == "suspended"


def test_a_second_stop_and_a_resume_of_what_runs_are_409(
    use_case: UseCase, commander: ApiClient
) -> None:
    assert commander.post(RESUME, {"reason": "r"}).status_code == 409
    assert commander.post(SUSPEND, {"reason": "r"}).status_code == 200
    assert commander.post(SUSPEND, {"reason": "r"}).status_code == 409


def test_what_a_stop_withheld_is_routed_again_where_it_is_asked_for(
    use_case: UseCase, hotl: PolicyVersion, supervisor: ApiClient, commander: ApiClient
) -> None:
    supervisor.post(SUSPEND, {"reason": "r"})
    blocked = decision(hotl, lane="blocked", status="withheld", reason_codes="use_case_suspended")
    response = commander.post(RESUME, {"reason": "explained", "withheld": "reroute"})
    assert response.status_code == 200, response.content
    assert Stop.objects.get().withheld == "reroute"
    blocked.refresh_from_db()
    assert (blocked.lane, blocked.status) == ("supervised", "released")


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        (SUSPEND, {}, "/reason"),
        (SUSPEND, {"reason": " "}, "/reason"),
        (SUSPEND, {"reason": "r", "withheld": "leave"}, "/withheld"),
        (RESUME, {}, "/reason"),
        (RESUME, {"reason": "r", "withheld": "forget"}, "/withheld"),
    ],
)
def test_a_bad_field_of_a_stop_is_named(
    path: str, body: Any, pointer: str, use_case: UseCase, commander: ApiClient, pointers: Pointers
) -> None:
    assert pointers(commander.post(path, body)) == [pointer]


@pytest.mark.parametrize("path", [SUSPEND, RESUME])
def test_an_outsider_s_stop_finds_nothing(path: str, use_case: UseCase, program: Program) -> None:
    loans(slug="fraud")
    assert program("commander", "fraud").post(path, {"reason": "r"}).status_code == 404


# --- Mandates -------------------------------------------------------------------------------


def test_a_mandate_is_issued_read_listed_and_revoked(
    use_case: UseCase, make_person: Any, session: Any
) -> None:
    commander = session(make_person("ann", "commander"))
    response = commander.post("mandates/", MANDATE)
    made = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"/api/v1/mandates/{made['id']}/"
    assert made["scope"] == {"field": "amount", "op": "<=", "value": "5000.00"}
    assert (made["state"], made["issued_by"], made["revoked_at"]) == ("scheduled", "ann", None)
    assert (made["used_count"], made["left_count"]) == (0, 100)
    assert (made["used_amount"], made["left_amount"]) == ("0.0000", "25000.0000")
    assert commander.get(f"mandates/{made['id']}/").json() == made
    assert commander.get("mandates/", use_case="loan-approval").json()["results"] == [made]
    revoked = commander.post(f"mandates/{made['id']}/revoke/", {"reason": "over"}).json()
    assert (revoked["state"], revoked["revoked_at"] is None) == ("revoked", False)
    again = commander.post(f"mandates/{made['id']}/revoke/", {"reason": "over"})
    assert again.status_code == 409


def test_limits_and_the_beginning_may_be_left_out(use_case: UseCase, commander: ApiClient) -> None:
    body = {"use_case": "loan-approval", "scope": EVERYTHING, "reason": "r"}
    made = commander.post("mandates/", {**body, "valid_to": "2099-01-01T00:00:00Z"}).json()
    assert (made["state"], made["max_count"], made["left_amount"]) == ("in_force", None, None)


@pytest.mark.parametrize(
    ("key", "value", "pointer"),
    [
        ("scope", None, "/scope"),
        ("scope", {"field": "feature.age", "op": ">", "value": 1}, "/scope/field"),
        ("max_count", 0, "/max_count"),
        ("max_count", 1.5, "/max_count"),
        ("max_amount", "0", "/max_amount"),
        ("max_amount", 5, "/max_amount"),
        ("valid_from", "soon", "/valid_from"),
        ("valid_to", "2097-01-01T00:00:00Z", "/valid_to"),
        ("valid_to", None, "/valid_to"),
        ("name", "n" * 201, "/name"),
        ("reason", "", "/reason"),
        ("use_case", 5, "/use_case"),
        ("purpose", "p", "/purpose"),
    ],
)
def test_a_bad_field_of_a_mandate_is_named(
    key: str,
    value: Any,
    pointer: str,
    use_case: UseCase,
    commander: ApiClient,
    pointers: Pointers,
) -> None:
    assert pointers(commander.post("mandates/", {**MANDATE, key: value})) == [pointer]
    assert not Mandate.objects.exists()


@pytest.mark.parametrize("key", ["use_case", "scope", "valid_to", "reason"])
def test_a_missing_key_of_a_mandate_is_named(
    key: str, use_case: UseCase, commander: ApiClient, pointers: Pointers
) -> None:
    body = {name: value for name, value in MANDATE.items() if name != key}
    assert pointers(commander.post("mandates/", body)) == [f"/{key}"]


def test_mandates_are_the_commander_s_and_an_outsider_sees_none(
    use_case: UseCase, commander: ApiClient, program: Program
) -> None:
    loans(slug="fraud")
    path = f"mandates/{commander.post('mandates/', MANDATE).json()['id']}/"
    overseer, outsider = program("risk_lead"), program("commander", "fraud")
    assert overseer.get(path).status_code == 200
    assert overseer.post("mandates/", MANDATE).status_code == 403
    assert overseer.post(f"{path}revoke/", {"reason": "r"}).status_code == 403
    assert outsider.get("mandates/").json()["results"] == []
    assert outsider.get("mandates/", use_case="loan-approval").status_code == 404
    assert outsider.post("mandates/", MANDATE).status_code == 404
    assert outsider.get(path).status_code == 404
    assert outsider.post(f"{path}revoke/", {"reason": "r"}).status_code == 404


def test_a_list_of_mandates_costs_the_same_at_any_length(
    use_case: UseCase, commander: ApiClient, count_queries: Callable[[Any], int]
) -> None:
    prices = []
    for _ in range(2):
        for _ in range(3):
            commander.post("mandates/", MANDATE)
        prices.append(count_queries(lambda: commander.get("mandates/")))
    assert prices[0] == prices[1]


# --- Interventions --------------------------------------------------------------------------


def intervene(client: ApiClient, key: Any, **body: Any) -> Any:
    return client.post(
        f"decisions/{key}/intervene/", {"action": "reverse", "reason": "wrong person", **body}
    )


def test_a_decision_is_reversed(hotl: PolicyVersion, supervisor: ApiClient) -> None:
    held = decision(hotl)
    found = intervene(supervisor, held.pk).json()
    assert (found["id"], found["status"], found["final_output"]) == (
        str(held.pk),
        "reversed",
        None,
    )
    assert (found["step"]["act"], found["step"]["within_window"]) == ("reverse", True)
    assert intervene(supervisor, held.pk).status_code == 409


def test_a_decision_is_changed(hotl: PolicyVersion, supervisor: ApiClient) -> None:
    output = {"label": "approve"}
    found = intervene(supervisor, decision(hotl).pk, action="change", output=output).json()
    assert (found["status"], found["final_output"]) == ("reversed", output)


def test_what_is_not_open_to_intervention_is_409(
    hotl: PolicyVersion, supervisor: ApiClient
) -> None:
    response = intervene(supervisor, decision(hotl, lane="automatic").pk)
    assert response.status_code == 409
    assert "in the lane automatic" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "undo"}, "/action"),
        ({"reason": ""}, "/reason"),
        ({"output": {"label": "approve"}}, "/output"),
        ({"action": "change"}, "/output"),
        ({"action": "change", "output": {"label": "maybe"}}, "/output/label"),
        ({"within": 5}, "/within"),
    ],
)
def test_a_bad_field_of_an_intervention_is_named(
    body: Any, pointer: str, hotl: PolicyVersion, supervisor: ApiClient, pointers: Pointers
) -> None:
    assert pointers(intervene(supervisor, decision(hotl).pk, **body)) == [pointer]
    assert not Intervention.objects.exists()


def test_only_those_who_may_intervene_do_and_an_outsider_finds_nothing(
    hotl: PolicyVersion, program: Program
) -> None:
    loans(slug="fraud")
    held = decision(hotl)
    assert intervene(program("supervisor", "fraud"), held.pk).status_code == 404
    assert intervene(program("risk_lead"), held.pk).status_code == 403
    assert intervene(program("supervisor"), uuid4()).status_code == 404
    assert Decision.objects.get().status == "released"


def test_someone_who_may_only_see_the_use_case_gets_403_there(
    hotl: PolicyVersion, make_person: Any, session: Any, actor: Any
) -> None:
    loans(slug="fraud")
    person = make_person("ann", "supervisor", use_case="fraud")
    role_grant(actor=actor, user=person, role="auditor", use_case="loan-approval")
    response = intervene(session(person), decision(hotl).pk)
    assert response.status_code == 403
    assert AccessEvent.objects.get(kind="permission_refused").use_case == "loan-approval"


def bulk(client: ApiClient, **body: Any) -> Any:
    base = {"action": "reverse", "reason": "r", "filter": {"use_case": "loan-approval"}}
    return client.post("interventions/bulk/", {**base, **body})


def test_many_are_counted_first_and_then_reversed(
    hotl: PolicyVersion, supervisor: ApiClient
) -> None:
    for label in ("deny", "deny", "approve"):
        decision(hotl, label=label)
    wanted = {"use_case": "loan-approval", "lane": "supervised", "label": "deny"}
    counted = bulk(supervisor, filter=wanted, dry_run=True).json()
    assert counted == {"matched": 2, "done": 0, "skipped": 0, "dry_run": True}
    done = bulk(supervisor, filter=wanted).json()
    assert done == {"matched": 2, "done": 2, "skipped": 0, "dry_run": False}
    assert Decision.objects.get(status="released").label == "approve"


def test_the_filter_takes_times_and_a_version(hotl: PolicyVersion, supervisor: ApiClient) -> None:
    decision(hotl)
    for more, matched in (
        ({"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z"}, 1),
        ({"from": "2099-01-01T00:00:00Z"}, 0),
        ({"to": "2020-01-01T00:00:00Z"}, 0),
        ({"model_version": "1.0"}, 1),
        ({"model_version": "9"}, 0),
    ):
        found = bulk(supervisor, filter={"use_case": "loan-approval", **more}, dry_run=True)
        assert found.json()["matched"] == matched, more


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"filter": {}}, "/filter/use_case"),
        ({"filter": {"use_case": "loan-approval", "lane": "automatic"}}, "/filter/lane"),
        ({"filter": {"use_case": "loan-approval", "lane": "fast"}}, "/filter/lane"),
        ({"filter": {"use_case": "loan-approval", "from": "today"}}, "/filter/from"),
        ({"filter": {"use_case": "loan-approval", "since": None}}, "/filter/since"),
        ({"filter": []}, "/filter"),
        ({"dry_run": "yes"}, "/dry_run"),
        ({"reason": ""}, "/reason"),
        ({"action": "change"}, "/output"),
    ],
)
def test_a_bad_field_of_a_bulk_intervention_is_named(
    body: Any, pointer: str, hotl: PolicyVersion, supervisor: ApiClient, pointers: Pointers
) -> None:
    decision(hotl)
    assert pointers(bulk(supervisor, **body)) == [pointer]


def test_an_outsider_s_bulk_intervention_finds_no_use_case(
    hotl: PolicyVersion, program: Program
) -> None:
    loans(slug="fraud")
    decision(hotl)
    assert bulk(program("supervisor", "fraud")).status_code == 404
    assert not Intervention.objects.exists()


# --- Rulings --------------------------------------------------------------------------------


def rule(client: ApiClient, key: Any, verdict: str = "approve", **body: Any) -> Any:
    return client.post(
        f"decisions/{key}/rule/", {"verdict": verdict, "reason": "as ordered", **body}
    )


def waiting(policy: PolicyVersion, **fields: Any) -> Decision:
    return decision(policy, lane="command", status="pending", **fields)


@pytest.mark.parametrize(
    ("verdict", "output", "status", "final"),
    [
        ("approve", None, "released", {"label": "deny"}),
        ("change", {"label": "approve"}, "released", {"label": "approve"}),
        ("withhold", None, "withheld", None),
    ],
)
def test_the_commander_rules(
    verdict: str, output: Any, status: str, final: Any, hic: PolicyVersion, commander: ApiClient
) -> None:
    held = waiting(hic)
    found = rule(commander, held.pk, verdict, output=output).json()
    assert (found["status"], found["final_output"]) == (status, final)
    assert (found["step"]["act"], found["step"]["within_window"]) == (verdict, None)
    assert rule(commander, held.pk).status_code == 409
    assert Ruling.objects.get().verdict == verdict


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"verdict": "confirm"}, "/verdict"),
        ({"verdict": "change"}, "/output"),
        ({"output": {"label": "approve"}}, "/output"),
        ({"reason": " "}, "/reason"),
        ({"sure": True}, "/sure"),
    ],
)
def test_a_bad_field_of_a_ruling_is_named(
    body: Any, pointer: str, hic: PolicyVersion, commander: ApiClient, pointers: Pointers
) -> None:
    assert pointers(rule(commander, waiting(hic).pk, **body)) == [pointer]


def test_only_the_commander_rules_and_an_outsider_finds_nothing(
    hic: PolicyVersion, program: Program
) -> None:
    loans(slug="fraud")
    held = waiting(hic)
    assert rule(program("supervisor"), held.pk).status_code == 403
    assert rule(program("commander", "fraud"), held.pk).status_code == 404
    assert rule(program("commander"), uuid4()).status_code == 404
    assert Decision.objects.get().status == "pending"
