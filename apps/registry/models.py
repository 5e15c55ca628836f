"""What is overseen: use cases, AI systems and their versions, and who holds which right."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from apps.accounts.domain.matrix import RIGHTS
from apps.common.fields import ExactDecimalField, StoredJSONField
from apps.common.history import TrackedHistory
from apps.common.models import TrackedModel

SLUG = RegexValidator(
    r"\A[a-z0-9]+(-[a-z0-9]+)*\Z", "lower-case letters, digits and single hyphens"
)
MODEL_NAME = RegexValidator(r"\A[^\s/]+\Z", "no spaces and no slashes")


class Lifecycle(models.TextChoices):
    DRAFT = "draft"
    PILOT = "pilot"
    LIVE = "live"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class RiskTier(models.TextChoices):
    MINIMAL = "minimal"
    LIMITED = "limited"
    HIGH = "high"


class Goal(models.TextChoices):
    ACCURACY = "accuracy"
    SPEED = "speed"
    CONSISTENCY = "consistency"


class UseCase(TrackedModel):
    """One business process in which an AI decides or recommends. Its slug is its key, for ever."""

    record_use_case = "slug"

    id = None  # type: ignore[assignment]
    slug = models.CharField(max_length=80, primary_key=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    industry = models.CharField(max_length=80, blank=True, default="")
    risk_tier = models.CharField(max_length=8, choices=RiskTier.choices, default=RiskTier.LIMITED)
    lifecycle = models.CharField(max_length=9, choices=Lifecycle.choices, default=Lifecycle.DRAFT)
    goal = models.CharField(max_length=12, choices=Goal.choices, default=Goal.ACCURACY)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    kinds = StoredJSONField(default=list)
    labels = StoredJSONField(default=list, blank=True)
    favourable_label = models.CharField(max_length=200, blank=True, default="")
    positive_label = models.CharField(max_length=200, blank=True, default="")
    features = StoredJSONField(default=list, blank=True)
    subject_attributes = StoredJSONField(default=list, blank=True)
    unknown_features = models.CharField(
        max_length=6, choices=[("refuse", "refuse"), ("keep", "keep")], default="refuse"
    )
    models_mode = models.CharField(
        max_length=8, choices=[("open", "open"), ("declared", "declared")], default="open"
    )
    tolerance = ExactDecimalField(
        default=0, help_text="A number output within this of the truth is right."
    )
    cost_model = StoredJSONField(default=dict, blank=True)
    reason_codes = StoredJSONField(
        default=list, blank=True, help_text="What a reviewer's verdict may be given for."
    )
    calendar = StoredJSONField(
        null=True, blank=True, help_text="Business hours; none: round the clock."
    )
    left_out = StoredJSONField(
        default=list, blank=True, help_text="Groups left out of a bias audit's ratios, and why."
    )
    hasty_seconds = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3_600)],
        help_text="A confirmation below it is hasty; none: from the blind reviews' times.",
    )
    reference_from = models.DateField(null=True, blank=True)
    reference_to = models.DateField(null=True, blank=True)
    retention_days = models.PositiveIntegerField(
        default=365, validators=[MinValueValidator(1), MaxValueValidator(36_500)]
    )
    history = TrackedHistory()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class AISystem(TrackedModel):
    """A system whose outputs are overseen, as its provider describes it."""

    record_type = "ai_system"

    name = models.CharField(max_length=100, unique=True, validators=[MODEL_NAME])
    provider = models.CharField(max_length=200, blank=True, default="")
    intended_purpose = models.TextField(blank=True, default="")
    limits = models.TextField(blank=True, default="", help_text="What it is known not to do well.")
    history = TrackedHistory()

    class Meta:
        ordering = ["name"]
        verbose_name = "AI system"

    def __str__(self) -> str:
        return self.name


class ModelVersion(TrackedModel):
    """One version of an AI system. Withdrawn, its outputs are blocked."""

    system = models.ForeignKey(AISystem, models.PROTECT, related_name="versions")
    version = models.CharField(max_length=100, validators=[MODEL_NAME])
    status = models.CharField(
        max_length=9, choices=[("active", "active"), ("withdrawn", "withdrawn")], default="active"
    )
    declared_accuracy = ExactDecimalField(
        null=True, blank=True, help_text="As its instructions for use declare it, 0 to 1."
    )
    notes = models.TextField(blank=True, default="")
    history = TrackedHistory()

    class Meta:
        ordering = ["system__name", "version"]
        constraints = [
            models.UniqueConstraint(fields=["system", "version"], name="one_row_a_version")
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.version}"


class DecisionRight(TrackedModel):
    """A right in one use case, held by one person. Where it has holders, only they may use it."""

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="rights")
    right = models.CharField(
        max_length=16, choices=[(right, right.replace("_", " ")) for right in RIGHTS]
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="decision_rights"
    )
    history = TrackedHistory()

    class Meta:
        ordering = ["use_case", "right", "person"]
        constraints = [
            models.UniqueConstraint(fields=["use_case", "right", "person"], name="one_right_each")
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.right} in {self.use_case_id}"
