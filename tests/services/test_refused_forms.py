"""The address that a form is sent to, loaded anew: it leads to the page that the form stands on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.web.urls import urlpatterns

SAMPLES = {"uuid": UUID(int=7), "int": 7, "slug": "loan-approval"}


def _address(pattern: Any) -> str:
    taken = pattern.pattern.converters
    kinds = {
        name: type(one).__name__.removesuffix("Converter").lower() for name, one in taken.items()
    }
    return reverse(pattern.name, kwargs={name: SAMPLES[kind] for name, kind in kinds.items()})


ADDRESSES = sorted(_address(pattern) for pattern in urlpatterns if pattern.name)


@pytest.fixture
def client(db: None, make_person: Any) -> Client:
    found = Client()
    found.force_login(make_person("ann", "administrator"))
    return found


def test_an_address_that_takes_forms_alone_leads_to_a_page(client: Client) -> None:
    led = {}
    for address in ADDRESSES:
        answer = client.get(address)
        if answer.status_code == 302 and address.startswith(answer["Location"]):
            led[address] = answer["Location"]
        assert answer.status_code != 405, address
    case = f"/desk/case/{SAMPLES['uuid']}/"
    assert led[f"{case}verdict/"] == led[f"{case}release/"] == case
    assert led["/alerts/limits/set/"] == "/alerts/limits/"
    assert led[f"/desk/team/skills/{SAMPLES['uuid']}/revoke/"] == "/desk/team/skills/"
    assert len(led) > 30


def test_a_form_that_is_sent_is_not_led_away(client: Client) -> None:
    answer = client.post("/alerts/limits/set/", {})
    assert answer.status_code == 400
