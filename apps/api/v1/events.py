"""``events/``: what happened, in the order of its publication, for programs that poll."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.db.models import Max
from pydantic import Field

from apps.accounts.callers import Caller
from apps.api.bodies import Document, Number, Query
from apps.api.operations import ApiView, operation
from apps.notifications.models import OutboxEvent
from apps.notifications.outbox import events_after, publish
from apps.workflow.desk.blindness import hidden_from
from apps.workflow.desk.closed import closed_to

MOST = 1_000


class EventsQuery(Query):
    after: Number = Field(0, description="`next` of the answer before; 0 begins at the first.")
    limit: Annotated[Number, Field(ge=1, le=MOST)] = Field(100, description="1 to 1,000 events.")


class EventDocument(Document):
    seq: int
    id: UUID = Field(description="Stays the same wherever the event is told again.")
    type: str
    at: datetime
    data: dict[str, Any]


class EventsDocument(Document):
    next: int = Field(description="The last number looked at: what to ask `after` next.")
    results: list[EventDocument]


class EventsView(ApiView):
    actions = {"GET": "decision.view"}

    @operation("Read events", returns=EventsDocument, query=EventsQuery)
    def get(self, caller: Caller, query: EventsQuery) -> EventsDocument:
        """Numbered without a gap when they are published, which this does first. Of the caller's
        use cases alone; the numbers of others, and of a case that waits for the caller's own
        answer, are passed over."""
        publish()
        # Read before the events: what is published in between is for the next call.
        last = OutboxEvent.objects.aggregate(last=Max("seq"))["last"] or 0
        slugs = caller.visible("decision.view")
        found = events_after(query.after, use_cases=slugs, limit=query.limit)
        told_of = {event.decision for event in found if event.decision}
        hidden, closed = hidden_from(caller, told_of), closed_to(caller, told_of)
        open_ones = [event for event in found if event.decision not in closed]
        results = [_document(event, event.decision in hidden) for event in open_ones]
        seen = found[-1].seq or query.after if found else query.after
        whole = len(found) < query.limit
        return EventsDocument(next=max(seen, last) if whole else seen, results=results)


def _document(event: Any, hidden: bool) -> EventDocument:
    """``hidden``: the decision waits for the caller's own blind review, and is told without what
    would steer it."""
    told = hidden and "final_output" in event.data
    data = {**event.data, "final_output": None} if told else event.data
    return EventDocument(
        seq=event.seq, id=event.pk, type=event.type, at=event.created_at, data=data
    )
