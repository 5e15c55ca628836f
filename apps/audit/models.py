"""The ledger's tables, and access events: what happened that changed no row."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils import timezone

from apps.common.fields import StoredJSONField
from apps.common.models import AppendOnlyModel


class AccessEvent(AppendOnlyModel):
    """Something that left no other row: a refusal, a failed login, an export, personal data seen."""

    sealed = True
    record_use_case = "use_case"

    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=40)
    actor_kind = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=64)
    actor_name = models.CharField(max_length=200)
    action = models.CharField(max_length=60, blank=True, default="")
    target = models.CharField(max_length=200, blank=True, default="")
    use_case = models.CharField(max_length=80, blank=True, default="")
    # How often it happened: repeats from one source within a minute are one record.
    count = models.PositiveIntegerField(default=1)
    detail = StoredJSONField(default=dict, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["kind", "at"], name="access_event_kind_at"),
            # who looked at one decision
            models.Index(
                fields=["target"], name="access_event_target", condition=models.Q(target__gt="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.actor_name}"


class RepeatedEvent(models.Model):
    """Counts an event's repeats within a minute, until the sweep writes their sum. Not the trail."""

    fingerprint = models.CharField(max_length=64)
    minute = models.BigIntegerField()
    count = models.PositiveIntegerField(default=1)
    event = StoredJSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fingerprint", "minute"], name="one_counter_a_minute")
        ]

    def __str__(self) -> str:
        return f"{self.fingerprint} x{self.count}"


class LedgerKey(AppendOnlyModel):
    """A public key that has signed checkpoints. A later key is endorsed by the one before it."""

    sealed = True

    at = models.DateTimeField(default=timezone.now)
    name = models.CharField(max_length=200)
    public_key = models.CharField(max_length=64, unique=True, help_text="Ed25519, 32 bytes, hex")
    endorsement = models.TextField(
        blank=True,
        default="",
        help_text="Signed note of the key before over this key; empty for the first",
    )

    def __str__(self) -> str:
        return f"{self.name} {self.public_key[:16]}…"


class RecordSchema(AppendOnlyModel):
    """The field list of one (type, schema) as it was first used; the code must agree for ever."""

    sealed = True

    at = models.DateTimeField(default=timezone.now)
    described_type = models.CharField(max_length=40)
    number = models.PositiveSmallIntegerField()
    definition = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["described_type", "number"], name="one_definition_each")
        ]

    def __str__(self) -> str:
        return f"{self.described_type}/{self.number}"


class PendingRecord(models.Model):
    """A record that waits for its leaf. Written by triggers alone, removed by the sealer alone."""

    id = models.BigAutoField(primary_key=True)
    record_type = models.CharField(max_length=40)
    record_id = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.record_type} {self.record_id}"


class Leaf(AppendOnlyModel):
    """One record in the ledger: the exact bytes that were hashed, and what lists are filtered by."""

    index = models.BigIntegerField(primary_key=True)
    record_type = models.CharField(max_length=40)
    record_id = models.BigIntegerField()
    schema = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    actor_id = models.CharField(max_length=64)
    use_case = models.CharField(max_length=80, null=True)
    data = models.TextField()
    leaf_hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            # A record enters once; also how a record's leaf is found.
            models.UniqueConstraint(fields=["record_type", "record_id"], name="one_leaf_a_record")
        ]
        indexes = [
            # audit/records/?from=&to=, exports by time. Leaves stand nearly in the order of time, so
            # block ranges do on PostgreSQL, at a fraction of the cost; SQLite makes it an ordinary one.
            BrinIndex(fields=["at"], name="leaf_at_brin"),
            # audit/records/?actor=
            models.Index(fields=["actor_id", "index"], name="leaf_actor"),
            # audit/records/?use_case=
            models.Index(
                fields=["use_case", "index"],
                name="leaf_use_case",
                condition=models.Q(use_case__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"leaf {self.index}: {self.record_type} {self.record_id}"


class Node(AppendOnlyModel):
    """The hash of a complete subtree: ``position`` is ``level << 56 | index``.

    Level 0 is in Leaf; the levels below ``ledger.LOWEST_STORED`` are computed from it.
    """

    position = models.BigIntegerField(primary_key=True)
    hash = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"node {self.position >> 56}/{self.position & ((1 << 56) - 1)}"


class Checkpoint(AppendOnlyModel):
    """A signed tree head."""

    record_time = "created_at"

    id = models.BigAutoField(primary_key=True)
    tree_size = models.BigIntegerField(unique=True)
    root_hash = models.BinaryField(max_length=32)
    note = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"checkpoint {self.tree_size}"


class WitnessReceipt(AppendOnlyModel):
    """A checkpoint was delivered to a witness: what has none is delivered next, in order."""

    record_time = "delivered_at"

    witness = models.CharField(max_length=80)
    tree_size = models.BigIntegerField()
    delivered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["witness", "tree_size"], name="one_receipt_each")
        ]

    def __str__(self) -> str:
        return f"{self.witness}: {self.tree_size}"


class VerificationRun(models.Model):
    """The result of one verification, for the status page. Not evidence: run it again yourself."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    full = models.BooleanField()
    ok = models.BooleanField()
    records = models.BigIntegerField()
    tree_size = models.BigIntegerField()
    root = models.CharField(max_length=64)
    findings = StoredJSONField(default=list)

    class Meta:
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"{'sound' if self.ok else 'tampered'} at {self.finished_at:%Y-%m-%d %H:%M}"
