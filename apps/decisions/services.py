"""Moving a decision through its life: one door for every change of status."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.actor import Actor
from apps.common.errors import Conflict, NotFound
from apps.decisions.domain.content import SALT_BYTES, commitment, encode_content
from apps.decisions.domain.final_outputs import final_output, validate_final
from apps.decisions.domain.lifecycle import Event, IllegalTransition, Status, next_status
from apps.decisions.domain.outputs import OutputSchema
from apps.decisions.followers import moved
from apps.decisions.models import Content, Decision
from apps.decisions.selectors import output_of
from apps.notifications.outbox import event_add

EVENT_TYPES = {
    Status.RELEASED: "decision.released",
    Status.WITHHELD: "decision.withheld",
    Status.REVERSED: "decision.reversed",
}


def decision_lock(decision_id: UUID) -> Decision:
    """The decision, locked until the transaction ends."""
    try:
        found: Decision = Decision.objects.select_for_update(no_key=True).get(pk=decision_id)
    except Decision.DoesNotExist:
        raise NotFound(f"there is no decision {decision_id}") from None
    return found


def content_add(decision_id: UUID, part: str, value: Any) -> str:
    """Keep later content of a decision; returns the commitment that its row carries."""
    salt, content = os.urandom(SALT_BYTES), encode_content(value)
    Content(decision=decision_id, part=part, salt=salt, content=content.decode()).save()
    return commitment(salt, content)


def checked_final(decision: Decision, output: Any) -> dict[str, object]:
    """A final output given by a person, checked against the use case; BadInput names the fault."""
    use_case = decision.use_case
    schema = OutputSchema(tuple(use_case.kinds), tuple(use_case.labels))
    return validate_final(decision.kind, output, schema)


@transaction.atomic
def decision_move(
    *,
    actor: Actor,
    decision: Decision,
    event: Event,
    reason: str,
    output: dict[str, object] | None = None,
) -> Decision:
    """Apply ``event`` to a locked decision, with its event for others, or say why it cannot be.

    ``output`` is the final output that takes effect: checked already; None keeps the AI's own on
    a release, and leaves none on a reversal or a withholding.
    """
    try:
        status = next_status(event, Status(decision.status))
    except IllegalTransition as error:
        raise Conflict(str(error)) from None
    decision.status = status
    decision.settled_at = timezone.now() if status is not Status.PENDING else None
    if status is Status.RELEASED and output is None:
        output = final_output(decision.kind, output_of(decision))
    set_final(decision, output, event)
    decision.save(actor=actor, reason=reason)
    tell(decision, output)
    moved(actor, decision, event)
    return decision


def set_final(decision: Decision, output: dict[str, object] | None, event: Event) -> None:
    """What takes effect: a label on the row, everything else as content behind a commitment."""
    decision.final_label = str(output["label"]) if output and decision.kind == "label" else None
    decision.final_commitment = None
    if output is not None and decision.kind != "label":
        decision.final_commitment = content_add(decision.pk, "final", output)


def tell(decision: Decision, output: dict[str, object] | None) -> None:
    """The event in the outbox. Content stays behind: whoever may see it fetches it."""
    if decision.status in EVENT_TYPES:
        label = decision.final_label
        event_add(
            EVENT_TYPES[Status(decision.status)],
            use_case=decision.use_case_id,
            decision=decision.pk,
            data={
                "decision": str(decision.pk),
                "external_id": decision.external_id,
                "lane": decision.lane,
                "status": decision.status,
                "final_output": {"label": label} if label is not None else None,
                "has_final_output": output is not None,
            },
        )
