"""Cells and what is made of them: reports, limits, alerts."""

from __future__ import annotations

from django.db import models

from apps.common.fields import StoredJSONField
from apps.common.history import TrackedHistory
from apps.common.models import AppendOnlyModel, TrackedModel
from apps.registry.models import UseCase

FAMILIES = (
    "outcome",
    "calibration",
    "confidence",
    "groups",
    "people",
    "reviews",
    "flow",
    "breaches",
    "features",
)
ALERT_STATUSES = [(s, s) for s in ("raised", "acknowledged", "resolved")]


def _use_case() -> models.ForeignKey[UseCase, UseCase]:
    return models.ForeignKey(UseCase, models.PROTECT, related_name="+", db_index=False)


class CellBlob(AppendOnlyModel):
    """Packed cells by the hash of their bytes. Reports name the ones they used, so none goes."""

    hash = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of data, hex.")
    data = models.BinaryField()

    def __str__(self) -> str:
        return self.hash


class DayCells(models.Model):
    """The cells in force of one family on one UTC day of one use case. Made again, not recorded."""

    use_case = _use_case()
    day = models.DateField()
    family = models.CharField(max_length=12)
    blob = models.ForeignKey(CellBlob, models.PROTECT, related_name="+", db_index=False)
    basis = models.CharField(max_length=64, help_text="Hash of how they were counted.")
    rows = models.PositiveIntegerField(help_text="Decisions counted in them.")
    tree_size = models.BigIntegerField(help_text="Sealed records when they were read.")
    built_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["use_case", "day", "family"], name="one_cell_row_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.use_case_id} {self.day} {self.family}"


class RunningCells(models.Model):
    """A month's cells of one family added up to and with a day: what many days are read from. Made
    from DayCells, again wherever ``of`` does not fit them; nothing rests on it."""

    use_case = _use_case()
    day = models.DateField()
    family = models.CharField(max_length=12)
    of = models.CharField(max_length=64, help_text="Hash of the days and cells that went in.")
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["use_case", "day", "family"], name="one_running_row_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.use_case_id} to {self.day} {self.family}"


class DirtyDay(models.Model):
    """A day whose cells no longer say what its rows say. The row is the task; a message a nudge."""

    use_case = _use_case()
    day = models.DateField()
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["use_case", "day"], name="one_dirty_row_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.use_case_id} {self.day}"


class CellsWatermark(models.Model):
    """Up to which leaf of the ledger changed days have been marked; one row."""

    leaf_index = models.BigIntegerField(default=0)
    pending = models.BigIntegerField(default=0, help_text="The last that waited for its leaf.")

    def __str__(self) -> str:
        return str(self.leaf_index)


class ReferenceProfile(TrackedModel):
    """What drift is measured against: frozen edges and counts of a use case's reference window.

    ``document``: {"features": {name: {"kind", "edges", "counts"}}, "days", "rows", "accuracy"}.
    A later profile supersedes; days are counted again on its edges.
    """

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+")
    begin = models.DateField()
    end = models.DateField()
    document = StoredJSONField()
    frozen_at = models.DateTimeField()
    history = TrackedHistory()

    def __str__(self) -> str:
        return f"{self.use_case_id} {self.begin} to {self.end}"


class Report(TrackedModel):
    """Figures of one kind, over one window, as they were found; never changed.

    ``cells``: rows of [day, family, blob hash]; ``tree_size`` and ``root_hash``: the ledger's last
    checkpoint when the rows were read.
    """

    record_use_case = "use_case_id"

    use_case = _use_case()
    kind = models.CharField(max_length=20)
    begin = models.DateTimeField(null=True)
    end = models.DateTimeField(null=True)
    parameters = StoredJSONField()
    code_version = models.CharField(max_length=80)
    cells = StoredJSONField()
    tree_size = models.BigIntegerField()
    root_hash = models.CharField(max_length=64)
    result = StoredJSONField()
    created_at = models.DateTimeField()
    scheduled_for = models.DateField(null=True, help_text="The day of the schedule that it meets.")
    history = TrackedHistory()

    class Meta:
        indexes = [models.Index(fields=["use_case", "kind", "-id"], name="report_list")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.use_case_id}"


class ReportJob(models.Model):
    """A report that was asked for: progress for who waits. Not the trail; the report is."""

    id = models.UUIDField(primary_key=True)
    use_case = _use_case()
    kind = models.CharField(max_length=20)
    begin = models.DateTimeField(null=True)
    end = models.DateTimeField(null=True)
    asked_by = models.CharField(max_length=64)
    status = models.CharField(max_length=8, default="waiting")
    error = models.TextField(default="")
    report = models.ForeignKey(Report, models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.kind} of {self.use_case_id} ({self.status})"


class ReportSchedule(TrackedModel):
    """Which reports of a use case are made by themselves, and how often."""

    record_use_case = "use_case_id"

    use_case = models.OneToOneField(UseCase, models.PROTECT, related_name="+")
    every_days = models.PositiveSmallIntegerField(default=1)
    window_days = models.PositiveSmallIntegerField(default=30)
    kinds = StoredJSONField()
    starts_on = models.DateField()
    active = models.BooleanField(default=True)
    asked_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When it last began: a run due before cannot have been missed.",
    )
    history = TrackedHistory()

    def __str__(self) -> str:
        return f"{self.use_case_id} every {self.every_days} days"


class AlertLimit(TrackedModel):
    """A limit on one figure of a use case.

    ``metric`` is the path of a figure in its report ("drift.psi_max", "accuracy.combined.value").
    It is broken when ``in_a_row`` windows of ``window_days`` in a row break it on n >= smallest.
    """

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+")
    metric = models.CharField(max_length=200)
    op = models.CharField(max_length=2)
    value = models.FloatField()
    smallest = models.PositiveIntegerField(default=30)
    in_a_row = models.PositiveSmallIntegerField(default=2)
    window_days = models.PositiveSmallIntegerField(default=7)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    history = TrackedHistory()

    def __str__(self) -> str:
        return f"{self.use_case_id} {self.metric} {self.op} {self.value}"


class Alert(TrackedModel):
    """A limit that was broken, from the moment it is raised until a person resolves it."""

    record_use_case = "use_case_id"

    use_case = _use_case()
    limit = models.ForeignKey(AlertLimit, models.PROTECT, null=True, related_name="alerts")
    kind = models.CharField(
        max_length=40, help_text="limit, rubber_stamping, team_loss, missed_run"
    )
    about = models.CharField(max_length=200, default="", help_text="The limit's id, a reviewer's.")
    status = models.CharField(max_length=12, choices=ALERT_STATUSES, default="raised")
    detail = models.TextField()
    value = models.FloatField(null=True)
    n = models.BigIntegerField(null=True)
    raised_at = models.DateTimeField()
    acknowledged_by = models.CharField(max_length=64, default="")
    acknowledged_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=64, default="")
    resolved_at = models.DateTimeField(null=True)
    note = models.TextField(default="")
    history = TrackedHistory()

    class Meta:
        constraints = [
            # one open alert a matter: a second finding adds nothing to it
            models.UniqueConstraint(
                fields=["use_case", "kind", "about"],
                condition=~models.Q(status="resolved"),
                name="one_open_alert",
            )
        ]
        indexes = [models.Index(fields=["use_case", "-id"], name="alert_list")]

    def __str__(self) -> str:
        return f"{self.kind} {self.use_case_id} ({self.status})"
