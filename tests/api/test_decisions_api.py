"""Decisions over HTTP: sent in, answered, waited for, listed, replayed."""

from __future__ import annotations

import copy
import io
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.services import service_key_create
from apps.api import waiting
from apps.audit.models import AccessEvent
from apps.decisions.models import Decision, Payload
from apps.notifications.models import OutboxEvent
from apps.supervision.rulings import decision_rule
from apps.supervision.stops import resume, stop
from apps.workflow.rerouting import reroute_blocked
from tests.api.conftest import ROOT, ApiClient
from tests.services.gates import LEAD, SECOND, body, gate, send

FEATURES = [{"name": "income", "type": "number"}, {"name": "region", "type": "category"}]


def text(sent: Any) -> Any:
    return sent if isinstance(sent, bytes) else json.dumps(sent).encode()


def post(client: ApiClient, sent: Any, path: str = "decisions/", **headers: str) -> Any:
    return client.client.post(
        ROOT + path, data=text(sent), content_type="application/json", headers=headers
    )


@pytest.fixture
def sender(program: Callable[..., ApiClient]) -> ApiClient:
    return program("integration")


def key_for(role: str, use_case: str = "") -> str:
    _, key = service_key_create(actor=LEAD, name=f"{role} key", role=role, use_case=use_case)
    return key


# --- Sending in -----------------------------------------------------------------------------


def test_a_decision_is_routed_recorded_and_answered_in_one_call(sender: ApiClient) -> None:
    gate(policy={"confidence_threshold": 0.8, "reviews_required": 2, "sla_minutes": 60})
    response = post(sender, body("a", confidence=0.62))
    assert response.status_code == 201
    answer = response.json()
    found = Decision.objects.get()
    assert response["Location"] == f"/api/v1/decisions/{found.pk}/"
    assert answer.pop("review").keys() == {"task", "due_at", "reviews_required"}
    assert answer.pop("created_at").endswith("Z")
    assert answer == {
        "id": str(found.pk),
        "use_case": "loan",
        "external_id": "a",
        "lane": "review",
        "would_be": None,
        "status": "pending",
        "final_output": None,
        "reasons": [
            {
                "code": "confidence_below_threshold",
                "rule": "confidence_threshold",
                "value": 0.62,
                "text": "Confidence 0.62 is below 0.80.",
            }
        ],
        "policy_version": str(found.policy_id),
        "sampling_probability": None,
    }


def test_what_is_released_says_what_may_be_acted_on(sender: ApiClient) -> None:
    gate()
    answer = post(sender, body("a")).json()
    assert (answer["status"], answer["final_output"], answer["review"]) == (
        "released",
        {"label": "approve"},
        None,
    )


def test_the_same_content_again_is_200_and_the_first_answer(sender: ApiClient) -> None:
    gate(policy={"level": "HIC"})
    first = post(sender, body("a"))
    key = Decision.objects.get().pk
    decision_rule(actor=SECOND, decision_id=key, verdict="approve", reason="seen")
    again = post(sender, body("a"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.json()["status"] == "pending"


WORDS = {"output": {"text": 'Zoë\n"quoted"', "confidence": 0.9}, "kind": "text"}
SUM = {"output": {"value": 3.10, "low": 1, "confidence": 1}, "kind": "number", "amount": "12.50"}
READ = {
    "kind": "fields",
    "output": {"fields": {"z": {"value": 1, "confidence": 0.9}, "a": {"value": "x"}}},
}
CALL = {"kind": "action", "output": {"name": "pay", "arguments": {"b": [1], "a": {"c": None}}}}


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"confidence_threshold": 1, "sla_minutes": 30, "reviews_required": 2},
        {"audit_rate": 1},
        {"level": "HOTL", "audit_rate": 0.5, "always_review_labels": ["deny"]},
        {"level": "HIC"},
    ],
)
@pytest.mark.parametrize("lifecycle", ["live", "pilot"])
def test_the_first_answer_is_byte_for_byte_what_is_answered_again(
    sender: ApiClient, policy: dict[str, Any], lifecycle: str
) -> None:
    """The first is made of what was written, the second of what is stored."""
    kinds = ["label", "number", "fields", "text", "action"]
    gate(policy=policy, kinds=kinds, lifecycle=lifecycle)
    sent = [body("a"), body("b", label="deny", confidence=None)]
    sent += [{**body(more["kind"]), **more} for more in (WORDS, SUM, READ, CALL)]
    sent.append({**body("none"), "output": None})
    for one in sent:
        first, again = post(sender, one), post(sender, one)
        assert (first.status_code, again.status_code) == (201, 200), (one, first.content)
        assert again.content == first.content


def test_a_single_decision_costs_few_trips_to_the_database(sender: ApiClient) -> None:
    """What it costs does not grow unseen: ORM queries are slow to build, trips slow to wait for."""
    gate()
    post(sender, body("first"))
    with CaptureQueriesContext(connection) as queries:
        assert post(sender, body("a")).json()["status"] == "released"
    assert len(queries) <= 12, [query["sql"][:80] for query in queries]


def test_the_first_answer_outlasts_a_new_routing(sender: ApiClient) -> None:
    case = gate()
    stop(actor=LEAD, use_case=case, reason="drill")
    first = post(sender, body("a"))
    resume(actor=SECOND, use_case=case, reason="over", withheld="reroute")
    assert reroute_blocked(SECOND, case, "over") == 1
    assert Decision.objects.get().lane == "automatic"
    again = post(sender, body("a"))
    assert first.json()["lane"] == "blocked"
    assert again.json() == first.json()


def test_other_content_under_the_same_id_is_a_conflict(sender: ApiClient) -> None:
    gate()
    post(sender, body("a"))
    response = post(sender, body("a", label="deny"))
    assert response.status_code == 409
    assert "'a'" in response.json()["detail"]
    assert Decision.objects.get().label == "approve"


def test_without_a_policy_in_force_the_answer_is_409(sender: ApiClient, make_use_case: Any) -> None:
    make_use_case("bare")
    response = post(sender, {**body("a"), "use_case": "bare"})
    assert response.status_code == 409
    assert "no policy in force" in response.json()["detail"]


def without(name: str) -> dict[str, Any]:
    sent = body("a")
    del sent[name]
    return sent


def output(**more: Any) -> dict[str, Any]:
    return body("a", output={"label": "approve", **more})


RAW = json.dumps(body("a"))
NESTED = b'{"use_case":"loan","features":' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}"
BAD: dict[str, tuple[Any, str]] = {
    "unknown use case": ({**body("a"), "use_case": "nowhere"}, "/use_case"),
    "use case that is no slug": ({**body("a"), "use_case": "\u0000"}, "/use_case"),
    "use case that is no text": ({**body("a"), "use_case": 7}, "/use_case"),
    "no use case": (without("use_case"), "/use_case"),
    "no external id": (without("external_id"), "/external_id"),
    "no output": (without("output"), "/output"),
    "kind the use case lacks": (body("a", kind="text", output={"text": "x"}), "/kind"),
    "label outside the set": (body("a", label="maybe"), "/output/label"),
    "confidence above 1": (output(confidence=1.01), "/output/confidence"),
    "confidence NaN": (RAW.replace("0.9", "NaN").encode(), "/output/confidence"),
    "confidence infinite": (RAW.replace("0.9", "1e999").encode(), "/output/confidence"),
    "scores that do not sum to 1": (output(scores={"approve": 0.5, "deny": 0.4}), "/output/scores"),
    "feature of a wrong type": (body("a", features={"income": "much"}), "/features/income"),
    "unknown feature": (body("a", features={"shoe": 44}), "/features/shoe"),
    "date in the future": (body("a", decided_at="2999-01-01T00:00:00Z"), "/decided_at"),
    "date before 1970": (body("a", decided_at="1969-12-31T23:59:59Z"), "/decided_at"),
    "amount beyond what is kept": (body("a", amount="1" + "0" * 14), "/amount"),
    "long text": (body("a", explanation={"text": "x" * 300_000}), "/explanation/text"),
    "deep nesting": (NESTED, "/features" + "/a" * 31),
    "key given twice": (RAW.replace("{", '{"model":"x",', 1).encode(), "/model"),
    "invalid UTF-8": (b'{"use_case":"lo\xffan"}', ""),
    "cut off": (RAW[:-9].encode(), ""),
    "no object": (b"[]", ""),
    "nothing": (b"", ""),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_refused_at_the_place_of_its_fault_and_nothing_is_kept(
    sender: ApiClient, pointers: Any, name: str
) -> None:
    sent, pointer = BAD[name]
    gate(features=FEATURES)
    assert pointer in pointers(post(sender, sent))
    assert Decision.objects.count() == Payload.objects.count() == 0
    assert not OutboxEvent.objects.filter(type__startswith="decision.").exists()


def test_all_faults_of_a_body_are_named_at_once(sender: ApiClient, pointers: Any) -> None:
    gate()
    sent = body("", label="maybe", decided_at="soon", extra=1)
    found = pointers(post(sender, sent))
    assert set(found) == {"/external_id", "/output/label", "/decided_at", "/extra"}


def test_a_missing_confidence_counts_as_0_and_waits(sender: ApiClient) -> None:
    gate(policy={"confidence_threshold": 0.1})
    answer = post(sender, body("a", confidence=None)).json()
    assert answer["lane"] == "review"
    codes = [reason["code"] for reason in answer["reasons"]]
    assert codes == ["confidence_missing", "confidence_below_threshold"]


def test_an_unknown_feature_is_kept_where_the_use_case_says_so(sender: ApiClient) -> None:
    gate(features=FEATURES, unknown_features="keep")
    assert post(sender, body("a", features={"shoe": 44})).status_code == 201
    assert Payload.objects.get().features == '{"shoe":44}'


def test_two_megabytes_are_refused_by_their_announced_length(
    sender: ApiClient, monkeypatch: Any
) -> None:
    gate()
    from apps.api import raw_bodies

    read: list[int] = []
    real = raw_bodies._pieces

    def pieces(stream: Any, most: int) -> Any:
        stream.read = lambda size: read.append(size) or b""
        return real(stream, most)

    monkeypatch.setattr(raw_bodies, "_pieces", pieces)
    response = post(sender, body("a", explanation={"text": "x" * 2_000_000}))
    assert response.status_code == 413
    assert response["Content-Type"] == "application/problem+json"
    assert "1,048,576" in response.json()["detail"]
    assert read == []


def test_a_body_shorter_than_announced_is_refused(sender: ApiClient) -> None:
    gate()
    data = text(body("a"))
    cut = {"CONTENT_LENGTH": len(data) + 10, "wsgi.input": io.BytesIO(data)}
    response = sender.client.generic("POST", f"{ROOT}decisions/", data, "application/json", **cut)
    assert response.status_code == 400
    assert "ended after" in response.json()["detail"]


OUTPUTS: dict[str, tuple[Any, Any]] = {
    "number": ({"value": 12.5, "low": 10, "high": 15, "confidence": 0.9}, {"value": 12.5}),
    "fields": (
        {"fields": {"total": {"value": "9", "confidence": 0.8}}},
        {"fields": {"total": "9"}},
    ),
    "text": ({"text": "Dear customer", "confidence": 0.9}, {"text": "Dear customer"}),
    "action": (
        {"name": "set", "arguments": {"valve": 3}},
        {"name": "set", "arguments": {"valve": 3}},
    ),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_every_kind_of_output_is_answered_with_its_final_output(
    sender: ApiClient, kind: str
) -> None:
    sent, final = OUTPUTS[kind]
    gate(kinds=[kind], labels=[])
    assert post(sender, body("a", kind=kind, output=sent)).json()["final_output"] == final


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


# --- At once, and at random -------------------------------------------------------------------


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
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {
        "caller": "1000000/min", "anonymous": "60/min"}}  # fmt: skip
    gate(features=FEATURES, kinds=["label", "text"], policy={"confidence_threshold": 0.5})
    dice, seen = random.Random(20_261_121), dict[int, int]()
    for number in range(10_000):
        raw = spoiled(dice, number)
        status = post(sender, raw).status_code
        assert status < 500, raw
        seen[status] = seen.get(status, 0) + 1
    assert seen.keys() <= {200, 201, 400, 409, 413}
    assert seen[400] > 5_000
    assert Decision.objects.count() == seen[201] > 100
