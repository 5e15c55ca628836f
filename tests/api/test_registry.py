"""ai-systems/, model-versions/ and decision-rights/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from apps.registry.models import DecisionRight, ModelVersion

SYSTEM = {"name": "credit-scorer", "provider": "Acme", "reason": "bought"}


@pytest.fixture
def version(administrator: Any) -> dict[str, Any]:
    administrator.post("ai-systems/", SYSTEM)
    body = {"system": "credit-scorer", "version": "2.3.1", "declared_accuracy": 0.91}
    response = administrator.post("model-versions/", body)
    assert response.status_code == 201
    made: dict[str, Any] = response.json()
    return made


def test_an_ai_system_is_registered_read_changed_and_listed(administrator: Any) -> None:
    response = administrator.post("ai-systems/", SYSTEM)
    assert response.status_code == 201
    assert response["Location"] == "/api/v1/ai-systems/credit-scorer/"
    change = {"limits": "Poor on thin files.", "reason": "found in use"}
    changed = administrator.patch("ai-systems/credit-scorer/", change).json()
    assert changed == {**response.json(), "limits": "Poor on thin files."}
    assert administrator.get("ai-systems/").json()["results"] == [changed]


def test_a_second_ai_system_of_the_same_name_is_a_conflict(administrator: Any) -> None:
    administrator.post("ai-systems/", SYSTEM)
    assert administrator.post("ai-systems/", SYSTEM).status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": "two words"}, "/name"),
        ({"name": "a/b"}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "x", "provider": "y" * 201}, "/provider"),
        ({"name": "x", "limits": 5}, "/limits"),
        ({"name": "x", "intended_purpose": None}, "/intended_purpose"),
        ({"name": "x", "owner": "y"}, "/owner"),
    ],
)
def test_a_bad_field_of_an_ai_system_is_named(
    body: Any, pointer: str, administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    assert pointers(administrator.post("ai-systems/", body)) == [pointer]


def test_an_ai_system_that_is_not_there_is_404(administrator: Any) -> None:
    assert administrator.get("ai-systems/nothing/").status_code == 404
    body = {"limits": "", "reason": "r"}
    assert administrator.patch("ai-systems/nothing/", body).status_code == 404


def test_a_model_version_is_registered_with_its_address(
    version: dict[str, Any], administrator: Any
) -> None:
    assert version["status"] == "active"
    assert version["declared_accuracy"] == 0.91
    assert administrator.get(f"model-versions/{version['id']}/").json() == version


def test_the_same_version_of_a_system_again_is_a_conflict(
    version: dict[str, Any], administrator: Any
) -> None:
    body = {"system": "credit-scorer", "version": "2.3.1"}
    assert administrator.post("model-versions/", body).status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"version": "1"}, "/system"),
        ({"system": "nothing", "version": "1"}, "/system"),
        ({"system": "credit-scorer"}, "/version"),
        ({"system": "credit-scorer", "version": "1 2"}, "/version"),
        (
            {"system": "credit-scorer", "version": "1", "declared_accuracy": 1.5},
            "/declared_accuracy",
        ),
        (
            {"system": "credit-scorer", "version": "1", "declared_accuracy": "1"},
            "/declared_accuracy",
        ),
        (
            {"system": "credit-scorer", "version": "1", "declared_accuracy": 0.00001},
            "/declared_accuracy",
        ),
        (
            {"system": "credit-scorer", "version": "1", "declared_accuracy": True},
            "/declared_accuracy",
        ),
        ({"system": "credit-scorer", "version": "1", "notes": "x" * 20_001}, "/notes"),
    ],
)
def test_a_bad_field_of_a_model_version_is_named(
    body: Any, pointer: str, administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    administrator.post("ai-systems/", SYSTEM)
    assert pointers(administrator.post("model-versions/", body)) == [pointer]


def test_model_versions_are_filtered_by_system_and_status(
    version: dict[str, Any], administrator: Any
) -> None:
    administrator.post("ai-systems/", {"name": "other"})
    other = administrator.post("model-versions/", {"system": "other", "version": "1"}).json()
    status = {"status": "withdrawn", "reason": "bad"}
    administrator.post(f"model-versions/{other['id']}/status/", status)

    def found(**params: Any) -> list[str]:
        rows = administrator.get("model-versions/", **params).json()["results"]
        return [row["system"] for row in rows]

    assert found() == ["other", "credit-scorer"]
    assert found(system="other") == ["other"]
    assert found(status="active") == ["credit-scorer"]
    assert found(system="other", status="active") == []


def test_a_commander_may_withdraw_a_model_but_not_put_it_back(
    version: dict[str, Any], program: Callable[..., Any], administrator: Any
) -> None:
    door = f"model-versions/{version['id']}/status/"
    commander = program("commander")
    withdrawn = commander.post(door, {"status": "withdrawn", "reason": "harm"})
    assert withdrawn.status_code == 200
    assert withdrawn.json()["status"] == "withdrawn"
    back = {"status": "active", "reason": "fixed"}
    assert commander.post(door, back).status_code == 403
    assert ModelVersion.objects.get().status == "withdrawn"
    assert administrator.post(door, back).json()["status"] == "active"


def test_a_status_that_holds_already_is_a_conflict(
    version: dict[str, Any], administrator: Any
) -> None:
    door = f"model-versions/{version['id']}/status/"
    assert administrator.post(door, {"status": "active", "reason": "r"}).status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": "r"}, "/status"),
        ({"status": "paused", "reason": "r"}, "/status"),
        ({"status": "withdrawn"}, "/reason"),
    ],
)
def test_a_bad_status_is_named(
    body: Any,
    pointer: str,
    version: dict[str, Any],
    administrator: Any,
    pointers: Callable[[Any], list[str]],
) -> None:
    assert pointers(administrator.post(f"model-versions/{version['id']}/status/", body)) == [
        pointer
    ]


def test_a_model_version_that_is_not_there_is_404(administrator: Any) -> None:
    key = uuid4()
    assert administrator.get(f"model-versions/{key}/").status_code == 404
    body = {"status": "withdrawn", "reason": "r"}
    assert administrator.post(f"model-versions/{key}/status/", body).status_code == 404
    assert administrator.get("model-versions/not-an-id/").status_code == 404


def test_who_is_limited_to_a_use_case_does_not_see_models(program: Callable[..., Any]) -> None:
    assert program("risk_lead", "loans").get("model-versions/").status_code == 403


@pytest.fixture
def right(administrator: Any, make_use_case: Any, make_person: Any) -> dict[str, Any]:
    make_use_case("loans")
    make_person("ada", "risk_lead")
    body = {"use_case": "loans", "right": "set_policy", "person": "ada", "reason": "appointed"}
    response = administrator.post("decision-rights/", body)
    assert response.status_code == 201
    assert response["Location"] == f"/api/v1/decision-rights/{response.json()['id']}/"
    made: dict[str, Any] = response.json()
    return made


def test_a_decision_right_is_granted_read_and_revoked_with_a_reason(
    right: dict[str, Any], administrator: Any
) -> None:
    door = f"decision-rights/{right['id']}/"
    assert administrator.get(door).json() == right
    assert administrator.delete(door, {"reason": "left the bank"}).status_code == 204
    assert administrator.get(door).status_code == 404
    ended = DecisionRight.history.first()
    assert (ended.history_type, ended.history_change_reason) == ("-", "left the bank")


def test_the_same_right_twice_is_a_conflict(right: dict[str, Any], administrator: Any) -> None:
    body = {"use_case": "loans", "right": "set_policy", "person": "ada", "reason": "again"}
    assert administrator.post("decision-rights/", body).status_code == 409


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"right": "rule"}, "/right"),
        ({"person": "nobody"}, "/person"),
        ({"reason": ""}, "/reason"),
        ({"use_case": "Loans!"}, "/use_case"),
        ({"until": "2027-01-01"}, "/until"),
    ],
)
def test_a_bad_field_of_a_decision_right_is_named(
    change: Any,
    pointer: str,
    right: dict[str, Any],
    administrator: Any,
    pointers: Callable[[Any], list[str]],
) -> None:
    body = {"use_case": "loans", "right": "stop", "person": "ada", "reason": "r", **change}
    assert pointers(administrator.post("decision-rights/", body)) == [pointer]


def test_a_right_is_not_revoked_without_a_reason(
    right: dict[str, Any], administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    door = f"decision-rights/{right['id']}/"
    assert pointers(administrator.delete(door, {})) == ["/reason"]
    assert DecisionRight.objects.count() == 1


def test_a_right_in_a_use_case_that_is_not_there_is_404(
    right: dict[str, Any], administrator: Any
) -> None:
    body = {"use_case": "nothing", "right": "stop", "person": "ada", "reason": "r"}
    assert administrator.post("decision-rights/", body).status_code == 404
    assert administrator.get("decision-rights/", use_case="nothing").status_code == 404


def test_rights_are_shown_for_the_use_cases_that_the_caller_may_see(
    right: dict[str, Any], administrator: Any, program: Callable[..., Any], make_use_case: Any
) -> None:
    make_use_case("fraud")
    inside, outside = program("auditor", "loans"), program("auditor", "fraud")
    assert inside.get("decision-rights/").json()["results"] == [right]
    assert inside.get("decision-rights/", use_case="loans").json()["results"] == [right]
    assert outside.get("decision-rights/").json()["results"] == []
    assert outside.get("decision-rights/", use_case="loans").status_code == 404
    assert outside.get(f"decision-rights/{right['id']}/").status_code == 404
    stranger = program("administrator", "fraud")
    door = f"decision-rights/{right['id']}/"
    assert stranger.delete(door, {"reason": "r"}).status_code == 404


def test_who_sees_a_right_but_may_not_revoke_it_gets_403(
    right: dict[str, Any], program: Callable[..., Any]
) -> None:
    door = f"decision-rights/{right['id']}/"
    assert program("auditor", "loans").delete(door, {"reason": "r"}).status_code == 403
