"""Interventions: a supervisor reverses or changes what was released at once, one or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict
from apps.common.saving import checked_reason
from apps.decisions.domain.final_outputs import equal_outputs, validate_final
from apps.decisions.domain.lifecycle import Event, Lane, Status
from apps.decisions.domain.outputs import OutputSchema
from apps.decisions.followers import hold_for
from apps.decisions.models import Decision
from apps.decisions.selectors import final_of
from apps.decisions.services import checked_final, decision_lock, decision_move
from apps.registry.models import UseCase
from apps.supervision.models import Intervention
from apps.supervision.selectors import InterventionFilter, open_to_intervention, window_end
from apps.supervision.words import reason_add

EVENTS = {"reverse": Event.INTERVENE_REVERSE, "change": Event.INTERVENE_CHANGE}
MOST_AT_ONCE = 10_000
BATCH = 500


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to each decision, by whom and why."""

    actor: Actor
    action: str
    output: Any
    reason: str

    def __post_init__(self) -> None:
        require_actor(self.actor)
        checked_reason(self.reason, required=True)
        if self.action not in EVENTS:
            raise BadInput(f"{self.action!r:.60} is not one of {', '.join(EVENTS)}", "/action")
        if self.action == "reverse" and self.output is not None:
            raise BadInput("a reversal leaves no output; to give one, change", "/output")


class BulkResult(NamedTuple):
    """How many decisions the filter met, how many were intervened in, how many had moved on."""

    matched: int
    done: int
    skipped: int


@transaction.atomic
def decision_intervene(
    *, actor: Actor, decision_id: UUID, action: str, reason: str, output: object = None
) -> Intervention:
    """Reverse a released decision, or change its output, while its window is open."""
    step = Step(actor, action, output, reason)
    hold_for([decision_id])
    return _intervene(step, decision_lock(decision_id), timezone.now())


def _intervene(step: Step, decision: Decision, now: datetime) -> Intervention:
    """On a locked decision; every Conflict comes before the first write."""
    within = _within_window(decision, now)
    final = _final(step, decision)
    event = EVENTS[step.action]
    decision_move(
        actor=step.actor, decision=decision, event=event, reason=event.value, output=final
    )
    made = Intervention(
        use_case_id=decision.use_case_id,
        decision=decision,
        action=step.action,
        within_window=within,
        label=decision.final_label,
        output_commitment=decision.final_commitment,
        made_by=step.actor.id,
        made_at=now,
    )
    made.reason_commitment = reason_add(decision.pk, made.pk, step.reason.strip())
    made.save(actor=step.actor, reason=event.value)
    return made


def _within_window(decision: Decision, now: datetime) -> bool:
    """Whether a window is open; where the policy sets none, people may step in at any time."""
    if decision.lane != Lane.SUPERVISED or decision.past:
        lane = (
            "acted on before it was recorded" if decision.past else f"in the lane {decision.lane}"
        )
        raise Conflict(f"the decision is {lane}: people intervene in supervised ones")
    if decision.status != Status.RELEASED:
        raise Conflict(f"the decision is {decision.status}: people intervene in released ones")
    end = window_end(decision)
    if end is not None and end <= now:
        raise Conflict(f"the intervention window closed at {end.isoformat()}")
    return end is not None


def _final(step: Step, decision: Decision) -> dict[str, object] | None:
    if step.action == "reverse":
        return None
    final = checked_final(decision, step.output)
    tolerance = float(decision.use_case.tolerance)
    if equal_outputs(decision.kind, final_of(decision), final, tolerance):
        raise Conflict(
            "this output is the one that took effect already: there is nothing to change"
        )
    return final


def interventions_bulk(
    *,
    actor: Actor,
    filters: InterventionFilter,
    action: str,
    reason: str,
    output: object = None,
    dry_run: bool = False,
) -> BulkResult:
    """Intervene in all that match, in batches that each commit; a dry run only counts.

    A decision that somebody else moved meanwhile, or whose window closed, is skipped and counted.
    """
    step = Step(actor, action, output, reason)
    matching = open_to_intervention(filters, timezone.now())
    ids = list(matching.order_by("pk").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    if step.action == "change":
        _check_output(filters.use_case, step.output, set(matching.values_list("kind", flat=True)))
    if dry_run:
        return BulkResult(len(ids) if len(ids) <= MOST_AT_ONCE else matching.count(), 0, 0)
    if len(ids) > MOST_AT_ONCE:
        raise Conflict(
            f"{matching.count()} decisions match: at most {MOST_AT_ONCE} are taken at once"
        )
    batches = (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
    done = sum(_intervene_batch(step, batch) for batch in batches)
    return BulkResult(len(ids), done, len(ids) - done)


def _check_output(slug: str, output: object, kinds: set[str]) -> None:
    """Before the first write: one output serves decisions of one kind."""
    if len(kinds) > 1:
        named = ", ".join(sorted(kinds))
        raise BadInput(f"decisions of the kinds {named} match: one output fits one kind", "/output")
    use_case = UseCase.objects.get(pk=slug)
    schema = OutputSchema(tuple(use_case.kinds), tuple(use_case.labels))
    for kind in kinds:
        validate_final(kind, output, schema)


@transaction.atomic
def _intervene_batch(step: Step, ids: Sequence[UUID]) -> int:
    """Locked in the order of their ids, so that two who work at once do not wait in a circle."""
    hold_for(ids)
    rows = Decision.objects.select_for_update(no_key=True, of=("self",))
    rows = rows.select_related("use_case", "policy").filter(pk__in=ids).order_by("pk")
    now, done = timezone.now(), 0
    for decision in rows:
        try:
            _intervene(step, decision, now)
        except Conflict:
            continue
        done += 1
    return done
