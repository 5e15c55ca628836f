"""Decisions: what the AI proposed, where it was sent and why, and what took effect.

What names or describes a person is not here but in the payload, bound by salted commitments.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.indexes import BrinIndex, HashIndex
from django.db import models
from django.db.models.functions import Coalesce

from apps.common.fields import ExactDecimalField, StoredJSONField
from apps.common.history import TrackedHistory
from apps.common.models import AppendOnlyModel, TrackedModel
from apps.policies.models import PolicyVersion
from apps.registry.models import ModelVersion, UseCase

PARTS = ("features", "subject", "output", "explanation", "evidence", "reasons")


def _reference(to: Any) -> Any:
    """A reference without an index of its own: each index is paid for by every decision. It is
    checked by a trigger, a statement at once, and not by a foreign key, row by row."""
    return models.ForeignKey(
        to, models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )


def _code(length: int) -> Any:
    return models.CharField(max_length=length)


def _commitment() -> Any:
    return models.CharField(max_length=64, null=True)


class Decision(TrackedModel):
    """One output of one model version for one subject in one use case."""

    record_use_case = "use_case_id"
    _payload: Payload | None  # read once, by selectors.payload_of

    use_case = _reference(UseCase)
    external_id = models.CharField(max_length=200)
    model_version = _reference(ModelVersion)
    kind = _code(8)
    label = models.CharField(max_length=200, null=True)
    confidence = models.FloatField(null=True)
    margin = models.FloatField(null=True)
    label_not_top = models.BooleanField(default=False)
    amount = ExactDecimalField(null=True)
    decided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    submitted_by = _code(64)
    past = models.BooleanField(default=False)
    # where routing sent it, and every input of the routing that is not in the payload
    lane = _code(10)
    would_be = models.CharField(max_length=10, null=True)
    reason_codes = _code(120)
    sampling_probability = models.FloatField(null=True)
    after_review = models.BooleanField(default=False)
    policy = _reference(PolicyVersion)
    routed_at = models.DateTimeField()
    lifecycle = _code(9)
    model_status = _code(9)
    mandate = models.UUIDField(null=True)
    mandates_left = StoredJSONField(null=True)
    # what became of it
    status = _code(8)
    settled_at = models.DateTimeField(null=True)
    final_label = models.CharField(max_length=200, null=True)
    # the content
    subject_pseudonym = models.CharField(max_length=64, null=True)
    features_commitment = _commitment()
    subject_commitment = _commitment()
    output_commitment = _commitment()
    explanation_commitment = _commitment()
    evidence_commitment = _commitment()
    reasons_commitment = _commitment()
    final_commitment = _commitment()
    history = TrackedHistory()

    class Meta:
        constraints = [
            # a case is decided once; also the lookup by external id
            models.UniqueConstraint(fields=["use_case", "external_id"], name="one_decision_a_case")
        ]
        indexes = [
            # lists: a use case's decisions, newest first (ids are ordered by time)
            models.Index(fields=["use_case", "-id"], name="decision_list"),
            # a use case's decisions by when they were made, with all that a list is narrowed and
            # sorted by: some thousand are looked at without reading one of their rows. What the
            # expression is made of is named too, or PostgreSQL would read the rows for it.
            models.Index(
                "use_case",
                Coalesce("decided_at", "created_at"),
                "id",
                name="decision_days",
                include=[
                    "decided_at",
                    "created_at",
                    "external_id",
                    "model_version",
                    "label",
                    "confidence",
                    "amount",
                    "lane",
                    "status",
                ],
            ),
            # what waits for people
            models.Index(
                fields=["use_case", "id"],
                name="decision_pending",
                condition=models.Q(status="pending"),
            ),
            # past cases like one at hand; only what people decided is in it, so that ingest pays
            # nothing for it
            models.Index(
                fields=["use_case", "label", "confidence"],
                name="decision_similar",
                condition=models.Q(lane="review", settled_at__isnull=False),
            ),
            # what a stop withheld, to be routed again
            models.Index(
                fields=["use_case", "id"],
                name="decision_blocked",
                condition=models.Q(lane="blocked", status="withheld"),
            ),
            # on the monitor: what was released and may still be undone, counted and put in order
            # without reading one of their rows
            models.Index(
                fields=["use_case", "id"],
                name="decision_supervised",
                condition=models.Q(lane="supervised", status="released", past=False),
                include=["policy", "routed_at", "after_review"],
            ),
            # by hash: pseudonyms come in no order, and 64 characters of each would make every
            # decision change a page of a large tree. SQLite makes it an ordinary one.
            HashIndex(
                fields=["subject_pseudonym"],
                name="decision_subject",
                condition=models.Q(subject_pseudonym__isnull=False),
            ),
            # a day's decisions, when figures are counted. Rows stand nearly in the order of time,
            # so block ranges do on PostgreSQL, and cost ingest next to nothing; what was imported
            # out of order makes a day read more blocks, no less right. SQLite makes it an ordinary
            # one.
            BrinIndex(Coalesce("decided_at", "created_at"), name="decision_day_brin"),
        ]

    def __str__(self) -> str:
        return f"{self.use_case_id} {self.external_id}"


class Payload(AppendOnlyModel):
    """The content of a decision as the bytes it was accepted as, and the salts that bind it."""

    decision = models.UUIDField(primary_key=True)
    digest = models.CharField(max_length=64, help_text="Keyed hash of the whole content as sent.")
    salt = models.BinaryField(
        max_length=96, help_text="16 bytes for each part, in the order of PARTS."
    )
    features = models.TextField(null=True)
    subject = models.TextField(null=True)
    output = models.TextField(null=True)
    explanation = models.TextField(null=True)
    evidence = models.TextField(null=True)
    reasons = models.TextField(null=True)

    def __str__(self) -> str:
        return str(self.decision)


class Content(AppendOnlyModel):
    """Content that came to a decision later: a final output, a statement, a rationale."""

    id = models.BigAutoField(primary_key=True)
    decision = models.UUIDField(db_index=True)
    part = _code(20)
    salt = models.BinaryField(max_length=16)
    content = models.TextField()

    def __str__(self) -> str:
        return f"{self.part} of {self.decision}"


class StoredAnswer(models.Model):
    """The answer to a request with an Idempotency-Key. Not the trail; kept for a day."""

    caller = _code(64)
    key = _code(200)
    body_hash = _code(64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="one_answer_a_key")]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"


class IngestRun(models.Model):
    """How far a file has come, so that a killed ingest goes on where it stopped."""

    use_case = _code(80)
    kind = _code(10)
    file_hash = _code(64)
    line = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    finished = models.BooleanField(default=False)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["use_case", "kind", "file_hash"], name="one_run_a_file")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.use_case} line {self.line}"
