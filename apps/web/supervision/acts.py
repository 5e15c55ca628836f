"""What people above the AI do to one decision: the form, and what a posted one states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.accounts.callers import Caller
from apps.common.errors import BadInput
from apps.decisions.domain.lifecycle import Lane, Status
from apps.decisions.models import Decision
from apps.decisions.selectors import final_of, output_of
from apps.supervision.selectors import window_end
from apps.web.decisions.access import may_act
from apps.web.desk.outputs import Input, as_output, filled, inputs_for, output_from

INTERVENE, RULE = "intervene", "rule"
ACTIONS = {INTERVENE: "decision.intervene", RULE: "decision.command"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be done; ``changes``: it takes another output."""

    code: str
    words: str
    hint: str
    tone: str
    changes: bool = False


CHOICES: Mapping[str, Sequence[Choice]] = {
    INTERVENE: (
        Choice("reverse", "Reverse", "It is undone and leaves no output.", "bad"),
        Choice(
            "change", "Change", "It is undone, and another output takes its place.", "warn", True
        ),
    ),
    RULE: (
        Choice("approve", "Approve", "It is released as the AI said.", "good"),
        Choice("change", "Change", "It is released with another output.", "warn", True),
        Choice("withhold", "Withhold", "Nothing of it takes effect.", "bad"),
    ),
}


@dataclass(frozen=True, slots=True)
class ActForm:
    """The form of an act. ``ends``: when the intervention window closes, None without one."""

    act: str
    choices: Sequence[Choice]
    labels: Sequence[str]
    stands: str
    inputs: Sequence[Input]
    ends: datetime | None
    kept: Mapping[str, str]


def act_open(caller: Caller, decision: Decision, now: datetime) -> str:
    """Which act is open to ``caller`` on the decision now; empty for none."""
    slug = decision.use_case_id
    if decision.lane == Lane.COMMAND and decision.status == Status.PENDING:
        return RULE if may_act(caller, ACTIONS[RULE], slug) else ""
    if (
        decision.lane == Lane.SUPERVISED
        and decision.status == Status.RELEASED
        and not decision.past
    ):
        end = window_end(decision)
        if (end is None or end > now) and may_act(caller, ACTIONS[INTERVENE], slug):
            return INTERVENE
    return ""


def act_form(decision: Decision, act: str, kept: Mapping[str, str] | None = None) -> ActForm:
    """The form, filled with what was typed before where there is something."""
    standing = _standing(decision)
    names = list(decision.use_case.features) if decision.kind == "fields" else []
    inputs = inputs_for(decision.kind, standing, [] if standing else names)
    choices = CHOICES[act]
    if act == RULE and output_of(decision) is None:
        choices = [one for one in choices if one.code != "approve"]
    return ActForm(
        act=act,
        choices=choices,
        labels=list(decision.use_case.labels) if decision.kind == "label" else [],
        stands=str((standing or {}).get("label") or ""),
        inputs=filled(inputs, kept or {}),
        ends=window_end(decision) if act == INTERVENE else None,
        kept=kept or {},
    )


def _standing(decision: Decision) -> Mapping[str, Any] | None:
    """What is in effect, else what the AI said."""
    final = final_of(decision)
    return as_output(decision.kind, final) if final is not None else output_of(decision)


def act_posted(
    decision: Decision, act: str, form: Mapping[str, str]
) -> tuple[str, dict[str, Any] | None, str]:
    """(what is done, the output it takes or None, the reason) as a posted form states them."""
    chosen = next((one for one in CHOICES[act] if one.code == form.get("choice")), None)
    if chosen is None:
        allowed = ", ".join(one.words.lower() for one in CHOICES[act])
        raise BadInput(f"Choose what to do: {allowed}.", "/choice")
    reason = form.get("reason", "").strip()
    if not reason:
        raise BadInput("Say why in a few words.", "/reason")
    if not chosen.changes:
        return chosen.code, None, reason
    return chosen.code, output_from(decision.kind, form, _standing(decision)), reason
