"""Verdicts at the review desk: submitted, revealed, informed; and the known answers behind some."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from pydantic import Field, WithJsonSchema

from apps.accounts.callers import Caller
from apps.api.bodies import Body, Document, ListQuery, Prose, Reason, Slug, Text
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.decision_access import decision_for, shows_content
from apps.api.v1.lookups import found_or_404, use_case_for
from apps.registry.access import require_right
from apps.reviews.known_answers import known_answer_enter, known_output
from apps.reviews.models import KnownAnswer, Review, ReviewTask
from apps.workflow.desk.asking import review_inform
from apps.workflow.desk.checking import known_answer_forgive
from apps.workflow.desk.machines import reviewer_of
from apps.workflow.desk.opening import Opened, review_reveal
from apps.workflow.desk.submission import MAX_SECONDS, Submission
from apps.workflow.desk.submitting import Submitted, review_submit, said_of

VerdictName = Literal["confirm", "change", "answer", "withhold", "escalate", "abstain", "ask"]
StageName = Literal["blind", "open", "revealed", "adjudication"]
TaskStatus = Literal["open", "closed", "lapsed", "cancelled"]
DecisionStatus = Literal["pending", "released", "withheld", "reversed"]
Hash = Annotated[str, Text(64, shortest=1)]
Output = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [{"type": "object"}, {"type": "null"}],
            "description": "A final output in the form of the decision's kind.",
        }
    ),
]
Case = Annotated[Any, WithJsonSchema({"type": "object", "description": "What is shown."})]


class LeaseBody(Body):
    lease: UUID


class VerdictBody(LeaseBody):
    """`output` goes with `change` and `answer`; `rationale` is required with `change`, `withhold`
    and `ask`, where it is the question."""

    shown_hash: Hash
    verdict: VerdictName
    output: Output = None
    reason_code: Annotated[str, Text(80)] = ""
    rationale: Prose = ""
    confidence: float | None = Field(None, ge=0, le=1, strict=True, description="One's own.")
    active_seconds: float | None = Field(None, ge=0, le=MAX_SECONDS, strict=True)


class InformationBody(Body):
    text: Annotated[str, Text(20_000, shortest=1)]


class OpenedDocument(Document):
    """A case under a lease. `case` holds what the stage shows, nothing else."""

    task: UUID
    decision: UUID
    stage: StageName
    lease: UUID
    lease_expires_at: datetime
    shown_hash: str
    case: Case
    pause: str | None = Field(description="Where a pause is suggested: one sentence.")


class KnownFeedback(Document):
    right: bool
    answer: Output


class SubmittedDocument(Document):
    """The task after the verdict, and the decision's status. `stage`: what comes next at this
    seat, null when it is done."""

    task: UUID
    task_status: TaskStatus
    decision: UUID
    status: DecisionStatus
    verdict: VerdictName
    final: bool
    stage: StageName | None
    known_answer: KnownFeedback | None = Field(
        description="Where the policy gives feedback on a case whose answer was known."
    )


class WaitingTaskDocument(Document):
    task: UUID
    status: TaskStatus
    due_at: datetime | None
    paused_until: datetime | None


def opened_document(opened: Opened) -> OpenedDocument:
    return OpenedDocument(
        task=opened.task.pk,
        decision=opened.task.decision_id,
        stage=cast(StageName, opened.case.stage),
        lease=opened.lease,
        lease_expires_at=opened.lease_expires_at,
        shown_hash=opened.case.shown_hash,
        case=opened.case.document,
        pause=opened.load.pause,
    )


def review_task_for(caller: Caller, key: UUID, action: str) -> ReviewTask:
    """NotFound where the caller may not know of it, NotPermitted where they may not do this."""
    slugs = caller.visible("decision.view")
    found: QuerySet[ReviewTask] = ReviewTask.objects.all()
    visible = found if slugs is None else found.filter(use_case_id__in=slugs)
    task: ReviewTask = found_or_404(visible, f"review task {key}", pk=key)
    require_right(caller, action, task.use_case_id)
    return task


class VerdictView(ApiView):
    actions = {"POST": "review.take"}

    @operation("Submit a verdict", returns=SubmittedDocument, body=VerdictBody, problems={409})
    def post(self, caller: Caller, id: UUID, body: VerdictBody) -> SubmittedDocument:
        """On the case as it was shown: a lapsed or foreign lease, a closed task, a stopped use
        case and a case that changed since are refused with `409` (the last with `difference`), and
        what was written is kept as a draft. `answer` is the verdict of a blind stage and of a case
        without AI output. After the reveal `confirm` keeps one's own answer, `change` gives
        another one. `ask` stops the clock until somebody informs."""
        review_task_for(caller, id, "review.take")
        said = body.model_dump(exclude={"lease"})
        done = review_submit(
            actor=caller.actor,
            person=reviewer_of(caller),
            task_id=id,
            lease=body.lease,
            submission=Submission(**said),
        )
        return _submitted(done)


def _submitted(done: Submitted) -> SubmittedDocument:
    task_status, status = said_of(done)
    return SubmittedDocument(
        task=done.task.pk,
        task_status=cast(TaskStatus, task_status),
        decision=done.decision.pk,
        status=cast(DecisionStatus, status),
        verdict=cast(VerdictName, done.review.verdict),
        final=done.review.final,
        stage=cast("StageName | None", done.stage),
        known_answer=None if done.known is None else KnownFeedback(**done.known),
    )


class RevealView(ApiView):
    actions = {"POST": "review.take"}

    @operation("Reveal a blind case", returns=OpenedDocument, body=LeaseBody, problems={409})
    def post(self, caller: Caller, id: UUID, body: LeaseBody) -> OpenedDocument:
        """After the blind answer: the AI's output, its scores and explanation, the model and the
        reasons. A second verdict is then given on this case, with its new `shown_hash`."""
        review_task_for(caller, id, "review.take")
        opened = review_reveal(
            actor=caller.actor, person=reviewer_of(caller), task_id=id, lease=body.lease
        )
        return opened_document(opened)


class InformationView(ApiView):
    actions = {"POST": "review.inform"}

    @operation(
        "Answer a reviewer's question",
        returns=WaitingTaskDocument,
        body=InformationBody,
        problems={409},
    )
    def post(self, caller: Caller, id: UUID, body: InformationBody) -> WaitingTaskDocument:
        """The clock goes on, and the case is the asking reviewer's again at once."""
        review_task_for(caller, id, "review.inform")
        task = review_inform(actor=caller.actor, task_id=id, text=body.text)
        return WaitingTaskDocument(
            task=task.pk,
            status=cast(TaskStatus, task.status),
            due_at=task.due_at,
            paused_until=task.paused_until,
        )


# --- Known answers ----------------------------------------------------------------------------


class KnownAnswerBody(Body):
    decision: UUID
    output: Output
    reason: Reason


class ForgivenessBody(Body):
    reason: Reason


class KnownAnswersQuery(ListQuery):
    use_case: Slug | None = None
    status: Literal["active", "forgiven", "retired"] | None = None


class KnownAnswerDocument(Document):
    """`answered` and `right` count the reviews that were compared with it."""

    id: UUID
    use_case: str
    decision: UUID
    external_id: str
    label: str | None = Field(description="The right label; null for the other kinds.")
    source: Literal["drawn", "entered"]
    status: Literal["active", "forgiven", "retired"]
    made_by: str
    created_at: datetime
    answered: int
    right: int


class KnownAnswerDetail(KnownAnswerDocument):
    output: Output = Field(description="The right output; null where the content is not shown.")


class KnownAnswersView(ApiView):
    actions = {"GET": "known_answer.view", "POST": "review.lead"}

    @operation(
        "List known answers",
        returns=KnownAnswerDocument,
        listed=True,
        query=KnownAnswersQuery,
        problems={404},
    )
    def get(self, caller: Caller, query: KnownAnswersQuery) -> Any:
        """Newest first. Reviewers do not see which cases these are."""
        rows = _visible(caller)
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "known_answer.view")
            rows = rows.filter(use_case_id=query.use_case)
        if query.status is not None:
            rows = rows.filter(status=query.status)
        return self.page_of(rows, _listed)

    @operation(
        "Enter a known answer",
        returns=KnownAnswerDetail,
        status=201,
        body=KnownAnswerBody,
        problems={404, 409},
    )
    def post(self, caller: Caller, body: KnownAnswerBody) -> Created:
        """A decided case whose right output is known: it is mixed in among a reviewer's cases at
        the policy's rate."""
        decision_for(caller, body.decision, "review.lead")
        made = known_answer_enter(
            actor=caller.actor, decision_id=body.decision, output=body.output, reason=body.reason
        )
        return Created(_detail(caller, made.pk), reverse("api:known-answer", args=[made.pk]))


class KnownAnswerView(ApiView):
    actions = {"GET": "known_answer.view"}

    @operation("Read a known answer", returns=KnownAnswerDetail)
    def get(self, caller: Caller, id: UUID) -> KnownAnswerDetail:
        return _detail(caller, id)


class ForgivenessView(ApiView):
    actions = {"POST": "review.lead"}

    @operation(
        "Forgive a known answer", returns=KnownAnswerDetail, body=ForgivenessBody, problems={409}
    )
    def post(self, caller: Caller, id: UUID, body: ForgivenessBody) -> KnownAnswerDetail:
        """A bad one: what rested on it is computed again, and a qualification that fell by it
        alone is held again."""
        known: KnownAnswer = found_or_404(_visible(caller), f"known answer {id}", pk=id)
        require_right(caller, "review.lead", known.use_case_id)
        known_answer_forgive(actor=caller.actor, known_id=known.pk, reason=body.reason)
        return _detail(caller, id)


def _visible(caller: Caller) -> QuerySet[KnownAnswer]:
    slugs = caller.visible("known_answer.view")
    rows: QuerySet[KnownAnswer] = KnownAnswer.objects.select_related("decision")
    return rows if slugs is None else rows.filter(use_case_id__in=slugs)


def _listed(rows: list[KnownAnswer]) -> Iterator[KnownAnswerDocument]:
    marks = _marks(rows)
    return (KnownAnswerDocument(**_members(row, marks)) for row in rows)


def _detail(caller: Caller, key: UUID) -> KnownAnswerDetail:
    row: KnownAnswer = found_or_404(_visible(caller), f"known answer {key}", pk=key)
    shown = row.label is not None or shows_content(caller, row.use_case_id)
    output = known_output(row) if shown else None
    return KnownAnswerDetail(**_members(row, _marks([row])), output=output)


def _marks(rows: list[KnownAnswer]) -> list[tuple[UUID, datetime, bool | None]]:
    """The comparisons with the known answers of a page, in one query."""
    given = Review.objects.filter(
        decision__in=[row.decision_id for row in rows], task__kind="known", right__isnull=False
    )
    return list(given.values_list("decision_id", "created_at", "right"))


def _members(row: KnownAnswer, marks: list[tuple[UUID, datetime, bool | None]]) -> dict[str, Any]:
    own = [
        right
        for decision, at, right in marks
        if decision == row.decision_id and at >= row.created_at and row.status != "forgiven"
    ]
    return {
        "id": row.pk,
        "use_case": row.use_case_id,
        "decision": row.decision_id,
        "external_id": row.decision.external_id,
        "label": row.label,
        "source": row.source,
        "status": row.status,
        "made_by": row.made_by,
        "created_at": row.created_at,
        "answered": len(own),
        "right": own.count(True),
    }
