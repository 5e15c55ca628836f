"""What turned out to be true. A later outcome supersedes; none is overwritten."""

from __future__ import annotations

from django.db import models

from apps.common.history import TrackedHistory
from apps.common.models import TrackedModel
from apps.decisions.models import Decision
from apps.registry.models import UseCase


class Outcome(TrackedModel):
    """One statement of the truth about one decision; the newest one counts."""

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+", db_index=False)
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="outcomes")
    source = models.CharField(
        max_length=8, choices=[(s, s) for s in ("observed", "audit", "appeal")], default="observed"
    )
    label = models.CharField(max_length=200, null=True)
    correct = models.BooleanField(null=True, help_text="Whether the AI's output was right.")
    output_commitment = models.CharField(max_length=64, null=True)
    satisfaction = models.FloatField(null=True)
    observed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    history = TrackedHistory()

    class Meta:
        # the newest outcomes of a use case (ids are ordered by time)
        indexes = [models.Index(fields=["use_case", "-id"], name="outcome_list")]

    def __str__(self) -> str:
        return f"{self.decision_id}: {self.label}"
