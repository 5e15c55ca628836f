"""What reviewers write and answer: content of the decision, bound by commitments on the review."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from apps.common.prepared import Prepared
from apps.decisions.models import Content, Decision
from apps.decisions.services import content_add
from apps.reviews.models import Review

RATIONALE, OUTPUT, FIRST = "rationale", "review_output", "review_first"
QUESTION, INFORMATION = "review_question", "review_information"
Output = dict[str, Any]
SAID: Final = Prepared(
    lambda decision: (
        Content.objects.filter(decision=decision, part__in=(QUESTION, INFORMATION))
        .order_by("id")
        .values_list("part", "content")
    ),
    decision=Content.decision,
)


def words_add(decision: Decision, part: str, of: UUID, value: Any) -> str:
    """Keep what belongs to one review; returns the commitment for its row."""
    return content_add(decision.pk, part, {"of": str(of), "value": value})


def words_of(decision: Decision, *parts: str) -> dict[tuple[str, str], Any]:
    """(part, id of the review) -> what stands there; the newest counts."""
    rows = Content.objects.filter(decision=decision.pk, part__in=parts).order_by("id")
    found: dict[tuple[str, str], Any] = {}
    for part, content in rows.values_list("part", "content"):
        entry = json.loads(content)
        found[part, entry["of"]] = entry["value"]
    return found


def outputs_of(decision: Decision, reviews: Iterable[Review], *, first: bool = False) -> list[Any]:
    """The output that each review stands for (or its ``first`` one), None where there is none."""
    if decision.kind == "label":
        labels = [review.initial_label if first else review.label for review in reviews]
        return [None if label is None else {"label": label} for label in labels]
    part = FIRST if first else OUTPUT
    kept = words_of(decision, part)
    return [kept.get((part, str(review.pk))) if _has(review, first) else None for review in reviews]


def _has(review: Review, first: bool) -> bool:
    """A review that once gave an output may have withdrawn it since: its row says."""
    return (review.initial_commitment if first else review.output_commitment) is not None


def dialogue(decision: Decision, task: UUID) -> list[dict[str, Any]]:
    """What was asked about a task and what came back, in order; without who asked."""
    found: list[dict[str, Any]] = []
    for part, content in SAID.rows(decision=decision.pk):
        entry = json.loads(content)
        if entry["of"] == str(task):
            kind = "question" if part == QUESTION else "answer"
            found.append({"kind": kind, "text": entry["value"]})
    return found
