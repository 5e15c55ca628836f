"""Decisions over HTTP: the same one many times at once, and bodies that are spoiled at random."""

from __future__ import annotations

import copy
import json
import random
import threading
from typing import Any

from django.db import connection, connections
from django.test import Client

from apps.decisions.models import Decision
from tests.api.conftest import ApiClient
from tests.api.sending import FEATURES, key_for, post
from tests.services.gates import body, gate, send


def test_the_same_request_ten_times_at_once_is_one_decision_and_ten_equal_answers(
    committed_db: Any,
) -> None:
    send(gate(policy={"confidence_threshold": 0.95}), body("first"))
    key = key_for("integration")
    answers: list[Any] = []

    def submit() -> None:
        client = Client(headers={"authorization": f"Bearer {key}"})
        answers.append(post(ApiClient(client), body("a")))
        connections.close_all()

    threads = [threading.Thread(target=submit) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status_code for a in answers) == [200] * 9 + [201]
    assert len({a.content for a in answers}) == 1
    assert Decision.objects.filter(external_id="a").count() == 1


WHOLE = body(
    "x",
    amount="25000.00",
    features={"income": 41000, "region": "north"},
    subject={"ref": "cust-77", "attributes": {"sex": "F"}},
    explanation={"text": "t", "top_features": [{"name": "income", "weight": 0.4}]},
    evidence=[{"kind": "text", "title": "t", "content": "c", "regions": [{"x": 1}]}],
    decided_at="2026-01-02T09:30:00Z",
)
WHOLE["output"]["scores"] = {"approve": 0.9, "deny": 0.1}
NASTY: list[Any] = [
    None, True, 0, -1, 1.5, 1e308, 10**15, 10**30, "", " ", "x" * 300, "\x00", "\ud800", "é", "🦉",
    "999999999999999.9999", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "label",
    "deny", [], {}, [[]], {"": ""}, {"a": {"b": [1]}}, {"label": "deny"}, [{"kind": "url"}],
]  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in items:
        found.append((value, key))
        if isinstance(member, dict | list):
            found += places(member)
    return found


def spoiled(dice: random.Random, number: int) -> bytes:
    sent = copy.deepcopy({**WHOLE, "external_id": f"x{number}"})
    for _ in range(dice.randint(1, 3)):
        container, key = dice.choice(places(sent))
        if dice.random() < 0.2 and isinstance(container, dict):
            container.pop(key)
        else:
            container[key] = copy.deepcopy(dice.choice(NASTY))
    raw = json.dumps(sent).encode()
    if dice.random() < 0.2:
        place = dice.randrange(len(raw))
        raw = raw[:place] + bytes([dice.randrange(256)]) + raw[place + dice.randrange(2) :]
    return raw[: dice.randrange(len(raw))] if dice.random() < 0.05 else raw


def test_ten_thousand_spoiled_bodies_cause_no_failure(sender: ApiClient, settings: Any) -> None:
    """Ten thousand on SQLite; the first two thousand of them on PostgreSQL, which takes longer."""
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {
        "caller": "1000000/min", "anonymous": "60/min"}}  # fmt: skip
    gate(features=FEATURES, kinds=["label", "text"], policy={"confidence_threshold": 0.5})
    dice, seen = random.Random(20_261_121), dict[int, int]()
    many = 2_000 if connection.vendor == "postgresql" else 10_000
    for number in range(many):
        raw = spoiled(dice, number)
        status = post(sender, raw).status_code
        assert status < 500, raw
        seen[status] = seen.get(status, 0) + 1
    assert seen.keys() <= {200, 201, 400, 409, 413}
    assert seen[400] > many / 2
    assert Decision.objects.count() == seen[201] > many / 100
