"""People: one table of what each holds, and one's page with all that was done about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.domain.matrix import ACTIONS, PEOPLE
from apps.accounts.models import RoleGrant, User
from apps.accounts.qualifications import qualification_grant
from apps.accounts.services import role_grant
from apps.common.actor import Actor
from apps.registry.models import DecisionRight
from apps.registry.services import decision_right_grant

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]
SUITE = Actor.command("suite")
NOTHING = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def signed_in(make_person: Any) -> SignedIn:
    def make(*roles: str, use_case: str = "", username: str = "someone") -> Client:
        client = Client()
        client.force_login(make_person(username, *roles, use_case=use_case))
        return client

    return make


@pytest.fixture
def hana(make_person: Any, make_use_case: Any) -> User:
    """Somebody with a role, a skill and a right."""
    case = make_use_case("loan-approval", name="Loan approval")
    made: User = make_person("hana", "reviewer", use_case="loan-approval")
    end = timezone.now() + timedelta(days=30)
    given = {"actor": SUITE, "reason": "examined"}
    qualification_grant(user=made, skill="credit", valid_until=end, **given)  # type: ignore[arg-type]
    decision_right_grant(
        actor=SUITE, use_case=case, right="review", person=made, reason="appointed"
    )
    return made


def queries_of(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


def steps(client: Client, who: User) -> list[str]:
    return [step.words for step in client.get(f"/people/{who.pk}/").context["steps"]]


def test_one_table_shows_roles_skills_and_rights_with_where_and_until_when(
    signed_in: SignedIn, hana: User
) -> None:
    answer = signed_in("auditor").get("/people/?q=hana")
    (row,) = answer.context["page"]
    assert [(one.role, one.use_case) for one in row.role_grants.all()] == [
        ("reviewer", "loan-approval")
    ]
    assert [(one.skill, one.use_case) for one in row.skills_held] == [("credit", "")]
    assert [(one.right, one.use_case_id) for one in row.rights_held] == [
        ("review", "loan-approval")
    ]
    text = answer.content.decode()
    assert "until <time" in text
    assert f"/people/{hana.pk}/" in text


def test_the_table_costs_the_same_number_of_queries_at_any_length(
    signed_in: SignedIn, hana: User, make_person: Any
) -> None:
    client = signed_in("auditor")
    few = queries_of(client, "/people/")
    for n in range(10):
        one = make_person(f"p-{n}", "reviewer", "executive")
        qualification_grant(actor=SUITE, user=one, skill="credit", reason="examined")
    assert queries_of(client, "/people/") == few


def test_a_page_costs_the_same_number_of_queries_however_much_was_done(
    signed_in: SignedIn, hana: User, make_use_case: Any
) -> None:
    client, page = signed_in("administrator"), f"/people/{hana.pk}/"
    few = queries_of(client, page)
    for n in range(6):
        case = make_use_case(f"case-{n}")
        role_grant(actor=SUITE, user=hana, role="supervisor", use_case=case.slug)
        decision_right_grant(
            actor=SUITE, use_case=case, right="stop", person=hana, reason="appointed"
        )
    assert queries_of(client, page) == few


def test_the_history_tells_everything_that_was_done_newest_first(
    signed_in: SignedIn, hana: User
) -> None:
    client = signed_in("administrator")
    page = f"/people/{hana.pk}/"
    grant = hana.role_grants.get()
    client.post(f"{page}roles/{grant.pk}/revoke/", {"reason": "moved on"})
    client.post(f"{page}state/", {"to": "inactive", "reason": "left"})
    assert steps(client, hana) == [
        "deactivated",
        "role reviewer revoked in loan-approval",
        "right review granted in loan-approval",
        "skill credit granted in all use cases",
        "role reviewer granted in loan-approval",
        "the account was created",
    ]


def test_a_person_is_deactivated_and_reactivated_with_a_reason(
    signed_in: SignedIn, hana: User
) -> None:
    own = Client()
    own.force_login(hana)
    assert own.get("/").status_code == 200
    client, address = signed_in("administrator"), f"/people/{hana.pk}/state/"
    assert client.post(address, {"to": "inactive", "reason": ""}).status_code == 400
    assert client.post(address, {"to": "inactive", "reason": "left"}).status_code == 302
    assert own.get("/").status_code == 302
    assert client.post(address, {"to": "inactive", "reason": "left"}).status_code == 409
    assert client.post(address, {"to": "active", "reason": "came back"}).status_code == 302
    hana.refresh_from_db()
    assert hana.is_active


def test_the_last_administrator_stays(signed_in: SignedIn) -> None:
    client = signed_in("administrator")
    me = User.objects.get(username="someone")
    answer = client.post(f"/people/{me.pk}/state/", {"to": "inactive", "reason": "tired"})
    assert answer.status_code == 409
    assert "last administrator" in answer.content.decode()
    grant = me.role_grants.get()
    address = f"/people/{me.pk}/roles/{grant.pk}/revoke/"
    assert client.post(address, {"reason": "tired"}).status_code == 409
    assert RoleGrant.objects.filter(pk=grant.pk).exists()


def test_a_role_is_granted_and_the_same_twice_is_refused(signed_in: SignedIn, hana: User) -> None:
    client, address = signed_in("administrator"), f"/people/{hana.pk}/roles/"
    given = {"role-role": "supervisor", "role-use_case": "loan-approval", "role-reason": "needed"}
    assert client.post(address, given).status_code == 302
    assert hana.role_grants.filter(role="supervisor", use_case="loan-approval").exists()
    again = client.post(address, given)
    assert again.status_code == 409
    assert again.context["role_form"].non_field_errors()
    for name, value in (("role", "king"), ("use_case", "not-there"), ("reason", "")):
        bad = client.post(address, {**given, f"role-{name}": value})
        assert (bad.status_code, list(bad.context["role_form"].errors)) == (400, [name])


def test_a_right_is_granted_and_revoked(signed_in: SignedIn, hana: User) -> None:
    client, page = signed_in("administrator"), f"/people/{hana.pk}/"
    given = {"right-right": "stop", "right-use_case": "loan-approval", "right-reason": "needed"}
    assert client.post(f"{page}rights/", given).status_code == 302
    assert client.post(f"{page}rights/", given).status_code == 409
    for name, value in (("right", "burn"), ("use_case", ""), ("reason", "")):
        bad = client.post(f"{page}rights/", {**given, f"right-{name}": value})
        assert (bad.status_code, list(bad.context["right_form"].errors)) == (400, [name])
    held = DecisionRight.objects.get(person=hana, right="stop")
    assert client.post(f"{page}rights/{held.pk}/revoke/", {"reason": ""}).status_code == 400
    assert client.post(f"{page}rights/{held.pk}/revoke/", {"reason": "over"}).status_code == 302
    assert not DecisionRight.objects.filter(pk=held.pk).exists()


def test_what_is_not_this_persons_is_not_there(
    signed_in: SignedIn, hana: User, make_person: Any
) -> None:
    client, other = signed_in("administrator"), make_person("otto")
    grant, right = hana.role_grants.get(), DecisionRight.objects.get()
    for address in (
        f"/people/{other.pk}/roles/{grant.pk}/revoke/",
        f"/people/{other.pk}/rights/{right.pk}/revoke/",
        f"/people/{NOTHING}/state/",
    ):
        assert client.post(address, {"reason": "x"}).status_code == 404
    assert client.get(f"/people/{NOTHING}/").status_code == 404


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_each_act_takes_what_the_matrix_says(signed_in: SignedIn, hana: User, role: str) -> None:
    client, page = signed_in(role), f"/people/{hana.pk}/"
    may_see = role in ACTIONS["person.view"].roles
    seen = client.get(page)
    assert seen.status_code == (200 if may_see else 403)
    if may_see:
        forms = [seen.context[name] is not None for name in ("role_form", "right_form")]
        wanted = [role in ACTIONS[action].roles for action in ("role.grant", "rights.edit")]
        assert forms == wanted
    acts = {"state/": "person.edit", "roles/": "role.grant", "rights/": "rights.edit"}
    for path, action in acts.items():
        refused = client.post(f"{page}{path}", {}).status_code == 403
        assert refused == (role not in ACTIONS[action].roles)
