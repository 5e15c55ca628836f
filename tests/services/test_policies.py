"""Versions of a policy: from draft to force, always past a second person, never changed between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.services import service_key_create
from apps.audit.models import PendingRecord
from apps.common.actor import Actor
from apps.common.errors import (
    ActorRequired,
    BadInput,
    Conflict,
    LedgerBroken,
    NotPermitted,
)
from apps.notifications.models import OutboxEvent
from apps.policies.activation import activate_due
from apps.policies.domain.validation import content_hash
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.policies.selectors import policy_diff
from apps.policies.services import (
    policy_approve,
    policy_change_draft,
    policy_draft,
    policy_propose,
    policy_reject,
)
from apps.registry.services import use_case_update
from tests.services.oversight import LEAD, SECOND, at_once, in_force, loans, proposed

SOON = timedelta(hours=1)


def draft(**document: Any) -> PolicyVersion:
    return policy_draft(actor=LEAD, use_case=loans(), document={"level": "HITL", **document})


def written() -> tuple[int, int, int]:
    versions = PolicyVersion.objects.count(), PolicyVersion.history.count()
    return (*versions, PendingRecord.objects.count())


# --- Drafts ---------------------------------------------------------------------------------


def test_a_draft_holds_the_document_with_every_default_and_its_hash(db: None) -> None:
    made = draft(confidence_threshold=0.8)
    stored = PolicyVersion.objects.get()
    assert (stored.status, stored.number, stored.level) == ("draft", 1, "HITL")
    assert stored.document["confidence_threshold"] == 0.8
    assert stored.document["fallback"] == "withhold"
    assert stored.content_hash == made.content_hash == content_hash(stored.document)


def test_numbers_count_up_within_each_use_case(db: None) -> None:
    first, other = loans(), loans(slug="fraud")
    numbers = [
        policy_draft(actor=LEAD, use_case=use_case, document={"level": "HITL"}).number
        for use_case in (first, other, first)
    ]
    assert numbers == [1, 1, 2]


def test_a_faulty_document_is_refused_with_every_pointer_and_nothing_is_written(db: None) -> None:
    use_case, before = loans(), written()
    with pytest.raises(BadInput) as refusal:
        policy_draft(
            actor=LEAD, use_case=use_case, document={"audit_rate": 2, "label_thresholds": {"x": 0}}
        )
    pointers = {fault.pointer for fault in refusal.value.errors}
    assert pointers == {"/level", "/audit_rate", "/label_thresholds/x"}
    assert written()[:2] == before[:2]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_no_database_stores_is_refused(db: None, text: str) -> None:
    with pytest.raises(BadInput) as refusal:
        draft(skills=["credit", text])
    assert [fault.pointer for fault in refusal.value.errors] == ["/skills/1"]


def test_a_draft_is_changed_key_by_key(db: None) -> None:
    made = draft(confidence_threshold=0.8)
    changed = policy_change_draft(
        actor=LEAD, policy=made, changes={"level": "HOTL", "audit_rate": 0.1}, reason="r"
    )
    assert (changed.level, changed.document["confidence_threshold"]) == ("HOTL", 0.8)
    assert PolicyVersion.objects.get().content_hash == content_hash(changed.document)


def test_a_draft_is_read_again_when_it_is_proposed(db: None) -> None:
    made = draft(label_thresholds={"deny": 0.9})
    use_case_update(actor=LEAD, slug="loan-approval", reason="r", labels=["approve", "refuse"])
    with pytest.raises(BadInput) as refusal:
        policy_propose(actor=LEAD, policy=made)
    assert [fault.pointer for fault in refusal.value.errors] == ["/label_thresholds/deny"]


# --- The way to force -----------------------------------------------------------------------


def test_an_approval_without_a_moment_takes_effect_at_once_and_is_announced(db: None) -> None:
    active = in_force(loans(), level="HOTL")
    stored = PolicyVersion.objects.get()
    assert (stored.status, stored.proposed_by, stored.approved_by) == (
        "active",
        "command:lead",
        "command:second",
    )
    assert stored.activated_at == stored.effective_from == active.activated_at
    event = OutboxEvent.objects.get(type="policy.activated")
    assert (event.use_case, event.data["policy"]) == ("loan-approval", str(active.pk))
    assert event.data["superseded"] is None


def test_a_newer_version_supersedes_the_one_before(db: None) -> None:
    use_case = loans()
    first, second = in_force(use_case), in_force(use_case, level="HIC")
    first.refresh_from_db()
    assert (first.status, second.status) == ("superseded", "active")
    newest = OutboxEvent.objects.filter(type="policy.activated").latest("created_at")
    assert newest.data["superseded"] == 1


def test_each_step_is_recorded_with_its_actor_and_reason(db: None) -> None:
    held = proposed(loans())
    policy_approve(actor=SECOND, policy=held, reason="weighed")
    steps = PolicyVersion.history.order_by("history_id").values_list(
        "status", "history_user_name", "history_change_reason"
    )
    assert list(steps) == [
        ("draft", "lead", ""),
        ("proposed", "lead", ""),
        ("approved", "second", "weighed"),
        ("active", "second", "weighed"),
    ]


def test_a_rejected_proposal_stays_where_it_is(db: None) -> None:
    held = policy_reject(actor=SECOND, policy=proposed(loans()), reason="too bold")
    assert held.status == "rejected"
    assert PolicyVersion.history.latest().history_change_reason == "too bold"


def test_an_approval_is_taken_back_before_its_moment(db: None) -> None:
    now = timezone.now()
    held = policy_approve(actor=SECOND, policy=proposed(loans()), effective_from=now + SOON)
    policy_reject(actor=LEAD, policy=held, reason="the market moved")
    assert activate_due(now + SOON) == 0


STEPS: dict[str, Any] = {
    "draft": lambda p: policy_change_draft(actor=LEAD, policy=p, changes={}, reason="r"),
    "proposed": lambda p: policy_propose(actor=LEAD, policy=p),
    "approved": lambda p: policy_approve(actor=SECOND, policy=p),
    "rejected": lambda p: policy_reject(actor=SECOND, policy=p, reason="r"),
}
LEGAL = {
    ("draft", "draft"),
    ("draft", "proposed"),
    ("proposed", "approved"),
    ("proposed", "rejected"),
    ("approved", "rejected"),
}


@pytest.mark.parametrize("status", PolicyStatus.values)
@pytest.mark.parametrize("to", STEPS)
def test_a_step_from_where_it_does_not_start_names_both_states(
    db: None, status: str, to: str
) -> None:
    held = proposed(loans())
    held.status = status
    held.save(actor=LEAD)
    if (status, to) in LEGAL:
        STEPS[to](held)
        return
    with pytest.raises(Conflict, match=rf"is {status} and cannot become {to}"):
        STEPS[to](held)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_without_an_actor_is_refused(db: None, step: str) -> None:
    held = proposed(loans())
    calls: dict[str, Any] = {
        "draft": lambda: policy_change_draft(actor=None, policy=held, changes={}, reason="r"),  # type: ignore[arg-type]
        "proposed": lambda: policy_propose(actor=None, policy=held),  # type: ignore[arg-type]
        "approved": lambda: policy_approve(actor=None, policy=held),  # type: ignore[arg-type]
        "rejected": lambda: policy_reject(actor=None, policy=held, reason="r"),  # type: ignore[arg-type]
    }
    before = written()
    with pytest.raises(ActorRequired):
        calls[step]()
    assert written() == before


@pytest.mark.parametrize("reason", ["", "  ", None])
def test_a_change_and_a_rejection_need_a_reason(db: None, reason: Any) -> None:
    held = draft()
    with pytest.raises(BadInput, match="reason"):
        policy_change_draft(actor=LEAD, policy=held, changes={}, reason=reason)
    policy_propose(actor=LEAD, policy=held)
    with pytest.raises(BadInput, match="reason"):
        policy_reject(actor=SECOND, policy=held, reason=reason)


# --- Another person -------------------------------------------------------------------------


def test_the_proposer_does_not_approve(db: None) -> None:
    held = proposed(loans())
    with pytest.raises(NotPermitted, match="takes another person") as refusal:
        policy_approve(actor=LEAD, policy=held)
    assert (refusal.value.action, refusal.value.use_case) == ("policy.approve", "loan-approval")
    held.refresh_from_db()
    assert held.status == "proposed"


def test_a_person_does_not_approve_their_own_proposal_by_command_or_by_key(
    db: None, make_person: Any
) -> None:
    ann = make_person("ann", "risk_lead")
    held = policy_propose(
        actor=ann.actor,
        policy=policy_draft(actor=ann.actor, use_case=loans(), document={"level": "HITL"}),
    )
    key, _secret = service_key_create(actor=LEAD, name="robot", role="risk_lead")
    for disguise in (Actor.command("Ann"), key.actor):
        with pytest.raises(NotPermitted, match="takes another person"):
            policy_approve(actor=disguise, policy=held)
    assert policy_approve(actor=make_person("ben").actor, policy=held).status == "active"


def test_what_a_program_proposed_a_person_or_another_program_approves(
    db: None, make_person: Any
) -> None:
    use_case = loans()
    robot, other, ann = (
        service_key_create(actor=LEAD, name=name, role="risk_lead")[0].actor
        for name in ("robot", "other", "ann")
    )

    def proposal() -> PolicyVersion:
        made = policy_draft(actor=robot, use_case=use_case, document={"level": "HITL"})
        return policy_propose(actor=robot, policy=made)

    assert policy_approve(actor=other, policy=proposal()).status == "active"
    assert policy_approve(actor=make_person("ben").actor, policy=proposal()).status == "active"
    by_ann = policy_draft(actor=ann, use_case=use_case, document={"level": "HITL"})
    held = policy_propose(actor=ann, policy=by_ann)
    with pytest.raises(NotPermitted):
        policy_approve(actor=make_person("ann").actor, policy=held)


# --- Immutable ------------------------------------------------------------------------------


def test_a_document_that_was_changed_after_the_proposal_is_never_approved(db: None) -> None:
    held = proposed(loans())
    held.document = {**held.document, "confidence_threshold": 0.0, "audit_rate": 0.5}
    held.save(actor=LEAD, reason="behind the door")
    with pytest.raises(LedgerBroken, match="has the hash"):
        policy_approve(actor=SECOND, policy=held)
    held.refresh_from_db()
    assert held.status == "proposed"


def test_a_document_that_was_changed_after_the_approval_never_takes_effect(db: None) -> None:
    now = timezone.now()
    held = policy_approve(actor=SECOND, policy=proposed(loans()), effective_from=now + SOON)
    held.document = {**held.document, "audit_rate": 0.5}
    held.save(actor=LEAD)
    with pytest.raises(LedgerBroken):
        activate_due(now + SOON)
    held.refresh_from_db()
    assert held.status == "approved"


# --- Activation -----------------------------------------------------------------------------


def test_an_approval_ahead_of_time_waits_for_its_moment(db: None) -> None:
    now, use_case = timezone.now(), loans()
    first = in_force(use_case)
    later = policy_approve(actor=SECOND, policy=proposed(use_case), effective_from=now + SOON)
    assert (later.status, activate_due(now)) == ("approved", 0)
    assert activate_due(now + SOON) == 1
    first.refresh_from_db()
    later.refresh_from_db()
    assert (first.status, later.status, later.activated_at) == (
        "superseded",
        "active",
        now + SOON,
    )


def test_to_activate_what_is_due_twice_changes_nothing_more(db: None) -> None:
    now = timezone.now()
    for slug in ("a", "b"):
        use_case = loans(slug=slug)
        for hours in (2, 1):
            moment = now + timedelta(hours=hours)
            policy_approve(actor=SECOND, policy=proposed(use_case), effective_from=moment)
    late = now + timedelta(hours=3)
    assert activate_due(late) == 4
    before = written(), OutboxEvent.objects.count()
    assert activate_due(late) == 0
    assert (written(), OutboxEvent.objects.count()) == before
    # Number 1 was approved for the later hour: by its moment it is the one in force.
    active = PolicyVersion.objects.filter(status="active").order_by("use_case_id")
    assert [(policy.use_case_id, policy.number) for policy in active] == [("a", 1), ("b", 1)]


def test_a_tampered_version_keeps_no_other_use_case_waiting(db: None) -> None:
    now = timezone.now()
    broken, sound = (
        policy_approve(actor=SECOND, policy=proposed(loans(slug=slug)), effective_from=now + SOON)
        for slug in ("a", "b")
    )
    broken.document = {**broken.document, "audit_rate": 0.5}
    broken.save(actor=LEAD)
    with pytest.raises(LedgerBroken):
        activate_due(now + SOON)
    sound.refresh_from_db()
    assert sound.status == "active"


@pytest.mark.parametrize("shift", [timedelta(0), timedelta(days=-1)])
def test_a_moment_in_the_past_is_refused(db: None, shift: timedelta) -> None:
    with pytest.raises(BadInput) as refusal:
        policy_approve(
            actor=SECOND, policy=proposed(loans()), effective_from=timezone.now() + shift
        )
    assert [fault.pointer for fault in refusal.value.errors] == ["/effective_from"]


def test_a_moment_without_a_zone_is_refused(db: None) -> None:
    moment = (timezone.now() + SOON).replace(tzinfo=None)
    with pytest.raises(BadInput, match="no time zone"):
        policy_approve(actor=SECOND, policy=proposed(loans()), effective_from=moment)


# --- Differences ----------------------------------------------------------------------------


def test_two_versions_are_compared_in_plain_words(db: None) -> None:
    use_case = loans()
    old = proposed(use_case, audit_rate=0.05)
    new = proposed(use_case, level="HOTL", audit_rate=0.1)
    assert policy_diff(old, new) == [
        "The oversight level changes from HITL to HOTL.",
        "The random audit rate rises from 5 % to 10 %.",
    ]
    assert policy_diff(new, new) == []


def test_versions_of_different_use_cases_are_not_compared(db: None) -> None:
    with pytest.raises(Conflict, match="different use cases"):
        policy_diff(proposed(loans()), proposed(loans(slug="fraud")))


def test_a_version_that_no_longer_fits_its_use_case_is_not_compared(db: None) -> None:
    use_case = loans()
    old, new = draft_of(use_case, label_thresholds={"deny": 0.9}), draft_of(use_case)
    changed = use_case_update(
        actor=LEAD, slug=use_case.slug, reason="r", labels=["approve", "refuse"]
    )
    new.use_case = changed
    with pytest.raises(Conflict, match="does not fit the use case"):
        policy_diff(old, new)


def draft_of(use_case: Any, **document: Any) -> PolicyVersion:
    return policy_draft(actor=LEAD, use_case=use_case, document={"level": "HITL", **document})


# --- At once --------------------------------------------------------------------------------


def test_of_two_who_approve_at_once_one_does(committed_db: Any) -> None:
    held = proposed(loans())
    results = at_once(
        2,
        lambda number: policy_approve(actor=Actor.command(f"lead-{number}"), policy=held).status,
    )
    assert sorted(results) == ["Conflict", "active"]
    assert OutboxEvent.objects.filter(type="policy.activated").count() == 1


def test_two_versions_approved_at_once_leave_one_in_force(committed_db: Any) -> None:
    use_case = loans()
    held = [proposed(use_case), proposed(use_case)]
    at_once(2, lambda number: policy_approve(actor=SECOND, policy=held[number]).status)
    statuses = PolicyVersion.objects.values_list("status", flat=True)
    assert sorted(statuses) == ["active", "superseded"]


def test_drafts_made_at_once_get_numbers_of_their_own(committed_db: Any) -> None:
    use_case = loans()
    numbers = at_once(4, lambda _: draft_of(use_case).number)
    assert sorted(numbers) == [1, 2, 3, 4]


def test_what_is_due_is_activated_once_by_two_at_once(committed_db: Any) -> None:
    moment = timezone.now() + SOON
    policy_approve(actor=SECOND, policy=proposed(loans()), effective_from=moment)
    assert sorted(at_once(2, lambda _: activate_due(moment))) == [0, 1]


def test_what_a_key_proposed_its_holder_does_not_approve(db: None, make_person: Any) -> None:
    """Nor another key of the same holder, nor the holder at the machine; anybody else may."""
    ann, bob = make_person("ann"), make_person("bob")
    use_case = loans()
    first, second = (
        service_key_create(actor=LEAD, name=name, role="risk_lead", issued_to=ann)[0]
        for name in ("one", "two")
    )
    draft = policy_draft(actor=first.actor, use_case=use_case, document={"level": "HITL"})
    policy_propose(actor=first.actor, policy=draft)
    for same in (ann.actor, first.actor, second.actor, Actor.command("ann")):
        with pytest.raises(NotPermitted, match="takes another person"):
            policy_approve(actor=same, policy=draft)
    assert policy_approve(actor=bob.actor, policy=draft).status == "active"
