"""Seats: laid out with a task, claimed under a lease, held, renewed, given back."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Max

from apps.accounts.models import User
from apps.common.actor import Actor, require_actor
from apps.common.columns import fetched
from apps.common.errors import Conflict, NotFound, NotPermitted
from apps.common.prepared import Prepared
from apps.decisions.bulk import insert_rows
from apps.policies.models import PolicyVersion
from apps.reviews.absences import stood_in_for
from apps.reviews.claiming import Asker, first_assigned, first_free
from apps.reviews.leases import free_lapsed
from apps.reviews.models import Assignment, Draft, ReviewTask, Seat
from apps.reviews.pools import Served, caller_for, missing_for, pool_for, pools_served
from apps.reviews.rotation import first_free_rotated

LEASE_MINUTES: Final = 15
# Asked at each claim, so written out (apps.common.columns).
HOLDS_ANY: Final = "SELECT 1 FROM reviews_seat WHERE holder_id = %s AND state = 'leased' LIMIT 1"
POLICY_OF: Final = (
    "SELECT d.policy_id FROM reviews_reviewtask t JOIN decisions_decision d ON d.id = t.decision_id "
    "WHERE t.id = %s"
)
PERSON: Final = Prepared(lambda key: User.objects.filter(pk=key), key=User.id)
PERSON_LOCKED: Final = Prepared(
    lambda key: User.objects.select_for_update(no_key=True).filter(pk=key), key=User.id
)
TASK_LOCKED: Final = Prepared(
    lambda key: ReviewTask.objects.select_for_update(no_key=True).filter(pk=key),
    key=ReviewTask.id,
)
SEAT_LOCKED: Final = Prepared(
    lambda task, lease: (
        Seat.objects.select_for_update(no_key=True, of=("self",))
        .select_related("pool")
        .filter(task=task, lease=lease)
        .order_by("pk")[:1]
    ),
    task=Seat.task,
    lease=Seat.lease,
)
ALIVE: Final = ("free", "leased")


def seats_add(
    *,
    task: ReviewTask,
    count: int,
    skills: Any = (),
    role: str = "",
    stage: str = "review",
    rank: datetime | None = None,
    assigned_to: User | None = None,
    not_before: datetime | None = None,
) -> None:
    """Further seats of a task, for a role's people; the first ones are laid out when it is made."""
    last = Seat.objects.filter(task=task).aggregate(last=Max("number"))["last"]
    first = 1 if last is None else last + 1
    constants = {
        "task_id": task.pk,
        "pool_id": pool_for(task.use_case_id, role, skills).pk,
        "stage": stage,
        "rank": rank or task.rank,
        "assigned_to_id": None if assigned_to is None else assigned_to.pk,
        "not_before": not_before,
    }
    insert_rows(Seat, constants, ["number"], [(first + n,) for n in range(count)])


@transaction.atomic
def seat_claim(
    *, actor: Actor, person: User, use_case: str | None = None, now: datetime
) -> Seat | None:
    """``seat_taken`` in a transaction of its own."""
    return seat_taken(actor=actor, person=person, use_case=use_case, now=now)


def seat_taken(
    *, actor: Actor, person: User, use_case: str | None = None, now: datetime
) -> Seat | None:
    """The next case for ``person`` under a lease, or None when nothing waits for them.

    First the case that they hold already, so that a second browser gets the same one; then what
    was given to them, or to whom they stand in for; then the first free seat by rank of all the
    pools that they may serve. Whoever claims twice at one moment waits for themselves.

    The locks are the caller's, until its transaction ends.

    Raises:
        NotPermitted: the person is deactivated.
    """
    require_actor(actor)
    (held,) = PERSON_LOCKED.rows(key=person.pk)
    if not held.is_active:
        raise NotPermitted(f"{held.username} is deactivated", action="review.take")
    served = pools_served(caller_for(actor, person), held, now, use_case)
    if not served.pools:
        return None
    own = _own_lease(held, served, now)
    return own or _next_seat(actor, held, served, now)


def _own_lease(person: User, served: Served, now: datetime) -> Seat | None:
    if not fetched(HOLDS_ANY, [_key("holder", person.pk)]):
        return None
    own = Seat.objects.select_for_update(no_key=True, of=("self",)).filter(
        holder=person, state="leased", lease_expires_at__gt=now, pool__in=served.pools
    )
    # A verdict that can still be taken back is on its way: the next case comes meanwhile.
    on_its_way = Draft.objects.filter(person=person, submit_at__isnull=False)
    own = own.exclude(pk__in=on_its_way.values("seat"))
    found: Seat | None = own.order_by("-leased_at").first()
    return found


def _next_seat(actor: Actor, person: User, served: Served, now: datetime) -> Seat | None:
    asker = Asker(person.pk, str(person.pk), served.pseudonyms(person.username), now)
    people = [person.pk, *stood_in_for(person, now)]
    found = first_assigned(asker, served.pools, people) or first_free_rotated(
        asker, served, person.pk, now
    )
    if found is None and free_lapsed(now, pools=served.pools):
        found = first_assigned(asker, served.pools, people) or first_free(asker, served.pools)
    if found is None:
        return None
    if found.assigned_to_id not in (None, person.pk):
        _record_stand_in(actor, found, person, now)
    return _lease(found, person, now)


def _record_stand_in(actor: Actor, seat: Seat, person: User, now: datetime) -> None:
    """Who takes what was given to somebody else leaves a record of it, as a lead would."""
    slug = ReviewTask.objects.values_list("use_case", flat=True).get(pk=seat.task_id)
    Assignment(
        use_case_id=slug,
        task_id=seat.task_id,
        seat=seat.number,
        kind="delegate",
        person=person,
        made_by=actor.id,
        made_at=now,
    ).save(actor=actor, reason="stands in during an absence")


def _lease(seat: Seat, person: User, now: datetime) -> Seat:
    seat.state, seat.holder, seat.lease = "leased", person, uuid4()
    seat.fence += 1
    seat.leased_at, seat.lease_expires_at = now, now + timedelta(minutes=_minutes_of(seat))
    seat.shown_hash = seat.shown = None
    seat.save()
    return seat


def _minutes_of(seat: Seat) -> int:
    """A lease lasts as long as the policy says under which the case came."""
    ((policy,),) = fetched(POLICY_OF, [_key("task", seat.task_id)])
    return lease_minutes(policy)


def _key(field: str, value: Any) -> Any:
    """As the database keeps what a field of a seat points to."""
    pointer: Any = Seat._meta.get_field(field)
    return pointer.get_db_prep_value(value, connection)


@lru_cache(maxsize=1_024)  # versions are fixed
def lease_minutes(policy: UUID | str) -> int:
    document = PolicyVersion.objects.values_list("document", flat=True).get(pk=policy)
    return int(document.get("lease_minutes", LEASE_MINUTES))


@transaction.atomic
def held_seat(
    *, task_id: UUID, lease: UUID, person: User, now: datetime, actor: Actor | None = None
) -> Seat:
    """The seat that ``person`` holds under ``lease``, locked with its task until the transaction
    ends: the task first, as everybody locks them. ``actor`` where it is not the person (a program).

    Raises:
        NotFound: there is no such task.
        Conflict: the lease is over or somebody else's, or the task is not open any more.
        NotPermitted: the right or the skill for it is gone.
    """
    task: ReviewTask | None = TASK_LOCKED.first(key=task_id)
    if task is None:
        raise NotFound(f"there is no review task {task_id}")
    seat: Seat | None = SEAT_LOCKED.first(task=task_id, lease=lease)
    if task.status != "open":
        raise Conflict(
            f"the review task {task_id} is {task.status}: nothing more can be said to it"
        )
    if seat is None or seat.holder_id != person.pk or seat.state != "leased":
        raise Conflict(f"the lease {lease} does not hold: claim the case again")
    if seat.lease_expires_at is None or seat.lease_expires_at <= now:
        raise Conflict(f"the lease {lease} ended at {seat.lease_expires_at}: claim the case again")
    _require_eligible(actor, person, seat, now)
    seat.task = task
    return seat


def _require_eligible(actor: Actor | None, person: User, seat: Seat, now: datetime) -> None:
    (fresh,) = PERSON.rows(key=person.pk)
    why = missing_for(caller_for(actor or fresh.actor, fresh), fresh, seat.pool, now)
    if why is not None:
        raise NotPermitted(why, action="review.take", use_case=seat.pool.use_case_id)


@transaction.atomic
def seat_renew(
    *, task_id: UUID, lease: UUID, person: User, now: datetime, actor: Actor | None = None
) -> Seat:
    """The heartbeat: the same lease, from now on for its whole time again."""
    seat = held_seat(task_id=task_id, lease=lease, person=person, now=now, actor=actor)
    seat.lease_expires_at = now + timedelta(minutes=_minutes_of(seat))
    seat.save(update_fields=["lease_expires_at"])
    return seat


@transaction.atomic
def seat_release(
    *, task_id: UUID, lease: UUID, person: User, now: datetime, actor: Actor | None = None
) -> Seat:
    """Back into the queue, for somebody else or for later; the draft is kept.

    Raises:
        Conflict: the blind answer is given: the case can be finished, not handed back.
    """
    seat = held_seat(task_id=task_id, lease=lease, person=person, now=now, actor=actor)
    if seat.answered:
        raise Conflict("the blind answer is given already: the case is finished, not handed back")
    seat_free(seat)
    return seat


def seat_free(seat: Seat) -> None:
    """Nobody holds it any more, and its lease is worth nothing."""
    seat.state, seat.holder, seat.lease = "free", None, None
    seat.leased_at = seat.lease_expires_at = None
    seat.shown_hash, seat.shown = None, None
    seat.save()


def seats_close(task: ReviewTask) -> None:
    """Nobody is asked any more; who was has their draft. Done seats keep who gave the review."""
    Seat.objects.filter(task=task, state__in=ALIVE).update(
        state="closed", holder=None, assigned_to=None, lease=None, lease_expires_at=None
    )
