"""What follows from the verdicts of a task: it goes on asking, to a senior, or it is settled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from apps.common.actor import Actor
from apps.decisions.domain.lifecycle import Event, Lane, Status
from apps.decisions.models import Decision
from apps.decisions.services import decision_move
from apps.notifications.outbox import event_add
from apps.outcomes.services import STATED_BY, outcome_record
from apps.policies.selectors import PolicyInForce
from apps.reviews.models import Review, ReviewTask, Seat
from apps.reviews.seats import ALIVE, seats_add, seats_close
from apps.supervision.interventions import decision_intervene
from apps.supervision.selectors import window_end
from apps.workflow.desk.case import CHECKING
from apps.workflow.desk.submission import ai_output, same
from apps.workflow.desk.votes import Standing, standing_of

SENIOR: Final = "senior_reviewer"
SKILLED: Final = ("", "reviewer", SENIOR)  # other roles decide by their office, not by a skill


@dataclass(frozen=True, slots=True)
class Desk:
    """A task under its lock with what its verdicts bear on, and who acts on it now."""

    actor: Actor
    task: ReviewTask
    decision: Decision
    policy: PolicyInForce
    now: datetime


def settle(desk: Desk, review: Review) -> None:
    """Take the next step after a final verdict."""
    if desk.task.kind in CHECKING:
        task_close(desk, {"state": "settled", "why": "The answer is compared, nothing moves."})
        return
    standing = standing_of(desk.task, desk.decision, desk.policy)
    _STEPS[standing.ruling.state](desk, standing, review)


def _ask_on(desk: Desk, standing: Standing, review: Review) -> None:
    """Enough seats for the reviews that are missing: one for whom abstained, was a machine's, or
    for more certainty. Those that wait already count."""
    adjudicated = review.stage == "adjudication"
    stage = "adjudication" if adjudicated else "review"
    alive = Seat.objects.filter(task=desk.task, stage=stage, state__in=ALIVE).count()
    role = (desk.task.role or SENIOR) if adjudicated else desk.task.role
    if standing.ruling.needed > alive:
        _seat(desk, role, stage, standing.ruling.needed - alive)
    _note(desk, standing)


def _to_a_senior(desk: Desk, standing: Standing, review: Review) -> None:
    """Those who have not spoken yet are not asked any more: another role decides."""
    role, level = next_role(desk.task, desk.policy, review)
    seats_close(desk.task)
    _seat(desk, role, "adjudication", 1)
    if review.verdict == "escalate":
        desk.task.level, desk.task.role = level, role
        tell_escalated(desk, role, "verdict")
    _note(desk, standing)


def next_role(task: ReviewTask, policy: PolicyInForce, review: Review) -> tuple[str, int]:
    """Who decides now, and the level of escalation that makes: of an escalation the next role of
    the policy's chain, of a disagreement a senior reviewer."""
    if review.verdict != "escalate":
        return (task.role if task.role not in SKILLED else SENIOR), task.level
    chain = policy.document["escalation"]
    return (chain[task.level], task.level + 1) if task.level < len(chain) else (SENIOR, task.level)


def may_escalate(task: ReviewTask, policy: PolicyInForce, seat: Seat) -> bool:
    """A senior at the end of the chain has nobody above."""
    return seat.stage == "review" or task.level < len(policy.document["escalation"])


def _finish(desk: Desk, standing: Standing, review: Review) -> None:
    task_close(desk, _codes(standing))
    _EFFECTS[desk.task.kind](desk, standing)


_STEPS: Final[dict[str, Callable[[Desk, Standing, Review], None]]] = {
    "open": _ask_on,
    "disagreement": _to_a_senior,
    "settled": _finish,
}


def _seat(desk: Desk, role: str, stage: str, count: int) -> None:
    skills = desk.policy.document["skills"] if role in SKILLED else ()
    seats_add(task=desk.task, count=count, role=role, skills=skills, stage=stage)


def _codes(standing: Standing) -> dict[str, Any]:
    """The ruling without the output: that is content, and stands on the decision."""
    ruling = standing.ruling
    return {
        "state": ruling.state,
        "outcome": ruling.outcome,
        "needed": ruling.needed,
        "why": ruling.why,
        "people": standing.humans,
        "machines": standing.machines,
    }


def _note(desk: Desk, standing: Standing) -> None:
    desk.task.ruling = {**(desk.task.ruling or {}), **_codes(standing)}
    desk.task.save(actor=desk.actor, reason=f"verdicts combined: {standing.ruling.state}")


def task_close(desk: Desk, ruling: dict[str, Any], status: str = "closed") -> None:
    """A task has one end, with the seats that nobody needs any more."""
    seats_close(desk.task)
    desk.task.status, desk.task.closed_at = status, desk.now
    desk.task.paused_at = desk.task.paused_until = None
    desk.task.ruling = {**(desk.task.ruling or {}), **ruling}
    desk.task.save(actor=desk.actor, reason=str(ruling.get("why", status))[:100])


def tell_escalated(desk: Desk, role: str, why: str) -> None:
    data = {"task": str(desk.task.pk), "level": desk.task.level, "role": role, "why": why}
    event_add(
        "review.escalated", use_case=desk.task.use_case_id, decision=desk.decision.pk, data=data
    )


# --- What a settled task does to its decision -------------------------------------------------


def _decide(desk: Desk, standing: Standing) -> None:
    """Before release: the decision takes effect as people said, or does not."""
    release = standing.ruling.outcome == "release"
    event = Event.REVIEW_APPROVE if release else Event.REVIEW_WITHHOLD
    kept = release and same(desk.decision, standing.output, ai_output(desk.decision))
    output = None if kept else standing.output
    decision_move(
        actor=desk.actor, decision=desk.decision, event=event, reason=event.value, output=output
    )
    if "random_audit" in desk.decision.reason_codes.split():
        _state_truth(desk, standing)


def _audit(desk: Desk, standing: Standing) -> None:
    """After release: what people found is an outcome, and where it differs they step in. In pilot
    nothing is gated: there it is recorded and compared, no more."""
    if desk.decision.lane == Lane.SHADOW:
        return
    _state_truth(desk, standing)
    if not same(desk.decision, standing.output, ai_output(desk.decision)) and _open_window(desk):
        change = standing.output is not None
        decision_intervene(
            actor=desk.actor,
            decision_id=desk.decision.pk,
            action="change" if change else "reverse",
            output=standing.output,
            reason=f"found by the after-the-fact review {desk.task.pk}",
        )


def _open_window(desk: Desk) -> bool:
    decision = desk.decision
    end = window_end(decision)
    released = decision.lane == Lane.SUPERVISED and decision.status == Status.RELEASED
    return released and not decision.past and (end is None or end > desk.now)


def _state_truth(desk: Desk, standing: Standing) -> None:
    """An outcome of source ``audit``. What was withheld has no truth but for texts and actions,
    where it says that the AI's was not right."""
    stated_by = STATED_BY[desk.decision.kind]
    truth: dict[str, Any] = {}
    if stated_by == "correct" and ai_output(desk.decision) is not None:
        truth = {"correct": same(desk.decision, standing.output, ai_output(desk.decision))}
    elif stated_by == "label" and standing.output is not None:
        truth = {"label": standing.output["label"]}
    elif stated_by == "output" and standing.output is not None:
        truth = {"output": standing.output}
    if truth:
        outcome_record(
            actor=desk.actor, decision=desk.decision, source="audit", reason="audited", **truth
        )


_EFFECTS: Final[dict[str, Callable[[Desk, Standing], None]]] = {
    "before": _decide,
    "after": _audit,
}
