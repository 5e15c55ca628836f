"""Taking effect: an approved version becomes the active one, and the one before is superseded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.common.actor import Actor
from apps.common.errors import LedgerBroken
from apps.notifications.outbox import event_add
from apps.policies.domain.validation import content_hash
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.registry.guards import use_case_lock

CLOCK = Actor.system("policies")


def check_untouched(policy: PolicyVersion) -> None:
    """LedgerBroken unless the document is the one that was proposed."""
    found = content_hash(policy.document)
    if found != policy.content_hash:
        raise LedgerBroken(
            f"the document of {policy} has the hash {found}, but {policy.content_hash} is recorded"
        )


def policy_activate(
    *, actor: Actor, policy: PolicyVersion, now: datetime, reason: str
) -> PolicyVersion:
    """Put an approved version into force. The caller holds the use case's lock."""
    check_untouched(policy)
    before = PolicyVersion.objects.filter(
        use_case_id=policy.use_case_id, status=PolicyStatus.ACTIVE
    ).first()
    if before is not None:
        before.status = PolicyStatus.SUPERSEDED
        before.save(actor=actor, reason=f"superseded by version {policy.number}")
    policy.status, policy.activated_at = PolicyStatus.ACTIVE, now
    policy.save(actor=actor, reason=reason)
    data = {
        "policy": str(policy.pk),
        "number": policy.number,
        "level": policy.level,
        "content_hash": policy.content_hash,
        "superseded": None if before is None else before.number,
    }
    event_add("policy.activated", use_case=policy.use_case_id, data=data)
    return policy


def activate_due(now: datetime, use_case: str | None = None) -> int:
    """Put into force what was approved for ``now`` or earlier (in one use case, or in all).

    Returns how many versions took effect; safe to repeat. A version that was tampered with stops
    its own use case alone: the others are served first, then LedgerBroken says so.
    """
    due = _due(now) if use_case is None else _due(now).filter(use_case_id=use_case)
    activated, broken = 0, None
    for slug in sorted(set(due.values_list("use_case_id", flat=True))):
        try:
            activated += _activate_due_of(slug, now)
        except LedgerBroken as error:
            broken = error
    if broken is not None:
        raise broken
    return activated


def _due(now: datetime) -> Any:
    return PolicyVersion.objects.filter(status=PolicyStatus.APPROVED, effective_from__lte=now)


@transaction.atomic
def _activate_due_of(slug: str, now: datetime) -> int:
    """In the order of their moments: of several that are due, the last one stays in force."""
    use_case_lock(slug)
    due = list(_due(now).filter(use_case_id=slug).order_by("effective_from", "number"))
    for policy in due:
        policy_activate(actor=CLOCK, policy=policy, now=now, reason="its moment has come")
    return len(due)
