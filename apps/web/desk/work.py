"""What one person has on the desk: cases held and given, verdicts on their way, words kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.cache import cache
from django.db.models import Count, Q
from django.utils import timezone

from apps.accounts.callers import Caller
from apps.accounts.models import User
from apps.common.prepared import Prepared
from apps.registry.models import UseCase
from apps.reviews.absences import stood_in_for
from apps.reviews.known_answers import known_output
from apps.reviews.models import Draft, KnownAnswer, Pool, Review, Seat
from apps.reviews.pools import pools_served
from apps.reviews.selectors import checks_held
from apps.web.desk.drafts import kept_form, said_in_words
from apps.web.desk.outputs import headline
from apps.workflow.desk.case import CHECKING, standing_policy
from apps.workflow.desk.opening import seat_with_case
from apps.workflow.desk.pauses import Load, load_of

LISTED: Final = 50
FRESH: Final = timedelta(seconds=5)
COUNTED_S: Final = 5
HELD: Final = Prepared(
    lambda task, holder: (
        Seat.objects.filter(task=task, holder=holder, state="leased")
        .order_by("pk")
        .values_list("pk", "lease")[:1]
    ),
    task=Seat.task,
    holder=Seat.holder,
)
ON_THEIR_WAY: Final = Prepared(
    lambda person: Draft.objects.filter(person=person, submit_at__isnull=False).values_list("pk")[
        :LISTED
    ],
    person=Draft.person,
)


@dataclass(frozen=True, slots=True)
class Pending:
    """A verdict that is final at ``submit_at`` unless it is taken back."""

    task: UUID
    external_id: str
    words: str
    submit_at: datetime
    left_s: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Words that did not become a verdict, and why."""

    task: UUID
    external_id: str
    why: str
    rationale: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Mine:
    """A case that is somebody's alone, and in what state."""

    task: UUID
    external_id: str
    use_case: str
    state: str
    due_at: datetime | None
    lease_ends: datetime | None
    waits_until: datetime | None
    for_whom: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many seats are free in one use case for this person."""

    use_case: str
    name: str
    count: int


def own_lease(person: User, task: UUID) -> UUID | None:
    """The lease under which ``person`` holds a seat of a task, over or not."""
    found = HELD.first(task=task, holder=person.pk)
    return None if found is None else found[1]


def own_seat(person: User, task: UUID) -> Seat | None:
    """The seat of a task that ``person`` holds under a lease, with all that a case is made of.

    Whether the lease still holds, the desk's services say.
    """
    found = HELD.first(task=task, holder=person.pk)
    return None if found is None else seat_with_case(found[0])


def pending_of(person: User, now: datetime | None = None) -> list[Pending]:
    """Verdicts that can still be taken back, the newest first."""
    at, keys = now or timezone.now(), pending_keys(person)
    if not keys:
        return []  # as nearly always: what a verdict is shown with is not asked for
    rows = Draft.objects.filter(pk__in=keys, submit_at__isnull=False)
    rows = rows.select_related("seat__task__decision").order_by("-submit_at")
    return [_pending(draft, at) for draft in rows[:LISTED]]


def _pending(draft: Draft, now: datetime) -> Pending:
    decision = draft.seat.task.decision
    kept = kept_form(decision.kind, draft.body)
    final_at = draft.submit_at or now
    left = max(0, round((final_at - now).total_seconds()))
    words = said_in_words(kept.get("verdict", ""), kept.get("label", ""))
    return Pending(draft.seat.task_id, decision.external_id, words, final_at, left)


def refused_of(person: User, keys: Sequence[int] | None = None) -> list[Kept]:
    """Verdicts that could not be made final, with the words that were kept."""
    rows = Draft.objects.filter(person=person, submit_at__isnull=True).exclude(refused="")
    if keys is not None:
        rows = rows.filter(pk__in=keys)
    rows = rows.select_related("seat__task__decision").order_by("-updated_at")
    return [_kept(draft) for draft in rows[:LISTED]]


def _kept(draft: Draft) -> Kept:
    task = draft.seat.task
    form = kept_form(task.decision.kind, draft.body)
    is_mine = draft.seat.state == "leased" and draft.seat.holder_id == draft.person_id
    return Kept(
        task.pk,
        task.decision.external_id,
        draft.refused,
        form.get("rationale", ""),
        task.status == "open" and is_mine,
    )


def mine(person: User, now: datetime) -> list[Mine]:
    """Cases held, given, returned and asked about, by rank."""
    people = [person.pk, *stood_in_for(person, now)]
    held = Q(holder=person, state="leased", lease_expires_at__gt=now)
    given = Q(assigned_to__in=people, state="free", task__status="open")
    given &= ~Q(task__kind__in=CHECKING)  # what was given back looks as if the queue had it
    rows = Seat.objects.filter(held | given).select_related(
        "task__decision__use_case", "assigned_to"
    )
    sent = set(
        Draft.objects.filter(person=person, submit_at__isnull=False).values_list("seat", flat=True)
    )
    return [
        _mine(seat, person) for seat in rows.order_by("rank", "pk")[:LISTED] if seat.pk not in sent
    ]


def _mine(seat: Seat, person: User) -> Mine:
    task, decision = seat.task, seat.task.decision
    state = "open now" if seat.state == "leased" else "given to you"
    if seat.state == "free" and task.paused_at is not None:
        state = "waits for information"
    elif seat.state == "free" and seat.fence > 0:
        state = "back with you"
    other = seat.assigned_to if seat.assigned_to_id not in (None, person.pk) else None
    return Mine(
        task.pk,
        decision.external_id,
        decision.use_case.name,
        state,
        task.due_at,
        seat.lease_expires_at,
        task.paused_until if task.paused_at else None,
        other.name if other is not None else "",
    )


def waiting_for(caller: Caller, person: User, now: datetime) -> list[Waiting]:
    """The free seats that ``person`` may take, by use case, most first."""
    served = pools_served(caller, person, now)
    names = dict(UseCase.objects.filter(slug__in=served.use_cases).values_list("slug", "name"))
    counts = dict.fromkeys(names, 0)
    for slug, count in _free_seats(served.pools):
        counts[slug] = counts.get(slug, 0) + count
    for slug, own in checks_held(person).items():
        if slug in counts:  # the case that came instead of it is free still
            counts[slug] = max(0, counts[slug] - own.held)
    ranked = sorted(names, key=lambda slug: (-counts[slug], names[slug]))
    return [Waiting(slug, names[slug], counts[slug]) for slug in ranked]


def _free_seats(pools: Sequence[int]) -> Iterator[tuple[str, int]]:
    """(use case, free seats) of each pool, counted by the queue's own index at most every COUNTED_S:
    many people look at one long queue."""
    keys = {f"desk.free.{pool}": pool for pool in pools}
    kept: dict[str, tuple[str, int]] = cache.get_many(list(keys))
    missing = [pool for key, pool in keys.items() if key not in kept]
    if missing:
        free = Seat.objects.filter(pool__in=missing, state="free", assigned_to__isnull=True)
        counted = dict(free.values_list("pool").annotate(count=Count("pk")).order_by("pool"))
        slugs = Pool.objects.filter(pk__in=missing).values_list("pk", "use_case_id")
        fresh = {f"desk.free.{pk}": (slug, counted.get(pk, 0)) for pk, slug in slugs}
        cache.set_many(fresh, COUNTED_S)
        kept |= fresh
    yield from kept.values()


def load_now(person: User, now: datetime) -> Load:
    """What was done today, and whether the policy of the last case suggests a pause."""
    given = Review.objects.filter(reviewer=person, imported=False, final=True)
    last = given.select_related("use_case").order_by("-pk").first()
    policy = standing_policy(last.use_case, now) if last is not None else None
    return load_of(person, policy, now)


@dataclass(frozen=True, slots=True)
class Feedback:
    """A case whose answer was known: whether the person's was right, and what is."""

    external_id: str
    right: bool
    answer: str


def feedback_of(person: User, now: datetime) -> list[Feedback]:
    """Known answers that were compared a moment ago, where the policy shows it at once."""
    rows = Review.objects.filter(
        reviewer=person, task__kind="known", right__isnull=False, reviewed_at__gte=now - FRESH
    ).select_related("decision__use_case", "task")
    found = []
    for review in rows[:LISTED]:
        policy = standing_policy(review.decision.use_case, now)
        if policy is not None and policy.document["feedback"]:
            found.append(_feedback(review))
    return found


def _feedback(review: Review) -> Feedback:
    known = KnownAnswer.objects.filter(decision=review.decision_id, status="active").first()
    output: Any = known_output(known) if known is not None else None
    answer = headline(review.decision.kind, output) if output else ""
    return Feedback(review.decision.external_id, bool(review.right), answer)


def pending_keys(person: User) -> list[int]:
    """Keys of the verdicts that can still be taken back, or are due to be final."""
    return [key for (key,) in ON_THEIR_WAY.rows(person=person.pk)]
