"""Versions of oversight policies, and the secret seeds of the random audit."""

from __future__ import annotations

from django.db import models

from apps.common.fields import StoredJSONField
from apps.common.history import TrackedHistory
from apps.common.models import AppendOnlyModel, TrackedModel
from apps.registry.models import UseCase


class PolicyStatus(models.TextChoices):
    """draft -> proposed -> approved -> active -> superseded; a proposal can be rejected."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"


class PolicyVersion(TrackedModel):
    """One version of a use case's policy. Its document is fixed from the proposal on."""

    record_type = "policy_version"
    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="policies")
    number = models.PositiveIntegerField()
    status = models.CharField(
        max_length=10, choices=PolicyStatus.choices, default=PolicyStatus.DRAFT
    )
    level = models.CharField(max_length=4)
    document = StoredJSONField()
    content_hash = models.CharField(max_length=64)
    effective_from = models.DateTimeField(null=True, blank=True)
    proposed_by = models.CharField(max_length=64, blank=True, default="")
    approved_by = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True, blank=True)
    history = TrackedHistory()

    class Meta:
        ordering = ["use_case", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["use_case", "number"], name="one_number_a_policy"),
            models.UniqueConstraint(
                fields=["use_case"], condition=models.Q(status="active"), name="one_active_policy"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.use_case_id} v{self.number} ({self.status})"


class SamplingSeed(AppendOnlyModel):
    """The secret of one use case's random draws in one year. Its hash is on the ledger from the
    start, the seed itself when the year is over."""

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+")
    year = models.PositiveSmallIntegerField()
    seed = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["use_case", "year"], name="one_seed_a_year")]

    def __str__(self) -> str:
        return f"{self.use_case_id} {self.year}"
