"""The editor of a draft: its inputs in groups, with their faults; two people who edit at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from apps.common.actor import Actor
from apps.common.errors import Conflict
from apps.policies.domain.diff import diff_in_plain_words
from apps.policies.domain.plain_words import COMBINATION_WORDS, LEVEL_WORDS
from apps.policies.domain.rule_checks import THEN
from apps.policies.domain.schema import InvalidDocumentError, UseCaseSchema
from apps.policies.domain.validation import (
    COMBINATIONS,
    FALLBACKS,
    LEVELS,
    TRIPWIRE_ACTIONS,
    TRIPWIRE_OPS,
    validate_policy,
)
from apps.policies.models import PolicyVersion
from apps.policies.selectors import use_case_schema
from apps.policies.services import policy_change_draft
from apps.registry.guards import use_case_lock
from apps.web.policies import rows
from apps.web.policies.document import rows_of

Faults = Mapping[str, Sequence[str]]
NUMBER, FLAG, CHOICE, LINES, WORDS = "number", "flag", "choice", "lines", "words"
THEN_WORDS: Final = {
    "review": "people review it",
    "command": "the commander decides",
    "automatic": "it is released without review",
    "sample": "a share is drawn for review",
}
ACTION_WORDS: Final = {
    "alert": "raise an alert",
    "to_hitl": "raise an alert and move to human in the loop",
    "suspend": "raise an alert and suspend the use case",
}
FALLBACK_WORDS: Final = {"withhold": "withhold it", "release": "release it (minimal risk alone)"}
METRICS: Final = (
    "accuracy.automatic_lane",
    "accuracy.combined",
    "accuracy.ece",
    "drift.psi.max",
    "reviewers.reliance.override_rate",
    "operations.wait_minutes.p95",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One input of the editor."""

    name: str
    label: str
    how: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry with what stands in it."""

    name: str
    label: str
    how: str
    hint: str
    value: str
    errors: Sequence[str]
    options: Sequence[rows.Option] = ()


@dataclass(frozen=True, slots=True)
class RuleShown:
    """One rule: its inputs, and its condition as rows."""

    path: str
    number: int
    name: str
    then: Sequence[rows.Option]
    is_sample: bool
    rate: str
    when: rows.Node
    name_errors: Sequence[str]
    then_errors: Sequence[str]
    rate_errors: Sequence[str]


@dataclass(frozen=True, slots=True)
class TripwireShown:
    path: str
    metric: str
    ops: Sequence[rows.Option]
    value: str
    actions: Sequence[rows.Option]
    errors: Sequence[str]


ROUTING: Final = (
    Entry(
        "confidence_threshold",
        "Confidence below this is reviewed",
        NUMBER,
        "0 to 1, such as 0.8; 0: none.",
    ),
    Entry(
        "audit_rate",
        "Random audit",
        NUMBER,
        "The share of the rest that is reviewed all the same: 0.05 is 5 %.",
    ),
)
REVIEWING: Final = (
    Entry("reviews_required", "Reviews a case", NUMBER),
    Entry("combination", "How verdicts are combined", CHOICE),
    Entry("blind", "Reviewers answer before they see the AI’s output", FLAG),
    Entry("skills", "Skills that reviewers need", LINES, "One a line."),
    Entry(
        "reviews_max",
        "Add reviews up to",
        NUMBER,
        "Together with the certainty; empty: none are added.",
    ),
    Entry("posterior_level", "Until the answer is so sure", NUMBER, "Above 0.5 and below 1."),
    Entry("senior_sees_verdicts", "A senior who adjudicates sees the verdicts before", FLAG),
    Entry("show_protected", "Reviewers see protected attributes", FLAG),
)
TIMING: Final = (
    Entry("sla_minutes", "A case is due after so many minutes", NUMBER, "Empty: no limit."),
    Entry(
        "escalation",
        "Then it goes to",
        LINES,
        "Roles in their order, one a line: senior_reviewer, risk_lead, …",
    ),
    Entry("fallback", "At the end", CHOICE),
    Entry("lease_minutes", "A case is held without a sign for minutes", NUMBER),
    Entry("ask_limit_minutes", "A question stops the clock for at most minutes", NUMBER),
    Entry(
        "intervention_minutes", "A release can be undone for minutes", NUMBER, "Empty: at any time."
    ),
)
QUALITY: Final = (
    Entry("known_answer_rate", "Share of known-answer cases", NUMBER, "0.02 is 2 %."),
    Entry(
        "known_answer_floor", "Qualification lost below this share right", NUMBER, "Empty: never."
    ),
    Entry("feedback", "Reviewers are told how they did on known answers", FLAG),
    Entry("min_weekly_cases", "Cases a week that a reviewer gets at least", NUMBER),
    Entry("daily_limit", "Cases a day at most", NUMBER, "Empty: no limit."),
    Entry("streak_limit", "A pause is suggested after cases in a row", NUMBER, "Empty: never."),
    Entry(
        "practice_days", "A qualification lapses after days without a case", NUMBER, "Empty: never."
    ),
)
OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "level": {level: LEVEL_WORDS[level] for level in LEVELS},
    "combination": {one: COMBINATION_WORDS[one] for one in COMBINATIONS},
    "fallback": {one: FALLBACK_WORDS[one] for one in FALLBACKS},
}


def editor_context(
    form: Mapping[str, str], schema: UseCaseSchema, faults: Faults | None = None
) -> dict[str, Any]:
    """What the editor's template shows."""
    wrong = faults or {}

    def shown(entries: Sequence[Entry]) -> list[Shown]:
        return [_shown(entry, form, wrong) for entry in entries]

    placed = {entry.name for group in (ROUTING, REVIEWING, TIMING, QUALITY) for entry in group}
    known = ("level", "justification", *placed)
    starts = ("rules.", "tripwires.", "threshold:")
    loose = [
        detail
        for name, details in wrong.items()
        if name not in known and not name.startswith(starts)
        for detail in details
    ]
    return {
        "level": _shown(Entry("level", "Oversight level", CHOICE), form, wrong),
        "routing": shown(ROUTING),
        "reviewing": shown(REVIEWING),
        "timing": shown(TIMING),
        "quality": shown(QUALITY),
        "justification": _shown(
            Entry(
                "justification", "Why a rule may release without review in a high risk tier", WORDS
            ),
            form,
            wrong,
        ),
        "labels": [_label(label, form, wrong) for label in schema.labels],
        "rules": [_rule(number, form, schema, wrong) for number in rows_of(form, "rules")],
        "tripwires": [_tripwire(number, form, wrong) for number in rows_of(form, "tripwires")],
        "metrics": METRICS,
        "loose": loose,
        "fault_count": sum(len(details) for details in wrong.values()),
    }


def _shown(entry: Entry, form: Mapping[str, str], faults: Faults) -> Shown:
    value = form.get(entry.name, "")
    options = [
        rows.Option(code, words, code == value)
        for code, words in OPTIONS.get(entry.name, {}).items()
    ]
    errors = faults.get(entry.name, ())
    return Shown(entry.name, entry.label, entry.how, entry.hint, value, errors, options)


def _label(label: str, form: Mapping[str, str], faults: Faults) -> dict[str, Any]:
    name = f"threshold:{label}"
    return {
        "label": label,
        "name": name,
        "value": form.get(name, ""),
        "always": f"always:{label}",
        "is_always": form.get(f"always:{label}") == "on",
        "errors": faults.get(name, ()),
    }


def _rule(number: int, form: Mapping[str, str], schema: UseCaseSchema, faults: Faults) -> RuleShown:
    path = f"rules.{number}"
    then = form.get(f"{path}.then", "review")
    return RuleShown(
        path=path,
        number=number,
        name=form.get(f"{path}.name", ""),
        then=[rows.Option(one, THEN_WORDS[one], one == then) for one in THEN],
        is_sample=then == "sample",
        rate=form.get(f"{path}.rate", ""),
        when=rows.node_of(form, f"{path}.when", schema, faults),
        name_errors=faults.get(f"{path}.name", ()),
        then_errors=faults.get(f"{path}.then", ()),
        rate_errors=faults.get(f"{path}.rate", ()),
    )


def _tripwire(number: int, form: Mapping[str, str], faults: Faults) -> TripwireShown:
    path = f"tripwires.{number}"
    op, action = form.get(f"{path}.op", ""), form.get(f"{path}.action", "")
    keys = ("metric", "op", "value", "action")
    return TripwireShown(
        path=path,
        metric=form.get(f"{path}.metric", ""),
        ops=[rows.Option(one, rows.OP_WORDS[one], one == op) for one in TRIPWIRE_OPS],
        value=form.get(f"{path}.value", ""),
        actions=[rows.Option(one, ACTION_WORDS[one], one == action) for one in TRIPWIRE_ACTIONS],
        errors=[detail for key in keys for detail in faults.get(f"{path}.{key}", ())],
    )


# --- Two at once ----------------------------------------------------------------------------


class DraftMovedError(Conflict):
    """Somebody saved the draft since it was opened; ``changes``: what they changed, ``by`` whom."""

    code = "draft_moved"
    title = "The draft was changed meanwhile"

    def __init__(self, by: str, changes: Sequence[str], now: str) -> None:
        self.by, self.changes, self.now = by, changes, now
        super().__init__(f"{by} changed this draft while you had it open")


@transaction.atomic
def draft_save(
    *, actor: Actor, policy: PolicyVersion, document: Mapping[str, Any], seen: str, reason: str
) -> PolicyVersion:
    """Save a draft as it was opened under the hash ``seen``.

    Raises: DraftMovedError where it is another one by now, BadInput with every fault.
    """
    use_case = use_case_lock(policy.use_case_id)
    held: PolicyVersion = PolicyVersion.objects.get(pk=policy.pk)
    held.use_case = use_case
    if held.content_hash != seen:
        raise DraftMovedError(*_moved(held, seen), held.content_hash)
    return policy_change_draft(
        actor=actor, policy=held, changes=document, reason=reason or "edited on the page"
    )


def _moved(held: PolicyVersion, seen: str) -> tuple[str, list[str]]:
    written = PolicyVersion.history.filter(id=held.pk).order_by("-history_id")
    newest = written.first()
    opened = written.filter(content_hash=seen).first()
    by = str(newest.history_user_name) if newest is not None else "Somebody"
    if opened is None:
        return by, []
    schema = use_case_schema(held.use_case)
    try:
        old = validate_policy(opened.document, schema)
        new = validate_policy(held.document, schema)
    except InvalidDocumentError:
        return by, []
    return by, diff_in_plain_words(old, new)
