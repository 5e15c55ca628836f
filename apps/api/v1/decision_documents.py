"""Decisions as they are sent and answered, for the document: a use case's own rules check them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from apps.api.bodies import Document
from apps.api.v1.history import ActorDocument
from apps.decisions.domain.attachments import MAX_EVIDENCE, MAX_REGIONS, MAX_TOP_FEATURES
from apps.decisions.domain.checks import MAX_CONTENT, MAX_NAME, MAX_TEXT
from apps.decisions.domain.outputs import MAX_FIELDS

LaneName = Literal["automatic", "supervised", "review", "command", "blocked", "shadow"]
StatusName = Literal["pending", "released", "withheld", "reversed"]
KindName = Literal["label", "number", "fields", "text", "action"]

Word = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Words = Annotated[str, Field(max_length=MAX_TEXT)]
Unit = Annotated[float, Field(ge=0, le=1)]
Scalar = float | bool | Words | None


class Shape(BaseModel):
    """An object as it is sent. An optional key that is null counts as not given."""

    model_config = ConfigDict(extra="forbid")


class LabelOutput(Shape):
    """A class of the use case's set; scores are of its classes and sum to 1 within 0.01."""

    label: Word
    confidence: Unit | None = None
    scores: dict[str, Unit] | None = Field(None, min_length=1)


class NumberOutput(Shape):
    value: float
    low: float | None = None
    high: float | None = None
    confidence: Unit | None = None


class FieldValue(Shape):
    value: Any
    confidence: Unit | None = None


class FieldsOutput(Shape):
    """Named values, as a document's extraction gives them; the lowest confidence counts."""

    fields: dict[str, FieldValue] = Field(min_length=1, max_length=MAX_FIELDS)


class TextOutput(Shape):
    text: Words
    confidence: Unit | None = None


class ActionOutput(Shape):
    """A proposed call or transaction."""

    name: Word
    arguments: dict[str, Any] | None = None
    confidence: Unit | None = None


class Subject(Shape):
    ref: Word | None = Field(None, description="Kept with the content; elsewhere a pseudonym.")
    attributes: dict[str, Scalar] | None = None


class TopFeature(Shape):
    name: Word
    weight: float


class Explanation(Shape):
    text: Words | None = None
    top_features: list[TopFeature] | None = Field(None, max_length=MAX_TOP_FEATURES)


class Evidence(Shape):
    kind: Literal["text", "image", "pdf", "table", "url"]
    title: Annotated[str, Field(max_length=300)] | None = None
    content: Annotated[str, Field(max_length=MAX_CONTENT)] | dict[str, Any] | list[Any]
    regions: list[dict[str, Any]] | None = Field(None, max_length=MAX_REGIONS)


class DecisionBody(Shape):
    """One output of one model version for one case. `output` has the form of its `kind`, and is
    null where no model has spoken yet."""

    use_case: str
    external_id: Word = Field(description="The sender's name of the case: decided once.")
    model: Word
    model_version: Word
    kind: KindName
    output: LabelOutput | NumberOutput | FieldsOutput | TextOutput | ActionOutput | None
    amount: str | int | None = Field(
        None, description='Exact: text such as "25000.00", or a whole number.'
    )
    features: dict[str, Scalar] | None = None
    subject: Subject | None = None
    explanation: Explanation | None = None
    evidence: list[Evidence] | None = Field(None, max_length=MAX_EVIDENCE)
    decided_at: str | None = Field(None, description="RFC 3339 with a zone; now where left out.")


class ReasonDocument(Document):
    """Why the decision went where it did; without content the code alone."""

    code: str
    rule: str | None
    value: Any
    text: str


class ReviewAsked(Document):
    task: UUID
    due_at: datetime | None
    reviews_required: int


class AnswerDocument(Document):
    id: UUID
    use_case: str
    external_id: str
    lane: LaneName
    would_be: LaneName | None = Field(description="In pilot: the lane it would have taken.")
    status: StatusName
    final_output: dict[str, Any] | None = Field(description="What may be acted on.")
    reasons: list[ReasonDocument]
    policy_version: UUID
    sampling_probability: float | None
    review: ReviewAsked | None
    created_at: datetime


class SeenDecisionDocument(AnswerDocument):
    content_shown: bool = Field(
        description="False: the caller's roles show no content; reasons are codes, and a final "
        "output other than a label is left out."
    )


class StepDocument(Document):
    """One change of the decision."""

    at: datetime
    actor: ActorDocument
    change: Literal["created", "changed", "deleted"]
    status: StatusName
    lane: LaneName
    reason: str


class DecisionDocument(SeenDecisionDocument):
    history: list[StepDocument] = Field(description="Oldest first.")


class RoutedDocument(Document):
    lane: LaneName
    would_be: LaneName | None
    sampling_probability: float | None
    mandate: UUID | None
    reasons: list[ReasonDocument]


class ReplayDocument(Document):
    same: bool | None = Field(description="Null: an erasure took the inputs; `why` says so.")
    why: str | None = None
    policy_version: UUID | None = None
    policy_hash: str | None = None
    recorded: RoutedDocument | None = None
    routed_again: RoutedDocument | None = None


class FaultDocument(Document):
    pointer: str
    detail: str


class RejectedLine(Document):
    line: int
    errors: list[FaultDocument]


class BatchDocument(Document):
    accepted: int
    duplicates: int
    rejected: list[RejectedLine]
    lanes: dict[LaneName, int]


class BatchLine(Document):
    """What became of a line; the last line is the summary, with the number of rejected lines."""

    line: int
    id: UUID | None = None
    external_id: str | None = None
    lane: LaneName | None = None
    status: StatusName | None = None
    final_output: dict[str, Any] | None = None
    errors: list[FaultDocument] | None = None
