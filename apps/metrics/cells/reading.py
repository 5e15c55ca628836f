"""The rows of a day, some thousand decisions at once, each with all that belongs to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import BigIntegerField, Case, CharField, F, Q, When
from django.db.models.functions import Cast, ExtractYear

from apps.decisions.models import Content, Decision, Payload
from apps.metrics.cells.among import Among, Keys
from apps.metrics.cells.days import moment_of
from apps.outcomes.models import Outcome
from apps.registry.models import ModelVersion, UseCase
from apps.reviews.models import Review, ReviewTask, Seat
from apps.supervision.models import Intervention

CHUNK = 10_000  # decisions in memory at once; fixed, since sums of floats depend on it
CHECKS = ("known", "practice")  # tasks that decide nothing
NAMING = frozenset({"rule", "random_audit"})  # reasons that may name a rule


class Decisions(NamedTuple):
    """Columns of decisions, in the order of their ids; each has one value a decision.

    ``key``, ``version`` and ``policy`` are ids as the database writes them, which are read and
    compared at a fraction of the cost of UUIDs. Times that nobody reads are not fetched: ``opened``
    and ``ended`` are there where a decision was settled later than it came, ``moved`` where it was
    routed again, ``moment``, when it was routed, where mandates were in force; ``year`` is that of
    its routing, UTC.
    """

    key: tuple[str, ...]
    kind: tuple[str, ...]
    label: tuple[str | None, ...]
    confidence: tuple[float | None, ...]
    lane: tuple[str, ...]
    would_be: tuple[str | None, ...]
    status: tuple[str, ...]
    final_label: tuple[str | None, ...]
    final_commitment: tuple[str | None, ...]
    reason_codes: tuple[str, ...]
    sampling_probability: tuple[float | None, ...]
    after_review: tuple[bool, ...]
    version: tuple[str, ...]
    scaled: tuple[int | None, ...]
    opened: tuple[datetime | None, ...]
    ended: tuple[datetime | None, ...]
    settled: tuple[bool, ...]
    moved: tuple[bool, ...]
    past: tuple[bool, ...]
    policy: tuple[str, ...]
    mandate: tuple[str | None, ...]
    mandates_left: tuple[str | None, ...]
    moment: tuple[datetime | None, ...]
    year: tuple[int, ...]
    lifecycle: tuple[str, ...]
    model_status: tuple[str, ...]
    external_id: tuple[str, ...]
    submitted_by: tuple[str, ...]
    subject_pseudonym: tuple[str | None, ...]


class Verdict(NamedTuple):
    """A review, and at which ``place`` its decision is."""

    place: int
    id: UUID
    task_id: UUID | None
    reviewer_id: UUID
    imported: bool
    machine: bool
    stage: str
    verdict: str
    final: bool
    label: str | None
    initial_label: str | None
    saw_ai: bool | None
    active_seconds: float | None
    right: bool | None
    reviewed_at: datetime | None
    created_at: datetime


class Task(NamedTuple):
    """A task that bears on its decision, and at which ``place`` that is."""

    place: int
    id: UUID
    kind: str
    status: str
    reviews_required: int
    due_at: datetime | None
    level: int
    created_at: datetime
    closed_at: datetime | None


class Truth(NamedTuple):
    """What is known of a decision by its newest outcome."""

    label: str | None = None
    correct: bool | None = None
    satisfaction: float | None = None


NO_TRUTH = Truth()
LATER = Q(settled_at__gt=F("created_at"))


def _text(column: str) -> Cast:
    return Cast(column, CharField())


COMPUTED: dict[str, Any] = {
    "key": _text("id"),
    "version": _text("model_version_id"),
    "policy_text": _text("policy_id"),
    "scaled": Cast("amount", BigIntegerField()),
    "opened": Case(When(LATER, then=F("created_at"))),
    "ended": Case(When(LATER, then=F("settled_at"))),
    "settled": Case(When(settled_at=None, then=False), default=True),
    "moved": Case(When(routed_at=F("created_at"), then=False), default=True),
    "mandate_text": _text("mandate"),
    "left_text": _text("mandates_left"),
    "moment": Case(When(mandates_left__isnull=False, then=F("routed_at"))),
    "year": ExtractYear("routed_at", tzinfo=UTC),
}
AS_TEXT = {"policy": "policy_text", "mandate": "mandate_text", "mandates_left": "left_text"}
COLUMNS = [AS_TEXT.get(name, name) for name in Decisions._fields]


@dataclass(slots=True)
class Chunk:
    """Some decisions with what belongs to them; lists of one value a decision, or of rows.

    ``checks``: reviews of known answers and of practice, which are not in ``reviews``; ``waits``:
    (place, seconds) from a task's opening to a claim; ``features`` and ``subject`` are read where
    something is made of them.
    """

    decisions: Decisions
    versions: list[str]
    truths: list[Truth]
    rules: list[str | None]
    reviews: list[Verdict]
    checks: list[tuple[str, Verdict]]
    tasks: list[Task]
    waits: list[tuple[int, float]]
    intervened: set[int]
    features: list[dict[str, Any] | None] = field(default_factory=list)
    subject: list[dict[str, Any] | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.decisions.key)


def read_chunks(
    use_case: UseCase, begin: datetime, end: datetime, parts: Sequence[str]
) -> Iterator[Chunk]:
    """The decisions made from ``begin`` on and before ``end``, by id.

    Parameters: ``parts``: of "features" and "subject", the contents that are wanted.
    """
    rows = Decision.objects.annotate(made=moment_of(), **COMPUTED)
    rows = rows.filter(use_case=use_case, made__gte=begin, made__lt=end).order_by("id")
    held: list[tuple[Any, ...]] = []
    for row in rows.values_list(*COLUMNS).iterator(chunk_size=CHUNK):
        held.append(row)
        if len(held) == CHUNK:
            yield _chunk(held, parts)
            held = []
    if held:
        yield _chunk(held, parts)


def _chunk(rows: list[tuple[Any, ...]], parts: Sequence[str]) -> Chunk:
    decisions = Decisions(*zip(*rows, strict=True))
    ids = Keys(decisions.key)
    at = {key: place for place, key in enumerate(decisions.key)}
    reviews, checks = _reviews(ids, at)
    tasks = _tasks(ids, at)
    chunk = Chunk(
        decisions,
        versions=[version_name(key) for key in decisions.version],
        truths=_truths(ids, at),
        rules=_rules(decisions, at),
        reviews=reviews,
        checks=checks,
        tasks=tasks,
        waits=_waits(tasks),
        intervened=_intervened(ids, at),
    )
    if parts:
        _read_contents(chunk, ids, at, parts)
    return chunk


@lru_cache(maxsize=4_096)  # a version keeps its name
def version_name(key: str) -> str:
    """A model version as people call it: "scorer 2.3.1"."""
    return str(ModelVersion.objects.select_related("system").get(pk=key))


def _of(model: Any, ids: Keys, column: str = "decision_id") -> Any:
    """The rows of a model that belong to some decisions; ``key`` is the decision's."""
    return model.objects.filter(Among(column, ids)).annotate(key=_text(column))


def _truths(ids: Keys, at: dict[str, int]) -> list[Truth]:
    found = [NO_TRUTH] * len(at)
    # Ids are ordered by time, so that the newest outcome comes last.
    rows = _of(Outcome, ids).order_by("id")
    for key, *said in rows.values_list("key", *Truth._fields):
        found[at[key]] = Truth(*said)
    return found


def _reviews(ids: Keys, at: dict[str, int]) -> tuple[list[Verdict], list[tuple[str, Verdict]]]:
    fields = Verdict._fields[1:]
    reviews: list[Verdict] = []
    checks: list[tuple[str, Verdict]] = []
    rows = _of(Review, ids).order_by("id")
    for key, kind, *said in rows.values_list("key", "task__kind", *fields):
        verdict = Verdict(at[key], *said)
        if kind in CHECKS:
            checks.append((kind, verdict))
        else:
            reviews.append(verdict)
    return reviews, checks


def _tasks(ids: Keys, at: dict[str, int]) -> list[Task]:
    rows = _of(ReviewTask, ids).exclude(kind__in=CHECKS).order_by("id")
    listed = rows.values_list("key", *Task._fields[1:])
    return [Task(at[key], *said) for key, *said in listed]


def _waits(tasks: Sequence[Task]) -> list[tuple[int, float]]:
    """How long tasks waited for each claim that ended in a review."""
    if not tasks:
        return []
    by_id = {task.id: task for task in tasks}
    keys = Keys([key.hex for key in by_id])
    rows = Seat.objects.filter(Among("task_id", keys), state="done", leased_at__isnull=False)
    return [
        (by_id[key].place, max(0.0, (leased - by_id[key].created_at).total_seconds()))
        for key, leased in rows.order_by("id").values_list("task_id", "leased_at")
        if leased is not None
    ]


def _intervened(ids: Keys, at: dict[str, int]) -> set[int]:
    return {at[key] for key in _of(Intervention, ids).values_list("key", flat=True)}


def _rules(decisions: Decisions, at: dict[str, int]) -> list[str | None]:
    """The rule that each decision matched, of those whose reasons name one."""
    found: list[str | None] = [None] * len(decisions.key)
    coded = [
        place
        for place, codes in enumerate(decisions.reason_codes)
        if not NAMING.isdisjoint(codes.split())
    ]
    if not coded:
        return found
    moved = [p for p in coded if decisions.moved[p]]
    first = _of(Payload, Keys([decisions.key[p] for p in coded]), "decision")
    texts = dict(first.filter(reasons__isnull=False).values_list("key", "reasons"))
    if moved:  # routed again, for reasons of its own
        later = _of(Content, Keys([decisions.key[p] for p in moved]), "decision")
        later = later.filter(part="reasons").order_by("id")
        texts.update(later.values_list("key", "content"))
    for key, text in texts.items():
        found[at[key]] = rule_of(text)
    return found


@lru_cache(maxsize=4_096)
def rule_of(reasons: str) -> str | None:
    """The rule that some reasons name first."""
    return next((one["rule"] for one in json.loads(reasons) if one.get("rule")), None)


def _read_contents(chunk: Chunk, ids: Keys, at: dict[str, int], parts: Sequence[str]) -> None:
    rows = list(_of(Payload, ids, "decision").values_list("key", *parts))
    for column, part in enumerate(parts, 1):
        contents: list[dict[str, Any] | None] = [None] * len(chunk)
        held = [(at[row[0]], row[column]) for row in rows if row[column] is not None]
        for (place, _), value in zip(held, _decoded([text for _, text in held]), strict=True):
            contents[place] = value.get("attributes") if part == "subject" else value
        setattr(chunk, part, contents)


def _decoded(texts: Sequence[str]) -> list[dict[str, Any]]:
    """JSON texts as values, in one call: each call costs about as much as a small text."""
    found: list[dict[str, Any]] = json.loads(f"[{','.join(texts)}]")
    return found
