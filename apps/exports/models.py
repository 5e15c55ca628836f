"""Exports that somebody asked for."""

from __future__ import annotations

from django.db import models

from apps.common.fields import StoredJSONField
from apps.common.ids import uuid7

STATUSES = [(s, s) for s in ("waiting", "running", "done", "failed", "removed")]


class ExportJob(models.Model):
    """A bundle that was asked for: progress for who waits, and where it lies. Not the trail.

    The subject asked for stands here under its pseudonyms alone, as in the trail.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    asked_kind = models.CharField(max_length=8)
    asked_by = models.CharField(max_length=64)
    asked_name = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    use_case = models.CharField(max_length=80, blank=True, default="")
    filters = StoredJSONField()
    formats = StoredJSONField()
    purpose = models.TextField()
    status = models.CharField(max_length=8, choices=STATUSES, default="waiting")
    begun = models.PositiveSmallIntegerField(default=0, help_text="How often it was begun.")
    progress = models.FloatField(default=0.0, help_text="0 to 1.")
    error = models.TextField(blank=True, default="")
    finished_at = models.DateTimeField(null=True)
    records = models.BigIntegerField(null=True)
    tree_size = models.BigIntegerField(null=True)
    root = models.CharField(max_length=64, blank=True, default="")
    sha256 = models.CharField(max_length=64, blank=True, default="")
    size = models.BigIntegerField(null=True, help_text="Bytes of the file.")

    class Meta:
        indexes = [
            # what the sweep has to do: finished ones pile up beside it
            models.Index(
                fields=["asked_at"],
                name="export_job_open",
                condition=models.Q(status__in=["waiting", "running"]),
            ),
            models.Index(fields=["use_case", "-id"], name="export_job_list"),
        ]

    def __str__(self) -> str:
        return f"export {self.pk} ({self.status})"
