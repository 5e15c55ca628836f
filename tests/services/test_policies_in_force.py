"""The policy in force, its guard on the use case, and the seeds of the random audit."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit.models import AccessEvent
from apps.common.errors import BadInput, Conflict, LedgerBroken, NotFound
from apps.policies.models import PolicyVersion, SamplingSeed
from apps.policies.seeds import disclose_ended, seed_for
from apps.policies.selectors import compiled_policy, policy_in_force, use_case_schema
from apps.policies.services import policy_approve, policy_draft, policy_reject
from apps.registry.models import UseCase
from apps.registry.services import use_case_update
from tests.services.oversight import LEAD, SECOND, at_once, in_force, loans, proposed

SOON = timedelta(hours=1)


# --- In force -------------------------------------------------------------------------------


def test_without_an_approved_policy_nothing_is_in_force(db: None) -> None:
    use_case = loans()
    proposed(use_case)
    with pytest.raises(Conflict, match="loan-approval has no policy in force"):
        policy_in_force(use_case, timezone.now())


def test_the_policy_in_force_is_ready_to_route_by(db: None) -> None:
    use_case = loans()
    active = in_force(use_case, level="HOTL", confidence_threshold=0.7)
    found = policy_in_force(use_case, timezone.now())
    assert (found.id, found.number, found.level) == (active.pk, 1, "HOTL")
    assert found.content_hash == active.content_hash
    assert (found.routing.confidence_threshold, found.document["audit_rate"]) == (0.7, 0)


def test_a_policy_whose_moment_has_come_takes_effect_when_it_is_asked_for(db: None) -> None:
    now, use_case = timezone.now(), loans()
    first = in_force(use_case)
    later = policy_approve(actor=SECOND, policy=proposed(use_case), effective_from=now + SOON)
    assert policy_in_force(use_case, now).id == first.pk
    assert policy_in_force(use_case, now + SOON).id == later.pk


def test_the_next_question_costs_one_query(db: None) -> None:
    use_case = loans()
    in_force(use_case)
    policy_in_force(use_case, timezone.now())
    with CaptureQueriesContext(connection) as seen:
        policy_in_force(use_case, timezone.now())
    assert len(seen) == 1


def test_a_document_that_was_changed_in_force_is_not_routed_by(db: None) -> None:
    use_case = loans()
    active = in_force(use_case)
    active.document = {**active.document, "audit_rate": 0.5}
    active.save(actor=LEAD)
    with pytest.raises(LedgerBroken):
        policy_in_force(use_case, timezone.now())


def test_a_superseded_version_still_compiles_for_a_replay(db: None) -> None:
    use_case = loans()
    old = in_force(use_case, confidence_threshold=0.3)
    in_force(use_case, confidence_threshold=0.6)
    assert compiled_policy(old.pk).routing.confidence_threshold == 0.3


def test_the_schema_has_what_the_use_case_declares(db: None) -> None:
    schema = use_case_schema(loans(risk_tier="high", kinds=["label", "text"]))
    assert (schema.labels, schema.favourable_label) == (("approve", "deny"), "approve")
    assert (schema.kinds, schema.risk_tier) == (("label", "text"), "high")
    assert schema.field_type("feature.income") == "number"
    assert schema.declared["subject.sex"].protected


# --- The guard ------------------------------------------------------------------------------

BREAKING: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a label that a threshold names": (
        {"label_thresholds": {"deny": 0.9}},
        {"labels": ["approve", "refuse"]},
        "/label_thresholds/deny",
    ),
    "a feature that a rule tests": (
        {
            "rules": [
                {
                    "name": "poor",
                    "when": {"field": "feature.income", "op": "<", "value": 10},
                    "then": "review",
                }
            ]
        },
        {"features": []},
        "/rules/0/when/field",
    ),
    "the tier above an automatic rule": (
        {
            "rules": [
                {
                    "name": "rich",
                    "when": {"field": "feature.income", "op": ">", "value": 10},
                    "then": "automatic",
                }
            ]
        },
        {"risk_tier": "high"},
        "/unreviewed_release/justification",
    ),
    "a type by which a value reads otherwise": (
        {
            "rules": [
                {
                    "name": "south",
                    "when": {"field": "feature.region", "op": "==", "value": "south"},
                    "then": "review",
                }
            ]
        },
        {"features": [{"name": "region", "type": "number"}, {"name": "income", "type": "number"}]},
        "/rules/0/when/value",
    ),
}


@pytest.mark.parametrize("name", BREAKING)
@pytest.mark.parametrize("status", ["proposed", "approved", "active"])
def test_a_use_case_keeps_what_a_standing_policy_needs(db: None, name: str, status: str) -> None:
    document, change, place = BREAKING[name]
    held = proposed(loans(), **document)
    if status == "approved":
        policy_approve(actor=SECOND, policy=held, effective_from=timezone.now() + SOON)
    elif status == "active":
        policy_approve(actor=SECOND, policy=held)
    with pytest.raises(BadInput) as refusal:
        use_case_update(actor=LEAD, slug="loan-approval", reason="r", **change)
    details = " ".join(fault.detail for fault in refusal.value.errors)
    assert f"policy version 1, which is {status}, would no longer hold: {place}" in details
    assert UseCase.history.count() == 1


def test_drafts_and_rejected_versions_hold_nobody_up(db: None) -> None:
    use_case, (document, change, _) = loans(), next(iter(BREAKING.values()))
    policy_draft(actor=LEAD, use_case=use_case, document={"level": "HITL", **document})
    policy_reject(actor=SECOND, policy=proposed(use_case, **document), reason="r")
    assert use_case_update(actor=LEAD, slug=use_case.slug, reason="r", **change).labels == [
        "approve",
        "refuse",
    ]


def test_a_change_that_a_standing_policy_does_not_mind_passes(db: None) -> None:
    in_force(loans(), label_thresholds={"deny": 0.9})
    changed = use_case_update(
        actor=LEAD, slug="loan-approval", reason="r", labels=["approve", "deny", "refer"]
    )
    assert changed.labels[-1] == "refer"


# --- Seeds ----------------------------------------------------------------------------------


def test_a_seed_is_made_once_and_its_hash_recorded_from_the_start(db: None) -> None:
    loans()
    seed = seed_for("loan-approval", 2026)
    assert len(seed) == 32
    assert seed_for("loan-approval", 2026) == seed
    event = AccessEvent.objects.get(kind="sampling_seed_started")
    assert event.detail == {"year": 2026, "sha256": hashlib.sha256(seed).hexdigest()}
    assert (event.use_case, event.actor_kind) == ("loan-approval", "system")


def test_each_use_case_and_year_has_a_seed_of_its_own(db: None) -> None:
    loans()
    loans(slug="fraud")
    seeds = {seed_for(slug, year) for slug in ("loan-approval", "fraud") for year in (2026, 2027)}
    assert len(seeds) == 4


def test_there_is_no_seed_for_what_is_not_a_use_case(db: None) -> None:
    with pytest.raises(NotFound):
        seed_for("nowhere", 2026)


def test_a_seed_is_told_once_its_year_is_over_in_utc(db: None) -> None:
    loans()
    seed, _next = seed_for("loan-approval", 2026), seed_for("loan-approval", 2027)
    assert disclose_ended(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)) == 0
    assert disclose_ended(datetime(2027, 1, 1, tzinfo=UTC)) == 1
    assert disclose_ended(datetime(2027, 1, 1, tzinfo=UTC)) == 0
    event = AccessEvent.objects.get(kind="sampling_seed_disclosed")
    assert event.detail == {"year": 2026, "seed": seed.hex()}


def test_one_seed_comes_of_many_who_ask_at_once(committed_db: Any) -> None:
    loans()
    seeds = at_once(4, lambda _: seed_for("loan-approval", 2026))
    assert len(set(seeds)) == 1
    assert isinstance(seeds[0], bytes)
    assert SamplingSeed.objects.count() == 1
    assert AccessEvent.objects.filter(kind="sampling_seed_started").count() == 1


def test_a_seed_is_told_once_by_two_at_once(committed_db: Any) -> None:
    loans()
    seed_for("loan-approval", 2026)
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    assert sorted(at_once(2, lambda _: disclose_ended(moment))) == [0, 1]


def test_a_definition_is_not_broken_while_a_policy_is_proposed_at_once(committed_db: Any) -> None:
    document, change, _ = BREAKING["a label that a threshold names"]
    use_case = loans()
    calls = (
        lambda: proposed(use_case, **document).status,
        lambda: use_case_update(actor=LEAD, slug=use_case.slug, reason="r", **change).slug,
    )
    at_once(2, lambda number: calls[number]())
    labels = UseCase.objects.get().labels
    assert "deny" in labels or not PolicyVersion.objects.filter(status="proposed").exists()
