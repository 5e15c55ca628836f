"""Batches over HTTP: a bad line stops no good one, and the good ones commit together or not at all."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from time import monotonic, sleep
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.test import Client
from django.utils import timezone

from apps.accounts.services import service_key_create
from apps.api import raw_bodies
from apps.audit.models import AccessEvent
from apps.decisions.models import Decision, Payload
from apps.outcomes.models import Outcome
from apps.policies.models import PolicyVersion
from apps.policies.seeds import STARTED
from apps.policies.services import policy_approve, policy_draft, policy_propose
from apps.registry.models import UseCase
from apps.supervision.stops import stop
from apps.workflow import batch, intake
from tests.api.conftest import ROOT, ApiClient
from tests.services.gates import LEAD, SECOND, body, gate, send

LINES = "application/x-ndjson"


def text(*lines: Any) -> bytes:
    return b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines)


def post(client: Client, *lines: Any, path: str = "decisions/batch/", **headers: str) -> Any:
    response = client.post(ROOT + path, data=text(*lines), content_type=LINES, headers=headers)
    response.whole = response.getvalue()
    return response


def answer(client: Client, *lines: Any, **more: Any) -> dict[str, Any]:
    response = post(client, *lines, **more)
    assert response.status_code == 200, response.whole
    found: dict[str, Any] = json.loads(response.whole)
    return found


@pytest.fixture
def client(program: Callable[..., ApiClient]) -> Client:
    return program("integration").client


def rejected(found: dict[str, Any]) -> dict[int, list[str]]:
    """Line -> pointers of its faults."""
    return {one["line"]: [e["pointer"] for e in one["errors"]] for one in found["rejected"]}


RAW = text(body("cut"))
BAD: dict[str, tuple[bytes, str]] = {
    "cut in the middle": (RAW[:40], ""),
    "invalid UTF-8": (RAW.replace(b"scorer", b"sc\xffrer"), ""),
    "not JSON": (b"hello", ""),
    "no object": (b"[1]", ""),
    "a name twice": (RAW.replace(b"{", b'{"kind":"label",', 1), "/kind"),
    "confidence NaN": (RAW.replace(b"0.9", b"NaN"), "/output/confidence"),
    "unknown use case": (RAW.replace(b"loan", b"nowhere"), "/use_case"),
    "no use case": (RAW.replace(b"use_case", b"case_use"), "/use_case"),
    "label outside the set": (RAW.replace(b"approve", b"maybe"), "/output/label"),
    "kind of another use case": (RAW.replace(b'"label", "output"', b'"text", "output"'), "/kind"),
    "long line": (RAW[:-1] + b', "amount": "' + b"1" * 1_100_000 + b'"}', ""),
    "amount beyond what is kept": (RAW[:-1] + b', "amount": 900000000000000}', "/amount"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named_and_stops_no_good_one(client: Client, name: str) -> None:
    bad, pointer = BAD[name]
    gate()
    found = answer(client, body("a"), bad, body("b"))
    assert (found["accepted"], found["duplicates"]) == (2, 0)
    assert rejected(found).keys() == {2}
    assert pointer in rejected(found)[2]
    assert sorted(Decision.objects.values_list("external_id", flat=True)) == ["a", "b"]


def test_lanes_are_counted(client: Client) -> None:
    gate(policy={"confidence_threshold": 0.5})
    found = answer(client, body("a"), body("b", confidence=0.1), body("c"))
    assert found == {
        "accepted": 3,
        "duplicates": 0,
        "rejected": [],
        "lanes": {"automatic": 2, "review": 1},
    }


def test_repeats_are_duplicates_and_other_content_is_rejected(client: Client) -> None:
    case = gate()
    send(case, body("old"))
    lines = body("old"), body("old", label="deny"), body("a"), body("a"), body("a", label="deny")
    found = answer(client, *lines)
    assert (found["accepted"], found["duplicates"]) == (1, 2)
    assert rejected(found) == {2: ["/external_id"], 5: ["/external_id"]}


def test_a_repeat_of_a_rejected_line_is_rejected_too(client: Client) -> None:
    gate(models_mode="declared")
    found = answer(client, body("a"), body("a"))
    assert rejected(found) == {1: ["/model_version"], 2: ["/model_version"]}


def test_blank_lines_are_skipped_and_counted(client: Client) -> None:
    gate()
    found = answer(client, b"", body("a"), b"  \r", b"bad", b"", b"")
    assert found["accepted"] == 1
    assert rejected(found).keys() == {4}


@pytest.mark.parametrize("lines", [[], [b""], [b"\n\n", b"  "]])
def test_an_empty_batch_is_refused_and_says_so(client: Client, lines: list[bytes]) -> None:
    response = post(client, *lines)
    assert response.status_code == 400
    assert "the batch is empty" in response.json()["detail"]


def test_lines_are_answered_one_by_one_with_the_summary_last(client: Client) -> None:
    case = gate(policy={"confidence_threshold": 0.5})
    (old,) = send(case, body("old"))
    lines = body("old"), b"{", body("a", confidence=0.1), body("b"), body("b")
    response = post(client, *lines, accept=LINES)
    assert (response.status_code, response["Content-Type"]) == (200, LINES)
    *told, summary = [json.loads(line) for line in response.whole.splitlines()]
    assert summary == {
        "accepted": 2,
        "duplicates": 2,
        "lanes": {"automatic": 1, "review": 1},
        "rejected": 1,
    }
    ids = dict(Decision.objects.values_list("external_id", "id"))
    released = {"lane": "automatic", "status": "released", "final_output": {"label": "approve"}}
    waiting = {"lane": "review", "status": "pending", "final_output": None}
    assert told.pop(1)["errors"][0]["pointer"] == ""
    assert told == [
        {"line": 1, "id": old.id, "external_id": "old", **released},
        {"line": 3, "id": str(ids["a"]), "external_id": "a", **waiting},
        {"line": 4, "id": str(ids["b"]), "external_id": "b", **released},
        {"line": 5, "id": str(ids["b"]), "external_id": "b", **released},
    ]


def test_lines_of_several_use_cases_go_to_each(client: Client) -> None:
    gate(policy={"confidence_threshold": 0.95})
    gate("fraud")
    lines = [{**body(f"x{i}"), "use_case": ("loan", "fraud")[i % 2]} for i in range(10)]
    assert answer(client, *lines)["lanes"] == {"automatic": 5, "review": 5}
    cases = set(Decision.objects.values_list("use_case", "lane"))
    assert cases == {("loan", "review"), ("fraud", "automatic")}


def test_a_use_case_that_a_later_chunk_meets_first_has_its_lines_in_order(
    client: Client, monkeypatch: Any
) -> None:
    """The next chunk is read ahead, before anybody could look up a use case that it names first."""
    monkeypatch.setattr(batch, "CHUNK_LINES", 3)
    gate()
    gate("second")
    later = [{**body(f"s-{n}"), "use_case": "second"} for n in range(5)]
    sent = [body("c-0"), body("c-1"), body("c-2"), later[0], body("c-3"), *later[1:], body("c-4")]
    assert answer(client, *sent, b'{"use_case": 7}')["accepted"] == len(sent)
    for slug, letter in (("loan", "c"), ("second", "s")):
        found = Decision.objects.filter(use_case=slug).order_by("id")
        assert [one.external_id for one in found] == [f"{letter}-{n}" for n in range(5)]


def test_a_use_case_without_a_policy_rejects_its_own_lines_alone(
    client: Client, make_use_case: Any
) -> None:
    gate()
    make_use_case("bare")
    found = answer(client, {**body("a"), "use_case": "bare"}, body("b"))
    assert (found["accepted"], rejected(found)) == (1, {1: ["/use_case"]})


def test_a_use_case_that_the_sender_may_not_send_to_is_a_fault_of_the_line(
    program: Callable[..., ApiClient],
) -> None:
    gate()
    gate("fraud")
    lines = body("a"), {**body("b"), "use_case": "fraud"}, {**body("c"), "use_case": "nowhere"}
    found = answer(program("integration", "fraud").client, *lines)
    assert (found["accepted"], rejected(found)) == (1, {1: ["/use_case"], 3: ["/use_case"]})
    first, last = (one["errors"][0]["detail"] for one in found["rejected"])
    assert first.replace("loan", "nowhere") == last


def test_who_may_see_and_not_send_is_refused_and_recorded_once(
    make_person: Any, session: Any, actor: Any
) -> None:
    from apps.accounts.services import role_grant

    gate()
    gate("fraud")
    person = make_person("ada", "auditor", use_case="loan")
    role_grant(actor=actor, user=person, role="administrator", use_case="fraud")
    lines = body("a"), body("b"), {**body("c"), "use_case": "fraud"}
    found = answer(session(person).client, *lines)
    assert (found["accepted"], rejected(found)) == (1, {1: ["/use_case"], 2: ["/use_case"]})
    refusal = AccessEvent.objects.get(kind="permission_refused")
    assert (refusal.action, refusal.use_case, refusal.count) == ("decision.submit", "loan", 1)


def test_more_than_fifty_thousand_lines_are_refused_whole(client: Client) -> None:
    gate()
    response = post(client, body("a"), *[b"{}"] * 50_000)
    assert response.status_code == 413
    assert "50,000 lines" in response.json()["detail"]
    assert Decision.objects.count() == 0


def test_more_bytes_than_allowed_are_refused_whole(client: Client, monkeypatch: Any) -> None:
    gate()
    monkeypatch.setattr(raw_bodies, "MAX_BATCH_BYTES", 1_000)
    response = post(client, *(body(f"x{i}") for i in range(10)))
    assert (response.status_code, Decision.objects.count()) == (413, 0)
    assert "1,000" in response.json()["detail"]


def test_a_failure_in_a_later_chunk_takes_back_the_earlier_ones(
    client: Client, monkeypatch: Any
) -> None:
    gate()
    client.raise_request_exception = False
    monkeypatch.setattr(batch, "CHUNK_LINES", 4)
    real, calls = intake.Recorder.write, []

    def write(self: Any, **more: Any) -> Any:
        calls.append(1)
        return real(self, **more) if len(calls) < 3 else 1 / 0

    monkeypatch.setattr(intake.Recorder, "write", write)
    response = post(client, *(body(f"x{i}") for i in range(12)))
    assert (response.status_code, len(calls)) == (500, 3)
    assert Decision.objects.count() == Payload.objects.count() == 0


def test_a_stop_that_overtakes_a_batch_routes_all_of_it_anew(
    client: Client, monkeypatch: Any
) -> None:
    case = gate()
    monkeypatch.setattr(batch, "CHUNK_LINES", 2)
    real, calls = batch.read_stop_again, []

    def stopped_meanwhile(stands: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise intake.StopChangedError
        real(stands)

    stop(actor=LEAD, use_case=case, reason="drill")
    monkeypatch.setattr(batch, "read_stop_again", stopped_meanwhile)
    found = answer(client, *(body(f"x{i}") for i in range(5)), b"bad")
    assert (found["accepted"], found["lanes"], len(calls)) == (5, {"blocked": 5}, 2)
    assert rejected(found).keys() == {6}
    assert Decision.objects.count() == Decision.history.count() == 5


def test_the_stop_is_read_after_the_last_line(client: Client, monkeypatch: Any) -> None:
    """A stop between two chunks leaves no decision of the batch released."""
    gate()
    monkeypatch.setattr(batch, "CHUNK_LINES", 2)
    real, calls = intake.shared_stop, []

    def counted(slug: str, versions: Any) -> Any:
        calls.append(Decision.objects.count())
        return real(slug, versions)

    monkeypatch.setattr(intake, "shared_stop", counted)
    answer(client, *(body(f"x{i}") for i in range(5)))
    assert calls == [5]


def in_use(case: UseCase) -> None:
    send(case, body("first"))


def without_a_seed(case: UseCase) -> None:
    """The batch itself makes the year's first draws."""


def with_a_policy_that_is_due(case: UseCase) -> None:
    send(case, body("first"))
    draft = policy_draft(actor=LEAD, use_case=case, document={"level": "HITL"})
    policy_propose(actor=LEAD, policy=draft)
    soon = timezone.now() + timedelta(milliseconds=200)
    policy_approve(actor=SECOND, policy=draft, effective_from=soon)
    sleep(0.3)


@pytest.mark.parametrize("begin", [in_use, without_a_seed, with_a_policy_that_is_due])
def test_a_stop_waits_for_no_batch(committed_db: Any, monkeypatch: Any, begin: Any) -> None:
    if connection.vendor == "sqlite":
        return  # one writer at a time: the stop comes before or after the batch
    begin(gate())
    _, key = service_key_create(actor=LEAD, name="k", role="integration")
    monkeypatch.setattr(batch, "CHUNK_LINES", 10)
    written, stopped = threading.Event(), threading.Event()
    real, results = intake.Recorder.write, list[Any]()

    def write_then_wait(self: Any, **more: Any) -> Any:
        taken = real(self, **more)
        if written.is_set():
            assert stopped.wait(20)
        written.set()
        return taken

    monkeypatch.setattr(intake.Recorder, "write", write_then_wait)

    def submit() -> None:
        client = Client(headers={"authorization": f"Bearer {key}"})
        results.append(answer(client, *(body(f"b{i}") for i in range(30))))
        connections.close_all()

    thread = threading.Thread(target=submit)
    thread.start()
    assert written.wait(20)
    began = monotonic()
    stop(actor=LEAD, use_case=UseCase.objects.get(), reason="now")
    waited_s = monotonic() - began
    stopped.set()
    thread.join()
    assert results[0]["lanes"] == {"blocked": 30}
    assert waited_s < 5  # the batch stands open for as long as 20
    assert AccessEvent.objects.filter(kind=STARTED).count() == 1
    assert not PolicyVersion.objects.filter(status="approved").exists()


def test_batches_that_hold_the_same_cases_in_another_order_are_taken_once(
    committed_db: Any, monkeypatch: Any
) -> None:
    send(gate(), body("first"))
    _, key = service_key_create(actor=LEAD, name="k", role="integration")
    monkeypatch.setattr(batch, "CHUNK_LINES", 20)
    results: list[dict[str, Any]] = []
    turns: Counter[threading.Thread] = Counter()
    real = batch.wait_for_turn

    def wait_for_turn(*, alone: bool) -> None:
        turns[threading.current_thread()] += 1
        real(alone=alone)

    monkeypatch.setattr(batch, "wait_for_turn", wait_for_turn)

    def submit(seed: int) -> None:
        lines = [body(f"x{i}") for i in range(100)]
        random.Random(seed).shuffle(lines)
        client = Client(headers={"authorization": f"Bearer {key}"})
        try:
            results.append(answer(client, *lines))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=submit, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found["accepted"] for found in results) == [0, 0, 0, 100]
    assert sum(found["duplicates"] for found in results) == 300
    assert Decision.objects.count() == 101
    assert max(turns.values()) <= 2  # who gave way once came back alone


def test_another_database_error_than_a_deadlock_is_a_failure(
    client: Client, monkeypatch: Any
) -> None:
    gate()
    client.raise_request_exception = False
    calls: list[int] = []

    def fail(*args: Any) -> None:
        calls.append(1)
        raise OperationalError("disk full")

    monkeypatch.setattr(batch, "read_stop_again", fail)
    assert post(client, body("a")).status_code == 500
    assert (calls, Decision.objects.count()) == ([1], 0)


# --- Outcomes ----------------------------------------------------------------------------------


def truth(external_id: str, **said: Any) -> dict[str, Any]:
    return {"use_case": "loan", "external_id": external_id, **said}


def test_outcomes_are_recorded_line_by_line(client: Client) -> None:
    send(gate(), body("a"), body("b"))
    lines = (
        truth("a", label="deny", source="appeal", observed_at="2026-01-02T00:00:00Z"),
        truth("a", label="deny", source="appeal", observed_at="2026-01-02T00:00:00Z"),
        truth("b", label="maybe"),
        truth("b", correct=True),
        truth("nobody", label="deny"),
        {**truth("b", label="deny"), "use_case": "nowhere"},
        truth("b", label="approve", extra=1),
        b"{",
        truth("b", label="approve", satisfaction=0.5),
    )
    found = answer(client, *lines, path="outcomes/batch/")
    assert (found["accepted"], found["duplicates"], "lanes" in found) == (2, 1, False)
    assert rejected(found) == {
        3: ["/label"],
        4: ["/correct", "/label"],
        5: ["/external_id"],
        6: ["/use_case"],
        7: ["/extra"],
        8: [""],
    }
    rows = Outcome.objects.order_by("id").values_list("label", "correct", "source", "satisfaction")
    assert list(rows) == [("deny", False, "appeal", None), ("approve", True, "observed", 0.5)]


def test_an_empty_batch_of_outcomes_is_refused(client: Client) -> None:
    assert post(client, b"\n", path="outcomes/batch/").status_code == 400


def test_an_outcome_is_recorded_and_said_again(program: Callable[..., ApiClient]) -> None:
    send(gate(), body("a"))
    path = f"decisions/{Decision.objects.get().pk}/outcome/"
    client = program("integration")
    first, again, later = (client.post(path, {"label": x}) for x in ("deny", "deny", "approve"))
    assert [r.status_code for r in (first, again, later)] == [201, 200, 201]
    assert again.json() == first.json()
    assert (first.json()["label"], first.json()["correct"]) == ("deny", False)
    assert Outcome.objects.count() == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ["/label"]),
        ({"label": "maybe"}, ["/label"]),
        ({"label": "deny", "correct": True}, ["/correct"]),
        ({"label": "deny", "source": "rumour"}, ["/source"]),
        ({"label": "deny", "observed_at": "2999-01-01T00:00:00Z"}, ["/observed_at"]),
        ({"label": "deny", "satisfaction": 1.5}, ["/satisfaction"]),
        ({"label": None}, ["/label"]),
    ],
)
def test_a_bad_outcome_is_pointed_at(
    program: Callable[..., ApiClient], pointers: Any, said: dict[str, Any], expected: list[str]
) -> None:
    send(gate(), body("a"))
    path = f"decisions/{Decision.objects.get().pk}/outcome/"
    assert pointers(program("integration").post(path, said)) == expected
    assert Outcome.objects.count() == 0


@pytest.mark.parametrize(
    ("kind", "output", "said", "correct"),
    [
        ("number", {"value": 10}, {"output": {"value": 10.5}}, True),
        ("number", {"value": 10}, {"output": {"value": 10.6}}, False),
        ("text", {"text": "x"}, {"correct": True}, True),
        ("action", {"name": "x"}, {"correct": False}, False),
    ],
)
def test_each_kind_of_output_has_its_own_truth(
    program: Callable[..., ApiClient], kind: str, output: Any, said: Any, correct: bool
) -> None:
    case = gate(kinds=[kind], labels=[], tolerance="0.5")
    send(case, body("a", kind=kind, output=output))
    path = f"decisions/{Decision.objects.get().pk}/outcome/"
    assert program("integration").post(path, said).json()["correct"] is correct
