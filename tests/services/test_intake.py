"""The one way in: what is routed where, what is recorded with it, what is not taken twice."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from apps.audit import sealing
from apps.common.errors import Conflict, NotFound
from apps.decisions.models import Decision, Payload
from apps.decisions.selectors import final_of, output_of, reasons_of
from apps.notifications.models import OutboxEvent
from apps.policies.models import SamplingSeed
from apps.registry.models import ModelVersion, UseCase
from apps.registry.services import model_version_set_status
from apps.reviews.models import ReviewTask
from apps.supervision.interventions import decision_intervene
from apps.supervision.mandates import mandate_issue, mandate_revoke
from apps.supervision.models import MandateCounter, MandateUse
from apps.supervision.stops import resume, stop
from apps.workflow import intake, rerouting
from apps.workflow.answers import answer, first_answer
from apps.workflow.replay import replay
from apps.workflow.rerouting import reroute_blocked, reroutes_finish
from tests.services.gates import LEAD, SECOND, SENDER, arrivals, body, gate, policy_in_force, send
from tests.services.ledgers import findings


def decision(external_id: str) -> Decision:
    return Decision.objects.get(external_id=external_id)


def told() -> list[str]:
    """The types of the events about decisions, in order."""
    events = OutboxEvent.objects.filter(type__startswith="decision.").order_by("id")
    return [event.type for event in events]


def lanes() -> dict[str, str]:
    return dict(Decision.objects.values_list("external_id", "lane"))


def test_a_sure_output_is_released_and_a_doubtful_one_waits(db: None) -> None:
    case = gate(policy={"confidence_threshold": 0.8, "reviews_required": 2, "sla_minutes": 60})
    sure, doubtful = send(case, body("a", confidence=0.8), body("b", confidence=0.79))
    assert (sure.lane, sure.status, sure.final_output) == (
        "automatic",
        "released",
        {"label": "approve"},
    )
    assert (doubtful.lane, doubtful.status, doubtful.final_output) == ("review", "pending", None)
    task = ReviewTask.objects.get()
    assert (str(task.decision_id), task.kind, task.status, task.reviews_required) == (
        doubtful.id,
        "before",
        "open",
        2,
    )
    assert task.due_at is not None
    assert (task.due_at - task.created_at).total_seconds() == 3600
    assert told() == ["decision.released"]
    assert [r["text"] for r in reasons_of(decision("b"))] == ["Confidence 0.79 is below 0.80."]


def test_the_row_holds_what_was_sent_and_the_payload_its_bytes(db: None) -> None:
    case = gate(
        features=[{"name": "income", "type": "number"}],
        subject_attributes=[{"name": "sex", "type": "category", "protected": True}],
    )
    sent = body(
        "a",
        amount="25000.50",
        features={"income": 41000.5},
        subject={"ref": "cust-77", "attributes": {"sex": "F"}},
        decided_at="2026-11-02T09:30:00+01:00",
    )
    sent["output"]["scores"] = {"approve": 0.9, "deny": 0.1}
    send(case, sent)
    found = decision("a")
    assert (found.label, found.confidence, found.margin, found.amount) == (
        "approve",
        0.9,
        0.8,
        Decimal("25000.5"),
    )
    assert found.decided_at.isoformat() == "2026-11-02T08:30:00+00:00"
    assert output_of(found) == sent["output"]
    payload = Payload.objects.get()
    assert payload.features == '{"income":41000.5}'
    assert payload.subject == '{"attributes":{"sex":"F"},"ref":"cust-77"}'
    row = Decision.history.get().__dict__
    assert not any("cust-77" in str(value) or "41000" in str(value) for value in row.values())


def test_the_salted_commitments_bind_each_part(db: None) -> None:
    from apps.decisions.domain.content import SALT_BYTES, commitment
    from apps.decisions.models import PARTS

    case = gate()
    send(case, body("a", features={"x": 1}))
    payload, found = Payload.objects.get(), decision("a")
    for number, part in enumerate(PARTS):
        text = getattr(payload, part)
        salt = bytes(payload.salt)[SALT_BYTES * number : SALT_BYTES * (number + 1)]
        expected = None if text is None else commitment(salt, text.encode())
        assert getattr(found, f"{part}_commitment") == expected
    assert found.features_commitment
    assert found.reasons_commitment


def test_the_same_case_again_is_a_duplicate_and_another_content_a_conflict(db: None) -> None:
    case = gate()
    (first,) = send(case, body("a"))
    same, other = send(case, body("a"), body("a", label="deny"))
    assert (same.state, same.id) == ("duplicate", first.id)
    assert (other.state, other.conflict, other.errors[0].pointer) == (
        "rejected",
        True,
        "/external_id",
    )
    assert Decision.objects.count() == 1


def test_repeats_within_one_call_are_told_apart_too(db: None) -> None:
    case = gate()
    states = [t.state for t in send(case, body("a"), body("a"), body("a", label="deny"), body("b"))]
    assert states == ["accepted", "duplicate", "rejected", "accepted"]


def test_a_new_model_version_is_registered_where_the_use_case_is_open(db: None) -> None:
    case = gate()
    send(case, body("a"), body("b", model_version="2"))
    assert sorted(ModelVersion.objects.values_list("version", flat=True)) == ["1", "2"]
    assert ModelVersion.history.filter(history_user_id="sender").count() == 2


def test_an_undeclared_model_version_is_refused_where_they_are_declared(db: None) -> None:
    case = gate(models_mode="declared")
    (taken,) = send(case, body("a"))
    assert (taken.state, taken.errors[0].pointer) == ("rejected", "/model_version")
    assert Decision.objects.count() == ModelVersion.objects.count() == 0


def test_without_a_policy_in_force_nothing_is_taken(db: None) -> None:
    case = UseCase(slug="bare", name="bare", labels=["a", "b"], kinds=["label"], lifecycle="live")
    case.save(actor=LEAD)
    with pytest.raises(Conflict, match="no policy in force"):
        send(case, body("a", label="a"))
    with pytest.raises(NotFound):
        intake.take_in(actor=SENDER, use_case="nowhere", arrivals=[])


def test_a_past_decision_is_routed_for_the_record_and_nobody_is_asked(db: None) -> None:
    case = gate(policy={"confidence_threshold": 0.8})
    (taken,) = send(case, body("a", confidence=0.1), past=True)
    assert (taken.lane, taken.status, taken.final_output) == (
        "review",
        "released",
        {"label": "approve"},
    )
    assert (ReviewTask.objects.count(), told()) == (0, [])


def test_in_pilot_nothing_is_held_back_and_the_lane_it_would_take_is_kept(db: None) -> None:
    case = gate(lifecycle="pilot", policy={"confidence_threshold": 0.8})
    send(case, body("a", confidence=0.1), body("b"))
    assert lanes() == {"a": "shadow", "b": "shadow"}
    assert {d.external_id: d.would_be for d in Decision.objects.all()} == {
        "a": "review",
        "b": "automatic",
    }
    assert [t.kind for t in ReviewTask.objects.all()] == ["after"]


def test_under_hotl_a_doubtful_output_is_released_and_reviewed_afterwards(db: None) -> None:
    case = gate(policy={"level": "HOTL", "confidence_threshold": 0.8})
    (taken,) = send(case, body("a", confidence=0.1))
    assert (taken.lane, taken.status) == ("supervised", "released")
    assert [t.kind for t in ReviewTask.objects.all()] == ["after"]


def test_a_stopped_use_case_blocks_and_says_so(db: None) -> None:
    case = gate()
    stop(actor=LEAD, use_case=case, reason="drill")
    (taken,) = send(case, body("a"))
    assert (taken.lane, taken.status, taken.final_output) == ("blocked", "withheld", None)
    assert decision("a").reason_codes == "use_case_suspended"
    assert final_of(decision("a")) is None


def test_a_withdrawn_version_blocks_its_own_outputs_alone(db: None) -> None:
    case = gate()
    send(case, body("a"), body("b", model_version="2"))
    version = ModelVersion.objects.get(version="1")
    model_version_set_status(actor=LEAD, model_version=version, status="withdrawn", reason="faulty")
    send(case, body("c"), body("d", model_version="2"))
    assert lanes() == {"a": "automatic", "b": "automatic", "c": "blocked", "d": "automatic"}


def test_a_stop_between_routing_and_commit_routes_the_whole_batch_again(
    db: None, monkeypatch: Any
) -> None:
    case = gate()
    real, calls = intake.shared_stop, []

    def stopped_meanwhile(slug: str, versions: Any) -> Any:
        calls.append(slug)
        found = real(slug, versions)
        return ("suspended", found[1]) if len(calls) == 1 else found

    monkeypatch.setattr(intake, "shared_stop", stopped_meanwhile)
    send(case, body("a"), body("b"))
    assert len(calls) == 2
    assert Decision.objects.count() == Decision.history.count() == Payload.objects.count() == 2
    assert told() == ["decision.released"] * 2


def mandate(case: UseCase, **limits: Any) -> Any:
    now = timezone.now()
    defaults = {
        "scope": {"all": []},
        "max_count": None,
        "max_amount": None,
        "valid_from": now,
        "valid_to": now + timezone.timedelta(hours=1),
    }
    return mandate_issue(actor=LEAD, use_case=case, reason="watch", **{**defaults, **limits})


def test_in_command_only_a_mandate_releases_and_its_count_holds(db: None) -> None:
    case = gate(policy={"level": "HIC"})
    send(case, body("before"))
    issued = mandate(case, max_count=2)
    send(case, *(body(f"c{i}") for i in range(4)))
    assert lanes() == {
        "before": "command",
        "c0": "automatic",
        "c1": "automatic",
        "c2": "command",
        "c3": "command",
    }
    assert MandateCounter.objects.get().count == MandateUse.objects.count() == 2
    assert decision("c1").mandate == issued.pk
    assert decision("c1").mandates_left == [{"id": str(issued.pk), "count": 1, "amount": None}]
    mandate_revoke(actor=LEAD, mandate=issued, reason="over")
    send(case, body("after"))
    assert lanes()["after"] == "command"


def test_a_mandate_s_amount_holds_exactly(db: None) -> None:
    case = gate(policy={"level": "HIC"})
    mandate(case, max_amount="100.00")
    amounts = {"a": "60.10", "b": "39.91", "c": "39.90", "d": "0.01"}
    send(case, *(body(key, amount=value) for key, value in amounts.items()))
    assert lanes() == {"a": "automatic", "b": "command", "c": "automatic", "d": "command"}
    assert MandateCounter.objects.get().amount == Decimal("100")


@pytest.mark.parametrize("level", ["HITL", "HOTL", "HIC"])
def test_every_recorded_decision_routes_the_same_again(db: None, level: str) -> None:
    rules = [
        {
            "name": "large",
            "when": {"field": "amount", "op": ">", "value": "50000"},
            "then": "review",
        },
        {
            "name": "north",
            "when": {"field": "feature.region", "op": "==", "value": "n"},
            "then": "sample",
            "rate": 0.5,
        },
    ]
    case = gate(
        policy={"level": level, "confidence_threshold": 0.6, "audit_rate": 0.3, "rules": rules},
        features=[{"name": "region", "type": "category"}],
    )
    if level == "HIC":
        mandate(case, max_count=5, max_amount="200000")
    bodies = [
        body(
            f"x{i}",
            "deny" if i % 3 else "approve",
            None if i % 7 == 0 else i / 20,
            amount=f"{i * 5000}.00",
            features={"region": "n" if i % 2 else "s"},
        )
        for i in range(20)
    ]
    send(case, *bodies)
    policy_in_force(case, level="HITL", confidence_threshold=1.0)
    for found in Decision.objects.all():
        again = replay(found)
        assert again["same"] is True, again


def test_replay_notices_a_lane_that_the_policy_does_not_give(db: None) -> None:
    case = gate()
    send(case, body("a"))
    found = decision("a")
    found.lane = "review"
    assert replay(found)["same"] is False


def test_after_a_resume_what_was_withheld_can_be_routed_again(db: None) -> None:
    case = gate(policy={"confidence_threshold": 0.5})
    stop(actor=LEAD, use_case=case, reason="drill")
    send(case, body("a"), body("b", confidence=0.1))
    resume(actor=SECOND, use_case=case, reason="over", withheld="reroute")
    assert reroute_blocked(SECOND, case, "the drill is over") == 2
    assert lanes() == {"a": "automatic", "b": "review"}
    assert decision("a").final_label == "approve"
    assert ReviewTask.objects.get().kind == "before"
    assert told() == ["decision.withheld", "decision.withheld", "decision.released"]
    assert {replay(d)["same"] for d in Decision.objects.all()} == {True}
    assert reroute_blocked(SECOND, case, "again") == 0


def test_what_a_failed_rerouting_left_is_routed_by_the_sweep(db: None, monkeypatch: Any) -> None:
    case = gate()
    stop(actor=LEAD, use_case=case, reason="drill")
    send(case, body("a"), body("b"), body("c"))
    assert reroutes_finish() == 0  # nobody has resumed it
    resume(actor=SECOND, use_case=case, reason="over", withheld="reroute")
    real, chunks = rerouting._reroute, list[int]()

    def fails_at_the_second(*given: Any) -> int:
        chunks.append(1)
        return 1 // 0 if len(chunks) == 2 else real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(rerouting, "CHUNK", 1)
        patch.setattr(rerouting, "_reroute", fails_at_the_second)
        with pytest.raises(ZeroDivisionError):
            reroute_blocked(SECOND, case, "over")
    assert lanes() == {"a": "automatic", "b": "blocked", "c": "blocked"}
    assert (reroutes_finish(), reroutes_finish()) == (2, 0)
    assert set(lanes().values()) == {"automatic"}
    newest = Decision.history.filter(external_id="c").order_by("history_id").last()
    assert (newest.history_user_id, newest.status) == ("system:rerouting", "released")


def test_the_sweep_leaves_what_a_resume_said_to_leave(db: None) -> None:
    case = gate()
    stop(actor=LEAD, use_case=case, reason="drill")
    send(case, body("a"))
    resume(actor=SECOND, use_case=case, reason="over", withheld="leave")
    stop(actor=LEAD, use_case=case, reason="once more")
    send(case, body("b"))
    resume(actor=SECOND, use_case=case, reason="over", withheld="reroute")
    assert (reroutes_finish(), lanes()) == (1, {"a": "blocked", "b": "automatic"})


def test_the_sweep_waits_while_the_use_case_is_stopped_again(db: None) -> None:
    case = gate()
    stop(actor=LEAD, use_case=case, reason="drill")
    send(case, body("a"))
    resume(actor=SECOND, use_case=case, reason="over", withheld="reroute")
    stop(actor=LEAD, use_case=case, reason="once more")
    assert (reroutes_finish(), lanes()) == (0, {"a": "blocked"})
    resume(actor=SECOND, use_case=case, reason="over", withheld="leave")
    assert (reroutes_finish(), lanes()) == (1, {"a": "automatic"})


def test_an_intervention_cancels_the_review_after_the_fact(db: None) -> None:
    case = gate(policy={"level": "HOTL", "confidence_threshold": 1})
    send(case, body("a"), body("b"))
    key = decision("a").pk
    decision_intervene(actor=LEAD, decision_id=key, action="reverse", reason="wrong person")
    task = ReviewTask.objects.get(decision=key)
    assert (task.kind, task.status, task.ruling["state"]) == ("after", "cancelled", "cancelled")
    assert task.closed_at is not None
    assert set(task.seats.values_list("state", flat=True)) == {"closed"}
    newest = task.history.order_by("history_id").last()
    assert (newest.history_user_id, newest.status) == (LEAD.id, "cancelled")
    assert ReviewTask.objects.get(decision=decision("b").pk).status == "open"


def test_the_first_answer_stays_what_it_was(db: None) -> None:
    case = gate(policy={"confidence_threshold": 0.8})
    send(case, body("a", confidence=0.1), body("b"))
    waiting, released = answer(decision("a")), answer(decision("b"))
    assert (waiting["status"], waiting["final_output"]) == ("pending", None)
    assert waiting["review"]["reviews_required"] == 1
    assert (released["status"], released["final_output"], released["review"]) == (
        "released",
        {"label": "approve"},
        None,
    )
    assert first_answer(decision("a")) == waiting
    assert first_answer(decision("b")) == released


def test_the_audit_s_seed_is_made_once_a_year_and_its_hash_is_in_the_trail(db: None) -> None:
    case = gate(policy={"audit_rate": 0.5})
    send(case, body("a"))
    send(case, body("b"))
    assert SamplingSeed.objects.count() == 1
    assert {d.sampling_probability for d in Decision.objects.all()} == {0.5}


KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "number": ({"value": 12.5, "low": 10, "high": 15, "confidence": 0.9}, {"value": 12.5}),
    "fields": (
        {
            "fields": {
                "total": {"value": "9.50", "confidence": 0.8},
                "vat": {"value": "1.50", "confidence": 0.7},
            }
        },
        {"fields": {"total": "9.50", "vat": "1.50"}},
    ),
    "text": ({"text": "Dear customer", "confidence": 0.9}, {"text": "Dear customer"}),
    "action": (
        {"name": "set_point", "arguments": {"valve": 3}, "confidence": 0.9},
        {"name": "set_point", "arguments": {"valve": 3}},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_output_has_its_own_final_output(db: None, kind: str) -> None:
    sent, final = KINDS[kind]
    case = gate(kinds=[kind], labels=[], policy={"confidence_threshold": 0.5})
    (taken,) = send(case, body("a", kind=kind, output=sent))
    assert (taken.status, taken.final_output) == ("released", final)
    assert final_of(decision("a")) == final
    assert output_of(decision("a")) == sent
    assert replay(decision("a"))["same"] is True


def test_a_case_without_an_output_waits_for_people(db: None) -> None:
    case = gate()
    (taken,) = send(case, body("a", output=None))
    assert (taken.lane, taken.status) == ("review", "pending")
    assert decision("a").reason_codes == "no_output"
    assert replay(decision("a"))["same"] is True


def test_what_was_taken_in_is_sealed_and_verifies(committed_db: Any) -> None:
    case = gate(policy={"confidence_threshold": 0.5, "audit_rate": 0.1})
    send(case, *(body(f"x{i}", confidence=i / 40) for i in range(40)))
    sealing.seal_all()
    assert findings() == []


def test_the_same_case_sent_ten_times_at_once_makes_one_decision(committed_db: Any) -> None:
    case = gate()
    send(case, body("first"))
    results: list[Any] = []

    def submit() -> None:
        try:
            results.extend(send(case, body("a")))
        except Exception as error:  # noqa: BLE001
            results.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=submit) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(r.state for r in results) == ["accepted", *["duplicate"] * 9]
    assert len({r.id for r in results}) == 1
    assert Decision.objects.filter(external_id="a").count() == 1


def test_a_stop_waits_for_no_batch(committed_db: Any, monkeypatch: Any) -> None:
    """While a batch is being written, a stop commits at once, and the batch is routed again."""
    if connection.vendor == "sqlite":
        return  # one writer at a time: the stop comes before or after the batch
    case = gate()
    send(case, body("first"))
    written, stopped = threading.Event(), threading.Event()
    real = intake.Recorder.write

    def write_then_wait(self: Any, **more: Any) -> Any:
        taken = real(self, **more)
        if not written.is_set():
            written.set()
            assert stopped.wait(20)
        return taken

    monkeypatch.setattr(intake.Recorder, "write", write_then_wait)
    results: list[Any] = []

    def submit() -> None:
        results.extend(send(case, *(body(f"b{i}") for i in range(50))))
        connections.close_all()

    thread = threading.Thread(target=submit)
    thread.start()
    assert written.wait(20)
    stop(actor=LEAD, use_case=UseCase.objects.get(), reason="now")
    stopped.set()
    thread.join()
    assert {taken.lane for taken in results} == {"blocked"}
    assert Decision.objects.filter(lane="automatic").count() == 1


def test_a_mandate_holds_under_concurrent_senders(committed_db: Any) -> None:
    case = gate(policy={"level": "HIC"})
    send(case, body("first"))
    mandate(case, max_count=25)
    failures: list[Exception] = []

    def submit(sender: int) -> None:
        try:
            for batch in range(4):
                send(case, *(body(f"s{sender}-{batch}-{i}") for i in range(4)))
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=submit, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Decision.objects.filter(lane="automatic", status="released").count() == 25
    assert Decision.objects.filter(lane="command").count() == 1 + 64 - 25
    assert MandateUse.objects.count() == MandateCounter.objects.get().count == 25
    assert arrivals(case) == []


def test_the_trail_of_one_decision_is_found_through_the_live_index(db: None) -> None:
    from apps.audit.selectors import RecordFilter, ledger_records

    case = gate(policy={"confidence_threshold": 0.8})
    send(case, body("a", confidence=0.1, subject={"ref": "cust-1"}), body("b"))
    sealing.seal_all()
    found = decision("a")
    leaves = ledger_records(RecordFilter(visible=None, decision=found.pk))
    assert sorted(leaf.record_type for leaf in leaves) == ["decision", "review_task"]
    by_subject = ledger_records(RecordFilter(visible=None, subject=found.subject_pseudonym))
    assert [leaf.record_type for leaf in by_subject] == ["decision"]
