"""``reviews/``: the queue. What waits, claimed under a lease, renewed, given back, and led."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from pydantic import Field

from apps.accounts.callers import Caller
from apps.accounts.models import User
from apps.api.bodies import Body, Document, ListQuery, LoginOut, Name, Query, Reason, Slug
from apps.api.operations import ApiView, operation
from apps.api.v1.lookups import found_or_404, person_named, use_case_for
from apps.api.v1.verdicts import (
    LeaseBody,
    OpenedDocument,
    TaskStatus,
    opened_document,
    review_task_for,
)
from apps.policies.selectors import PolicyInForce
from apps.registry.access import require_right
from apps.reviews.assignments import seat_assign, seat_return, seat_unassign, seats_delegate
from apps.reviews.known_answers import own_checks
from apps.reviews.models import Assignment, ReviewTask, Seat
from apps.reviews.seats import seat_release, seat_renew
from apps.reviews.selectors import people_states, queue_states, rank_parts_of
from apps.workflow.desk.case import CHECKING, standing_policy
from apps.workflow.desk.closed import looks_of, person_of
from apps.workflow.desk.machines import reviewer_of
from apps.workflow.desk.opening import open_next

TaskKind = Literal["before", "after", "known", "practice"]
SEEN_BY_ALL = ("before", "after")  # a known answer that shows as one is none
AssignmentKind = Literal["assign", "reassign", "return", "delegate", "unassign"]


class ClaimBody(Body):
    use_case: Slug | None = Field(None, description="Left out: whatever comes next.")


class LeaseDocument(Document):
    task: UUID
    lease: UUID
    lease_expires_at: datetime


class AssignBody(Body):
    person: Name = Field(description="Login of the person.")
    seat: int | None = Field(
        None, strict=True, ge=1, le=10_000, description="Left out: the first that is free."
    )
    reason: Reason


class UnassignBody(Body):
    seat: int = Field(strict=True, ge=1, le=10_000)
    reason: Reason


class ReturnBody(UnassignBody):
    person: Name = Field(description="Login of the person who had it.")


class DelegateBody(Body):
    person: Name = Field(description="Login of the person to whom cases were given.")
    delegate: Name = Field(description="Login of the person who gets them.")
    reason: Reason


class AssignmentDocument(Document):
    id: UUID
    task: UUID = Field(validation_alias="task_id")
    seat: int
    kind: AssignmentKind
    person: LoginOut | None
    made_by: str
    made_at: datetime


class DelegatedDocument(Document):
    moved: int = Field(description="What the delegate may not review stays where it is.")


class RankDocument(Document):
    """When the task would be overdue, and the minutes that move it forward."""

    due_at: datetime
    tier_minutes: float
    uncertainty_minutes: float
    cost_minutes: float


class TaskDocument(Document):
    """`rank` and its parts tell how unsure the AI was: whoever leads the desk sees them."""

    id: UUID
    use_case: str
    decision: UUID
    external_id: str
    kind: TaskKind
    status: TaskStatus
    reviews_required: int
    due_at: datetime | None
    level: int
    role: str
    paused_until: datetime | None
    created_at: datetime
    closed_at: datetime | None
    rank: datetime | None
    rank_parts: RankDocument | None


class SeatDocument(Document):
    """`holder` and `assigned_to` are logins; whoever leads the desk sees them."""

    number: int
    stage: Literal["review", "adjudication"]
    state: Literal["free", "leased", "done", "closed"]
    holder: str | None
    assigned_to: str | None
    lease_expires_at: datetime | None


class TaskDetail(TaskDocument):
    seats: list[SeatDocument]
    assignments: list[AssignmentDocument]


class TasksQuery(ListQuery):
    use_case: Slug | None = None
    status: TaskStatus = "open"


class OutlookDocument(Document):
    """Over the last 24 hours. `wait_minutes` is null where the queue grows without end."""

    arrivals_per_hour: float
    minutes_per_case: float
    people: int
    utilisation: float
    wait_minutes: float | None
    staffing: int | None = Field(
        description="People who would take up 95 of 100 cases in time; null without a limit."
    )
    why: str | None


class QueueDocument(Document):
    """Ages are minutes since the cases came, at percentiles of what waits."""

    use_case: str
    waiting: int
    free_seats: int
    held_seats: int
    assigned_seats: int
    oldest_at: datetime | None
    age_p50: float | None
    age_p90: float | None
    age_p99: float | None
    at_risk: int = Field(description="A quarter of the time limit left, or less.")
    overdue: int
    lapsed: int = Field(description="In the last 24 hours.")
    outlook: OutlookDocument


class PersonDocument(Document):
    """`done` and `minutes_per_case` are of the last 24 hours."""

    username: str
    held: int
    lapsed_leases: int
    assigned: int
    done: int
    minutes_per_case: float | None
    away_until: datetime | None


class StatsDocument(Document):
    use_cases: list[QueueDocument]
    people: list[PersonDocument] = Field(description="Of the use cases whose desk one leads.")


class StatsQuery(Query):
    use_case: Slug | None = None


class ReviewsView(ApiView):
    actions = {"GET": "review.view"}

    @operation(
        "List review tasks", returns=TaskDocument, listed=True, query=TasksQuery, problems={404}
    )
    def get(self, caller: Caller, query: TasksQuery) -> Any:
        """Newest first. Known answers and cases for practice show to those who lead the desk, and
        to their reviewer, like any other case."""
        tasks = _visible_tasks(caller).filter(status=query.status)
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "review.view")
            tasks = tasks.filter(use_case_id=query.use_case)
        return self.page_of(tasks, lambda rows: _listed(caller, rows))


class ReviewView(ApiView):
    actions = {"GET": "review.view"}

    @operation("Read a review task", returns=TaskDetail)
    def get(self, caller: Caller, id: UUID) -> TaskDetail:
        return _detail(caller, id)


class ClaimView(ApiView):
    actions = {"POST": "review.take"}

    @operation(
        "Claim the next case",
        returns=OpenedDocument,
        body=ClaimBody,
        problems={404},
    )
    def post(self, caller: Caller, body: ClaimBody) -> OpenedDocument | HttpResponse:
        """`204` when nothing waits that the caller may review. Whoever holds a case gets that one
        again, under the same lease."""
        if body.use_case is not None:
            use_case_for(caller, body.use_case, "review.take")
        opened = open_next(actor=caller.actor, person=reviewer_of(caller), use_case=body.use_case)
        return HttpResponse(status=204) if opened is None else opened_document(opened)


class RenewalView(ApiView):
    actions = {"POST": "review.take"}

    @operation("Renew a lease", returns=LeaseDocument, body=LeaseBody, problems={409})
    def post(self, caller: Caller, id: UUID, body: LeaseBody) -> LeaseDocument:
        """The heartbeat: the lease lasts its whole time again."""
        review_task_for(caller, id, "review.take")
        seat = seat_renew(
            task_id=id,
            lease=body.lease,
            person=reviewer_of(caller),
            now=timezone.now(),
            actor=caller.actor,
        )
        until: Any = seat.lease_expires_at
        return LeaseDocument(task=id, lease=body.lease, lease_expires_at=until)


class ReleaseView(ApiView):
    actions = {"POST": "review.take"}

    @operation("Give a case back", returns=None, status=204, body=LeaseBody, problems={409})
    def post(self, caller: Caller, id: UUID, body: LeaseBody) -> None:
        """It waits for the next who claims; the draft is kept."""
        review_task_for(caller, id, "review.take")
        seat_release(
            task_id=id,
            lease=body.lease,
            person=reviewer_of(caller),
            now=timezone.now(),
            actor=caller.actor,
        )


class StatsView(ApiView):
    actions = {"GET": "review.view"}

    @operation(
        "Read the state of the queue", returns=StatsDocument, query=StatsQuery, problems={404}
    )
    def get(self, caller: Caller, query: StatsQuery) -> StatsDocument:
        """What waits and since when, what is at risk, who does what, and what it comes to."""
        now = timezone.now()
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "review.view")
        slugs = _within(caller.visible("review.view"), query.use_case)
        led = _within(caller.visible("review.lead"), query.use_case)
        return StatsDocument(
            use_cases=[_queue(state) for state in queue_states(now, slugs, _checked(caller))],
            people=[PersonDocument.model_validate(p) for p in people_states(now, led)],
        )


class AssignView(ApiView):
    actions = {"POST": "review.lead"}

    @operation(
        "Assign a seat", returns=AssignmentDocument, status=201, body=AssignBody, problems={409}
    )
    def post(self, caller: Caller, id: UUID, body: AssignBody) -> AssignmentDocument:
        """To a person who may review the case. A named seat is taken from whoever has it."""
        review_task_for(caller, id, "review.lead")
        made = seat_assign(
            actor=caller.actor,
            task_id=id,
            person=person_named(body.person, "/person"),
            number=body.seat,
            reason=body.reason,
        )
        return AssignmentDocument.model_validate(made)


class UnassignView(ApiView):
    actions = {"POST": "review.lead"}

    @operation(
        "Take a seat back",
        returns=AssignmentDocument,
        status=201,
        body=UnassignBody,
        problems={409},
    )
    def post(self, caller: Caller, id: UUID, body: UnassignBody) -> AssignmentDocument:
        """It waits in the queue again."""
        review_task_for(caller, id, "review.lead")
        made = seat_unassign(actor=caller.actor, task_id=id, number=body.seat, reason=body.reason)
        return AssignmentDocument.model_validate(made)


class ReturnView(ApiView):
    actions = {"POST": "review.lead"}

    @operation(
        "Return a seat to its reviewer",
        returns=AssignmentDocument,
        status=201,
        body=ReturnBody,
        problems={409},
    )
    def post(self, caller: Caller, id: UUID, body: ReturnBody) -> AssignmentDocument:
        """For a second look by the person who had it."""
        review_task_for(caller, id, "review.lead")
        made = seat_return(
            actor=caller.actor,
            task_id=id,
            number=body.seat,
            person=person_named(body.person, "/person"),
            reason=body.reason,
        )
        return AssignmentDocument.model_validate(made)


class DelegationView(ApiView):
    actions = {"POST": "review.lead"}

    @operation("Hand on what waits for somebody", returns=DelegatedDocument, body=DelegateBody)
    def post(self, caller: Caller, body: DelegateBody) -> DelegatedDocument:
        """In the use cases whose desk the caller leads."""
        moved = seats_delegate(
            actor=caller.actor,
            person=person_named(body.person, "/person"),
            delegate=person_named(body.delegate, "/delegate"),
            use_cases=caller.visible("review.lead"),
            reason=body.reason,
        )
        return DelegatedDocument(moved=moved)


def _checked(caller: Caller) -> User | None:
    """Whose own checks are to look like cases of the queue."""
    return None if caller.visible("known_answer.view") is None else person_of(caller)


def _within(slugs: frozenset[str] | None, wanted: str | None) -> frozenset[str] | None:
    if wanted is None:
        return slugs
    return frozenset({wanted}) if slugs is None else slugs & {wanted}


def _visible_tasks(caller: Caller) -> QuerySet[ReviewTask]:
    slugs = caller.visible("review.view")
    tasks: QuerySet[ReviewTask] = ReviewTask.objects.select_related("decision__use_case")
    tasks = tasks if slugs is None else tasks.filter(use_case_id__in=slugs)
    led = caller.visible("known_answer.view")
    if led is None:
        return tasks
    person = person_of(caller)
    own = own_checks(person) if person is not None else []
    return tasks.filter(
        Q(kind__in=SEEN_BY_ALL) | Q(use_case_id__in=led) | Q(kind__in=CHECKING, pk__in=own)
    )


def _listed(caller: Caller, rows: list[ReviewTask]) -> Iterator[TaskDocument]:
    """As many queries as use cases with checks of the caller's own among the rows."""
    veiled = {task.use_case_id: task.decision.use_case for task in rows if _veiled(caller, task)}
    now = timezone.now()
    in_force = {slug: standing_policy(use_case, now) for slug, use_case in veiled.items()}
    for task in rows:
        yield TaskDocument(**_members(caller, task, in_force.get(task.use_case_id)))


def _veiled(caller: Caller, task: ReviewTask) -> bool:
    """A known answer shows as one to those alone who may know; to its reviewer it is a case."""
    return task.kind in CHECKING and not caller.may("known_answer.view", task.use_case_id)


def _members(caller: Caller, task: ReviewTask, in_force: PolicyInForce | None) -> dict[str, Any]:
    """``in_force``: where the task is veiled."""
    looks = looks_of(task, in_force) if _veiled(caller, task) else None
    leads = caller.may("review.lead", task.use_case_id)
    own = (
        "status",
        "due_at",
        "level",
        "role",
        "paused_until",
        "created_at",
        "closed_at",
    )
    return {
        "id": task.pk,
        "use_case": task.use_case_id,
        "decision": task.decision_id,
        "external_id": task.decision.external_id,
        "kind": looks.kind if looks else task.kind,
        "reviews_required": looks.reviews_required if looks else task.reviews_required,
        **{name: getattr(task, name) for name in own},
        "rank": task.rank if leads else None,
        "rank_parts": RankDocument.model_validate(rank_parts_of(task)) if leads else None,
    }


def _detail(caller: Caller, key: UUID) -> TaskDetail:
    task: ReviewTask = found_or_404(_visible_tasks(caller), f"review task {key}", pk=key)
    require_right(caller, "review.view", task.use_case_id)
    leads = caller.may("review.lead", task.use_case_id)
    given = Assignment.objects.filter(task=task).select_related("person").order_by("pk")
    veiled = _veiled(caller, task)
    in_force = standing_policy(task.decision.use_case, timezone.now()) if veiled else None
    members = _members(caller, task, in_force)
    seats = [_seat(seat, leads) for seat in _seats_of(task)]
    return TaskDetail(
        **members,
        seats=[*seats, *_nobodys(len(seats), members["reviews_required"])] if veiled else seats,
        assignments=[AssignmentDocument.model_validate(row) for row in given] if leads else [],
    )


def _nobodys(laid_out: int, required: int) -> Iterator[SeatDocument]:
    """Seats beside the one of whoever is checked, as another case of the day would have them."""
    for number in range(laid_out + 1, required + 1):
        yield SeatDocument(
            number=number,
            stage="review",
            state="free",
            holder=None,
            assigned_to=None,
            lease_expires_at=None,
        )


def _seats_of(task: ReviewTask) -> QuerySet[Seat]:
    return Seat.objects.filter(task=task).select_related("holder", "assigned_to").order_by("number")


def _seat(seat: Seat, leads: bool) -> SeatDocument:
    holder = seat.holder.username if leads and seat.holder else None
    assigned = seat.assigned_to.username if leads and seat.assigned_to else None
    stage: Any = seat.stage
    state: Any = seat.state
    return SeatDocument(
        number=seat.number,
        stage=stage,
        state=state,
        holder=holder,
        assigned_to=assigned,
        lease_expires_at=seat.lease_expires_at if leads else None,
    )


def _queue(state: Any) -> QueueDocument:
    names = [
        name for name in QueueDocument.model_fields if not name.startswith(("age_", "outlook"))
    ]
    return QueueDocument(
        **{name: getattr(state, name) for name in names},
        **{f"age_p{p}": state.ages.get(p) for p in (50, 90, 99)},
        outlook=OutlookDocument.model_validate(state.outlook),
    )
