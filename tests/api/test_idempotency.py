"""``Idempotency-Key``: the same request is answered as the first time; nothing is stuck for ever."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from apps.accounts.services import service_key_create
from apps.api import idempotency
from apps.api.tasks import sweep_stored_answers
from apps.decisions.models import Decision, StoredAnswer
from apps.outcomes.models import Outcome
from tests.api.conftest import ROOT, ApiClient
from tests.services.gates import LEAD, body, gate, send

LINES = "application/x-ndjson"


def post(client: Client, sent: bytes, key: str = "k", path: str = "decisions/", **more: Any) -> Any:
    media_type = LINES if path.endswith("batch/") else "application/json"
    headers = {"idempotency-key": key, **more}
    response = client.post(ROOT + path, data=sent, content_type=media_type, headers=headers)
    response.whole = response.getvalue()
    return response


def one(external_id: str = "a", **more: Any) -> bytes:
    return json.dumps(body(external_id, **more)).encode()


@pytest.fixture
def client(program: Callable[..., ApiClient]) -> Client:
    return program("integration").client


@pytest.mark.parametrize("path", ["decisions/", "decisions/batch/"])
def test_the_same_request_is_answered_byte_for_byte_as_the_first_time(
    client: Client, path: str
) -> None:
    gate()
    first, again = (post(client, one(), path=path) for _ in range(2))
    assert first.status_code == again.status_code == (200 if "batch" in path else 201)
    assert first.whole == again.whole
    assert first.get("Location") == again.get("Location")
    assert first["Content-Type"] == again["Content-Type"]
    assert Decision.objects.count() == 1


def test_lines_are_answered_again_as_lines(client: Client) -> None:
    gate()
    first, again = (post(client, one(), path="decisions/batch/", accept=LINES) for _ in range(2))
    assert first["Content-Type"] == again["Content-Type"] == LINES
    assert first.whole == again.whole
    assert json.loads(first.whole.splitlines()[0])["external_id"] == "a"


def test_an_outcome_under_a_key_is_recorded_once(client: Client) -> None:
    send(gate(), body("a"))
    path = f"decisions/{Decision.objects.get().pk}/outcome/"
    first, again = (post(client, b'{"label": "deny"}', path=path) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.whole == again.whole
    assert Outcome.objects.count() == 1


@pytest.mark.parametrize("other", [one("b"), one() + b" "])
def test_the_same_key_with_another_body_is_422(client: Client, other: bytes) -> None:
    gate()
    post(client, one())
    response = post(client, other)
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert Decision.objects.count() == 1


def test_the_same_key_at_another_door_is_422(client: Client) -> None:
    gate()
    post(client, one())
    assert post(client, one(), path="decisions/batch/").status_code == 422


def test_each_caller_has_keys_of_its_own(client: Client, program: Callable[..., ApiClient]) -> None:
    gate()
    post(client, one())
    assert post(program("administrator").client, one("b")).status_code == 201


def test_a_request_that_still_runs_is_409(client: Client, monkeypatch: Any) -> None:
    gate()
    inner: list[int] = []
    real = idempotency._plain

    def meanwhile(response: Any) -> Any:
        if not inner:
            inner.append(0)
            inner[0] = post(client, one()).status_code
        return real(response)

    monkeypatch.setattr(idempotency, "_plain", meanwhile)
    assert post(client, one()).status_code == 201
    assert inner == [409]


def marked(client: Client, age: timedelta) -> None:
    """As a process leaves it that died in the middle."""
    post(client, one())
    StoredAnswer.objects.update(status=None, body=None, created_at=timezone.now() - age)


def test_a_mark_of_a_minute_ago_is_of_a_process_that_died_and_is_taken_over(client: Client) -> None:
    gate()
    marked(client, timedelta(seconds=50))
    assert post(client, one()).status_code == 409
    marked_before = StoredAnswer.objects.get()
    StoredAnswer.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    assert post(client, one()).status_code == 200
    assert StoredAnswer.objects.get().pk == marked_before.pk
    assert post(client, one()).status_code == 200
    assert Decision.objects.count() == 1


def test_the_answer_of_one_who_was_taken_over_is_not_kept(client: Client, monkeypatch: Any) -> None:
    gate()
    real = idempotency._plain

    def taken_over(response: Any) -> Any:
        StoredAnswer.objects.update(created_at=timezone.now() + timedelta(seconds=1))
        return real(response)

    monkeypatch.setattr(idempotency, "_plain", taken_over)
    assert post(client, one()).status_code == 201
    assert StoredAnswer.objects.get().body is None


@pytest.mark.parametrize("bad", [one(label="maybe"), b"{", one()[:-1]])
def test_a_refused_request_leaves_its_key_free_for_the_corrected_one(
    client: Client, bad: bytes
) -> None:
    gate()
    assert post(client, bad).status_code == 400
    assert StoredAnswer.objects.count() == 0
    assert post(client, one()).status_code == 201


def test_a_failure_inside_leaves_the_key_free(client: Client, monkeypatch: Any) -> None:
    gate()
    client.raise_request_exception = False
    from apps.api.v1 import decisions

    with monkeypatch.context() as patch:
        patch.setattr(decisions, "take_one", lambda **_: 1 / 0)
        assert post(client, one()).status_code == 500
    assert post(client, one()).status_code == 201


@pytest.mark.parametrize("key", ["x" * 201, "é", "a\tb", "a\x7fb"])
def test_a_key_that_is_none_is_pointed_at(client: Client, pointers: Any, key: str) -> None:
    gate()
    assert pointers(post(client, one(), key)) == ["/Idempotency-Key"]
    assert Decision.objects.count() == 0


def test_the_longest_key_is_a_key(client: Client) -> None:
    gate()
    assert post(client, one(), "x" * 200).status_code == 201
    assert StoredAnswer.objects.get().key == "x" * 200


def test_after_a_day_the_key_is_as_new(client: Client) -> None:
    gate()
    post(client, one())
    StoredAnswer.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert post(client, one("b")).status_code == 201
    assert StoredAnswer.objects.count() == 1


def test_the_sweep_forgets_what_is_older_than_a_day_and_no_more(client: Client) -> None:
    gate()
    post(client, one("a"), "old")
    post(client, one("b"), "young")
    day = StoredAnswer.objects.filter(key="old")
    day.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert sweep_stored_answers() == 1
    assert StoredAnswer.objects.get().key == "young"


def test_what_tells_bodies_apart_cannot_be_guessed_without_the_installation_s_key(
    settings: Any,
) -> None:
    request = SimpleNamespace(path="/api/v1/decisions/", accepted_media_type="application/json")
    first = idempotency._fingerprint(request, one())
    assert first == idempotency._fingerprint(request, one())
    settings.PSEUDONYM_KEY = "another key of thirty-two characters"
    assert first != idempotency._fingerprint(request, one())


def test_ten_at_once_under_one_key_make_one_decision_and_no_other_answer(committed_db: Any) -> None:
    send(gate(), body("first"))
    _, secret = service_key_create(actor=LEAD, name="k", role="integration")
    answers: list[Any] = []

    def submit() -> None:
        answers.append(post(Client(headers={"authorization": f"Bearer {secret}"}), one()))
        connections.close_all()

    threads = [threading.Thread(target=submit) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {a.status_code for a in answers} <= {201, 409}
    assert len({a.whole for a in answers if a.status_code == 201}) == 1
    assert Decision.objects.filter(external_id="a").count() == 1
