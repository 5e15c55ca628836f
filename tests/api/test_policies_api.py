"""policies/: drafts, proposals, approvals by another person, differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from apps.audit.models import AccessEvent
from apps.policies.models import PolicyVersion
from apps.registry.models import UseCase
from apps.registry.services import decision_right_grant
from tests.api.conftest import ApiClient
from tests.services.oversight import loans

INCOME = {"field": "feature.income", "op": "<", "value": 1000}
POLICY: dict[str, Any] = {
    "use_case": "loan-approval",
    "level": "HITL",
    "confidence_threshold": 0.8,
    "label_thresholds": {"deny": 0.95},
    "rules": [{"name": "poor", "when": INCOME, "then": "review"}],
    "audit_rate": 0.05,
}


@pytest.fixture
def use_case(db: None) -> UseCase:
    return loans()


@pytest.fixture
def lead(use_case: UseCase, make_person: Any, session: Any) -> ApiClient:
    client: ApiClient = session(make_person("lead", "risk_lead"))
    return client


@pytest.fixture
def second(use_case: UseCase, make_person: Any, session: Any) -> ApiClient:
    client: ApiClient = session(make_person("second", "risk_lead"))
    return client


def made(client: ApiClient, **more: Any) -> dict[str, Any]:
    response = client.post("policies/", {**POLICY, **more})
    assert response.status_code == 201, response.content
    document: dict[str, Any] = response.json()
    assert response["Location"] == f"/api/v1/policies/{document['id']}/"
    return document


def step(client: ApiClient, policy: dict[str, Any], name: str, **body: Any) -> Any:
    return client.post(f"policies/{policy['id']}/{name}/", body)


def in_force(lead: ApiClient, second: ApiClient, **more: Any) -> dict[str, Any]:
    policy = made(lead, **more)
    assert step(lead, policy, "propose").status_code == 200
    response = step(second, policy, "approve")
    assert response.status_code == 200, response.content
    document: dict[str, Any] = response.json()
    return document


def test_a_policy_goes_from_draft_to_force_past_a_second_person(
    lead: ApiClient, second: ApiClient
) -> None:
    draft = made(lead)
    assert (draft["status"], draft["number"], draft["level"]) == ("draft", 1, "HITL")
    assert draft["document"]["label_thresholds"] == {"deny": 0.95}
    assert draft["document"]["fallback"] == "withhold"
    assert (draft["proposed_by"], draft["approved_by"]) == (None, None)
    proposed = step(lead, draft, "propose").json()
    assert (proposed["status"], proposed["proposed_by"]["name"]) == ("proposed", "lead")
    active = step(second, draft, "approve", reason="weighed").json()
    assert (active["status"], active["approved_by"]["name"]) == ("active", "second")
    assert active["activated_at"] == active["effective_from"]
    assert lead.get(f"policies/{draft['id']}/").json() == active
    assert lead.get("policies/").json()["results"] == [active]


def test_the_proposer_s_approval_is_403_and_recorded(lead: ApiClient) -> None:
    policy = made(lead)
    step(lead, policy, "propose")
    response = step(lead, policy, "approve")
    assert response.status_code == 403
    assert "takes another person" in response.json()["detail"]
    event = AccessEvent.objects.get(kind="permission_refused")
    assert (event.action, event.use_case) == ("policy.approve", "loan-approval")
    assert PolicyVersion.objects.get().status == "proposed"


def test_a_program_s_proposal_is_approved_by_another_key_only(
    use_case: UseCase, program: Callable[..., ApiClient]
) -> None:
    first, other = program("risk_lead"), program("commander")
    policy = made(first)
    step(first, policy, "propose")
    assert step(first, policy, "approve").status_code == 403
    assert step(other, policy, "approve").json()["status"] == "active"


def test_an_approval_can_lie_ahead_and_be_taken_back(lead: ApiClient, second: ApiClient) -> None:
    policy = made(lead)
    step(lead, policy, "propose")
    response = step(second, policy, "approve", effective_from="2099-01-01T00:00:00Z")
    assert response.json()["status"] == "approved"
    assert response.json()["effective_from"] == "2099-01-01T00:00:00Z"
    rejected = step(second, policy, "reject", reason="no longer wanted").json()
    assert rejected["status"] == "rejected"


def test_a_draft_is_changed_and_a_proposal_is_not(lead: ApiClient) -> None:
    policy = made(lead)
    change = {"audit_rate": 0.2, "reason": "more of them"}
    changed = lead.patch(f"policies/{policy['id']}/", change).json()
    assert changed["document"] == {**policy["document"], "audit_rate": 0.2}
    step(lead, policy, "propose")
    response = lead.patch(f"policies/{policy['id']}/", change)
    assert response.status_code == 409
    assert "is proposed and cannot become draft" in response.json()["detail"]


@pytest.mark.parametrize(
    ("name", "body"), [("propose", {}), ("approve", {}), ("reject", {"reason": "r"})]
)
def test_a_step_that_does_not_start_here_is_409(
    name: str, body: Any, lead: ApiClient, second: ApiClient
) -> None:
    policy = in_force(lead, second)
    assert step(second, policy, name, **body).status_code == 409


def test_versions_are_listed_by_use_case_and_status(lead: ApiClient, second: ApiClient) -> None:
    loans(slug="fraud")
    old, new, other = in_force(lead, second), in_force(lead, second), made(lead, use_case="fraud")

    def ids(**params: Any) -> list[str]:
        return [found["id"] for found in lead.get("policies/", **params).json()["results"]]

    assert ids() == [other["id"], new["id"], old["id"]]
    assert ids(use_case="loan-approval") == [new["id"], old["id"]]
    assert ids(status="superseded") == [old["id"]]
    assert lead.get("policies/", status="lost").status_code == 400
    assert lead.get("policies/", use_case="nowhere").status_code == 404


def test_two_versions_are_compared_in_plain_words(lead: ApiClient, second: ApiClient) -> None:
    old, new = in_force(lead, second), made(lead, audit_rate=0.1)
    response = lead.get(f"policies/{new['id']}/diff/", against=old["id"])
    assert response.json() == {
        "policy": new["id"],
        "against": old["id"],
        "changes": ["The random audit rate rises from 5 % to 10 %."],
    }


def test_what_cannot_be_compared_is_told(
    lead: ApiClient, pointers: Callable[[Any], list[str]]
) -> None:
    loans(slug="fraud")
    policy, other = made(lead), made(lead, use_case="fraud")
    path = f"policies/{policy['id']}/diff/"
    assert pointers(lead.get(path)) == ["/against"]
    assert pointers(lead.get(path, against="x")) == ["/against"]
    assert lead.get(path, against=str(uuid4())).status_code == 404
    assert lead.get(path, against=other["id"]).status_code == 409


FAULTS: dict[str, tuple[Any, str]] = {
    "level": ("HOOTL", "/level"),
    "confidence_threshold": (1.5, "/confidence_threshold"),
    "label_thresholds": ({"maybe": 0.5}, "/label_thresholds/maybe"),
    "rules": ([{"name": "x", "when": INCOME, "then": "wait"}], "/rules/0/then"),
    "unreviewed_release": ({"justification": ""}, "/unreviewed_release/justification"),
    "always_review_labels": (["maybe"], "/always_review_labels/0"),
    "audit_rate": ("some", "/audit_rate"),
    "reviews_required": (0, "/reviews_required"),
    "combination": ("dice", "/combination"),
    "blind": ("yes", "/blind"),
    "known_answer_rate": (-0.1, "/known_answer_rate"),
    "known_answer_floor": (2, "/known_answer_floor"),
    "skills": (["credit", "credit"], "/skills/1"),
    "sla_minutes": (0, "/sla_minutes"),
    "escalation": (["auditor"], "/escalation/0"),
    "fallback": ("release", "/fallback"),
    "intervention_minutes": (1.5, "/intervention_minutes"),
    "tripwires": (
        [{"metric": "m", "op": "==", "value": 1, "action": "alert"}],
        "/tripwires/0/op",
    ),
    "min_weekly_cases": (-1, "/min_weekly_cases"),
    "senior_sees_verdicts": (None, "/senior_sees_verdicts"),
    "reviews_max": (5, "/posterior_level"),
    "posterior_level": (0.4, "/posterior_level"),
    "feedback": (1, "/feedback"),
    "show_protected": ("no", "/show_protected"),
    "lease_minutes": (1_441, "/lease_minutes"),
    "ask_limit_minutes": (0, "/ask_limit_minutes"),
    "daily_limit": (0, "/daily_limit"),
    "streak_limit": ("many", "/streak_limit"),
    "practice_days": (3_651, "/practice_days"),
    "surprise": (1, "/surprise"),
    "use_case": ("Not A Slug", "/use_case"),
    "reason": (5, "/reason"),
}


@pytest.mark.parametrize("key", FAULTS)
def test_each_fault_of_a_document_has_its_pointer(
    key: str, lead: ApiClient, pointers: Callable[[Any], list[str]]
) -> None:
    value, pointer = FAULTS[key]
    assert pointer in pointers(lead.post("policies/", {**POLICY, key: value}))
    assert not PolicyVersion.objects.exists()


def test_all_faults_of_a_document_are_named_at_once(
    lead: ApiClient, pointers: Callable[[Any], list[str]]
) -> None:
    body = {"use_case": "loan-approval", "audit_rate": 7, "surprise": 1, "rules": [{}]}
    found = pointers(lead.post("policies/", body))
    assert {"/level", "/audit_rate", "/surprise", "/rules/0/name"} <= set(found)


@pytest.mark.parametrize("key", ["use_case", "level"])
def test_a_missing_key_is_named(
    key: str, lead: ApiClient, pointers: Callable[[Any], list[str]]
) -> None:
    body = {name: value for name, value in POLICY.items() if name != key}
    assert pointers(lead.post("policies/", body)) == [f"/{key}"]


@pytest.mark.parametrize(
    ("name", "body", "pointer"),
    [
        ("propose", {"reason": 5}, "/reason"),
        ("propose", {"sure": True}, "/sure"),
        ("approve", {"effective_from": "tomorrow"}, "/effective_from"),
        ("approve", {"effective_from": "2020-01-01T00:00:00Z"}, "/effective_from"),
        ("reject", {}, "/reason"),
        ("reject", {"reason": " "}, "/reason"),
    ],
)
def test_a_bad_field_of_a_step_is_named(
    name: str,
    body: Any,
    pointer: str,
    lead: ApiClient,
    second: ApiClient,
    pointers: Callable[[Any], list[str]],
) -> None:
    policy = made(lead)
    if name != "propose":
        step(lead, policy, "propose")
    assert pointers(step(second, policy, name, **body)) == [pointer]


def test_a_change_of_the_use_case_that_breaks_the_policy_in_force_is_refused(
    lead: ApiClient, second: ApiClient, pointers: Callable[[Any], list[str]]
) -> None:
    in_force(lead, second)
    response = lead.patch("use-cases/loan-approval/", {"features": [], "reason": "fewer"})
    assert pointers(response) == [""]
    assert "policy version 1, which is active," in response.json()["detail"]


def test_what_an_outsider_may_not_see_is_not_there(
    lead: ApiClient, program: Callable[..., ApiClient]
) -> None:
    loans(slug="fraud")
    policy = made(lead)
    outsider = program("risk_lead", "fraud")
    assert outsider.get("policies/").json()["results"] == []
    assert outsider.get("policies/", use_case="loan-approval").status_code == 404
    path = f"policies/{policy['id']}/"
    for response in (
        outsider.get(path),
        outsider.patch(path, {"reason": "r"}),
        outsider.get(f"{path}diff/", against=policy["id"]),
        outsider.post("policies/", POLICY),
        *(outsider.post(f"{path}{name}/", {"reason": "r"}) for name in ("propose", "reject")),
    ):
        assert response.status_code == 404
        assert "there is no " in response.json()["detail"]


def test_whoever_may_only_see_a_policy_is_403(
    lead: ApiClient, program: Callable[..., ApiClient]
) -> None:
    path, auditor = f"policies/{made(lead)['id']}/", program("auditor")
    assert auditor.get(path).status_code == 200
    assert auditor.patch(path, {"reason": "r"}).status_code == 403
    assert auditor.post(f"{path}approve/").status_code == 403


def test_a_right_that_is_held_narrows_who_may_approve(
    lead: ApiClient, second: ApiClient, use_case: UseCase, actor: Any, make_person: Any
) -> None:
    policy = made(lead)
    step(lead, policy, "propose")
    decision_right_grant(
        actor=actor,
        use_case=use_case,
        right="approve_policy",
        person=make_person("chair", "commander"),
        reason="appointed",
    )
    response = step(second, policy, "approve")
    assert response.status_code == 403
    assert "held there by 1 named people" in response.json()["detail"]


def test_a_list_costs_the_same_at_any_length(
    lead: ApiClient, second: ApiClient, count_queries: Callable[[Any], int]
) -> None:
    prices = []
    for _ in range(2):
        for _ in range(3):
            in_force(lead, second)
        prices.append(count_queries(lambda: lead.get("policies/")))
    assert prices[0] == prices[1]
