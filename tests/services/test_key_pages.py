"""The page of programs' keys: listed, made and shown once, revoked with a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.domain.matrix import ACTIONS, PEOPLE
from apps.accounts.models import ServiceKey, ServiceKeyUse
from apps.accounts.services import service_key_create, service_key_revoke
from apps.common.actor import Actor

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]
SUITE = Actor.command("suite")
GIVEN = {
    "key-name": "credit gateway",
    "key-role": "integration",
    "key-use_case": "",
    "key-reason": "goes live",
}


@pytest.fixture
def signed_in(make_person: Any) -> SignedIn:
    def make(*roles: str, username: str = "someone") -> Client:
        client = Client()
        client.force_login(make_person(username, *roles))
        return client

    return make


def a_key(name: str = "gateway", **more: Any) -> tuple[ServiceKey, str]:
    return service_key_create(actor=SUITE, name=name, role="integration", **more)


def listed(client: Client, query: str = "") -> list[tuple[str, str]]:
    rows = client.get(f"/keys/?{query}").context["rows"]
    return [(row.key.name, row.state) for row in rows]


def test_keys_say_whose_they_are_where_until_when_last_used_and_who_made_them(
    signed_in: SignedIn, make_person: Any, make_use_case: Any
) -> None:
    make_use_case("loan-approval", name="Loan approval")
    holder = make_person("hana")
    end = timezone.now() + timedelta(days=30)
    key, _ = a_key(use_case="loan-approval", issued_to=holder, expires_at=end)
    used = timezone.now() - timedelta(hours=1)
    ServiceKeyUse.objects.create(key=key, last_used_at=used)
    answer = signed_in("auditor").get("/keys/")
    (row,) = answer.context["rows"]
    assert (row.use_case, row.last_used_at, row.made_by) == ("Loan approval", used, "suite")
    assert row.made_at is not None
    text = answer.content.decode()
    assert "held by hana" in text
    assert key.key_hash not in text
    assert answer.context["key_form"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [("newer", "in force"), ("older", "in force")]),
        ("state=over", [("lost", "revoked"), ("old", "expired")]),
        ("q=NEWER", [("newer", "in force")]),
        ("q=nothing", []),
    ],
)
def test_keys_are_narrowed(
    signed_in: SignedIn, query: str, expected: list[tuple[str, str]]
) -> None:
    expired, _ = a_key("old", expires_at=timezone.now() + timedelta(seconds=5))
    expired.expires_at = timezone.now() - timedelta(days=1)
    expired.save(actor=SUITE, reason="as time goes")
    service_key_revoke(actor=SUITE, key=a_key("lost")[0], reason="leaked")
    for name in ("older", "newer"):
        a_key(name)
    assert listed(signed_in("auditor"), query) == expected
    assert len(listed(signed_in("auditor", username="b"), "state=all")) == 4


def test_a_key_is_shown_once_and_opens_what_its_role_opens(signed_in: SignedIn) -> None:
    client = signed_in("administrator")
    answer = client.post("/keys/make/", GIVEN)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    (secret,) = re.findall(r"data-secret>(hop_[^<]+)<", answer.content.decode())
    me = Client(headers={"authorization": f"Bearer {secret}"}).get("/api/v1/me/")
    assert me.json()["name"] == "credit gateway"
    assert secret not in client.get("/keys/").content.decode()
    assert secret not in str(client.session.items())
    history: Any = ServiceKey.history
    assert history.get().history_user_name == "someone"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("role", "nonsense"),
        ("use_case", "not-there"),
        ("issued_to", "nobody-is"),
        ("expires_at", "2001-01-01T00:00"),
        ("expires_at", "soon"),
        ("reason", ""),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_made(
    signed_in: SignedIn, field: str, value: str
) -> None:
    answer = signed_in("administrator").post("/keys/make/", {**GIVEN, f"key-{field}": value})
    assert (answer.status_code, list(answer.context["key_form"].errors)) == (400, [field])
    assert not ServiceKey.objects.exists()


def test_a_key_is_revoked_with_a_reason_and_once(signed_in: SignedIn) -> None:
    key, secret = a_key()
    client, address = signed_in("administrator"), f"/keys/{key.pk}/revoke/"
    assert client.post(address, {"reason": " "}).status_code == 400
    answer = client.post(address, {"reason": "leaked"}, follow=True)
    assert "opens nothing any more" in answer.content.decode()
    program = Client(headers={"authorization": f"Bearer {secret}"})
    assert program.get("/api/v1/me/").status_code == 401
    assert client.post(address, {"reason": "again"}).status_code == 409
    nothing = "01890000-0000-7000-8000-000000000000"
    assert client.post(f"/keys/{nothing}/revoke/", {"reason": "x"}).status_code == 404


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_the_page_opens_and_keys_are_made_as_the_matrix_says(
    signed_in: SignedIn, role: str
) -> None:
    client = signed_in(role)
    may_see, may = (role in ACTIONS[action].roles for action in ("key.view", "key.edit"))
    assert client.get("/keys/").status_code == (200 if may_see else 403)
    assert client.post("/keys/make/", GIVEN).status_code == (200 if may else 403)
    assert ServiceKey.objects.exists() == may


def test_an_empty_list_says_what_to_do_next(signed_in: SignedIn) -> None:
    assert "Make one below" in signed_in("administrator").get("/keys/").content.decode()
    text = signed_in("auditor", username="aud").get("/keys/").content.decode()
    assert "An administrator makes one" in text


def test_the_list_costs_the_same_number_of_queries_at_any_length(
    signed_in: SignedIn, make_person: Any
) -> None:
    client = signed_in("administrator")

    def queries() -> int:
        client.get("/keys/")
        with CaptureQueriesContext(connection) as seen:
            assert client.get("/keys/").status_code == 200
        return len(seen)

    a_key("first", issued_to=make_person("hana"))
    few = queries()
    for n in range(8):
        a_key(f"key-{n}", issued_to=make_person(f"p-{n}"))
    assert queries() == few
