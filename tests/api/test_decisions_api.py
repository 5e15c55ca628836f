"""Decisions over HTTP: sent in and answered, refused at the place of the fault."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.decisions.models import Decision, Payload
from apps.notifications.models import OutboxEvent
from apps.supervision.rulings import decision_rule
from apps.supervision.stops import resume, stop
from apps.workflow.rerouting import reroute_blocked
from tests.api.conftest import ROOT, ApiClient
from tests.api.sending import FEATURES, post, text
from tests.services.gates import LEAD, SECOND, body, gate


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
    assert len(queries) <= 13, [query["sql"][:80] for query in queries]


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
