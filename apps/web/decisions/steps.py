"""The way of a decision as steps: each is one record of the trail, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone

from apps.audit.models import Leaf
from apps.web.templatetags.frame import words as spaced

STATUS_TITLES: Final = {
    "released": ("Released", "good"),
    "withheld": ("Withheld", "bad"),
    "reversed": ("Reversed", "warn"),
    "pending": ("Waits for people", "accent"),
}
# What moved a decision, as its history keeps it.
MOVES: Final = {
    "review_approve": "The reviewers let it through.",
    "review_withhold": "The reviewers said no.",
    "command_approve": "The commander approved it.",
    "command_change": "The commander approved it with another output.",
    "command_withhold": "The commander said no.",
    "fallback_release": "Nobody answered in time; the policy’s fallback released it.",
    "fallback_withhold": "Nobody answered in time; the policy’s fallback withheld it.",
    "intervene_reverse": "A supervisor took it back.",
    "intervene_change": "A supervisor put another output in its place.",
}
VERDICT_WORDS: Final = {
    "confirm": "confirmed the AI’s output",
    "change": "changed the output",
    "answer": "gave an answer",
    "withhold": "said that nothing may take effect",
    "escalate": "passed it on to somebody more senior",
    "abstain": "abstained",
    "ask": "asked for information",
}
TASK_ENDS: Final = {
    "closed": "The review is settled",
    "lapsed": "The review’s time ran out",
    "cancelled": "The review is called off",
}
SEEN_WORDS: Final = {
    "case_shown": "was shown the case",
    "personal_data_viewed": "opened the content",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``record``: its (type, id) in the trail, ``leaf``: where it is sealed, None while
    it waits to be."""

    at: datetime
    title: str
    who: str
    record: tuple[str, int]
    tone: str = ""
    lines: Sequence[str] = ()
    quote: str = ""
    part: str = ""
    leaf: int | None = None
    order: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What of the content a reader may see beside the records: words by (part, id of its row)."""

    words: Mapping[tuple[str, str], str] = field(default_factory=dict)
    outputs: Mapping[tuple[str, str], str] = field(default_factory=dict)


def _user(row: Any) -> str:
    return str(row.history_user_name)


# --- The decision itself --------------------------------------------------------------------


def decision_steps(rows: Sequence[Any], policies: Mapping[Any, int]) -> Iterator[Step]:
    """Came in, was routed, moved: from the decision's history, oldest first."""
    first = rows[0]
    record = ("decision", first.history_id)
    sent = "taken over as it was acted on before" if first.past else "sent in"
    line = f"Case {first.external_id} of the kind {first.kind}, {sent}."
    yield Step(first.history_date, "Came in", _user(first), record, lines=[line], part="content")
    yield _routed(first, policies, "Routed", part="reasons" if len(rows) == 1 else "first_reasons")
    for before, row in pairwise(rows):
        rerouted = row.routed_at != before.routed_at
        if rerouted:
            newest = row.routed_at == rows[-1].routed_at
            yield _routed(row, policies, "Routed again", part="reasons" if newest else "")
        if row.status != before.status or not rerouted:
            yield _moved(row)


def _routed(row: Any, policies: Mapping[Any, int], verb: str, *, part: str) -> Step:
    number = policies.get(row.policy_id)
    by = f"by version {number} of the policy" if number else "by the policy in force"
    lines = [
        f"{by.capitalize()}; the use case was {row.lifecycle}, the model version {row.model_status}."
    ]
    if row.would_be:
        lines.append(f"In pilot nothing is gated: it would have gone to {row.would_be}.")
    if row.sampling_probability is not None:
        lines.append(
            f"Its chance to be drawn for review at random was {row.sampling_probability:.2%}."
        )
    if row.status != "pending":
        lines.append(f"{STATUS_TITLES[row.status][0]} at once.")
    title = f"{verb} to {row.lane}"
    tone = {"review": "accent", "command": "accent", "blocked": "bad"}.get(row.lane, "good")
    record = ("decision", row.history_id)
    return Step(row.history_date, title, "routing", record, tone, lines, part=part, order=1)


def _moved(row: Any) -> Step:
    title, tone = STATUS_TITLES[row.status]
    reason = str(row.history_change_reason)
    line = MOVES.get(reason, spaced(reason).capitalize() if reason else "")
    record = ("decision", row.history_id)
    final = [f"What takes effect: {row.final_label}."] if row.final_label is not None else []
    lines = [one for one in (line, *final) if one]
    return Step(row.history_date, title, _user(row), record, tone, lines, order=3)


# --- People ---------------------------------------------------------------------------------


def task_steps(rows: Iterable[Any]) -> Iterator[Step]:
    """``rows``: history of review tasks, by task and in order."""
    before: dict[Any, Any] = {}
    for row in rows:
        found = _task_step(before.get(row.id), row)
        before[row.id] = row
        if found is not None:
            yield found


def _task_step(before: Any, row: Any) -> Step | None:
    record = ("review_task", row.history_id)

    def step(title: str, *lines: str, tone: str = "") -> Step:
        return Step(row.history_date, title, _user(row), record, tone, lines, order=2)

    if before is None:
        count = "1 review" if row.reviews_required == 1 else f"{row.reviews_required} reviews"
        what = "People are asked" if row.kind == "before" else "People look at it afterwards"
        due = [] if row.due_at is None else [f"Due {_at(row.due_at)}."]
        return step(what, f"{count} needed.", *due)
    if row.status != before.status:
        ruling = (row.ruling or {}).get("why") if isinstance(row.ruling, Mapping) else None
        lines = [str(ruling)] if ruling else []
        return step(TASK_ENDS.get(row.status, f"The review is {row.status}"), *lines)
    if row.level != before.level:
        return step(f"Escalated to {spaced(row.role)}", tone="warn")
    if (row.paused_at is None) != (before.paused_at is None):
        words = "The clock waits for information" if row.paused_at else "The clock runs again"
        return step(words)
    if row.reviews_required != before.reviews_required:
        return step(f"{row.reviews_required} reviews are needed now")
    return None


def _at(moment: datetime) -> str:
    return timezone.localtime(moment).strftime("%-d %b %Y, %H:%M")


def assignment_steps(rows: Iterable[Any], names: Mapping[Any, str]) -> Iterator[Step]:
    """``rows``: history of assignments; ``names``: of people by key."""
    for row in rows:
        whom = names.get(row.person_id, "")
        words = {
            "return": f"Given back to {whom}",
            "unassign": "Put back in the queue",
            "delegate": f"Handed to {whom}, who stands in",
        }.get(row.kind, f"Given to {whom}")
        record = ("assignment", row.history_id)
        reason = str(row.history_change_reason)
        yield Step(row.history_date, words, _user(row), record, quote=reason, order=2)


def review_steps(rows: Iterable[Any], names: Mapping[Any, str], told: Told) -> Iterator[Step]:
    """``rows``: history of reviews, by review and in order."""
    before: dict[Any, Any] = {}
    for row in rows:
        yield _review_step(before.get(row.id), row, names, told)
        before[row.id] = row


def _review_step(before: Any, row: Any, names: Mapping[Any, str], told: Told) -> Step:
    who = names.get(row.reviewer_id, _user(row))
    who += " (machine)" if row.machine else ""
    record, key = ("review", row.history_id), str(row.id)
    at = row.history_date
    if not row.final:
        first = row.initial_label or told.outputs.get(("review_first", key))
        lines = [f"First answer, before the AI’s was shown: {first}."] if first else []
        return Step(at, "Answered blind", who, record, "accent", lines, order=2)
    said = VERDICT_WORDS.get(row.verdict, row.verdict or "gave a verdict")
    lines = []
    stands = row.label or told.outputs.get(("review_output", key))
    if stands:
        lines.append(f"Stands for: {stands}.")
    if row.initial_label and row.initial_label != row.label:
        lines.append(f"Their first answer was {row.initial_label}.")
    lines += _manner(row)
    if row.imported:
        said, lines = "gave a verdict elsewhere, taken over", [*lines, "Imported."]
    if before is not None and before.final:
        said = f"{said}, again"
    title = "Adjudicated" if row.stage == "adjudication" else "Reviewed"
    quote = told.words.get(("rationale", key), "")
    tone = {"confirm": "good", "withhold": "bad", "change": "warn"}.get(row.verdict, "")
    return Step(at, f"{title}: {said}", who, record, tone, lines, quote, order=2)


def _manner(row: Any) -> list[str]:
    found = []
    if row.reason_code:
        found.append(f"Reason: {spaced(row.reason_code)}.")
    if row.saw_ai is not None:
        found.append(
            "Saw the AI’s output first." if row.saw_ai else "Had not seen the AI’s output."
        )
    if row.confidence is not None:
        found.append(f"{row.confidence:.0%} sure.")
    if row.active_seconds is not None:
        found.append(f"{row.active_seconds:.0f} seconds of work.")
    return [" ".join(found)] if found else []


def oversight_steps(rows: Iterable[Any], record_type: str, told: Told) -> Iterator[Step]:
    """``rows``: history of interventions or rulings."""
    titles = {
        "reverse": ("Supervisor reversed it", "warn"),
        "approve": ("Commander approved it", "good"),
        "withhold": ("Commander withheld it", "bad"),
        "change": ("Output changed", "warn"),
    }
    for row in rows:
        act = row.action if record_type == "intervention" else row.verdict
        title, tone = titles[act]
        lines = [f"New output: {row.label}."] if row.label and act == "change" else []
        if record_type == "intervention":
            within = "Inside the intervention window." if row.within_window else "No window is set."
            lines.append(within)
        quote = told.words.get(("reason", str(row.id)), "")
        record = (record_type, row.history_id)
        yield Step(row.history_date, title, _user(row), record, tone, lines, quote, order=2)


def outcome_steps(rows: Iterable[Any]) -> Iterator[Step]:
    """``rows``: history of outcomes."""
    for row in rows:
        lines = []
        if row.label is not None:
            lines.append(f"The truth: {row.label}.")
        if row.correct is not None:
            lines.append(f"The AI’s output was {'right' if row.correct else 'wrong'}.")
        if row.observed_at:
            lines.append(f"Observed {_at(row.observed_at)}.")
        record = ("outcome", row.history_id)
        title = f"Outcome known ({row.source})"
        yield Step(row.history_date, title, _user(row), record, "accent", lines, order=4)


def use_steps(rows: Iterable[Any], names: Mapping[Any, str]) -> Iterator[Step]:
    """``rows``: uses of mandates."""
    for row in rows:
        name = names.get(row.mandate_id) or str(row.mandate_id)
        lines = [] if row.amount is None else [f"It takes {row.amount} of its amount."]
        title = f"Released under the mandate {name}"
        yield Step(row.at, title, "routing", ("mandate_use", row.pk), "good", lines, order=2)


def seen_steps(rows: Iterable[Any]) -> Iterator[Step]:
    """``rows``: access events that name the decision."""
    for row in rows:
        words = SEEN_WORDS.get(row.kind, spaced(row.kind))
        times = f", {row.count} times" if row.count > 1 else ""
        stage = row.detail.get("stage") if isinstance(row.detail, Mapping) else None
        lines = []
        if stage:
            lines.append(
                "Without the AI’s output." if stage == "blind" else "With the AI’s output."
            )
        title = f"{row.actor_name} {words}{times}"
        yield Step(
            row.at,
            title,
            row.actor_name,
            ("access_event", row.pk),
            lines=lines,
            part="seen",
            order=2,
        )


# --- Together -------------------------------------------------------------------------------


def sealed(steps: Sequence[Step]) -> list[Step]:
    """The steps with their leaves, in the order of time: one query. The first two, arrival and
    routing, lead: what they ask for is written a moment before them."""
    keys: dict[str, set[int]] = {}
    for step in steps:
        keys.setdefault(step.record[0], set()).add(step.record[1])
    leaves: dict[tuple[str, int], int] = {}
    if keys:
        wanted = Q()
        for record_type, ids in keys.items():
            wanted |= Q(record_type=record_type, record_id__in=ids)
        rows = Leaf.objects.filter(wanted).values_list("record_type", "record_id", "index")
        leaves = {(record_type, number): index for record_type, number, index in rows}
    placed = [replace(step, leaf=leaves.get(step.record)) for step in steps]
    arrival, later = placed[:2], placed[2:]
    return arrival + sorted(later, key=lambda step: (step.at, step.order, step.record[1]))
