"""Writes to policies: draft, proposal, approval by another person, rejection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict
from apps.common.saving import checked_reason, text_faults
from apps.policies.activation import check_untouched, policy_activate
from apps.policies.domain.schema import InvalidDocumentError
from apps.policies.domain.validation import ValidatedPolicy, content_hash, validate_policy
from apps.policies.faults import as_bad_input
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.policies.second_person import require_another
from apps.policies.selectors import use_case_schema
from apps.registry.guards import use_case_lock
from apps.registry.models import UseCase

# What each step starts from. Until its moment an approved version can still be rejected: nothing
# else would keep it from taking effect. Activation is not a step that anyone takes by hand.
STARTS: dict[PolicyStatus, tuple[PolicyStatus, ...]] = {
    PolicyStatus.DRAFT: (PolicyStatus.DRAFT,),
    PolicyStatus.PROPOSED: (PolicyStatus.DRAFT,),
    PolicyStatus.APPROVED: (PolicyStatus.PROPOSED,),
    PolicyStatus.REJECTED: (PolicyStatus.PROPOSED, PolicyStatus.APPROVED),
}


@transaction.atomic
def policy_draft(
    *, actor: Actor, use_case: UseCase, document: object, reason: str = ""
) -> PolicyVersion:
    """A new version, to be changed until it is proposed. Its number is the next of its use case."""
    require_actor(actor)
    locked = use_case_lock(use_case.slug)
    last = PolicyVersion.objects.filter(use_case=locked).aggregate(last=Max("number"))["last"]
    policy = PolicyVersion(use_case=locked, number=(last or 0) + 1, created_at=timezone.now())
    return _save_document(policy, document, actor, checked_reason(reason))


@transaction.atomic
def policy_change_draft(
    *, actor: Actor, policy: PolicyVersion, changes: Mapping[str, Any], reason: str
) -> PolicyVersion:
    """Keys that are left out stay as they are."""
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    draft = _locked(policy, PolicyStatus.DRAFT)
    return _save_document(draft, {**draft.document, **changes}, actor, reason)


def _save_document(
    policy: PolicyVersion, document: object, actor: Actor, reason: str
) -> PolicyVersion:
    valid = _validated(document, policy.use_case)
    policy.document = dict(valid.document)
    policy.level = valid.routing.level
    policy.content_hash = content_hash(policy.document)
    policy.save(actor=actor, reason=reason)
    return policy


def _validated(document: object, use_case: UseCase) -> ValidatedPolicy:
    faults = list(text_faults(document, ""))
    if faults:
        raise BadInput(faults)
    try:
        return validate_policy(document, use_case_schema(use_case))
    except InvalidDocumentError as error:
        raise as_bad_input(error) from None


def _locked(policy: PolicyVersion, target: PolicyStatus) -> PolicyVersion:
    """The version as it stands, under its use case's lock; Conflict unless the step starts there."""
    use_case = use_case_lock(policy.use_case_id)
    held: PolicyVersion = PolicyVersion.objects.select_for_update(no_key=True).get(pk=policy.pk)
    held.use_case = use_case
    if held.status not in STARTS[target]:
        starts = " or ".join(STARTS[target])
        raise Conflict(
            f"version {held.number} of {use_case.slug} is {held.status} and cannot become "
            f"{target.value}: only what is {starts} can"
        )
    return held


@transaction.atomic
def policy_propose(*, actor: Actor, policy: PolicyVersion, reason: str = "") -> PolicyVersion:
    """Fix the document and put it to another person. It is read once more: since it was drafted
    the use case may have changed."""
    require_actor(actor)
    held = _locked(policy, PolicyStatus.PROPOSED)
    held.status, held.proposed_by = PolicyStatus.PROPOSED, actor.id
    return _save_document(held, held.document, actor, checked_reason(reason))


@transaction.atomic
def policy_approve(
    *,
    actor: Actor,
    policy: PolicyVersion,
    effective_from: datetime | None = None,
    reason: str = "",
) -> PolicyVersion:
    """Approve what another person proposed, from a moment on; without one it takes effect now."""
    require_actor(actor)
    reason = checked_reason(reason)
    held = _locked(policy, PolicyStatus.APPROVED)
    require_another(
        actor,
        held.proposed_by,
        did=f"proposed version {held.number}",
        action="policy.approve",
        use_case=held.use_case_id,
    )
    check_untouched(held)
    now = timezone.now()
    held.status, held.approved_by = PolicyStatus.APPROVED, actor.id
    held.effective_from = now if effective_from is None else _ahead(effective_from, now)
    held.save(actor=actor, reason=reason)
    if held.effective_from > now:
        return held
    return policy_activate(actor=actor, policy=held, now=now, reason=reason)


def _ahead(moment: datetime, now: datetime) -> datetime:
    if moment.tzinfo is None:
        raise BadInput(f"{moment.isoformat()} has no time zone", "/effective_from")
    if moment <= now:
        raise BadInput(
            f"{moment.isoformat()} lies in the past; left out, it takes effect at once",
            "/effective_from",
        )
    return moment


@transaction.atomic
def policy_reject(*, actor: Actor, policy: PolicyVersion, reason: str) -> PolicyVersion:
    """Refuse a proposal, or take back an approval before its moment."""
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    held = _locked(policy, PolicyStatus.REJECTED)
    held.status = PolicyStatus.REJECTED
    held.save(actor=actor, reason=reason)
    return held
