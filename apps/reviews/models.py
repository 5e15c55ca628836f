"""Tasks that wait for people, the seats at them, and what people said.

Tracked are the tasks, the reviews, and every act of a lead. Not tracked are leases, drafts and
pools: who holds what at this moment is not a decision, and the review that follows says it anyway.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from apps.common.fields import StoredJSONField
from apps.common.history import TrackedHistory
from apps.common.models import TrackedModel
from apps.decisions.models import Decision
from apps.registry.models import UseCase

KINDS = [
    ("before", "before release"),
    ("after", "after release"),
    ("known", "known answer"),
    ("practice", "practice"),
]
TASK_STATUSES = [(s, s) for s in ("open", "closed", "lapsed", "cancelled")]
VERDICTS = [
    (v, v) for v in ("confirm", "change", "answer", "withhold", "escalate", "abstain", "ask")
]
SEAT_STATES = [(s, s) for s in ("free", "leased", "done", "closed")]
STAGES = [("review", "review"), ("adjudication", "adjudication")]


def _reference(to: Any, name: str = "+", *, indexed: bool = False) -> Any:
    """Of a row that arrives with its decision: checked by a trigger, a statement at once, and not
    by a foreign key, row by row."""
    return models.ForeignKey(
        to, models.PROTECT, related_name=name, db_index=indexed, db_constraint=False
    )


def _person(*, null: bool = False) -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=null, related_name="+", db_index=False
    )


class ReviewTask(TrackedModel):
    """A decision asks people: so many reviews, by a time.

    ``closed``: people have settled it; ``lapsed``: its time ran out and the fallback did;
    ``cancelled``: nothing is left to ask. A verdict on any but an open one is refused.
    """

    record_use_case = "use_case_id"

    use_case = _reference(UseCase)
    decision = _reference(Decision, "tasks", indexed=True)
    kind = models.CharField(max_length=8, choices=KINDS)
    status = models.CharField(max_length=9, choices=TASK_STATUSES)
    reviews_required = models.PositiveSmallIntegerField()
    due_at = models.DateTimeField(null=True)
    rank = models.DateTimeField()
    level = models.PositiveSmallIntegerField(default=0, help_text="How often it was escalated.")
    role = models.CharField(max_length=24, default="", help_text="Whom it was escalated to.")
    paused_at = models.DateTimeField(null=True, help_text="Since when it waits for information.")
    paused_until = models.DateTimeField(null=True)
    ruling = StoredJSONField(null=True, help_text="How the votes were combined: no content.")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    history = TrackedHistory()

    class Meta:
        indexes = [
            # lists of what waits, and the sweep of what is overdue
            models.Index(fields=["rank"], name="task_queue", condition=models.Q(status="open")),
            models.Index(fields=["due_at"], name="task_due", condition=models.Q(status="open")),
            # how many lapsed of late
            models.Index(
                fields=["closed_at"], name="task_lapsed", condition=models.Q(status="lapsed")
            ),
            # what came of late: rows stand in the order of time, so that block ranges do
            BrinIndex(fields=["created_at"], name="task_came_brin"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.decision_id} ({self.status})"


class Pool(models.Model):
    """Who may take a seat: the role and the skills that it asks for in one use case.

    Derived, few, and never changed; so that a claim looks for seats by one number.
    """

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+", db_index=False)
    role = models.CharField(max_length=24, default="", help_text="Empty: whoever may review.")
    skills = StoredJSONField(default=list)
    key = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return f"{self.use_case_id} {self.role or 'reviewer'} {self.skills}"


class Seat(models.Model):
    """One of the reviews that a task asks for, and who holds it.

    ``lease`` and ``fence`` change with each claim: a submit under an older one is refused.
    ``holder`` stays when the review is given, so that no person gets two seats of a task.
    """

    id = models.BigAutoField(primary_key=True)
    task = _reference(ReviewTask, "seats")
    number = models.PositiveSmallIntegerField()
    stage = models.CharField(max_length=12, choices=STAGES, default="review")
    pool = _reference(Pool)
    rank = models.DateTimeField()
    state = models.CharField(max_length=6, choices=SEAT_STATES, default="free")
    assigned_to = _person(null=True)
    not_before = models.DateTimeField(null=True)
    holder = _person(null=True)
    lease = models.UUIDField(null=True)
    fence = models.PositiveIntegerField(default=0)
    leased_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    answered = models.BooleanField(default=False, help_text="The blind answer is given.")
    shown_hash = models.CharField(max_length=64, null=True)
    shown = StoredJSONField(null=True, help_text="What the verdict is bound to: no content.")

    class Meta:
        constraints = [
            # also the seats of one task
            models.UniqueConstraint(fields=["task", "number"], name="one_row_a_seat"),
            models.UniqueConstraint(
                fields=["task", "holder"],
                condition=models.Q(holder__isnull=False),
                name="one_seat_a_person",
            ),
        ]
        indexes = [
            # the claim: the first free seat of a pool
            models.Index(
                fields=["pool", "rank", "id"],
                name="seat_queue",
                condition=models.Q(state="free", assigned_to__isnull=True),
            ),
            # what was given to one person
            models.Index(
                fields=["assigned_to", "rank"],
                name="seat_assigned",
                condition=models.Q(state="free", assigned_to__isnull=False),
            ),
            # the sweep of lapsed leases
            models.Index(
                fields=["lease_expires_at"],
                name="seat_lapsing",
                condition=models.Q(state="leased"),
            ),
            # what a person holds now
            models.Index(fields=["holder"], name="seat_held", condition=models.Q(state="leased")),
        ]

    def __str__(self) -> str:
        return f"seat {self.number} of {self.task_id} ({self.state})"


class Draft(models.Model):
    """What a person has written so far at a seat; kept when the lease lapses, gone when it counts.

    With ``submit_at`` it is final at that moment unless it is taken back before.
    """

    seat = models.ForeignKey(Seat, models.CASCADE, related_name="drafts")
    person = _person()
    body = models.TextField()
    submit_at = models.DateTimeField(null=True)
    refused = models.TextField(default="", help_text="Why it could not be made final.")
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seat", "person"], name="one_draft_each")]
        indexes = [
            # what is to be made final
            models.Index(
                fields=["submit_at"],
                name="draft_due",
                condition=models.Q(submit_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"draft of {self.person_id} at {self.seat_id}"


class Review(TrackedModel):
    """One person's verdict on one decision. Imported ones were given elsewhere, before.

    ``initial_*``: what was answered before the AI's output was seen; ``label`` and ``verdict``:
    what counts. What is said in words, and outputs other than a label, are content behind
    commitments.
    """

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+", db_index=False)
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="reviews")
    task = models.ForeignKey(
        ReviewTask, models.PROTECT, null=True, related_name="reviews", db_index=False
    )
    reviewer = _person()
    imported = models.BooleanField(default=False)
    machine = models.BooleanField(default=False, help_text="Votes, but is no human review.")
    stage = models.CharField(max_length=12, choices=STAGES, default="review")
    verdict = models.CharField(max_length=8, choices=VERDICTS, default="", blank=True)
    final = models.BooleanField(default=True, help_text="False: only the blind answer is given.")
    label = models.CharField(max_length=200, null=True)
    initial_label = models.CharField(max_length=200, null=True)
    saw_ai = models.BooleanField(null=True)
    confidence = models.FloatField(null=True)
    active_seconds = models.FloatField(null=True)
    reason_code = models.CharField(max_length=80, default="", blank=True)
    rationale_commitment = models.CharField(max_length=64, null=True)
    output_commitment = models.CharField(max_length=64, null=True)
    initial_commitment = models.CharField(max_length=64, null=True)
    shown_hash = models.CharField(max_length=64, null=True)
    right = models.BooleanField(null=True, help_text="Against a known answer.")
    reviewed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    history = TrackedHistory()

    class Meta:
        constraints = [
            # a person's past verdict on a case is taken once
            models.UniqueConstraint(
                fields=["decision", "reviewer"],
                condition=models.Q(imported=True),
                name="one_imported_review_each",
            ),
            # a person counts once at a task; also the reviews of one task
            models.UniqueConstraint(
                fields=["task", "reviewer"],
                condition=models.Q(task__isnull=False),
                name="one_review_each_task",
            ),
        ]
        indexes = [
            # what a person has done, and of late: asked at each claim
            models.Index(fields=["reviewer", "reviewed_at"], name="review_of_person"),
            # what was done of late; imported ones make a range read more blocks, no less right
            BrinIndex(fields=["reviewed_at"], name="review_day_brin"),
            # a person's newest case in each use case: what was imported has no part in it
            models.Index(
                fields=["reviewer", "use_case", "reviewed_at"],
                name="review_last_case",
                condition=models.Q(imported=False, machine=False),
            ),
            # answers to known cases
            models.Index(
                fields=["reviewer"],
                name="review_known",
                condition=models.Q(right__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer_id} on {self.decision_id}"


class Assignment(TrackedModel):
    """Who gave a seat to whom, or took it back, and how; why is its change reason."""

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+", db_index=False)
    task = models.ForeignKey(ReviewTask, models.PROTECT, related_name="assignments")
    seat = models.PositiveSmallIntegerField()
    kind = models.CharField(
        max_length=8,
        choices=[(k, k) for k in ("assign", "reassign", "return", "delegate", "unassign")],
    )
    person = _person(null=True)
    made_by = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    history = TrackedHistory()

    def __str__(self) -> str:
        return f"{self.kind} {self.task_id} to {self.person_id}"


class Absence(TrackedModel):
    """From when to when a person is away, and who stands in."""

    person = _person()
    delegate = _person(null=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    history = TrackedHistory()

    class Meta:
        indexes = [models.Index(fields=["person", "ends_at"], name="absence_of_person")]

    def __str__(self) -> str:
        return f"{self.person_id} away until {self.ends_at}"


class KnownAnswer(TrackedModel):
    """A decision whose right answer is known, shown blind to see how well people decide."""

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+", db_index=False)
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="known_answers")
    label = models.CharField(max_length=200, null=True)
    output_commitment = models.CharField(max_length=64, null=True)
    source = models.CharField(max_length=7, choices=[("drawn", "drawn"), ("entered", "entered")])
    status = models.CharField(
        max_length=8, choices=[(s, s) for s in ("active", "forgiven", "retired")]
    )
    made_by = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    history = TrackedHistory()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["decision"],
                condition=models.Q(status="active"),
                name="one_known_answer_each",
            )
        ]
        indexes = [
            # what can be mixed in
            models.Index(
                fields=["use_case", "id"],
                name="known_answer_active",
                condition=models.Q(status="active"),
            )
        ]

    def __str__(self) -> str:
        return f"known answer of {self.decision_id} ({self.status})"


class ReliabilityFit(TrackedModel):
    """How reliable each reviewer of a use case was found: what weighs votes until the next fit.

    ``document``: {"labels": [...], "prior": [...], "reviewers": {person id: rows of the confusion
    matrix}, "cases": n, "iterations": n, "converged": bool}.
    """

    record_use_case = "use_case_id"

    use_case = models.ForeignKey(UseCase, models.PROTECT, related_name="+")
    fitted_at = models.DateTimeField()
    reviews = models.PositiveIntegerField()
    document = StoredJSONField()
    history = TrackedHistory()

    def __str__(self) -> str:
        return f"{self.use_case_id} {self.fitted_at}"
