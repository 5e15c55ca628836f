"""What a person keeps for their own convenience. Not the trail: it bears on no decision."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SavedView(models.Model):
    """A list as a person narrowed and sorted it, under a name of theirs: its address's query."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=2000)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["person", "name"], name="one_saved_view_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class Heartbeat(models.Model):
    """When a worker last did what the scheduler asked for: both of them are alive then."""

    part = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.part}: {self.at}"
