"""The transactional outbox: what happened, to be told to others at least once."""

from __future__ import annotations

from django.db import models

from apps.common.fields import StoredJSONField
from apps.common.ids import uuid7


class OutboxEvent(models.Model):
    """Written in the transaction of what it tells; numbered by the relay when it is published."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    type = models.CharField(max_length=40)
    use_case = models.CharField(max_length=80)
    decision = models.UUIDField(null=True)
    data = StoredJSONField(default=dict)
    created_at = models.DateTimeField()
    seq = models.BigIntegerField(null=True, unique=True)

    class Meta:
        indexes = [
            # what the relay has still to publish
            models.Index(
                fields=["id"], name="outbox_unpublished", condition=models.Q(seq__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.type}"
