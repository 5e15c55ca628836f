"""Recording what turned out to be true: a new row each time, the newest one counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict, FieldError
from apps.common.saving import checked_reason
from apps.decisions.domain.checks import CLOCK_SLACK, EPOCH, check_unit
from apps.decisions.domain.faults import RefusedError, shown
from apps.decisions.domain.final_outputs import equal_outputs, final_output
from apps.decisions.domain.outputs import read_label
from apps.decisions.domain.review_line import OUTCOME_SOURCES
from apps.decisions.models import Content, Decision, Payload
from apps.decisions.selectors import output_of
from apps.decisions.services import checked_final, content_add, decision_lock
from apps.outcomes.models import Outcome

PART = "outcome"
# What states the truth about each kind of output. What is right in a text or an action has no one
# form: there a person says whether it was.
STATED_BY = {
    "label": "label",
    "number": "output",
    "fields": "output",
    "text": "correct",
    "action": "correct",
}


class Recorded(NamedTuple):
    """The outcome that stands, and whether it is a new row or said what the newest one says."""

    outcome: Outcome
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Truth:
    """What is stated: a label, an output as content, and whether the AI's output was right."""

    label: str | None = None
    output: dict[str, object] | None = None
    correct: bool | None = None


@transaction.atomic
def outcome_record(
    *,
    actor: Actor,
    decision: Decision,
    label: str | None = None,
    output: object = None,
    correct: bool | None = None,
    source: str = "observed",
    observed_at: datetime | None = None,
    satisfaction: float | None = None,
    reason: str = "",
) -> Recorded:
    """Record the truth about one decision: ``label``, ``output`` or ``correct``, by its kind.

    ``observed_at``: aware, not in the future; ``satisfaction``: the subject's, in [0, 1].

    Raises:
        BadInput: another of the three than the kind takes, or a value out of bounds.
        Conflict: the output was erased, so that nothing can be compared with it.
    """
    held = decision_lock(decision.pk)
    given = {"label": label, "output": output, "correct": correct}
    errors = [*_misplaced(held.kind, given), *_bounds(source, observed_at, satisfaction)]
    if errors:
        raise BadInput(errors)
    truth = _READERS[STATED_BY[held.kind]](held, given)
    rest = {
        "source": source,
        "observed_at": observed_at,
        "satisfaction": None if satisfaction is None else float(satisfaction),
    }
    newest = Outcome.objects.filter(decision=held).order_by("-id").first()
    if newest is not None and _says(newest, truth, rest):
        return Recorded(newest, is_new=False)
    outcome = Outcome(
        use_case=held.use_case,
        decision=held,
        label=truth.label,
        correct=truth.correct,
        created_at=timezone.now(),
        **rest,
    )
    if truth.output is not None:
        outcome.output_commitment = content_add(held.pk, PART, truth.output)
    outcome.save(actor=actor, reason=checked_reason(reason))
    return Recorded(outcome, is_new=True)


def _misplaced(kind: str, given: dict[str, Any]) -> list[FieldError]:
    wanted = STATED_BY[kind]
    faults = [
        FieldError(f"/{name}", f"{name} is not for a decision of kind {kind}: send {wanted}")
        for name, value in given.items()
        if name != wanted and value is not None
    ]
    if given[wanted] is None:
        faults.append(FieldError(f"/{wanted}", f"{wanted} is required for kind {kind}"))
    return faults


def _bounds(source: str, observed_at: datetime | None, satisfaction: object) -> list[FieldError]:
    faults = []
    if source not in OUTCOME_SOURCES:
        listed = ", ".join(OUTCOME_SOURCES)
        faults.append(FieldError("/source", f"source is {shown(source)}; allowed are: {listed}"))
    if observed_at is not None and not _lies_in_the_past(observed_at):
        detail = "a time with its zone, from 1970 to now, is allowed"
        faults.append(
            FieldError("/observed_at", f"observed_at is {observed_at.isoformat()}; {detail}")
        )
    try:
        if satisfaction is not None:
            check_unit(satisfaction)
    except RefusedError as refusal:
        faults.append(FieldError("/satisfaction", f"satisfaction {refusal}"))
    return faults


def _lies_in_the_past(moment: datetime) -> bool:
    return moment.tzinfo is not None and EPOCH <= moment <= timezone.now() + CLOCK_SLACK


def _stated_label(decision: Decision, given: dict[str, Any]) -> _Truth:
    errors: list[FieldError] = []
    label = read_label(errors, "", "label", given["label"], tuple(decision.use_case.labels))
    if errors:
        raise BadInput(errors)
    return _Truth(label=label, correct=label_correct(decision.label, label))


def label_correct(given: str | None, true: str) -> bool | None:
    """Whether the AI's label was right; None where no model had spoken."""
    return None if given is None else given == true


def _stated_output(decision: Decision, given: dict[str, Any]) -> _Truth:
    true = checked_final(decision, given["output"])
    if not Payload.objects.filter(decision=decision.pk).exists():
        raise Conflict("the content of this decision was erased: nothing is left to compare with")
    said = final_output(decision.kind, output_of(decision))
    if said is None:
        return _Truth(output=true)
    tolerance = float(decision.use_case.tolerance)
    return _Truth(output=true, correct=equal_outputs(decision.kind, said, true, tolerance))


def _stated_correct(decision: Decision, given: dict[str, Any]) -> _Truth:
    if not isinstance(given["correct"], bool):
        raise BadInput(
            f"correct is {shown(given['correct'])}; true or false is allowed", "/correct"
        )
    return _Truth(correct=given["correct"])


_READERS: dict[str, Callable[[Decision, dict[str, Any]], _Truth]] = {
    "label": _stated_label,
    "output": _stated_output,
    "correct": _stated_correct,
}


def _says(newest: Outcome, truth: _Truth, rest: dict[str, Any]) -> bool:
    """Whether the newest outcome says the same already."""
    if any(getattr(newest, name) != value for name, value in rest.items()):
        return False
    if (newest.label, newest.correct) != (truth.label, truth.correct):
        return False
    return _output_of(newest) == truth.output


def _output_of(outcome: Outcome) -> dict[str, object] | None:
    """The true output that an outcome stated; the newest content is that of the newest outcome."""
    if outcome.output_commitment is None:
        return None
    rows = Content.objects.filter(decision=outcome.decision_id, part=PART).order_by("-id")
    content = rows.values_list("content", flat=True).first()
    return None if content is None else json.loads(content)
