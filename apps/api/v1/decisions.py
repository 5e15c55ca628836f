"""``decisions/``: sent in and answered in one call, waited for, listed, replayed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from pydantic import Field
from rest_framework.response import Response

from apps.accounts.callers import Caller
from apps.api.bodies import ListQuery, Moment, Number, Query, Slug
from apps.api.operations import ApiView, Created, RawBody, operation
from apps.api.raw_bodies import RawJSONParser, sent_bytes
from apps.api.v1.decision_access import (
    HIDDEN,
    content_viewed,
    contents_viewed,
    decision_for,
    shows_content,
    use_case_to_send_to,
    visible_decisions,
    without_content,
)
from apps.api.v1.decision_documents import (
    AnswerDocument,
    DecisionBody,
    DecisionDocument,
    LaneName,
    ReplayDocument,
    SeenDecisionDocument,
    StatusName,
    StepDocument,
)
from apps.api.v1.history import CHANGES, ActorDocument
from apps.api.v1.lookups import use_case_for
from apps.api.waiting import wait_until_settled
from apps.common.errors import BadInput, Conflict
from apps.decisions.domain.lifecycle import Status
from apps.decisions.domain.strict_json import parse_object
from apps.decisions.models import Decision
from apps.registry.models import UseCase
from apps.reviews.models import ReviewTask
from apps.workflow.answers import answer, answers, first_answer
from apps.workflow.arrivals import Arrival, arrival, validator_of
from apps.workflow.batch import slug_of
from apps.workflow.desk.blindness import blinded, hidden_from
from apps.workflow.desk.closed import closed_to, waiting_document, without_closed
from apps.workflow.intake import Seen, look, take_one
from apps.workflow.replay import replay
from apps.workflow.taken import Taken

MAX_WAIT_S = 60
WaitSeconds = Annotated[Number, Field(le=MAX_WAIT_S)]


class DecisionsQuery(ListQuery):
    """Times are of arrival, from `from` to before `to`."""

    use_case: Slug | None = None
    status: StatusName | None = None
    lane: LaneName | None = None
    external_id: str | None = Field(None, max_length=200)
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")


class WaitQuery(Query):
    wait: WaitSeconds = Field(
        0, description="Seconds to wait for the status to leave `pending`, at most 60."
    )


class DecisionsView(ApiView):
    actions = {"GET": "decision.view", "POST": "decision.submit"}
    parser_classes = [RawJSONParser]

    @operation(
        "List decisions",
        returns=SeenDecisionDocument,
        listed=True,
        query=DecisionsQuery,
        problems={404},
    )
    def get(self, caller: Caller, query: DecisionsQuery) -> Any:
        """Newest first. What a person sees of content here is recorded, as one decision's is. A
        case that waits for the caller's own answer is left out until it is given."""
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "decision.view")
        return self.page_of(_matching(caller, query), lambda rows: _page(caller, rows))

    @operation(
        "Send a decision in",
        returns=AnswerDocument,
        status=201,
        raw=RawBody("application/json", DecisionBody),
        again="The same decision was there already: the first answer.",
        keyed=True,
        problems={409, 503},
    )
    def post(self, caller: Caller, raw: object) -> Created | HttpResponse:
        """It is routed by the policy in force and answered at once; only `released` may be acted
        on. The same `external_id` with other content is refused with `409`."""
        found, seen = _read(caller, sent_bytes(raw))
        taken, given = take_one(actor=caller.actor, arrival=found, seen=seen)
        _refuse(taken)
        if given is None:
            standing = first_answer(Decision.objects.get(pk=str(taken.id)))
            return Response(AnswerDocument(**standing).model_dump(mode="json"))
        return Created(AnswerDocument(**given), reverse("api:decision", kwargs={"id": taken.id}))


def _read(caller: Caller, raw: bytes) -> tuple[Arrival, Seen]:
    """The checked decision, and what it can be routed by: read in one trip with its use case."""
    body, found = parse_object(raw), list[Seen]()
    names = [body.get(name) for name in ("external_id", "model", "model_version")]
    texts = [name for name in names if isinstance(name, str)]

    def read(slug: str) -> UseCase | None:
        whole = len(texts) == len(names)  # a decision without them is refused below
        external_ids, versions = (texts[:1], [(texts[1], texts[2])]) if whole else ([], [])
        found.append(look(slug, external_ids, versions))
        return found[0].use_case

    use_case = use_case_to_send_to(caller, slug_of(body), "decision.submit", read)
    return arrival(0, validator_of(use_case).validate(body, timezone.now())), found[0]


def _refuse(taken: Taken) -> None:
    if taken.conflict:
        raise Conflict("; ".join(error.detail for error in taken.errors))
    if taken.state == "rejected":
        raise BadInput(taken.errors)


def _matching(caller: Caller, query: DecisionsQuery) -> QuerySet[Decision]:
    named = {
        "use_case_id": query.use_case,
        "status": query.status,
        "lane": query.lane,
        "external_id": query.external_id,
        "created_at__gte": query.since,
        "created_at__lt": query.until,
    }
    wanted = {name: value for name, value in named.items() if value is not None}
    return without_closed(caller, visible_decisions(caller)).filter(**wanted)


def _page(caller: Caller, rows: list[Decision]) -> Iterator[SeenDecisionDocument]:
    shown = {slug: shows_content(caller, slug) for slug in {row.use_case_id for row in rows}}
    contents_viewed(caller, [row for row in rows if shown[row.use_case_id]])
    hidden = hidden_from(caller, [row.pk for row in rows])
    for decision, document in answers(rows):
        seen = shown[decision.use_case_id]
        yield SeenDecisionDocument(**_seen(decision, document, seen, decision.pk in hidden))


def _seen(
    decision: Decision, document: dict[str, Any], shown: bool, hidden: bool
) -> dict[str, Any]:
    """``hidden``: it waits for the caller's own blind review."""
    if hidden:
        return {**blinded(document), "content_shown": False}
    document = document if shown else without_content(document, decision)
    return {**document, "content_shown": shown}


class DecisionView(ApiView):
    actions = {"GET": "decision.view"}

    @operation("Read a decision", returns=DecisionDocument, query=WaitQuery, problems={503})
    def get(self, caller: Caller, id: UUID, query: WaitQuery) -> DecisionDocument | Response:
        """With `wait` it answers as soon as people have settled it. Few may wait at a time: beyond
        them the answer comes at once, with `Retry-After`."""
        decision = decision_for(caller, id)
        refused = False
        if query.wait and decision.status == Status.PENDING:
            refused = not wait_until_settled(decision.pk, query.wait)
            decision = decision_for(caller, id)
        document = _opened(caller, decision)
        if not refused:
            return document
        return Response(document.model_dump(mode="json"), headers={"Retry-After": "1"})


def _opened(caller: Caller, decision: Decision) -> DecisionDocument:
    task = closed_to(caller, [decision.pk]).get(decision.pk)
    if task is not None:
        return _closed(task)
    shown = shows_content(caller, decision.use_case_id)
    if shown:
        content_viewed(caller, decision)
    hidden = bool(hidden_from(caller, [decision.pk]))
    seen = _seen(decision, answer(decision), shown, hidden)
    return DecisionDocument(**seen, history=list(_history(decision)))


def _closed(task: ReviewTask) -> DecisionDocument:
    """It came, and waits for the caller's own answer: the same of all such cases."""
    document = waiting_document(task, timezone.now())
    first = _rows_of(task.decision_id).first()
    place = {"status": document["status"], "lane": document["lane"]}
    came = _step(first).model_copy(update={"at": document["created_at"], **place})
    return DecisionDocument(**document, content_shown=False, history=[came])


def _history(decision: Decision) -> Iterator[StepDocument]:
    return map(_step, _rows_of(decision.pk))


def _rows_of(key: UUID) -> QuerySet[Any]:
    rows: QuerySet[Any] = Decision.history.filter(id=key).order_by("history_id")
    return rows


def _step(row: Any) -> StepDocument:
    actor = ActorDocument(
        kind=row.history_user_kind, id=row.history_user_id, name=row.history_user_name
    )
    return StepDocument(
        at=row.history_date,
        actor=actor,
        change=CHANGES[row.history_type],
        status=row.status,
        lane=row.lane,
        reason=row.history_change_reason,
    )


class DecisionReplayView(ApiView):
    actions = {"GET": "decision.view"}

    @operation("Route a decision again", returns=ReplayDocument, problems={409, 503})
    def get(self, caller: Caller, id: UUID) -> ReplayDocument:
        """From its recorded inputs, under the policy that routed it: it must go the same way."""
        decision = decision_for(caller, id)
        if hidden_from(caller, [decision.pk]):
            raise Conflict("the decision waits for an answer of yours: give it first")
        result = replay(decision)
        if shows_content(caller, decision.use_case_id):
            content_viewed(caller, decision)
            return ReplayDocument(**result)
        for part in ("recorded", "routed_again"):
            for reason in result.get(part, {}).get("reasons", ()):
                reason.update(rule=None, value=None, text=HIDDEN)
        return ReplayDocument(**result)
