"""What turned out to be true: for one decision, and for many line by line."""

from __future__ import annotations

from datetime import datetime
from typing import IO, Annotated, Any, Literal
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse
from pydantic import Field, StrictBool, WithJsonSchema
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from apps.accounts.callers import Caller
from apps.api.bodies import Body, Document, Moment, Name, OptionalReason, Slug, optional, read_body
from apps.api.operations import ApiView, Created, RawBody, operation
from apps.api.raw_bodies import BatchParser
from apps.api.renderers import LINES, LinesRenderer
from apps.api.v1.batches import BatchAnswer, Doors, batch_answer
from apps.api.v1.decision_access import decision_for
from apps.api.v1.decision_documents import BatchLine, RejectedLine
from apps.outcomes.models import Outcome
from apps.outcomes.services import outcome_record
from apps.workflow.batch import Counts
from apps.workflow.outcome_batch import Stated, take_outcomes

Output = Annotated[Any, WithJsonSchema({"type": "object"})]
Satisfaction = Annotated[float, Field(ge=0, le=1, strict=True)]


class OutcomeBody(Body):
    """`label` for a decision of kind label, `output` for number and fields, `correct` for text and
    action."""

    label: Name = optional("The true label.")
    output: Output = optional("The true output, in the form of the final one.")
    correct: StrictBool = optional("Whether the AI's output was right.")
    source: Literal["observed", "audit", "appeal"] = optional("`observed` where left out.")
    observed_at: Moment = optional()
    satisfaction: Satisfaction = optional("The subject's, 0 to 1.")
    reason: OptionalReason = ""


class OutcomeLineBody(OutcomeBody):
    use_case: Slug
    external_id: Annotated[str, Field(min_length=1, max_length=200, strict=True)]


class OutcomeDocument(Document):
    id: UUID
    decision: UUID
    source: Literal["observed", "audit", "appeal"]
    label: str | None
    correct: bool | None = Field(description="Null where no model had spoken.")
    satisfaction: float | None
    observed_at: datetime | None
    created_at: datetime


class OutcomeBatchDocument(Document):
    accepted: int
    duplicates: int
    rejected: list[RejectedLine]


class OutcomeView(ApiView):
    actions = {"POST": "outcome.record"}

    @operation(
        "Record an outcome",
        returns=OutcomeDocument,
        status=201,
        body=OutcomeBody,
        again="The newest outcome says the same already.",
        keyed=True,
    )
    def post(self, caller: Caller, id: UUID, body: OutcomeBody) -> Created | HttpResponse:
        """A later one supersedes; none is overwritten. A number is right within the use case's
        tolerance, fields are right field by field."""
        decision = decision_for(caller, id, "outcome.record")
        said = body.model_dump(exclude_unset=True)
        recorded = outcome_record(actor=caller.actor, decision=decision, **said)
        document = _document(recorded.outcome)
        if recorded.is_new:
            return Created(document, reverse("api:decision", kwargs={"id": decision.pk}))
        return Response(document.model_dump(mode="json"))


def _document(outcome: Outcome) -> OutcomeDocument:
    plain = ("source", "label", "correct", "satisfaction", "observed_at", "created_at")
    return OutcomeDocument(
        id=outcome.pk,
        decision=outcome.decision_id,
        **{name: getattr(outcome, name) for name in plain},
    )


class OutcomeBatchView(ApiView):
    actions = {"POST": "outcome.record"}
    parser_classes = [BatchParser]
    renderer_classes = [JSONRenderer, LinesRenderer]

    @operation(
        "Record many outcomes",
        returns=OutcomeBatchDocument,
        raw=RawBody(LINES, OutcomeLineBody),
        lines=BatchLine,
        keyed=True,
    )
    def post(self, caller: Caller, raw: Any) -> StreamingHttpResponse:
        """One outcome a line, at most 50,000 lines and 64 MiB. A bad line stops no other; the good
        ones are committed together."""

        def take(source: IO[bytes], doors: Doors, answer: BatchAnswer) -> Counts:
            return take_outcomes(
                actor=caller.actor, source=source, find=doors, read=_stated, told=answer
            )

        return batch_answer(self.request, raw, "outcome.record", take)


def _stated(body: dict[str, Any]) -> Stated:
    line = read_body(OutcomeLineBody, body)
    said = line.model_dump(exclude_unset=True, exclude={"use_case", "external_id"})
    return Stated(line.use_case, line.external_id, said)
