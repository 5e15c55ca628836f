"""The pages of AI models: versions listed, one with its history, withdrawn and put back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.domain.matrix import ACTIONS, PEOPLE
from apps.decisions.models import Decision
from apps.registry.models import ModelVersion
from apps.registry.services import model_version_register, model_version_set_status
from tests.services.gates import LEAD, body, gate, send

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]
WITHDRAW = {"to": "withdrawn", "reason": "wrong on loans of farmers", "sure": "yes"}


@pytest.fixture
def signed_in(make_person: Any) -> SignedIn:
    def make(*roles: str, use_case: str = "", username: str = "someone") -> Client:
        client = Client()
        client.force_login(make_person(username, *roles, use_case=use_case))
        return client

    return make


@pytest.fixture
def version() -> ModelVersion:
    """A version that one decision has come from."""
    send(gate(), body("first"))
    return ModelVersion.objects.get()


def state(client: Client, version: ModelVersion, given: dict[str, str]) -> Any:
    return client.post(f"/models/{version.pk}/state/", given)


def listed(client: Client, query: str = "") -> list[str]:
    return [str(one) for one in client.get(f"/models/?{query}").context["page"]]


def test_a_withdrawn_version_blocks_its_next_output_and_names_who_and_why(
    signed_in: SignedIn, version: ModelVersion
) -> None:
    client = signed_in("risk_lead")
    answer = state(client, version, WITHDRAW)
    assert answer.headers["Location"] == f"/models/{version.pk}/"
    send(version_use_case(), body("second"))
    lanes = dict(Decision.objects.values_list("external_id", "lane"))
    assert (lanes["first"] != "blocked", lanes["second"]) == (True, "blocked")
    newest = client.get(f"/models/{version.pk}/").context["changes"][0]
    assert (newest.actor, newest.reason) == ("someone", WITHDRAW["reason"])
    assert [(c.field, c.before, c.after) for c in newest.fields] == [
        ("status", "active", "withdrawn")
    ]


def version_use_case() -> Any:
    return Decision.objects.first().use_case  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "says", "status"),
    [
        ({**WITHDRAW, "reason": " "}, "It takes a reason", 400),
        ({**WITHDRAW, "sure": ""}, "Tick that you know what is blocked", 400),
        ({**WITHDRAW, "to": "gone"}, "allowed: active, withdrawn", 400),
        ({**WITHDRAW, "to": ""}, "allowed: active, withdrawn", 400),
        ({**WITHDRAW, "to": "active"}, "is active already", 409),
    ],
    ids=["no-reason", "not-sure", "no-such-state", "no-state", "as-it-is"],
)
def test_what_is_not_complete_is_not_done_and_nothing_typed_is_lost(
    signed_in: SignedIn, version: ModelVersion, given: dict[str, str], says: str, status: int
) -> None:
    answer = state(signed_in("risk_lead"), version, given)
    assert answer.status_code == status
    assert says in answer.content.decode()
    assert given["reason"].strip() in answer.content.decode()
    version.refresh_from_db()
    assert version.status == "active"


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_who_may_stop_a_model_withdraws_it_and_who_may_edit_it_too_puts_it_back(
    signed_in: SignedIn, version: ModelVersion, role: str
) -> None:
    client = signed_in(role)
    may_stop, may_edit = (role in ACTIONS[action].roles for action in ("model.stop", "model.edit"))
    page = client.get(f"/models/{version.pk}/").context
    assert (page["may_withdraw"], page["may_put_back"]) == (may_stop, False)
    assert state(client, version, WITHDRAW).status_code == (302 if may_stop else 403)
    if not may_stop:
        model_version_set_status(
            actor=LEAD, model_version=version, status="withdrawn", reason="for the suite"
        )
    page = client.get(f"/models/{version.pk}/").context
    assert (page["may_withdraw"], page["may_put_back"]) == (False, may_stop and may_edit)
    back = state(client, version, {"to": "active", "reason": "mended"})
    assert back.status_code == (302 if may_stop and may_edit else 403)


def test_an_unknown_version_is_not_found_and_a_state_takes_a_post(signed_in: SignedIn) -> None:
    client = signed_in("administrator")
    missing = uuid.uuid4()
    assert client.get(f"/models/{missing}/").status_code == 404
    assert client.post(f"/models/{missing}/state/", WITHDRAW).status_code == 404
    assert client.get(f"/models/{missing}/state/")["Location"] == f"/models/{missing}/"


def test_versions_are_narrowed(signed_in: SignedIn, version: ModelVersion) -> None:
    second = model_version_register(actor=LEAD, system=version.system, version="9-beta")
    model_version_set_status(actor=LEAD, model_version=second, status="withdrawn", reason="old")
    client = signed_in("reviewer")
    assert listed(client) == [str(version), str(second)]
    assert listed(client, "status=withdrawn") == [str(second)]
    assert listed(client, "q=BETA") == [str(second)]
    assert listed(client, "q=nothing") == []
    assert "No version matches" in client.get("/models/?q=nothing").content.decode()


def test_where_it_is_used_counts_what_the_reader_may_see(
    signed_in: SignedIn, version: ModelVersion, make_use_case: Any
) -> None:
    send(version_use_case(), body("second"), body("third"))
    (use,) = signed_in("auditor").get(f"/models/{version.pk}/").context["uses"]
    assert (use.slug, use.n) == (version_use_case().slug, 3)


def test_the_pages_cost_the_same_with_more(signed_in: SignedIn, version: ModelVersion) -> None:
    client = signed_in("risk_lead")
    addresses = ("/models/", f"/models/{version.pk}/")
    few = [queries_of(client, address) for address in addresses]
    for number in range(20):
        model_version_register(actor=LEAD, system=version.system, version=f"9.{number}")
    send(version_use_case(), *(body(f"more-{n}") for n in range(20)))
    assert [queries_of(client, address) for address in addresses] == few


def queries_of(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)
