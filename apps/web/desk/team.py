"""What a lead sees of tasks: the list by rank with what moved each, and one with its seats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts.callers import Caller
from apps.accounts.domain.matrix import ACTIONS
from apps.accounts.models import RoleGrant, User
from apps.common.errors import BadInput, NotFound
from apps.registry.models import UseCase
from apps.reviews.domain.priority import RankParts
from apps.reviews.models import Assignment, ReviewTask, Seat
from apps.reviews.selectors import (
    ASKING,
    QueueState,
    at_risk,
    queue_states,
    rank_parts_of,
    tasks_waiting,
    time_limits,
)
from apps.workflow.desk.blindness import hidden_from
from apps.workflow.desk.case import CHECKING

STATES: Final = {
    "free": "free to take",
    "held": "being worked on",
    "given": "given to somebody",
    "asked": "waits for information",
    "risk": "at risk",
    "overdue": "overdue",
}
OFFERED: Final = 200  # logins that a form proposes
SEAT_WORDS: Final = {"done": "answered", "closed": "closed"}


@dataclass(frozen=True, slots=True)
class Place:
    """One seat as a line: what it is, whose, until when; ``moves`` names what can be done to it."""

    number: int
    stage: str
    words: str
    tone: str
    who: str
    until: datetime | None
    moves: Sequence[str]
    login: str = ""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task in the list. ``parts`` is None while its lead may be asked for a blind answer to it:
    they tell how unsure the AI was."""

    task: ReviewTask
    parts: RankParts | None
    places: Sequence[Place]
    is_late: bool


@dataclass(frozen=True, slots=True)
class Given:
    """One act of a lead, with its reason."""

    at: datetime
    by: str
    words: str
    seat: int
    reason: str


def led(caller: Caller) -> frozenset[str] | None:
    """The slugs whose desk ``caller`` leads; None for all."""
    return caller.visible("review.lead")


def led_use_cases(caller: Caller) -> dict[str, str]:
    """Slug -> name of the use cases whose desk ``caller`` leads, by name."""
    slugs = led(caller)
    rows = UseCase.objects.order_by("name", "slug")
    rows = rows if slugs is None else rows.filter(slug__in=slugs)
    return dict(rows.values_list("slug", "name"))


def named_queues(caller: Caller, now: datetime) -> list[tuple[QueueState, str]]:
    """The queues that ``caller`` leads with the names of their use cases, the most urgent first."""
    states, names = queue_states(now, led(caller)), led_use_cases(caller)
    ranked = sorted(states, key=lambda one: (-one.overdue, -one.at_risk, -one.waiting))
    return [(state, names.get(state.use_case, state.use_case)) for state in ranked]


def totals(queues: Iterable[tuple[QueueState, str]]) -> dict[str, int]:
    """The board's figures over all queues."""
    names = (
        "waiting",
        "free_seats",
        "held_seats",
        "assigned_seats",
        "at_risk",
        "overdue",
        "lapsed",
    )
    states = [state for state, _name in queues]
    return {name: sum(getattr(state, name) for state in states) for name in names}


# --- The list -------------------------------------------------------------------------------


def tasks_of(caller: Caller, wanted: Mapping[str, Any], now: datetime) -> QuerySet[ReviewTask]:
    """Open tasks by rank that ``caller`` leads, narrowed.

    Parameters: ``wanted``, of ``of`` (a slug), ``case`` (an external id), ``state`` (of STATES) and
    ``person`` (a login), each may be missing.
    """
    slugs = led(caller)
    rows = _not_own_checks(caller, tasks_waiting(slugs))
    rows = rows.filter(Q(kind__in=ASKING) | Q(paused_at__isnull=False))
    if wanted.get("of"):
        rows = rows.filter(use_case=wanted["of"])
    if wanted.get("case"):
        among = led_use_cases(caller)  # with the slugs the index on external ids serves
        rows = rows.filter(decision__use_case__in=list(among), decision__external_id=wanted["case"])
    if wanted.get("person"):
        login = User.normalize_username(wanted["person"])
        # by id, so that no seat is joined with its people
        person = User.objects.filter(username=login).values_list("pk", flat=True).first()
        if person is None:
            return rows.none()
        # from the seats, which both have an index, to their tasks
        theirs = Q(holder=person, state="leased") | Q(assigned_to=person, state="free")
        rows = rows.filter(pk__in=Seat.objects.filter(theirs).values("task"))
    if wanted.get("state"):
        rows = rows.filter(_in_state(wanted["state"], now, slugs))
    return rows.order_by("rank", "pk")


def _not_own_checks(caller: Caller, rows: QuerySet[ReviewTask]) -> QuerySet[ReviewTask]:
    """A known answer that its reviewer finds here as one is none."""
    own = Q(assigned_to=caller.user) | Q(holder=caller.user)
    return rows.exclude(Q(kind__in=CHECKING) & Q(_has_seat(own)))


def _has_seat(which: Q) -> Exists:
    return Exists(Seat.objects.filter(which, task=OuterRef("pk")))


def _in_state(state: str, now: datetime, slugs: Collection[str] | None) -> Any:
    if state == "free":
        return _has_seat(Q(state="free", assigned_to__isnull=True))
    if state == "held":
        return _has_seat(Q(state="leased"))
    if state == "given":
        return _has_seat(Q(state="free", assigned_to__isnull=False))
    if state == "asked":
        return Q(paused_at__isnull=False)
    return Q(due_at__lte=now) if state == "overdue" else at_risk(now, time_limits(slugs))


def rows_of(caller: Caller, tasks: Sequence[ReviewTask], now: datetime) -> list[TaskRow]:
    """The tasks of a page with their seats and the parts of their rank: a fixed number of queries."""
    seats: dict[UUID, list[Seat]] = defaultdict(list)
    found = Seat.objects.filter(task__in=[task.pk for task in tasks])
    for seat in found.select_related("holder", "assigned_to").order_by("number"):
        seats[seat.task_id].append(seat)
    hidden = hidden_from(caller, [task.decision_id for task in tasks])
    return [
        TaskRow(
            task,
            None if task.decision_id in hidden else rank_parts_of(task),
            [place_of(seat, now) for seat in seats[task.pk]],
            task.due_at is not None and task.due_at <= now and task.paused_at is None,
        )
        for task in tasks
    ]


def place_of(seat: Seat, now: datetime) -> Place:
    """A seat in words. One that was answered blind is its holder's: it is not given to another."""
    words, tone, who, until = SEAT_WORDS.get(seat.state, "free"), "", "", None
    owner = seat.holder or seat.assigned_to
    if seat.state == "leased" and seat.holder is not None:
        is_over = seat.lease_expires_at is not None and seat.lease_expires_at <= now
        words, tone = ("lease lapsed", "warn") if is_over else ("held", "accent")
        who, until = seat.holder.name, seat.lease_expires_at
    elif seat.state == "free" and seat.assigned_to is not None:
        words, who, until = "given to", seat.assigned_to.name, seat.not_before
    elif seat.state == "done" and seat.holder is not None:
        tone, who = "good", seat.holder.name
    login = owner.username if owner is not None else ""
    return Place(seat.number, seat.stage, words, tone, who, until, _moves(seat), login)


def _moves(seat: Seat) -> list[str]:
    """An answered seat goes back to who answered; any other goes to whoever is named."""
    if seat.state == "closed":
        return []
    if seat.state == "done" or seat.answered:
        return ["return"]
    taken = seat.assigned_to_id is not None or seat.holder_id is not None
    return ["assign", "return", "unassign"] if taken else ["assign", "return"]


# --- One task -------------------------------------------------------------------------------


def led_task(caller: Caller, key: UUID) -> ReviewTask:
    """NotFound where ``caller`` does not lead its desk, or is being checked by it."""
    slugs = led(caller)
    related = ("decision__use_case", "decision__model_version__system", "decision__policy")
    rows: Any = ReviewTask.objects.select_related(*related)
    rows = rows if slugs is None else rows.filter(use_case__in=slugs)
    task: ReviewTask | None = _not_own_checks(caller, rows).filter(pk=key).first()
    if task is None:
        raise NotFound(f"There is no review task {key} on the desks that you lead.")
    return task


def given_of(task: ReviewTask) -> list[Given]:
    """Who gave the seats of a task to whom and took them back, and why; the newest first."""
    acts = Assignment.objects.filter(task=task).select_related("person").order_by("-pk")
    told = {row.id: row for row in Assignment.history.filter(task_id=task.pk)}
    return [
        Given(
            act.made_at,
            told[act.pk].history_user_name,
            ACT_WORDS[act.kind].format(act.person.name if act.person else ""),
            act.seat,
            told[act.pk].history_change_reason,
        )
        for act in acts
    ]


ACT_WORDS: Final = {
    "assign": "given to {}",
    "reassign": "given to {} instead",
    "return": "returned to {}",
    "delegate": "handed on to {}",
    "unassign": "taken back into the queue",
}


def reviewers_offered(slugs: Collection[str] | None) -> list[User]:
    """People whose roles let them review there, for a form to propose."""
    grants = RoleGrant.objects.filter(role__in=ACTIONS["review.take"].roles)
    if slugs is not None:
        grants = grants.filter(use_case__in=["", *slugs])
    people = User.objects.filter(is_active=True, pk__in=grants.values("user"))
    return list(people.order_by("username")[:OFFERED])


def person_named(login: str, pointer: str = "/person") -> User:
    """A person that a form names by their login."""
    found: User | None = User.objects.filter(username=User.normalize_username(login)).first()
    if found is None:
        raise BadInput(f"There is no person with the login {login!r}.", pointer)
    return found
