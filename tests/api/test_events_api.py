"""Events: numbered when published, each told once, to those who may see its use case."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from apps.decisions.models import Decision
from apps.notifications import outbox
from apps.notifications.models import OutboxEvent
from apps.notifications.tasks import publish_events
from apps.supervision.rulings import decision_rule
from tests.api.conftest import ApiClient
from tests.services.gates import SECOND, body, gate, send


@pytest.fixture
def reader(program: Callable[..., ApiClient]) -> ApiClient:
    return program("integration")


def read(client: ApiClient, after: int = 0, **params: Any) -> Any:
    response = client.get("events/", after=after, **params)
    assert response.status_code == 200, response.content
    return response.json()


def test_what_happened_is_told_in_order_with_a_stable_id(reader: ApiClient) -> None:
    send(gate(policy={"level": "HIC"}), body("a"))
    decision_rule(
        actor=SECOND, decision_id=Decision.objects.get().pk, verdict="approve", reason="seen"
    )
    told = read(reader)
    activated, released = told["results"]
    assert (activated["type"], activated["seq"]) == ("policy.activated", 1)
    assert released == {
        "seq": 2,
        "id": str(OutboxEvent.objects.get(type="decision.released").pk),
        "type": "decision.released",
        "at": released["at"],
        "data": {
            "decision": str(Decision.objects.get().pk),
            "external_id": "a",
            "lane": "command",
            "status": "released",
            "final_output": {"label": "approve"},
            "has_final_output": True,
        },
    }
    assert told["next"] == 2
    assert read(reader)["results"] == told["results"]
    assert read(reader, after=2) == {"next": 2, "results": []}


def test_pages_lead_through_all_events_once(reader: ApiClient) -> None:
    send(gate(), *(body(f"x{i}") for i in range(7)))
    seen, after = [], 0
    while page := read(reader, after=after, limit=3)["results"]:
        assert len(page) <= 3
        seen += [event["seq"] for event in page]
        after = read(reader, after=after, limit=3)["next"]
    assert seen == list(range(1, 9))


def test_content_is_not_in_an_event(reader: ApiClient) -> None:
    case = gate(kinds=["text"], labels=[])
    send(case, body("a", kind="text", output={"text": "secret", "confidence": 1}))
    data = read(reader)["results"][-1]["data"]
    assert (data["final_output"], data["has_final_output"]) == (None, True)


def test_others_events_are_passed_over_and_paging_moves_on(
    program: Callable[..., ApiClient],
) -> None:
    send(gate("fraud"), *(body(f"x{i}") for i in range(5)))
    mine = program("integration", "loan")
    assert read(mine) == {"next": 6, "results": []}
    send(gate(), body("a"))
    told = read(mine, after=6)
    assert [event["type"] for event in told["results"]] == ["policy.activated", "decision.released"]
    assert told["next"] == 8


@pytest.mark.parametrize(
    ("name", "value"), [("after", "-1"), ("after", "x"), ("limit", "0"), ("limit", "1001")]
)
def test_a_bad_parameter_is_pointed_at(
    reader: ApiClient, pointers: Any, name: str, value: str
) -> None:
    assert pointers(reader.get("events/", **{name: value})) == [f"/{name}"]


def test_a_number_once_given_stays_when_the_relay_runs_again(db: None) -> None:
    case = gate()
    send(case, body("a"), body("b"))
    assert publish_events() == 3
    before = dict(OutboxEvent.objects.values_list("id", "seq"))
    send(case, body("c"))
    assert (publish_events(), publish_events()) == (1, 0)
    after = dict(OutboxEvent.objects.values_list("id", "seq"))
    assert {key: after[key] for key in before} == before
    assert sorted(after.values()) == [1, 2, 3, 4]


def test_relays_that_run_at_once_number_without_a_gap_or_a_double(committed_db: Any) -> None:
    case = gate()
    send(case, *(body(f"a{i}") for i in range(300)))
    failures: list[Exception] = []

    def relay() -> None:
        try:
            while outbox.publish(batch=17):
                pass
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=relay) for _ in range(4)]
    for thread in threads:
        thread.start()
    send(case, *(body(f"b{i}") for i in range(100)))
    for thread in threads:
        thread.join()
    outbox.publish()
    assert failures == []
    numbers = list(OutboxEvent.objects.order_by("seq").values_list("seq", flat=True))
    assert numbers == list(range(1, 402))
