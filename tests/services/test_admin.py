"""The administration: each write has a reason, a record and its service's own checks."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import RoleGrant, ServiceKey, User
from apps.accounts.services import role_grant, service_key_create, service_key_find
from apps.audit.models import AccessEvent
from apps.common.actor import Actor
from apps.common.admin import TrackedAdmin
from apps.common.models import TRACKED
from apps.registry.models import AISystem, DecisionRight, ModelVersion, UseCase
from apps.registry.services import (
    ai_system_register,
    decision_right_grant,
    model_version_register,
)

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-pass-phrase-9"
REASON = "asked for in writing"
ADMINISTERED = {User, RoleGrant, ServiceKey, UseCase, AISystem, ModelVersion, DecisionRight}


@pytest.fixture
def ada(make_person: Any) -> User:
    return make_person("ada", "administrator")  # type: ignore[no-any-return]


@pytest.fixture
def client(ada: User) -> Client:
    made = Client()
    made.force_login(ada)
    return made


def page(model: type, act: str = "add", key: object = None) -> str:
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"  # type: ignore[attr-defined]
    return base + (f"{key}/{act}/" if key is not None else f"{act}/" if act else "")


def newest(held: Any) -> tuple[str, str, str]:
    row = held.history.order_by("-history_id")[0]
    return row.history_type, row.history_user_name, row.history_change_reason


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200, answer.headers
    form = answer.context.get("adminform")
    return dict(form.form.errors if form else answer.context["form"].errors)


# --- doors ----------------------------------------------------------------------------------


def test_every_page_of_the_administration_records_its_writes() -> None:
    registered = set(admin.site._registry)
    assert registered >= ADMINISTERED
    assert registered & set(TRACKED) == {
        model for model, page in admin.site._registry.items() if isinstance(page, TrackedAdmin)
    }
    assert all(model.__module__.startswith("apps.") for model in registered)


@pytest.mark.parametrize("role", ["risk_lead", "compliance_officer", "auditor", "executive"])
def test_the_administration_refuses_other_roles_and_records_it(make_person: Any, role: str) -> None:
    other = Client()
    other.force_login(make_person("other", role))
    answer = other.get("/admin/accounts/user/", follow=True)
    assert answer.status_code == 403
    assert AccessEvent.objects.get(kind="permission_refused").action == "admin.site"


def test_an_administrator_of_one_use_case_does_not_administer_the_platform(
    make_person: Any,
) -> None:
    other = Client()
    other.force_login(make_person("other", "administrator", use_case="loan-approval"))
    assert other.get("/admin/", follow=True).status_code == 403


def test_strangers_sign_in_by_the_platforms_own_page() -> None:
    chain = Client().get("/admin/", follow=True).redirect_chain
    assert chain[-1][0].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("address", ["/admin/password_change/", "/admin/logout/"])
def test_the_administrations_own_password_and_sign_out_pages_are_the_platforms(
    client: Client, address: str
) -> None:
    assert client.get(address).headers["Location"].startswith("/accounts/")


@pytest.mark.parametrize("model", sorted(ADMINISTERED, key=lambda model: model.__name__))
def test_nothing_is_deleted_by_the_way_of_django(client: Client, ada: User, model: type) -> None:
    assert admin.site._registry[model].get_actions(client.get("/admin/").wsgi_request) == {}
    assert client.post(page(model, "delete", ada.pk), {"post": "yes"}).status_code in {302, 403}
    assert User.objects.filter(pk=ada.pk).exists()


def test_an_unknown_object_is_not_found(client: Client) -> None:
    for address in (page(User, "history", "not-a-key"), page(RoleGrant, "end", "not-a-key")):
        assert client.get(address).status_code == 404


# --- people ---------------------------------------------------------------------------------


def test_a_person_is_created_with_a_reason_and_a_record(client: Client) -> None:
    data = {
        "username": "Rita",
        "name": "Rita Lang",
        "email": "Rita@Example.org",
        "password": PASSWORD,
    }
    assert client.post(page(User), {**data, "reason": REASON}).status_code == 302
    rita = User.objects.get(username="rita")
    assert (rita.name, rita.email, rita.check_password(PASSWORD)) == (
        "Rita Lang",
        "rita@example.org",
        True,
    )
    assert newest(rita) == ("+", "ada", REASON)


def test_a_person_without_a_password_cannot_sign_in_with_one(client: Client) -> None:
    client.post(page(User), {"username": "rita", "name": "Rita", "reason": REASON})
    assert User.objects.get(username="rita").has_usable_password() is False


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "  "}, "reason"),
        ({"username": ""}, "username"),
        ({"username": "with space"}, "username"),
        ({"username": "ADA"}, "username"),
        ({"email": "no address"}, "email"),
        ({"password": "short"}, "password"),
        ({"name": "n" * 201}, "name"),
        ({"username": "nul\x00byte"}, "username"),
    ],
)
def test_a_faulty_person_is_refused_on_the_field_at_fault(
    client: Client, changed: dict[str, str], field: str
) -> None:
    data = {"username": "rita", "name": "Rita", "password": PASSWORD, "reason": REASON, **changed}
    assert set(errors(client.post(page(User), data))) == {field}
    assert not User.objects.filter(username="rita").exists()


def test_a_change_of_a_person_keeps_who_and_why(client: Client, make_person: Any) -> None:
    rita = make_person("rita")
    data = {"name": "Rita L.", "email": "", "time_zone": "Europe/Paris", "reason": "moved"}
    assert client.post(page(User, "change", rita.pk), data).status_code == 302
    rita.refresh_from_db()
    assert (rita.name, rita.time_zone, rita.is_active) == ("Rita L.", "Europe/Paris", False)
    assert newest(rita) == ("~", "ada", "moved")


def test_a_login_is_not_changed_even_when_it_is_sent(client: Client, make_person: Any) -> None:
    rita = make_person("rita")
    data = {"username": "eve", "name": "R", "time_zone": "UTC", "is_active": "on", "reason": "x"}
    client.post(page(User, "change", rita.pk), data)
    rita.refresh_from_db()
    assert (rita.username, rita.name) == ("rita", "R")


def test_setting_a_password_asks_twice_and_is_recorded(client: Client, make_person: Any) -> None:
    rita = make_person("rita")
    address = page(User, "password", rita.pk)
    assert set(
        errors(client.post(address, {"password": PASSWORD, "again": "x", "reason": "r"}))
    ) == {"again"}
    weak = {"password": "short", "again": "short", "reason": "r"}
    assert set(errors(client.post(address, weak))) == {"password"}
    good = {"password": PASSWORD, "again": PASSWORD, "reason": "forgotten"}
    assert client.post(address, good).status_code == 302
    rita.refresh_from_db()
    assert rita.check_password(PASSWORD)
    assert newest(rita) == ("~", "ada", "forgotten")


def test_the_history_shows_each_change_and_no_secret(client: Client, make_person: Any) -> None:
    rita = make_person("rita")
    good = {"password": PASSWORD, "again": PASSWORD, "reason": "forgotten"}
    client.post(page(User, "password", rita.pk), good)
    rita.refresh_from_db()
    text = client.get(page(User, "history", rita.pk)).content.decode()
    assert "forgotten" in text
    assert "not shown" in text
    assert rita.credential_fingerprint not in text
    assert rita.password not in text


def test_the_history_cannot_be_reverted_from_its_page(client: Client, make_person: Any) -> None:
    rita = make_person("rita")
    text = client.get(page(User, "history", rita.pk)).content.decode()
    assert "evert" not in text
    assert text.count("<form") == 1  # the sign-out


# --- roles and keys -------------------------------------------------------------------------


def test_a_role_is_granted_and_revoked_each_with_its_record(
    client: Client, make_person: Any, make_use_case: Any
) -> None:
    rita = make_person("rita")
    make_use_case("loan-approval")
    data = {"user": rita.pk, "role": "risk_lead", "use_case": "loan-approval", "reason": REASON}
    assert client.post(page(RoleGrant), data).status_code == 302
    grant = RoleGrant.objects.get(user=rita)
    assert newest(grant) == ("+", "ada", REASON)
    address = page(RoleGrant, "end", grant.pk)
    assert set(errors(client.post(address, {"reason": " "}))) == {"reason"}
    assert RoleGrant.objects.filter(pk=grant.pk).exists()
    assert client.post(address, {"reason": "left the desk"}).headers["Location"] == page(
        RoleGrant, ""
    )
    row = RoleGrant.history.order_by("-history_id")[0]
    assert (row.history_type, row.history_change_reason) == ("-", "left the desk")
    assert not RoleGrant.objects.filter(user=rita).exists()


def test_the_same_role_twice_is_an_error_on_the_form(client: Client, make_person: Any) -> None:
    rita = make_person("rita", "reviewer")
    answer = client.post(page(RoleGrant), {"user": rita.pk, "role": "reviewer", "reason": REASON})
    assert set(errors(answer)) == {"__all__"}


@pytest.mark.parametrize("model", [RoleGrant, ServiceKey])
def test_a_mistyped_use_case_is_refused_on_its_field(
    client: Client, make_person: Any, make_use_case: Any, model: type
) -> None:
    """A role or a key that is limited to what is not there grants nothing."""
    make_use_case("loan")
    form = {"user": make_person("rita").pk, "role": "reviewer", "name": "k", "reason": REASON}
    before = model.objects.count()
    assert set(errors(client.post(page(model), {**form, "use_case": "laon"}))) == {"use_case"}
    assert model.objects.count() == before
    client.post(page(model), {**form, "use_case": "loan"})
    assert model.objects.filter(use_case="loan").count() == 1


def test_a_persons_role_cannot_be_a_programs(client: Client, make_person: Any) -> None:
    rita = make_person("rita")
    answer = client.post(
        page(RoleGrant), {"user": rita.pk, "role": "integration", "reason": REASON}
    )
    assert set(errors(answer)) == {"role"}


def test_a_grant_is_read_and_never_edited(client: Client, make_person: Any) -> None:
    grant = RoleGrant.objects.get(user=make_person("rita", "reviewer"))
    assert client.post(page(RoleGrant, "change", grant.pk), {"role": "auditor"}).status_code == 403
    grant.refresh_from_db()
    assert grant.role == "reviewer"


def test_a_key_is_shown_once_and_works_until_it_is_revoked(client: Client) -> None:
    answer = client.post(
        page(ServiceKey), {"name": "gateway", "role": "integration", "reason": REASON}
    )
    shown = answer.context["key"]
    assert shown in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    key = ServiceKey.objects.get(name="gateway")
    assert newest(key) == ("+", "ada", REASON)
    assert service_key_find(shown) == key
    for address in (
        page(ServiceKey, ""),
        page(ServiceKey, "change", key.pk),
        page(ServiceKey, "history", key.pk),
    ):
        text = client.get(address).content.decode()
        assert shown not in text
        assert key.key_hash not in text
    assert client.post(page(ServiceKey, "end", key.pk), {"reason": "leaked"}).status_code == 302
    assert service_key_find(shown) is None
    assert newest(key) == ("~", "ada", "leaked")


def test_a_key_is_revoked_once(client: Client, actor: Actor) -> None:
    key, _ = service_key_create(actor=actor, name="gateway", role="integration")
    address = page(ServiceKey, "end", key.pk)
    client.post(address, {"reason": "leaked"})
    assert set(errors(client.post(address, {"reason": "again"}))) == {"__all__"}
    assert "Revoke key" not in client.get(page(ServiceKey, "change", key.pk)).content.decode()


def test_a_key_that_would_have_expired_is_refused_on_its_date(client: Client) -> None:
    data = {"name": "g", "role": "integration", "expires_at": "2001-01-01T00:00", "reason": REASON}
    assert set(errors(client.post(page(ServiceKey), data))) == {"expires_at"}


# --- registry -------------------------------------------------------------------------------

CASE = {
    "slug": "loan-approval",
    "name": "Loan approval",
    "lifecycle": "draft",
    "risk_tier": "high",
    "goal": "accuracy",
    "kinds": '["label"]',
    "labels": '["approve", "deny"]',
    "features": "[]",
    "subject_attributes": "[]",
    "unknown_features": "refuse",
    "models_mode": "open",
    "tolerance": "0",
    "cost_model": "{}",
    "reason_codes": "[]",
    "left_out": "[]",
    "calendar": "",
    "retention_days": "365",
    "reason": REASON,
}


def test_a_use_case_is_created_changed_and_moved_with_one_record_each(client: Client) -> None:
    assert client.post(page(UseCase), CASE).status_code == 302
    case = UseCase.objects.get(slug="loan-approval")
    assert newest(case) == ("+", "ada", REASON)
    changed = {**CASE, "name": "Loans", "lifecycle": "live", "reason": "go-live"}
    assert client.post(page(UseCase, "change", case.pk), changed).status_code == 302
    case.refresh_from_db()
    assert (case.name, case.lifecycle, case.history.count()) == ("Loans", "live", 3)
    assert newest(case) == ("~", "ada", "go-live")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"kinds": "[label"}, "kinds"),
        ({"kinds": '["poem"]'}, "kinds"),
        ({"labels": '["one"]'}, "labels"),
        ({"labels": '{"a": 1}'}, "labels"),
        ({"favourable_label": "maybe"}, "favourable_label"),
        ({"features": '[{"name": "x"}]'}, "features"),
        ({"features": "7"}, "features"),
        ({"cost_model": '{"setup_cost": 5}'}, "cost_model"),
        ({"lifecycle": "retired"}, "lifecycle"),
        ({"retention_days": "0"}, "retention_days"),
        ({"tolerance": "0.00001"}, "tolerance"),
        ({"tolerance": "1e30"}, "tolerance"),
        ({"reference_from": "2026-02-01", "reference_to": "2026-01-01"}, "reference_to"),
    ],
)
def test_a_faulty_use_case_is_refused_on_the_field_at_fault(
    client: Client, changed: dict[str, str], field: str
) -> None:
    assert set(errors(client.post(page(UseCase), {**CASE, **changed}))) == {field}
    assert not UseCase.objects.exists()


def test_a_move_that_the_lifecycle_does_not_know_undoes_the_change_beside_it(
    client: Client, make_use_case: Any
) -> None:
    case = make_use_case("loan-approval")
    changed = {**CASE, "name": "Loans", "lifecycle": "suspended"}
    assert set(errors(client.post(page(UseCase, "change", case.pk), changed))) == {"__all__"}
    case.refresh_from_db()
    assert (case.name, case.lifecycle, case.history.count()) == ("loan-approval", "live", 1)


def test_systems_and_versions_are_registered_and_a_version_is_withdrawn(client: Client) -> None:
    client.post(page(AISystem), {"name": "scorer", "provider": "Example", "reason": REASON})
    system = AISystem.objects.get(name="scorer")
    assert newest(system) == ("+", "ada", REASON)
    data = {"system": system.pk, "version": "1.0", "declared_accuracy": "0.9", "reason": REASON}
    assert client.post(page(ModelVersion), data).status_code == 302
    version = ModelVersion.objects.get(system=system)
    address = page(ModelVersion, "change", version.pk)
    assert client.post(address, {"status": "withdrawn", "reason": "drifted"}).status_code == 302
    version.refresh_from_db()
    assert (version.status, newest(version)) == ("withdrawn", ("~", "ada", "drifted"))
    assert set(errors(client.post(address, {"status": "withdrawn", "reason": "again"}))) == {
        "__all__"
    }


def test_an_accuracy_beyond_one_is_refused_on_its_field(client: Client, actor: Actor) -> None:
    system = ai_system_register(actor=actor, name="scorer")
    data = {"system": system.pk, "version": "1.0", "declared_accuracy": "1.5", "reason": REASON}
    assert set(errors(client.post(page(ModelVersion), data))) == {"declared_accuracy"}


def test_a_decision_right_is_granted_and_revoked_with_a_reason(
    client: Client, make_use_case: Any, make_person: Any
) -> None:
    case, rita = make_use_case("loan-approval"), make_person("rita")
    data = {"use_case": case.pk, "right": "stop", "person": rita.pk, "reason": REASON}
    assert client.post(page(DecisionRight), data).status_code == 302
    right = DecisionRight.objects.get()
    assert newest(right) == ("+", "ada", REASON)
    assert set(errors(client.post(page(DecisionRight), data))) == {"__all__"}
    assert (
        client.post(page(DecisionRight, "end", right.pk), {"reason": "rotated"}).status_code == 302
    )
    assert not DecisionRight.objects.exists()
    assert DecisionRight.history.order_by("-history_id")[0].history_change_reason == "rotated"


# --- the whole ------------------------------------------------------------------------------


def test_djangos_own_journal_stays_empty(client: Client) -> None:
    client.post(page(User), {"username": "rita", "name": "Rita", "reason": REASON})
    assert not LogEntry.objects.exists()


def rows_of_each_kind(
    actor: Actor, make_use_case: Any, make_person: Any, first: int, count: int
) -> None:
    for n in range(first, first + count):
        person = make_person(f"person-{n}")
        role_grant(actor=actor, user=person, role="reviewer")
        service_key_create(actor=actor, name=f"key-{n}", role="integration")
        case = make_use_case(f"case-{n}", owner=person)
        decision_right_grant(actor=actor, use_case=case, right="stop", person=person, reason="r")
        system = ai_system_register(actor=actor, name=f"system-{n}")
        model_version_register(actor=actor, system=system, version="1")


@pytest.mark.parametrize("model", sorted(ADMINISTERED, key=lambda model: model.__name__))
def test_the_cost_of_a_list_does_not_grow_with_its_rows(
    client: Client, actor: Actor, make_use_case: Any, make_person: Any, model: type
) -> None:
    counts = []
    for first, count in ((0, 2), (2, 8)):
        rows_of_each_kind(actor, make_use_case, make_person, first, count)
        client.get(page(model, ""))
        with CaptureQueriesContext(connection) as seen:
            assert client.get(page(model, "")).status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1]
