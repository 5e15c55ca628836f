"""Interventions on the loop and rulings in command: who moved which decision, when and why."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit.models import PendingRecord
from apps.common.errors import ActorRequired, BadInput, Conflict, NotFound
from apps.decisions.models import Content, Decision
from apps.decisions.selectors import final_of
from apps.notifications.models import OutboxEvent
from apps.supervision import interventions
from apps.supervision.interventions import decision_intervene, interventions_bulk
from apps.supervision.models import Intervention, Ruling
from apps.supervision.rulings import decision_rule
from apps.supervision.selectors import InterventionFilter
from tests.services.oversight import (
    LEAD,
    SECOND,
    at_once,
    decision,
    in_force,
    loans,
    model_version,
)

MINUTE = timedelta(minutes=1)
APPROVE = {"label": "approve"}
OUTPUTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "number": ({"value": 12.5, "confidence": 0.9}, {"value": 13}),
    "fields": ({"fields": {"name": {"value": "Ann"}}}, {"fields": {"name": "Anne"}}),
    "text": ({"text": "yes"}, {"text": "no"}),
    "action": ({"name": "pay", "arguments": {"to": 1}}, {"name": "hold", "arguments": {}}),
}


def supervised(minutes: int | None = 60, **fields: Any) -> Decision:
    kinds = ["label", *OUTPUTS]
    policy = in_force(loans(kinds=kinds), level="HOTL", intervention_minutes=minutes)
    return decision(policy, **fields)


def intervene(held: Decision, action: str = "reverse", **more: Any) -> Intervention:
    return decision_intervene(
        actor=LEAD, decision_id=held.pk, action=action, **{"reason": "wrong person", **more}
    )


def refusal_of(call: Any) -> list[str]:
    with pytest.raises(BadInput) as refusal:
        call()
    return [fault.pointer for fault in refusal.value.errors]


# --- One intervention -----------------------------------------------------------------------


def test_a_reversal_leaves_no_output(db: None) -> None:
    held = supervised()
    made = intervene(held)
    stored = Decision.objects.get()
    assert (stored.status, stored.final_label, final_of(stored)) == ("reversed", None, None)
    assert (made.action, made.within_window, made.label) == ("reverse", True, None)
    assert (made.made_by, made.use_case_id) == ("command:lead", "loan-approval")
    event = OutboxEvent.objects.get(type="decision.reversed")
    assert (event.decision, event.data["final_output"]) == (held.pk, None)


def test_a_change_ends_reversed_with_the_new_output(db: None) -> None:
    made = intervene(supervised(), "change", output=APPROVE)
    stored = Decision.objects.get()
    assert (stored.status, final_of(stored), made.label) == ("reversed", APPROVE, "approve")


@pytest.mark.parametrize("kind", OUTPUTS)
def test_outputs_other_than_labels_are_content_behind_a_commitment(db: None, kind: str) -> None:
    sent, new = OUTPUTS[kind]
    made = intervene(supervised(kind=kind, output=sent), "change", output=new)
    stored = Decision.objects.get()
    assert (final_of(stored), made.label) == (new, None)
    content = Content.objects.get(part="final")
    assert made.output_commitment == stored.final_commitment == _commitment(content)


def _commitment(content: Content) -> str:
    return hashlib.sha256(bytes(content.salt) + content.content.encode()).hexdigest()


def test_the_reason_is_content_that_the_record_only_commits_to(db: None) -> None:
    made = intervene(supervised(), reason=" Ann Smith called. ")
    content = Content.objects.get(part="reason")
    assert json.loads(content.content) == {"of": str(made.pk), "text": "Ann Smith called."}
    assert made.reason_commitment == _commitment(content)
    for history in (Decision.history, Intervention.history):
        assert history.latest().history_change_reason == "intervene_reverse"


def test_an_intervention_leaves_two_records_the_decision_s_and_its_own(db: None) -> None:
    held, before = supervised(), PendingRecord.objects.count()
    intervene(held)
    assert PendingRecord.objects.count() == before + 2


def test_after_the_window_an_intervention_is_refused_with_its_end(db: None) -> None:
    routed_at = timezone.now() - 61 * MINUTE
    held = supervised(60, routed_at=routed_at)
    end = (routed_at + 60 * MINUTE).isoformat()
    with pytest.raises(Conflict) as refusal:
        intervene(held)
    assert str(refusal.value) == f"the intervention window closed at {end}"
    assert Decision.objects.get().status == "released"


def test_the_window_closes_at_its_very_end(db: None, monkeypatch: Any) -> None:
    held = supervised(60)
    monkeypatch.setattr(timezone, "now", lambda: held.routed_at + 60 * MINUTE)
    with pytest.raises(Conflict, match="closed"):
        intervene(held)


def test_without_a_window_people_step_in_at_any_time(db: None) -> None:
    held = supervised(None, routed_at=timezone.now() - timedelta(days=400))
    assert intervene(held).within_window is False


@pytest.mark.parametrize("lane", ["automatic", "shadow", "review", "command", "blocked"])
def test_decisions_of_other_lanes_are_not_intervened_in(db: None, lane: str) -> None:
    with pytest.raises(Conflict, match=f"in the lane {lane}"):
        intervene(supervised(lane=lane))


def test_what_was_acted_on_before_it_was_recorded_is_not_intervened_in(db: None) -> None:
    with pytest.raises(Conflict, match="acted on before"):
        intervene(supervised(past=True))


@pytest.mark.parametrize("status", ["pending", "withheld", "reversed"])
def test_only_what_is_released_is_intervened_in(db: None, status: str) -> None:
    with pytest.raises(Conflict, match=f"the decision is {status}"):
        intervene(supervised(status=status))


def test_a_change_to_what_took_effect_already_is_refused(db: None) -> None:
    with pytest.raises(Conflict, match="took effect already"):
        intervene(supervised(), "change", output={"label": "deny"})


def test_an_intervention_on_nothing_is_not_found(db: None) -> None:
    with pytest.raises(NotFound):
        decision_intervene(actor=LEAD, decision_id=uuid4(), action="reverse", reason="r")


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"action": "undo"}, "/action"),
        ({"reason": " "}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"output": APPROVE}, "/output"),
        ({"action": "change"}, "/output"),
        ({"action": "change", "output": {"label": "maybe"}}, "/output/label"),
        ({"action": "change", "output": {"label": "deny", "confidence": 1}}, "/output/confidence"),
    ],
)
def test_a_faulty_intervention_is_refused_by_its_pointer(
    db: None, data: dict[str, Any], pointer: str
) -> None:
    held = supervised()
    assert refusal_of(lambda: intervene(held, **{"action": "reverse", **data})) == [pointer]
    assert not Intervention.objects.exists()


def test_interventions_and_rulings_need_an_actor(db: None) -> None:
    held = supervised()
    with pytest.raises(ActorRequired):
        decision_intervene(actor=None, decision_id=held.pk, action="reverse", reason="r")  # type: ignore[arg-type]
    with pytest.raises(ActorRequired):
        decision_rule(actor=None, decision_id=held.pk, verdict="approve", reason="r")  # type: ignore[arg-type]


def test_of_two_who_intervene_at_once_one_does(committed_db: Any) -> None:
    held = supervised()
    results = at_once(2, lambda _: intervene(held).action)
    assert sorted(results) == ["Conflict", "reverse"]
    assert Intervention.objects.count() == 1


# --- Many interventions ---------------------------------------------------------------------


def bulk(action: str = "reverse", **more: Any) -> Any:
    """``more`` holds the filter's own keys and the call's."""
    call = {key: more.pop(key) for key in ("output", "dry_run", "reason") if key in more}
    return interventions_bulk(
        actor=SECOND,
        filters=InterventionFilter("loan-approval", **more),
        action=action,
        **{"reason": "a bad batch", **call},
    )


def test_a_dry_run_counts_and_writes_nothing(db: None) -> None:
    held = supervised()
    for _ in range(2):
        decision(held.policy)
    before = PendingRecord.objects.count()
    assert bulk(dry_run=True) == (3, 0, 0)
    assert PendingRecord.objects.count() == before


def test_all_that_match_are_reversed_each_with_its_record(db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(interventions, "BATCH", 2)
    held = supervised()
    for _ in range(4):
        decision(held.policy)
    decision(held.policy, lane="automatic")
    assert bulk() == (5, 5, 0)
    assert Decision.objects.filter(status="reversed").count() == Intervention.objects.count() == 5
    assert Decision.history.filter(status="reversed", history_user_name="second").count() == 5
    assert bulk() == (0, 0, 0)


def test_the_filter_narrows_by_label_version_and_time(db: None) -> None:
    held = supervised(label="approve")
    now = held.created_at
    old = decision(held.policy, created_at=now - 10 * MINUTE, label="approve")
    other = decision(held.policy, model_version=model_version("2.0"), label="approve")
    decision(held.policy, label="deny", created_at=now - 20 * MINUTE)
    counts = {
        "label": bulk(dry_run=True, label="approve").matched,
        "version": bulk(dry_run=True, model_version="2.0").matched,
        "since": bulk(dry_run=True, label="approve", since=now).matched,
        "until": bulk(dry_run=True, label="approve", until=now).matched,
        "both": bulk(dry_run=True, since=old.created_at, until=now).matched,
        "lane": bulk(dry_run=True, lane="supervised").matched,
    }
    assert counts == {"label": 3, "version": 1, "since": 2, "until": 1, "both": 1, "lane": 4}
    bulk(model_version="2.0")
    assert list(Intervention.objects.values_list("decision_id", flat=True)) == [other.pk]


def test_decisions_of_each_policy_are_open_as_long_as_that_policy_says(db: None) -> None:
    use_case, now = loans(), timezone.now()
    short = in_force(use_case, level="HOTL", intervention_minutes=5)
    long = in_force(use_case, level="HOTL", intervention_minutes=60)
    endless = in_force(use_case, level="HOTL")
    for policy in (short, long, endless):
        decision(policy, routed_at=now - 10 * MINUTE)
    assert bulk() == (2, 2, 0)
    assert Decision.objects.get(status="released").policy == short


def test_another_use_case_s_decisions_are_left_alone(db: None) -> None:
    supervised()
    other = in_force(loans(slug="fraud"), level="HOTL")
    decision(other)
    assert bulk() == (1, 1, 0)


def test_a_bulk_change_gives_all_the_new_output_and_skips_those_that_have_it(db: None) -> None:
    held = supervised()
    decision(held.policy, label="approve")
    assert bulk("change", output=APPROVE) == (2, 1, 1)
    assert Intervention.objects.get().decision_id == held.pk


def test_one_output_serves_one_kind(db: None) -> None:
    held = supervised()
    decision(held.policy, kind="text", output={"text": "yes"})
    assert refusal_of(lambda: bulk("change", output=APPROVE)) == ["/output"]


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_faulty_output_is_refused_before_the_first_write(db: None, dry_run: bool) -> None:
    supervised()
    faulty = {"output": {"label": "maybe"}, "dry_run": dry_run}
    assert refusal_of(lambda: bulk("change", **faulty)) == ["/output/label"]


def test_other_lanes_are_no_filter(db: None) -> None:
    assert refusal_of(lambda: bulk(lane="automatic")) == ["/filter/lane"]


def test_more_than_the_most_at_once_is_refused_with_the_count(db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(interventions, "MOST_AT_ONCE", 1)
    held = supervised()
    decision(held.policy)
    assert bulk(dry_run=True).matched == 2
    with pytest.raises(Conflict, match="2 decisions match: at most 1"):
        bulk()
    assert not Intervention.objects.exists()


def test_the_price_of_a_decision_does_not_grow_with_their_number(db: None) -> None:
    held = supervised()
    prices = []
    for number in (4, 8):
        for _ in range(number - Decision.objects.filter(status="released").count()):
            decision(held.policy)
        with CaptureQueriesContext(connection) as seen:
            bulk()
        prices.append(len(seen))
    # 4 decisions more cost 4 times what one costs, and nothing else grows.
    assert (prices[1] - prices[0]) % 4 == 0
    assert (prices[1] - prices[0]) // 4 <= 12


def test_two_who_intervene_in_bulk_at_once_share_the_decisions(committed_db: Any) -> None:
    held = supervised()
    for _ in range(11):
        decision(held.policy)
    results = at_once(2, lambda _: bulk())
    assert sum(result.done for result in results) == 12
    assert Intervention.objects.count() == 12
    assert Decision.history.filter(status="reversed").count() == 12


# --- Rulings --------------------------------------------------------------------------------


def waiting(**fields: Any) -> Decision:
    policy = in_force(loans(kinds=["label", *OUTPUTS]), level="HIC")
    return decision(policy, **{"lane": "command", "status": "pending", **fields})


def rule(held: Decision, verdict: str = "approve", **more: Any) -> Ruling:
    return decision_rule(
        actor=LEAD, decision_id=held.pk, verdict=verdict, **{"reason": "as ordered", **more}
    )


def test_an_approval_releases_the_ai_s_own_output(db: None) -> None:
    made = rule(waiting())
    stored = Decision.objects.get()
    assert (stored.status, final_of(stored)) == ("released", {"label": "deny"})
    assert (made.verdict, made.label, made.made_by) == ("approve", "deny", "command:lead")
    assert OutboxEvent.objects.filter(type="decision.released").count() == 1
    assert Decision.history.latest().history_change_reason == "command_approve"


@pytest.mark.parametrize("kind", OUTPUTS)
def test_an_approved_output_of_another_kind_takes_effect_without_its_confidence(
    db: None, kind: str
) -> None:
    sent, _ = OUTPUTS[kind]
    rule(waiting(kind=kind, output=sent))
    final = final_of(Decision.objects.get())
    assert final is not None
    assert "confidence" not in final
    assert final.keys() <= sent.keys()


def test_a_change_releases_the_commander_s_output(db: None) -> None:
    made = rule(waiting(), "change", output=APPROVE)
    assert (final_of(Decision.objects.get()), made.label) == (APPROVE, "approve")


def test_a_withheld_decision_has_no_output(db: None) -> None:
    made = rule(waiting(), "withhold")
    stored = Decision.objects.get()
    assert (stored.status, final_of(stored), made.label) == ("withheld", None, None)


def test_to_approve_a_case_without_an_output_takes_one(db: None) -> None:
    held = waiting(label=None, confidence=None)
    assert refusal_of(lambda: rule(held)) == ["/output"]
    rule(held, output=APPROVE)
    assert final_of(Decision.objects.get()) == APPROVE


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"verdict": "confirm"}, "/verdict"),
        ({"reason": ""}, "/reason"),
        ({"output": APPROVE}, "/output"),
        ({"verdict": "withhold", "output": APPROVE}, "/output"),
        ({"verdict": "change"}, "/output"),
        ({"verdict": "change", "output": {"label": 7}}, "/output/label"),
    ],
)
def test_a_faulty_ruling_is_refused_by_its_pointer(
    db: None, data: dict[str, Any], pointer: str
) -> None:
    held = waiting()
    assert refusal_of(lambda: rule(held, **{"verdict": "approve", **data})) == [pointer]
    assert not Ruling.objects.exists()


def test_the_reason_of_a_ruling_is_content(db: None) -> None:
    made = rule(waiting())
    content = Content.objects.get(part="reason")
    assert json.loads(content.content) == {"of": str(made.pk), "text": "as ordered"}
    assert made.reason_commitment == _commitment(content)


@pytest.mark.parametrize("lane", ["review", "blocked", "supervised"])
def test_a_commander_rules_on_the_lane_command_alone(db: None, lane: str) -> None:
    with pytest.raises(Conflict, match=f"in the lane {lane}"):
        rule(waiting(lane=lane))


@pytest.mark.parametrize("status", ["released", "withheld", "reversed"])
def test_a_commander_rules_once(db: None, status: str) -> None:
    with pytest.raises(Conflict, match=f"the decision is {status}"):
        rule(waiting(status=status))


def test_of_two_who_rule_at_once_one_does(committed_db: Any) -> None:
    held = waiting()
    results = at_once(2, lambda number: rule(held, ("approve", "withhold")[number]).verdict)
    assert results.count("Conflict") == 1
    assert Ruling.objects.count() == 1
