"""Decisions over HTTP: who may see what, read, listed, replayed and waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from apps.api import waiting
from apps.audit.models import AccessEvent
from apps.decisions.models import Decision
from apps.supervision.rulings import decision_rule
from apps.supervision.stops import resume, stop
from apps.workflow.rerouting import reroute_blocked
from tests.api.conftest import ROOT, ApiClient
from tests.api.sending import key_for, post
from tests.services.gates import LEAD, SECOND, body, gate, send

# --- Who may -----------------------------------------------------------------------------------


def test_a_use_case_of_others_is_not_there(
    program: Callable[..., ApiClient], pointers: Any
) -> None:
    gate()
    gate("fraud")
    outsider = program("integration", "fraud")
    unknown = post(outsider, {**body("a"), "use_case": "nowhere"}).json()
    hidden = post(outsider, body("a")).json()
    assert hidden["errors"][0]["pointer"] == "/use_case"
    assert hidden["detail"].replace("loan", "nowhere") == unknown["detail"]
    key = post(program("integration", "loan"), body("a")).json()["id"]
    for path in ("", "replay/"):
        assert outsider.get(f"decisions/{key}/{path}").status_code == 404
    assert outsider.get("decisions/").json()["results"] == []
    assert outsider.get("decisions/", use_case="loan").status_code == 404


def test_who_may_see_and_not_send_is_refused_and_recorded(
    make_person: Any, session: Any, actor: Any
) -> None:
    from apps.accounts.services import role_grant

    gate()
    gate("fraud")
    person = make_person("ada", "auditor", use_case="loan")
    role_grant(actor=actor, user=person, role="administrator", use_case="fraud")
    assert post(session(person), body("a")).status_code == 403
    refusal = AccessEvent.objects.get(kind="permission_refused")
    assert (refusal.action, refusal.use_case) == ("decision.submit", "loan")
    assert Decision.objects.count() == 0


def test_content_is_shown_to_those_who_may_see_it_and_codes_to_the_others(
    sender: ApiClient, program: Callable[..., ApiClient]
) -> None:
    gate(kinds=["text"], labels=[])
    key = post(sender, body("a", kind="text", output={"text": "secret", "confidence": 1})).json()[
        "id"
    ]
    for role, shown in (("integration", True), ("supervisor", True), ("executive", False)):
        client = program(role, "loan")
        (listed,) = client.get("decisions/").json()["results"]
        for seen in (listed, client.get(f"decisions/{key}/").json()):
            assert seen["content_shown"] is shown
            assert seen["final_output"] == ({"text": "secret"} if shown else None)
            assert [reason["code"] for reason in seen["reasons"]] == ["within_policy"]
        again = client.get(f"decisions/{key}/replay/").json()
        assert again["same"] is True
        assert (again["recorded"]["reasons"][0]["text"] != listed["reasons"][0]["text"]) is False


def test_a_label_is_no_content(sender: ApiClient, program: Callable[..., ApiClient]) -> None:
    gate()
    key = post(sender, body("a")).json()["id"]
    assert program("executive").get(f"decisions/{key}/").json()["final_output"] == {
        "label": "approve"
    }


def views() -> list[AccessEvent]:
    return list(AccessEvent.objects.filter(kind="personal_data_viewed").order_by("id"))


def test_a_person_who_opens_content_leaves_a_record_and_a_program_none(
    sender: ApiClient, session: Any, make_person: Any
) -> None:
    gate()
    keys = [post(sender, body(name)).json()["id"] for name in ("a", "b")]
    sender.get(f"decisions/{keys[0]}/")
    assert views() == []
    session(make_person("eve", "executive")).get(f"decisions/{keys[0]}/")
    assert views() == []
    ada = session(make_person("ada", "supervisor"))
    for key in (*keys, keys[0]):
        ada.get(f"decisions/{key}/")
    assert [(view.actor_name, view.target, view.use_case) for view in views()] == [
        ("ada", key, "loan") for key in keys
    ]


def test_a_page_with_content_that_a_person_saw_names_its_decisions(
    sender: ApiClient, session: Any, make_person: Any
) -> None:
    gate()
    keys = {post(sender, body(name)).json()["id"] for name in ("a", "b")}
    session(make_person("ada", "supervisor")).get("decisions/")
    (view,) = views()
    assert set(view.detail["decisions"]) == keys


# --- Reading -----------------------------------------------------------------------------------


def test_a_decision_is_read_with_all_that_happened_to_it(sender: ApiClient) -> None:
    gate(policy={"level": "HIC"})
    key = post(sender, body("a")).json()["id"]
    change = {"verdict": "change", "output": {"label": "deny"}}
    decision_rule(actor=SECOND, decision_id=Decision.objects.get().pk, reason="seen", **change)
    seen = sender.get(f"decisions/{key}/").json()
    assert (seen["status"], seen["final_output"]) == ("released", {"label": "deny"})
    steps = [(s["change"], s["status"], s["lane"], s["actor"]["name"]) for s in seen["history"]]
    assert steps == [
        ("created", "pending", "command", "integration "),
        ("changed", "released", "command", "second"),
    ]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "cba"),
        ({"use_case": "loan"}, "ba"),
        ({"status": "pending"}, "b"),
        ({"lane": "automatic"}, "ca"),
        ({"external_id": "c"}, "c"),
        ({"use_case": "loan", "lane": "automatic"}, "a"),
        ({"from": "2999-01-01T00:00:00Z"}, ""),
        ({"to": "2999-01-01T00:00:00Z"}, "cba"),
    ],
)
def test_the_list_is_newest_first_and_filtered(
    sender: ApiClient, filters: dict[str, str], expected: str
) -> None:
    send(gate(policy={"confidence_threshold": 0.5}), body("a"), body("b", confidence=0.1))
    send(gate("fraud"), body("c"))
    results = sender.get("decisions/", **filters).json()["results"]
    assert "".join(result["external_id"] for result in results) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "open"), ("lane", "x"), ("from", "today"), ("use_case", "A B"), ("wait", "1")],
)
def test_a_bad_filter_is_pointed_at(
    sender: ApiClient, pointers: Any, name: str, value: str
) -> None:
    assert pointers(sender.get("decisions/", **{name: value})) == [f"/{name}"]


def test_the_list_costs_the_same_number_of_queries_at_any_length(
    sender: ApiClient, count_queries: Any
) -> None:
    case = gate(policy={"confidence_threshold": 0.5}, kinds=["label", "text"])
    stop(actor=LEAD, use_case=case, reason="drill")
    kinds = {"kind": "text", "output": {"text": "x", "confidence": 0.1}}
    send(case, body("a"), body("b", confidence=0.1), body("c", **kinds))
    sender.get("decisions/")  # the first use of a key within a minute is written down
    few = count_queries(lambda: sender.get("decisions/"))
    send(case, *(body(f"d{i}", confidence=i / 20) for i in range(20)))
    resume(actor=SECOND, use_case=case, reason="over", withheld="reroute")
    reroute_blocked(SECOND, case, "over")
    assert count_queries(lambda: sender.get("decisions/")) == few


def test_the_replay_goes_the_same_way(sender: ApiClient) -> None:
    gate(policy={"confidence_threshold": 0.8, "audit_rate": 0.5})
    key = post(sender, body("a", confidence=0.3)).json()["id"]
    again = sender.get(f"decisions/{key}/replay/").json()
    assert again["same"] is True
    assert again["recorded"] == again["routed_again"]
    assert again["recorded"]["lane"] == "review"


# --- Waiting -----------------------------------------------------------------------------------


def test_what_is_settled_is_not_waited_for(sender: ApiClient, monkeypatch: Any) -> None:
    gate()
    key = post(sender, body("a")).json()["id"]
    monkeypatch.setattr(waiting, "wait_until_settled", lambda *_: pytest.fail("waited"))
    assert sender.get(f"decisions/{key}/", wait="60").json()["status"] == "released"


@pytest.mark.parametrize("wait", ["61", "-1", "1.5", "long"])
def test_a_wait_that_is_none_is_pointed_at(sender: ApiClient, pointers: Any, wait: str) -> None:
    gate()
    key = post(sender, body("a")).json()["id"]
    assert pointers(sender.get(f"decisions/{key}/", wait=wait)) == ["/wait"]


def test_beyond_the_slots_the_answer_comes_at_once(sender: ApiClient, settings: Any) -> None:
    settings.WAIT_SLOTS = 0
    gate(policy={"level": "HIC"})
    key = post(sender, body("a")).json()["id"]
    began = time.monotonic()
    response = sender.get(f"decisions/{key}/", wait="60")
    assert time.monotonic() - began < 5
    assert (response.status_code, response["Retry-After"]) == (200, "1")
    assert response.json()["status"] == "pending"


def test_a_wait_ends_when_its_time_is_over_and_frees_its_slot(
    sender: ApiClient, settings: Any
) -> None:
    settings.WAIT_SLOTS = 1
    gate(policy={"level": "HIC"})
    key = post(sender, body("a")).json()["id"]
    for _ in range(2):
        response = sender.get(f"decisions/{key}/", wait="1")
        assert response.json()["status"] == "pending"
        assert not response.has_header("Retry-After")


def test_a_waiter_wakes_when_the_commander_has_ruled(committed_db: Any) -> None:
    send(gate(policy={"level": "HIC"}), body("a"))
    found = Decision.objects.get()
    client = Client(headers={"authorization": f"Bearer {key_for('integration')}"})
    answers: list[Any] = []

    def wait() -> None:
        answers.append(client.get(f"{ROOT}decisions/{found.pk}/?wait=30").json())
        connections.close_all()

    began = time.monotonic()
    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.6)
    assert thread.is_alive()
    decision_rule(actor=SECOND, decision_id=found.pk, verdict="approve", reason="seen")
    thread.join(20)
    assert time.monotonic() - began < 15
    assert answers[0]["status"] == "released"
