"""Rulings: the commander decides what no mandate covers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict
from apps.common.saving import checked_reason
from apps.decisions.domain.lifecycle import Event, Lane, Status
from apps.decisions.models import Decision
from apps.decisions.selectors import output_of
from apps.decisions.services import checked_final, decision_lock, decision_move
from apps.supervision.models import Ruling
from apps.supervision.words import reason_add

EVENTS = {
    "approve": Event.COMMAND_APPROVE,
    "change": Event.COMMAND_CHANGE,
    "withhold": Event.COMMAND_WITHHOLD,
}


@transaction.atomic
def decision_rule(
    *, actor: Actor, decision_id: UUID, verdict: str, reason: str, output: object = None
) -> Ruling:
    """Release a waiting decision as it is or changed, or withhold it."""
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    if verdict not in EVENTS:
        raise BadInput(f"{verdict!r:.60} is not one of {', '.join(EVENTS)}", "/verdict")
    decision = decision_lock(decision_id)
    if decision.lane != Lane.COMMAND:
        raise Conflict(
            f"the decision is in the lane {decision.lane}: a commander rules on lane command"
        )
    if decision.status != Status.PENDING:
        raise Conflict(f"the decision is {decision.status}: a commander rules on pending ones")
    final, event = _final(decision, verdict, output), EVENTS[verdict]
    decision_move(actor=actor, decision=decision, event=event, reason=event.value, output=final)
    return _record(actor, decision, verdict, reason)


def _final(decision: Decision, verdict: str, output: Any) -> dict[str, object] | None:
    """The output that takes effect; None leaves the AI's own, or none where it is withheld."""
    if verdict == "withhold":
        if output is not None:
            raise BadInput("what is withheld has no output", "/output")
        return None
    if verdict == "change" or output_of(decision) is None:
        return checked_final(decision, output)
    if output is not None:
        raise BadInput("to approve is to keep the AI's own output; to give one, change", "/output")
    return None


def _record(actor: Actor, decision: Decision, verdict: str, reason: str) -> Ruling:
    ruling = Ruling(
        use_case_id=decision.use_case_id,
        decision=decision,
        verdict=verdict,
        label=decision.final_label,
        output_commitment=decision.final_commitment,
        made_by=actor.id,
        made_at=timezone.now(),
    )
    ruling.reason_commitment = reason_add(decision.pk, ruling.pk, reason)
    ruling.save(actor=actor, reason=EVENTS[verdict].value)
    return ruling
