"""Stored decisions as routing takes them, with what is known of each: chunk by chunk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from apps.decisions.domain.content import join_output
from apps.decisions.models import Decision, Payload
from apps.metrics.domain.verdicts import first_verdict
from apps.metrics.first_reading import CHECKS, Window
from apps.outcomes.models import Outcome
from apps.policies.domain.conditions import comparisons
from apps.policies.domain.lanes import RoutingPolicy
from apps.policies.domain.mandates import Mandate
from apps.registry.models import UseCase
from apps.reviews.models import Review

CHUNK: Final = 5_000
CONTENT: Final = ("features", "subject", "output")


class Row(NamedTuple):
    """A decision's own columns."""

    id: UUID
    external_id: str
    version: str
    kind: str
    label: str | None
    confidence: float | None
    amount: Any
    routed_at: Any
    lifecycle: str
    model_status: str
    lane: str
    would_be: str | None
    reason_codes: str
    after_review: bool


COLUMNS: Final = tuple("model_version__version" if f == "version" else f for f in Row._fields)


@dataclass(frozen=True, slots=True)
class Stored:
    """One decision: its row, itself in the form that conditions read (None: its content was erased
    and is needed), its newest outcome and people's first verdicts."""

    row: Row
    sent: Mapping[str, Any] | None
    truth: str | None
    correct: bool | None
    verdicts: tuple[str, ...]


def needed_content(
    use_case: UseCase,
    policy: RoutingPolicy,
    mandates: Sequence[Mandate],
    besides: Iterable[str] = (),
) -> tuple[str, ...]:
    """The parts of the content that routing under ``policy`` reads, and those ``besides``."""
    conditions = [rule.when for rule in policy.rules] + [mandate.scope for mandate in mandates]
    roots = {
        one.field.partition(".")[0] for condition in conditions for one in comparisons(condition)
    }
    wanted = {
        "features": bool(roots & {"feature", "novelty"}),
        "subject": "subject" in roots,
        "output": bool(roots & {"output", "margin"}) or use_case.kinds != ["label"],
    }
    also = set(besides)
    return tuple(part for part in CONTENT if wanted[part] or part in also)


def window_of(use_case: UseCase, window: Window) -> QuerySet[Decision]:
    """The decisions of a window, by the time they were made, else arrived."""
    found = Decision.objects.filter(use_case=use_case)
    found = found.annotate(at=Coalesce("decided_at", "created_at"))
    if window.begin is not None:
        found = found.filter(at__gte=window.begin)
    if window.end is not None:
        found = found.filter(at__lt=window.end)
    chosen: QuerySet[Decision] = found
    return chosen


def read_chunks(
    decisions: QuerySet[Decision], parts: Sequence[str], chunk: int = CHUNK
) -> Iterator[list[Stored]]:
    """The decisions in the order of their ids, at most ``chunk`` in memory at a time."""
    last = None
    while True:
        rest = decisions if last is None else decisions.filter(pk__gt=last)
        rows = [Row(*one) for one in rest.order_by("pk").values_list(*COLUMNS)[:chunk]]
        if not rows:
            return
        yield _with_facts(rows, parts)
        last = rows[-1].id
        if len(rows) < chunk:
            return


def _with_facts(rows: list[Row], parts: Sequence[str]) -> list[Stored]:
    ids = [row.id for row in rows]
    content = _content(ids, parts)
    outcomes, verdicts = _outcomes(ids), _verdicts(ids)
    return [
        Stored(
            row,
            _sent(row, parts, content.get(row.id)),
            *outcomes.get(row.id, (None, None)),
            tuple(verdicts.get(row.id, {}).values()),
        )
        for row in rows
    ]


def _content(ids: list[UUID], parts: Sequence[str]) -> dict[UUID, dict[str, str | None]]:
    if not parts:
        return {}
    rows = Payload.objects.filter(decision__in=ids).values_list("decision", *parts)
    return {key: dict(zip(parts, texts, strict=True)) for key, *texts in rows}


def _sent(
    row: Row, parts: Sequence[str], content: dict[str, str | None] | None
) -> dict[str, Any] | None:
    if parts and content is None:
        return None
    texts = content or {}
    output = texts.get("output")
    read = {part: json.loads(texts[part] or "null") or {} for part in parts if part != "output"}
    return {
        "external_id": row.external_id,
        "model_version": row.version,
        "kind": row.kind,
        "output": join_output(
            row.kind, row.label, row.confidence, None if output is None else output.encode()
        ),
        "amount": row.amount,
        "features": read.get("features", {}),
        "subject": read.get("subject", {}),
    }


def _outcomes(ids: list[UUID]) -> dict[UUID, tuple[str | None, bool | None]]:
    """The newest outcome of each: ids are ordered by time."""
    rows = Outcome.objects.filter(decision_id__in=ids).order_by("pk")
    return {key: (label, right) for key, label, right in rows.values_list(*_OUTCOME)}


_OUTCOME: Final = ("decision_id", "label", "correct")
_REVIEW: Final = ("decision_id", "reviewer_id", "initial_label", "label", "saw_ai")


def _verdicts(ids: list[UUID]) -> dict[UUID, dict[UUID, str]]:
    """First verdicts by decision and person; checks, machines and adjudications are none."""
    rows = Review.objects.filter(decision_id__in=ids, machine=False, stage="review")
    rows = rows.exclude(task__kind__in=CHECKS).order_by("pk")
    found: dict[UUID, dict[UUID, str]] = {}
    for decision, reviewer, initial, label, saw_ai in rows.values_list(*_REVIEW):
        first = first_verdict(initial, label, saw_ai)
        if first is not None:
            found.setdefault(decision, {}).setdefault(reviewer, first)
    return found
