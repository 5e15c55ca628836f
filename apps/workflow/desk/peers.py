"""What the others said: shown to seniors where the policy shows it, and counted as votes."""

from __future__ import annotations

from typing import Any

from apps.decisions.models import Decision
from apps.reviews.models import Review, ReviewTask
from apps.workflow.desk.words import RATIONALE, outputs_of, words_of


def final_reviews(task: ReviewTask) -> list[Review]:
    """The verdicts that count, oldest first."""
    rows = Review.objects.filter(task=task, final=True).select_related("reviewer")
    return list(rows.order_by("id"))


def verdicts_shown(decision: Decision, task: ReviewTask, *, without: Any) -> list[dict[str, Any]]:
    """What the others of a task said. By number: a name would weigh more than the reasons."""
    reviews = [r for r in final_reviews(task) if r.reviewer_id != without]
    outputs, first = outputs_of(decision, reviews), outputs_of(decision, reviews, first=True)
    said = words_of(decision, RATIONALE) if reviews else {}
    return [
        {
            "reviewer": f"Reviewer {number}",
            "machine": review.machine,
            "stage": review.stage,
            "verdict": review.verdict,
            "output": output,
            "first_output": before,
            "reason_code": review.reason_code,
            "rationale": said.get((RATIONALE, str(review.pk)), ""),
            "confidence": review.confidence,
        }
        for number, (review, output, before) in enumerate(
            zip(reviews, outputs, first, strict=True), 1
        )
    ]
