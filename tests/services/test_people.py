"""People and their roles: one spelling each, never deleted, every change named and recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts import services
from apps.accounts.callers import caller_of_command, caller_of_user
from apps.accounts.domain.matrix import ACTIONS, PEOPLE, ROLES
from apps.accounts.models import RoleGrant, ServiceKey, User
from apps.audit.models import Leaf, PendingRecord
from apps.audit.sealing import seal_all
from apps.common.actor import Actor
from apps.common.errors import ActorRequired, BadInput, Conflict, NotPermitted, UnrecordedWrite

ROOT = Actor.command("root")
PASSWORD = "a quiet harbour at dawn"


def person(username: str = "ann", **data: Any) -> User:
    return services.person_create(actor=ROOT, username=username, **data)


def written() -> tuple[int, ...]:
    rows = (User, RoleGrant, ServiceKey)
    return (
        *(model.objects.count() for model in rows),
        *(model.history.count() for model in rows),
        PendingRecord.objects.count(),
    )


# --- Logins ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    ["ann", "ANN", "  ann ", "Ａｎｎ", "ａｎｎ", "\tAnn\n"],
    ids=["same", "case", "spaces", "full width", "full width, small", "control characters around"],
)
def test_one_login_under_two_spellings_is_one_person(db: None, spelling: str) -> None:
    person("ann")
    before = written()
    with pytest.raises(Conflict, match="'ann' exists"):
        person(spelling)
    assert written() == before


@pytest.mark.parametrize(
    "login",
    ["", "   ", "an n", "an\u00a0n", "an\u200bn", "an\u202en", "a\x00n", "a\ud800n", "ann\x07x"],
)
def test_a_login_with_spaces_or_invisible_characters_is_refused(db: None, login: str) -> None:
    before = written()
    with pytest.raises(BadInput) as refusal:
        person(login)
    assert [e.pointer for e in refusal.value.errors] == ["/username"]
    assert written() == before


@given(st.text(max_size=20))
def test_normalizing_a_login_twice_changes_nothing_more(login: str) -> None:
    once = User.normalize_username(login)
    assert User.normalize_username(once) == once


def test_a_login_longer_than_its_column_is_refused(db: None) -> None:
    with pytest.raises(BadInput) as refusal:
        person("a" * 151)
    assert "/username" in {e.pointer for e in refusal.value.errors}


@pytest.mark.parametrize(
    ("field", "value"), [("email", "nobody"), ("name", "n" * 201), ("name", "a\x00b")]
)
def test_a_faulty_field_is_refused_by_its_pointer(db: None, field: str, value: str) -> None:
    before = written()
    with pytest.raises(BadInput) as refusal:
        person(**{field: value})
    assert [e.pointer for e in refusal.value.errors] == [f"/{field}"]
    assert written() == before


# --- Passwords ------------------------------------------------------------------------------


@pytest.mark.parametrize("weak", ["", "short", "123456789012345", "password1234", "hannelore77xx"])
def test_a_weak_password_is_refused_and_nobody_is_made(db: None, weak: str) -> None:
    before = written()
    with pytest.raises(BadInput) as refusal:
        person("hannelore77x", password=weak)
    assert {e.pointer for e in refusal.value.errors} == {"/password"}
    assert written() == before


def test_a_weak_new_password_leaves_the_old_one(db: None) -> None:
    ann = person(password=PASSWORD)
    with pytest.raises(BadInput):
        services.person_set_password(actor=ann.actor, user=ann, password="weak")
    assert User.objects.get(pk=ann.pk).check_password(PASSWORD)


def test_the_right_password_signs_in_under_every_spelling_of_the_login(db: None) -> None:
    ann = person(password=PASSWORD)
    for spelling in ("ann", "ANN"):
        assert authenticate(username=spelling, password=PASSWORD) == ann
    assert authenticate(username="ann", password="wrong") is None


def test_a_person_without_a_password_does_not_sign_in(db: None) -> None:
    ann = person()
    assert not ann.check_password("")
    assert not ann.check_password(ann.password)
    assert authenticate(username="ann", password=ann.password) is None


def test_a_new_password_replaces_the_old_one_and_is_recorded(db: None) -> None:
    ann = person(password=PASSWORD)
    services.person_set_password(actor=ann.actor, user=ann, password="another quiet harbour")
    fresh = User.objects.get(pk=ann.pk)
    assert fresh.check_password("another quiet harbour")
    assert not fresh.check_password(PASSWORD)
    marks = list(
        User.history.order_by("history_id").values_list("credential_fingerprint", flat=True)
    )
    assert len(set(marks)) == 2
    assert User.history.latest().history_change_reason == "password changed"


def test_the_password_hash_is_neither_in_history_nor_in_the_sealed_record(
    committed_db: Any,
) -> None:
    ann = person(password=PASSWORD)
    seal_all()
    sealed = list(Leaf.objects.filter(record_type="person").values_list("data", flat=True))
    assert len(sealed) == 1
    assert ann.password not in sealed[0]
    assert "password" not in sealed[0]
    assert '"username":"ann"' in sealed[0]
    assert "password" not in {f.name for f in User.history.model._meta.get_fields()}


def test_a_password_hash_changed_by_raw_sql_lets_nobody_in(db: None) -> None:
    ann, intruder = person(password=PASSWORD), User()
    intruder.set_password("intruder's own words")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_user SET password = %s WHERE username = 'ann'", [intruder.password]
        )
    fresh = User.objects.get(pk=ann.pk)
    assert fresh.password == intruder.password
    assert not fresh.check_password("intruder's own words")
    assert authenticate(username="ann", password="intruder's own words") is None


def test_the_fingerprint_cannot_be_changed_along_with_the_hash_unrecorded(db: None) -> None:
    ann = person(password=PASSWORD)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET credential_fingerprint = %s", ["0" * 64])
    assert User.objects.get(pk=ann.pk).check_password(PASSWORD)


# --- Change and end -------------------------------------------------------------------------


def test_deactivation_ends_every_grant_and_the_sign_in(db: None, make_person: Any) -> None:
    make_person("root", "administrator")
    ann = make_person("ann", "administrator", "risk_lead", password=PASSWORD)
    assert ann.may("role.grant")
    services.person_update(actor=ROOT, user=ann, reason="left", is_active=False)
    fresh = User.objects.get(pk=ann.pk)
    assert fresh.grants() == []
    assert not any(caller_of_user(fresh).may(action) for action in ACTIONS)
    assert not any((fresh.is_staff, fresh.has_perm("x"), fresh.has_module_perms("x")))
    assert authenticate(username="ann", password=PASSWORD) is None


def test_the_last_administrator_stays_one(db: None, make_person: Any) -> None:
    """Somebody must be left who can give roles; who is deactivated or may not sign in cannot."""
    ann, bob = make_person("ann", "administrator"), make_person("bob", "administrator")
    services.person_update(actor=ROOT, user=bob, reason="left", is_active=False)
    with pytest.raises(Conflict, match="ann is the last administrator and cannot be deactivated"):
        services.person_update(actor=ROOT, user=ann, reason="left", is_active=False)
    with pytest.raises(Conflict, match="last administrator and cannot be without that role"):
        services.role_revoke(actor=ROOT, grant=ann.role_grants.get(), reason="tidy")
    services.person_update(actor=ROOT, user=bob, reason="back", is_active=True)
    services.role_revoke(actor=ROOT, grant=ann.role_grants.get(), reason="tidy")
    assert User.objects.get(pk=bob.pk).may("role.grant")


def test_a_person_who_comes_back_holds_what_was_not_revoked(db: None, make_person: Any) -> None:
    ann = make_person("ann", "risk_lead")
    services.person_update(actor=ROOT, user=ann, reason="left", is_active=False)
    services.person_update(actor=ROOT, user=ann, reason="came back", is_active=True)
    assert User.objects.get(pk=ann.pk).may("policy.propose", "loan")
    reasons = User.history.filter(id=ann.pk).values_list("history_change_reason", flat=True)
    assert {"left", "came back"} <= set(reasons)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "other"),
        ("password", "x"),
        ("is_superuser", True),
        ("credential_fingerprint", ""),
        ("is_active", "perhaps"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", ["UTC"]),
        ("email", "nobody"),
        ("name", "a\x00b"),
    ],
)
def test_what_may_not_be_changed_is_refused_by_its_pointer(
    db: None, field: str, value: object
) -> None:
    ann = person()
    before = written()
    with pytest.raises(BadInput) as refusal:
        services.person_update(actor=ROOT, user=ann, reason="r", **{field: value})
    assert [e.pointer for e in refusal.value.errors] == [f"/{field}"]
    assert written() == before


def test_a_person_is_not_deleted_by_the_model(db: None) -> None:
    ann = person()
    before = written()
    with pytest.raises(UnrecordedWrite, match="deactivated, never deleted"):
        ann.delete(actor=ROOT, reason="gone")
    assert written() == before


@pytest.mark.parametrize("manager", ["objects", "_base_manager"])
def test_a_person_is_not_deleted_by_a_queryset(db: None, manager: str) -> None:
    ann = person()
    before = written()
    with pytest.raises((UnrecordedWrite, DatabaseError)), transaction.atomic():
        getattr(User, manager).filter(pk=ann.pk).delete()
    assert written() == before


def test_a_person_is_not_deleted_by_raw_sql_and_stays_named_in_the_trail(
    committed_db: Any, make_person: Any
) -> None:
    ann = make_person("ann")
    make_person("ben")
    services.person_update(
        actor=ann.actor, user=User.objects.get(username="ben"), reason="r", name="B"
    )
    seal_all()
    before = written()
    with (
        pytest.raises(DatabaseError, match="unrecorded"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM accounts_user WHERE username = 'ann'")
    assert written() == before
    assert User.history.latest().history_user_name == "ann"
    assert Leaf.objects.filter(data__contains='"history_user_name":"ann"').count() == 1


# --- Roles ----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["", "king", "Reviewer", "integration", None, ["reviewer"]])
def test_an_unknown_role_is_refused(db: None, role: Any) -> None:
    ann = person()
    before = written()
    with pytest.raises(BadInput) as refusal:
        services.role_grant(actor=ROOT, user=ann, role=role)
    assert [e.pointer for e in refusal.value.errors] == ["/role"]
    assert "compliance_officer" in str(refusal.value)
    assert written() == before


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_every_role_of_people_can_be_granted_and_allows_what_the_matrix_says(
    db: None, make_person: Any, role: str
) -> None:
    caller = caller_of_user(make_person("ann", role))
    allowed = {action for action in ACTIONS if caller.may(action, "loan")}
    assert allowed == {name for name, action in ACTIONS.items() if role in action.roles}


def test_a_grant_limited_to_a_use_case_reaches_no_further(db: None, make_person: Any) -> None:
    caller = caller_of_user(make_person("ann", "risk_lead", use_case="loan"))
    assert caller.may("use_case.edit", "loan")
    assert caller.may("use_case.edit")  # anywhere at all
    assert not caller.may("use_case.edit", "loans")
    assert not caller.may("use_case.create")  # unscoped: takes an unlimited grant
    assert caller.visible("use_case.view") == {"loan"}
    with pytest.raises(NotPermitted, match="in fraud: it takes one of") as refusal:
        caller.require("use_case.edit", "fraud")
    assert (refusal.value.action, refusal.value.use_case) == ("use_case.edit", "fraud")


def test_grants_in_several_use_cases_add_up(db: None, make_person: Any) -> None:
    ann = make_person("ann", "reviewer", use_case="loan")
    services.role_grant(actor=ROOT, user=ann, role="reviewer", use_case="fraud")
    fresh = User.objects.get(pk=ann.pk)
    assert caller_of_user(fresh).visible("review.do") == {"loan", "fraud"}
    assert not fresh.may("review.do", "triage")


def test_one_grant_twice_is_a_conflict(db: None, make_person: Any) -> None:
    ann = make_person("ann", "reviewer", use_case="loan")
    before = written()
    with pytest.raises(Conflict, match="holds reviewer there already"):
        services.role_grant(actor=ROOT, user=ann, role="reviewer", use_case="loan")
    assert written() == before


def test_a_revocation_is_recorded_with_who_and_why_and_takes_effect(
    db: None, make_person: Any
) -> None:
    ann = make_person("ann", "reviewer")
    grant = ann.role_grants.get()
    services.role_revoke(actor=ROOT, grant=grant, reason="moved on")
    end = RoleGrant.history.filter(id=grant.pk).latest()
    assert (end.history_type, end.history_change_reason) == ("-", "moved on")
    assert (end.history_user_kind, end.history_user_name) == ("command", "root")
    assert not User.objects.get(pk=ann.pk).may("review.do")


def test_the_operator_of_the_machine_may_do_everything_and_is_named() -> None:
    caller = caller_of_command("root")
    assert all(caller.may(action, "loan") for action in ACTIONS)
    assert caller.actor.name == "root"


def test_the_first_administrator_is_made_by_a_command_and_recorded(db: None) -> None:
    call_command("createsuperuser", username="Root", name="Root", interactive=False, verbosity=0)
    user = User.objects.get_by_natural_key("ROOT")
    assert user.may("role.grant")
    assert {row.history_user_name for row in RoleGrant.history.all()} == {"createsuperuser"}


# --- Actors ---------------------------------------------------------------------------------

WRITES: dict[str, Callable[[Any, User, ServiceKey], Any]] = {
    "person_create": lambda a, u, k: services.person_create(actor=a, username="new"),
    "person_update": lambda a, u, k: services.person_update(actor=a, user=u, reason="r", name="N"),
    "person_set_password": lambda a, u, k: services.person_set_password(
        actor=a, user=u, password=PASSWORD
    ),
    "role_grant": lambda a, u, k: services.role_grant(actor=a, user=u, role="auditor"),
    "role_revoke": lambda a, u, k: services.role_revoke(
        actor=a, grant=u.role_grants.get(), reason="r"
    ),
    "service_key_create": lambda a, u, k: services.service_key_create(
        actor=a, name="n", role="integration"
    ),
    "service_key_revoke": lambda a, u, k: services.service_key_revoke(actor=a, key=k, reason="r"),
}


def test_the_list_of_writes_is_complete() -> None:
    own = {
        name
        for name, thing in vars(services).items()
        if callable(thing)
        and getattr(thing, "__module__", "") == services.__name__
        and not name.startswith("_")
    }
    assert own - {"check_role", "service_key_find"} == set(WRITES)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("nobody", [None, "ann"])
def test_a_write_without_an_actor_is_refused_and_writes_nothing(
    db: None, make_person: Any, write: str, nobody: Any
) -> None:
    ann = make_person("ann", "reviewer")
    key, _secret = services.service_key_create(actor=ROOT, name="bank", role="integration")
    before = written()
    with pytest.raises(ActorRequired):
        WRITES[write](nobody, ann, key)
    assert written() == before


def test_every_role_has_a_name_that_people_can_read() -> None:
    assert len(ROLES) == len(PEOPLE) + 1 == 10
