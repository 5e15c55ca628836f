"""A tripwire's own step: the policy in force, with people in the loop."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.common.actor import Actor, require_actor
from apps.policies.activation import policy_activate
from apps.policies.domain.validation import content_hash
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.registry.guards import use_case_lock
from apps.registry.models import UseCase

LOOSER = "HOTL"  # under human-in-command the AI has no authority that could be taken away


@transaction.atomic
def policy_to_hitl(*, actor: Actor, use_case: UseCase, reason: str) -> PolicyVersion | None:
    """Put the policy in force into force again at level HITL, as a version of its own.

    Nobody is asked: who approved the version has approved what its tripwires do, and is named as
    the approver of this one too; the proposer is the tripwires. The way back is a proposal that two
    people make. None where the level is not HOTL: nothing would become stricter.
    """
    require_actor(actor)
    held = use_case_lock(use_case.slug)
    versions = PolicyVersion.objects.filter(use_case=held)
    active = versions.filter(status=PolicyStatus.ACTIVE).first()
    if active is None or active.level != LOOSER:
        return None
    now, document = timezone.now(), {**active.document, "level": "HITL"}
    made = PolicyVersion(
        use_case=held,
        number=versions.aggregate(last=Max("number"))["last"] + 1,
        status=PolicyStatus.APPROVED,
        level="HITL",
        document=document,
        content_hash=content_hash(document),
        effective_from=now,
        proposed_by=actor.id,
        approved_by=active.approved_by,
        created_at=now,
    )
    made.save(actor=actor, reason=reason)
    return policy_activate(actor=actor, policy=made, now=now, reason=reason)
