"""Tasks that wait for people, and what people said."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.common.history import TrackedHistory
from apps.common.models import TrackedModel
from apps.decisions.models import Decision
from apps.registry.models import UseCase


class ReviewTask(TrackedModel):
    """A decision asks people: so many reviews, by a time."""

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+", db_index=False)
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="tasks")
    kind = models.CharField(
        max_length=8, choices=[("before", "before release"), ("after", "after release")]
    )
    status = models.CharField(
        max_length=9, choices=[(s, s) for s in ("open", "closed", "cancelled")]
    )
    reviews_required = models.PositiveSmallIntegerField()
    due_at = models.DateTimeField(null=True)
    rank = models.DateTimeField()
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    history = TrackedHistory()

    class Meta:
        indexes = [
            # the queue
            models.Index(fields=["rank"], name="task_queue", condition=models.Q(status="open"))
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.decision_id} ({self.status})"


class Review(TrackedModel):
    """One person's verdict on one decision. Imported ones were given elsewhere, before."""

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+", db_index=False)
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="reviews")
    task = models.ForeignKey(
        ReviewTask, models.PROTECT, null=True, related_name="reviews", db_index=False
    )
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    imported = models.BooleanField(default=False)
    label = models.CharField(max_length=200, null=True)
    initial_label = models.CharField(max_length=200, null=True)
    saw_ai = models.BooleanField(null=True)
    confidence = models.FloatField(null=True)
    active_seconds = models.FloatField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    history = TrackedHistory()

    class Meta:
        constraints = [
            # a person's past verdict on a case is taken once
            models.UniqueConstraint(
                fields=["decision", "reviewer"],
                condition=models.Q(imported=True),
                name="one_imported_review_each",
            )
        ]

    def __str__(self) -> str:
        return f"{self.reviewer_id} on {self.decision_id}"
