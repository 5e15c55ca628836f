"""people/, their roles, keys/, me/ and permission-matrix/."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.domain.matrix import ACTIONS, ROLES
from apps.accounts.models import RoleGrant, ServiceKey, User
from apps.audit.models import PendingRecord
from tests.api.conftest import ApiClient

PERSON = {"username": "Grace", "name": "Grace H.", "email": "grace@example.org"}


def test_a_person_is_created_read_and_listed(administrator: Any) -> None:
    response = administrator.post("people/", PERSON)
    assert response.status_code == 201
    assert response["Location"] == "/api/v1/people/grace/"
    made = response.json()
    assert (made["username"], made["is_active"], made["time_zone"]) == ("grace", True, "UTC")
    assert administrator.get("people/GRACE/").json() == made
    assert administrator.get("people/").json()["results"] == [made]


def test_a_person_made_by_a_program_has_no_password(administrator: Any) -> None:
    administrator.post("people/", PERSON)
    assert not User.objects.get(username="grace").has_usable_password()


def test_no_answer_holds_a_password_hash_or_its_fingerprint(administrator: Any) -> None:
    text = administrator.post("people/", PERSON).content.decode()
    user = User.objects.get(username="grace")
    assert user.password not in text
    assert user.credential_fingerprint not in text


def test_a_login_that_is_taken_in_another_spelling_is_a_conflict(administrator: Any) -> None:
    administrator.post("people/", PERSON)
    assert administrator.post("people/", {"username": "GRACE"}).status_code == 409


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"username": ""}, "/username"),
        ({"username": "a b"}, "/username"),
        ({"username": "a/b"}, "/username"),
        ({"username": ".."}, "/username"),
        ({"username": "x" * 151}, "/username"),
        ({"name": 5}, "/name"),
        ({"email": "not an address"}, "/email"),
        ({"email": "x" * 255}, "/email"),
        ({"password": "correct horse battery"}, "/password"),
        ({"is_active": False}, "/is_active"),
    ],
)
def test_a_bad_field_of_a_person_is_named(
    change: Any, pointer: str, administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    assert pointers(administrator.post("people/", {**PERSON, **change})) == [pointer]
    assert not User.objects.exists()


def test_a_person_is_changed_and_deactivated(administrator: Any) -> None:
    before = administrator.post("people/", PERSON).json()
    change = {"is_active": False, "time_zone": "Europe/Paris", "reason": "moved away"}
    after = administrator.patch("people/grace/", change)
    assert after.status_code == 200
    assert after.json() == {**before, "is_active": False, "time_zone": "Europe/Paris"}
    assert User.history.first().history_change_reason == "moved away"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"email": "nowhere"}, "/email"),
        ({"is_active": "no"}, "/is_active"),
        ({"is_active": None}, "/is_active"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"username": "other"}, "/username"),
        ({"reason": ""}, "/reason"),
    ],
)
def test_a_bad_change_of_a_person_is_named(
    change: Any, pointer: str, administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    administrator.post("people/", PERSON)
    assert pointers(administrator.patch("people/grace/", {"reason": "r", **change})) == [pointer]


def test_a_person_who_is_not_there_is_404(administrator: Any) -> None:
    assert administrator.get("people/nobody/").status_code == 404
    assert administrator.patch("people/nobody/", {"reason": "r"}).status_code == 404
    assert administrator.get("people/nobody/roles/").status_code == 404
    assert administrator.post("people/nobody/roles/", {"role": "auditor"}).status_code == 404


def test_a_role_is_granted_read_and_revoked(
    administrator: Any, make_person: Any, make_use_case: Any
) -> None:
    make_person("ada")
    make_use_case("loans")
    body = {"role": "reviewer", "use_case": "loans", "reason": "trained"}
    response = administrator.post("people/ada/roles/", body)
    assert response.status_code == 201
    made = response.json()
    assert response["Location"] == f"/api/v1/people/ada/roles/{made['id']}/"
    assert administrator.get("people/ada/roles/").json()["results"] == [made]
    door = f"people/ada/roles/{made['id']}/"
    assert administrator.get(door).json() == made
    assert administrator.delete(door, {"reason": "changed teams"}).status_code == 204
    assert not RoleGrant.objects.exists()
    assert RoleGrant.history.first().history_change_reason == "changed teams"


def test_the_same_role_twice_is_a_conflict(administrator: Any, make_person: Any) -> None:
    make_person("ada", "auditor")
    assert administrator.post("people/ada/roles/", {"role": "auditor"}).status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/role"),
        ({"role": "owner"}, "/role"),
        ({"role": "integration"}, "/role"),
        ({"role": "auditor", "use_case": None}, "/use_case"),
        ({"role": "auditor", "until": "x"}, "/until"),
    ],
)
def test_a_bad_field_of_a_role_is_named(
    body: Any,
    pointer: str,
    administrator: Any,
    make_person: Any,
    pointers: Callable[[Any], list[str]],
) -> None:
    make_person("ada")
    assert pointers(administrator.post("people/ada/roles/", body)) == [pointer]


def test_a_role_is_not_limited_to_a_use_case_that_is_not_there(
    administrator: Any, make_person: Any
) -> None:
    make_person("ada")
    body = {"role": "reviewer", "use_case": "lones"}
    assert administrator.post("people/ada/roles/", body).status_code == 404
    assert administrator.post("keys/", {**body, "name": "k"}).status_code == 404
    assert not RoleGrant.objects.exists()


def test_a_role_is_revoked_only_at_the_address_of_its_holder(
    administrator: Any, make_person: Any
) -> None:
    ada = make_person("ada", "auditor")
    make_person("bob", "auditor")
    grant = ada.role_grants.get()
    door = f"people/bob/roles/{grant.pk}/"
    assert administrator.delete(door, {"reason": "r"}).status_code == 404
    assert administrator.delete(f"people/bob/roles/{uuid4()}/", {"reason": "r"}).status_code == 404
    assert RoleGrant.objects.count() == 2


def test_a_new_key_is_shown_once_and_works(administrator: Any) -> None:
    response = administrator.post("keys/", {"name": "scoring service", "role": "integration"})
    assert response.status_code == 201
    made = response.json()
    key = made.pop("key")
    assert response["Location"] == f"/api/v1/keys/{made['id']}/"
    assert administrator.get(f"keys/{made['id']}/").json() == made
    assert key not in administrator.get("keys/").content.decode()
    assert key not in str(ServiceKey.history.values())
    program = ApiClient(Client(headers={"authorization": f"Bearer {key}"}))
    assert program.get("me/").json()["name"] == "scoring service"
    assert administrator.get(f"keys/{made['id']}/").json()["last_used_at"] is not None


def test_a_revoked_key_is_refused_from_then_on(administrator: Any) -> None:
    made = administrator.post("keys/", {"name": "k", "role": "auditor"}).json()
    program = ApiClient(Client(headers={"authorization": f"Bearer {made['key']}"}))
    assert program.get("me/").status_code == 200
    door = f"keys/{made['id']}/revoke/"
    assert administrator.post(door, {"reason": "leaked"}).json()["revoked_at"] is not None
    assert program.get("me/").status_code == 401
    assert administrator.post(door, {"reason": "again"}).status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"role": "auditor"}, "/name"),
        ({"name": "k"}, "/role"),
        ({"name": "k", "role": "root"}, "/role"),
        ({"name": "k", "role": "auditor", "use_case": "No Slug"}, "/use_case"),
        ({"name": "k", "role": "auditor", "expires_at": "tomorrow"}, "/expires_at"),
        ({"name": "k", "role": "auditor", "expires_at": "2026-01-01T00:00:00"}, "/expires_at"),
        ({"name": "k", "role": "auditor", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "k", "role": "auditor", "expires_at": 4102444800}, "/expires_at"),
        ({"name": "k", "role": "auditor", "key": "mine"}, "/key"),
    ],
)
def test_a_bad_field_of_a_key_is_named(
    body: Any, pointer: str, administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    assert pointers(administrator.post("keys/", body)) == [pointer]


def test_a_key_expires_at_the_stated_time_in_utc(administrator: Any) -> None:
    moment = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    body = {"name": "k", "role": "auditor", "expires_at": moment.isoformat()}
    made = administrator.post("keys/", body).json()
    assert made["expires_at"] == moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_key_that_is_not_there_is_404_and_is_not_revoked_without_a_reason(
    administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    assert administrator.get(f"keys/{uuid4()}/").status_code == 404
    assert administrator.post(f"keys/{uuid4()}/revoke/", {"reason": "r"}).status_code == 404
    key = ServiceKey.objects.get()
    assert pointers(administrator.post(f"keys/{key.pk}/revoke/", {})) == ["/reason"]


def test_me_says_what_a_limited_program_may_do_and_where(program: Callable[..., Any]) -> None:
    me = program("risk_lead", "loans").get("me/").json()
    assert me["kind"] == "program"
    assert me["roles"] == [{"role": "risk_lead", "use_case": "loans"}]
    actions = {entry["action"]: entry["use_cases"] for entry in me["actions"]}
    assert actions["use_case.edit"] == ["loans"]
    assert "use_case.create" not in actions


def test_me_says_what_a_person_may_do(session: Callable[..., Any], make_person: Any) -> None:
    me = session(make_person("ada", "auditor")).get("me/").json()
    assert (me["kind"], me["name"]) == ("person", "ada")
    allowed = {name for name, entry in ACTIONS.items() if "auditor" in entry.roles}
    assert {entry["action"] for entry in me["actions"]} == allowed
    assert all(entry["use_cases"] is None for entry in me["actions"])


def test_the_matrix_is_the_one_that_is_enforced(administrator: Any) -> None:
    table = administrator.get("permission-matrix/").json()
    assert table["roles"] == list(ROLES)
    shown = {entry["action"]: set(entry["roles"]) for entry in table["actions"]}
    assert shown == {name: set(entry.roles) for name, entry in ACTIONS.items()}


def test_every_write_leaves_exactly_one_record(administrator: Any) -> None:
    administrator.get("me/")  # the key's first use is noted, which is no record
    before = PendingRecord.objects.count()
    administrator.post("people/", PERSON)
    administrator.patch("people/grace/", {"name": "G.", "reason": "r"})
    administrator.post("people/grace/roles/", {"role": "auditor"})
    administrator.post("keys/", {"name": "k", "role": "auditor"})
    assert PendingRecord.objects.count() == before + 4
