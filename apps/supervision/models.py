"""People above the AI: stops, mandates and their use, interventions, the commander's rulings."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.common.fields import ExactDecimalField, StoredJSONField
from apps.common.history import TrackedHistory
from apps.common.models import AppendOnlyModel, TrackedModel
from apps.decisions.models import Decision
from apps.registry.models import UseCase


class Stop(TrackedModel):
    """A use case was stopped, and perhaps resumed, by another person."""

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="stops")
    lifecycle_before = models.CharField(max_length=9)
    stopped_by = models.CharField(max_length=64)
    stopped_at = models.DateTimeField()
    resumed_by = models.CharField(max_length=64, blank=True, default="")
    resumed_at = models.DateTimeField(null=True)
    withheld = models.CharField(max_length=7, blank=True, default="")
    history = TrackedHistory()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["use_case"],
                condition=models.Q(resumed_at__isnull=True),
                name="one_open_stop",
            )
        ]

    def __str__(self) -> str:
        return f"{self.use_case_id} stopped {self.stopped_at:%Y-%m-%d %H:%M}"


class Mandate(TrackedModel):
    """What a commander lets the AI release by itself: scope, count, amount, time."""

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="mandates")
    name = models.CharField(max_length=200, blank=True, default="")
    scope = StoredJSONField()
    max_count = models.BigIntegerField(null=True)
    max_amount = ExactDecimalField(null=True)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField()
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True
    )
    issued_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    history = TrackedHistory()

    class Meta:
        ordering = ["use_case", "issued_at"]

    def __str__(self) -> str:
        return self.name or str(self.pk)


class MandateCounter(models.Model):
    """What is used of a mandate: the sum of its use rows, held under a lock. Not the trail."""

    mandate = models.OneToOneField(
        Mandate, models.PROTECT, primary_key=True, related_name="counter"
    )
    count = models.BigIntegerField(default=0)
    amount = ExactDecimalField(default=0)

    def __str__(self) -> str:
        return f"{self.mandate_id}: {self.count}"


class MandateUse(AppendOnlyModel):
    """A decision was released under a mandate."""

    sealed = True
    record_use_case = "use_case"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    use_case = models.CharField(max_length=80)
    mandate_id = models.UUIDField(db_index=True)
    decision_id = models.UUIDField(db_index=True)
    amount = ExactDecimalField(null=True)

    def __str__(self) -> str:
        return f"{self.mandate_id} for {self.decision_id}"


class Intervention(TrackedModel):
    """A supervisor reversed or changed a released decision."""

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+", db_index=False)
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="interventions")
    action = models.CharField(max_length=7, choices=[("reverse", "reverse"), ("change", "change")])
    within_window = models.BooleanField()
    label = models.CharField(max_length=200, null=True)
    output_commitment = models.CharField(max_length=64, null=True)
    reason_commitment = models.CharField(max_length=64, help_text="The words are content.")
    made_by = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    history = TrackedHistory()

    def __str__(self) -> str:
        return f"{self.action} {self.decision_id}"


class Ruling(TrackedModel):
    """The commander decided what no mandate covers."""

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+", db_index=False)
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="rulings")
    verdict = models.CharField(
        max_length=8, choices=[(v, v) for v in ("approve", "change", "withhold")]
    )
    label = models.CharField(max_length=200, null=True)
    output_commitment = models.CharField(max_length=64, null=True)
    reason_commitment = models.CharField(max_length=64, help_text="The words are content.")
    made_by = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    history = TrackedHistory()

    def __str__(self) -> str:
        return f"{self.verdict} {self.decision_id}"
