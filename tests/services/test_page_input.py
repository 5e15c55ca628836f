"""What pages say to input that no person means: too much, nothing that matches, one decision, ten years."""

from __future__ import annotations

import http.client
import io
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.web.middleware import LARGEST_FORM
from tests.services.gates import body, gate, send

pytestmark = pytest.mark.django_db
LISTS = {
    "/use-cases/?q=none-of-this-name": "matches",
    "/decisions/?q=none-of-this-name": "No decision matches",
    "/decisions/?label=none&lane=review": "No decision matches",
    "/supervision/?label=none": "No open decision matches",
    "/supervision/mandates/?state=over": "No mandate matches",
    "/models/?q=none": "No version matches",
    "/audit/?actor=nobody": "No record matches",
    "/people/?q=none-of-this-name": "Nobody matches",
    "/keys/?q=none": "No key matches",
    "/alerts/?kind=team_loss": "No alert matches",
    "/search/?q=none-of-this-name": "Nothing found",
}


class Endless(io.RawIOBase):
    """A body of which nobody may read a byte."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        raise AssertionError("the body was read")


@pytest.fixture
def person(make_person: Any) -> User:
    roles = ("administrator", "compliance_officer", "risk_lead", "commander")
    found: User = make_person("someone", *roles)
    return found


@pytest.fixture
def client(person: User) -> Client:
    made = Client(enforce_csrf_checks=True)
    made.force_login(person)
    return made


@pytest.mark.parametrize("place", ["/decisions/", "/audit/"])
def test_a_period_that_ends_before_it_begins_is_refused_by_name(client: Client, place: str) -> None:
    period = {"begin": "2026-03-02T10:00", "end": "2026-03-02T09:00"}
    shown = client.get(place, period).content.decode()
    assert "2 Mar 2026, 10:00 is not before To; allowed: earlier than 2 Mar 2026, 09:00." in shown


@pytest.mark.parametrize("address", LISTS)
def test_a_filter_that_matches_nothing_says_so_and_how_to_go_on(
    client: Client, address: str
) -> None:
    send(gate(), body("first"))
    answer = client.get(address)
    assert answer.status_code == 200
    assert LISTS[address] in answer.content.decode()


def test_one_decision_is_enough_for_the_pages_of_its_use_case(client: Client) -> None:
    held = gate()
    send(held, body("first"))
    for address in (
        f"/use-cases/{held.slug}/",
        f"/decisions/?use_case={held.slug}",
        f"/use-cases/{held.slug}/policies/",
        f"/supervision/?use_case={held.slug}",
    ):
        assert client.get(address).status_code == 200, address


@pytest.mark.parametrize("address", ["/keys/make/", "/decisions/views/", "/people/?q=x", "/"])
def test_a_form_of_any_size_is_refused_unread_with_what_is_allowed(
    client: Client, address: str
) -> None:
    size = 2 * 1024**3
    answer = client.generic(
        "POST",
        address,
        b"",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(size),
        **{"wsgi.input": Endless()},
    )
    assert answer.status_code == http.client.REQUEST_ENTITY_TOO_LARGE
    text = answer.content.decode()
    assert "That is too large" in text
    assert f"{size:,} bytes were sent; a form takes at most {LARGEST_FORM:,}" in text
