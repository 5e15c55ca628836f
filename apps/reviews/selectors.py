"""What a lead sees of the queue: what waits and since when, who does what, what it will come to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Avg, Count, F, Min, Q, QuerySet, Sum

from apps.accounts.models import User
from apps.common.columns import fetched
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.reviews.domain.load import erlang_c, staffing_for
from apps.reviews.domain.priority import RankParts, rank_parts, stake_of
from apps.reviews.models import Absence, Review, ReviewTask, Seat
from apps.reviews.services import use_case_stakes

DAY: Final = timedelta(days=1)
RECENT: Final = timedelta(hours=24)  # of arrivals, verdicts and lapses
AT_RISK: Final = 0.25  # of the time limit left, or less
PERCENTILES: Final = (50, 90, 99)
MINUTES_A_CASE: Final = 5.0  # where nobody has said anything yet
SHARE_IN_TIME: Final = 0.95
ASKING: Final = ("before", "after")  # known answers and practice are no work that came in

# The row at each percentile's place, by use case; nearest rank, so that it is a real age.
_AGES = """
    SELECT use_case_id, place, created_at FROM (
        SELECT use_case_id, created_at,
            row_number() OVER (PARTITION BY use_case_id ORDER BY created_at DESC) AS place,
            count(*) OVER (PARTITION BY use_case_id) AS n
        FROM reviews_reviewtask WHERE status = 'open' AND kind IN ('before', 'after') {of}
    ) ranked
    WHERE place IN ((n * 50 + 99) / 100, (n * 90 + 99) / 100, (n * 99 + 99) / 100)
    ORDER BY use_case_id, place
"""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the queue of a use case comes to with the people who were at it of late.

    ``wait_minutes`` is None where it grows without end, and ``why`` says so; ``staffing`` is how
    many people would take up 95 of 100 cases in time, None without a limit or where none can.
    """

    arrivals_per_hour: float
    minutes_per_case: float
    people: int
    utilisation: float
    wait_minutes: float | None
    staffing: int | None
    why: str | None


@dataclass(frozen=True, slots=True)
class QueueState:
    """The queue of one use case. Ages in minutes at the percentiles 50, 90 and 99."""

    use_case: str
    waiting: int
    free_seats: int
    held_seats: int
    assigned_seats: int
    oldest_at: datetime | None
    ages: Mapping[int, float]
    at_risk: int
    overdue: int
    lapsed: int
    outlook: Outlook


@dataclass(frozen=True, slots=True)
class PersonState:
    """What one person holds, has waiting, and has done in the last day."""

    person: UUID
    username: str
    held: int
    lapsed_leases: int
    assigned: int
    done: int
    minutes_per_case: float | None
    away_until: datetime | None


def tasks_waiting(slugs: Collection[str] | None = None) -> QuerySet[ReviewTask]:
    """Open tasks, with what a list of them shows; by rank, or as the reader pages."""
    # a use case is read once, not with each of its tasks: its definition takes long to parse
    found: Any = ReviewTask.objects.filter(status="open").select_related("decision")
    found = found.prefetch_related("decision__use_case")
    rows: QuerySet[ReviewTask] = found if slugs is None else found.filter(use_case__in=slugs)
    return rows


def rank_parts_of(task: ReviewTask) -> RankParts:
    """What moves a task forward. Its rank was fixed when it was made: a definition that changed
    since shows here, and in the queue only for tasks that come."""
    decision, use_case = task.decision, task.decision.use_case
    stake = stake_of(use_case_stakes(use_case), decision.label, decision.amount)
    return rank_parts(task.created_at, task.due_at, use_case.risk_tier, decision.confidence, stake)


def queue_states(
    now: datetime, slugs: Collection[str] | None = None, checked: User | None = None
) -> list[QueueState]:
    """Each use case with something waiting, or with verdicts in the last day; by name.

    Eleven queries whatever the length of the queue and the number of use cases. ``checked``: whose
    own known answers count as if the queue had given them.
    """
    limits = time_limits(slugs)
    tasks, seats = _task_counts(now, slugs, limits), _seat_counts(slugs)
    for slug, own in checks_held(checked).items():
        seats.get(slug, {}).update(_as_of_the_queue(seats.get(slug, {}), own))
    ages, outlooks = _ages(now, slugs), _outlooks(now, slugs, limits)
    names = sorted({*tasks, *seats, *outlooks})
    nothing: Any = {}
    quiet = Outlook(0.0, MINUTES_A_CASE, 0, 0.0, 0.0, None, None)
    return [
        QueueState(
            use_case=name,
            waiting=tasks.get(name, nothing).get("waiting", 0),
            free_seats=seats.get(name, nothing).get("free", 0),
            held_seats=seats.get(name, nothing).get("held", 0),
            assigned_seats=seats.get(name, nothing).get("assigned", 0),
            oldest_at=tasks.get(name, nothing).get("oldest"),
            ages=ages.get(name, nothing),
            at_risk=tasks.get(name, nothing).get("at_risk", 0),
            overdue=tasks.get(name, nothing).get("overdue", 0),
            lapsed=tasks.get(name, nothing).get("lapsed", 0),
            outlook=outlooks.get(name, quiet),
        )
        for name in names
    ]


def people_states(now: datetime, slugs: Collection[str] | None = None) -> list[PersonState]:
    """Each person with a seat, or with verdicts in the last day; by login."""
    found: dict[Any, dict[str, Any]] = {}
    for key, column, values in (
        (
            "holder_id",
            "holder",
            {
                "held": Count("pk", filter=Q(lease_expires_at__gt=now)),
                "lapsed": Count("pk", filter=Q(lease_expires_at__lte=now)),
            },
        ),
        ("assigned_to_id", "assigned_to", {"assigned": Count("pk")}),
    ):
        state = "leased" if column == "holder" else "free"
        rows: Any = Seat.objects.filter(state=state, **{f"{column}__isnull": False})
        if slugs is not None:
            rows = rows.filter(pool__use_case__in=slugs)
        for row in rows.values(key).annotate(**values):
            found.setdefault(row.pop(key), {}).update(row)
    for row in (
        _recent_verdicts(now, slugs)
        .values("reviewer_id")
        .annotate(done=Count("pk"), seconds=Avg("active_seconds"))
    ):
        found.setdefault(row.pop("reviewer_id"), {}).update(row)
    names = dict(User.objects.filter(pk__in=found).values_list("pk", "username"))
    away = dict(
        Absence.objects.filter(person__in=found, starts_at__lte=now, ends_at__gt=now).values_list(
            "person_id", "ends_at"
        )
    )
    return [
        _person(key, names[key], found[key], away.get(key))
        for key in sorted(found, key=lambda key: names[key])
    ]


def _person(key: Any, name: str, row: Mapping[str, Any], away: datetime | None) -> PersonState:
    seconds = row.get("seconds")
    return PersonState(
        person=key,
        username=name,
        held=row.get("held", 0),
        lapsed_leases=row.get("lapsed", 0),
        assigned=row.get("assigned", 0),
        done=row.get("done", 0),
        minutes_per_case=None if seconds is None else seconds / 60,
        away_until=away,
    )


def _recent_verdicts(now: datetime, slugs: Collection[str] | None) -> Any:
    rows = Review.objects.filter(
        imported=False, machine=False, final=True, reviewed_at__gt=now - RECENT
    )
    return rows if slugs is None else rows.filter(use_case__in=slugs)


def time_limits(slugs: Collection[str] | None) -> dict[str, float | None]:
    """Time limit in minutes of each use case's policy in force."""
    active = PolicyVersion.objects.filter(status=PolicyStatus.ACTIVE)
    rows = active if slugs is None else active.filter(use_case__in=slugs)
    return {
        slug: document.get("sla_minutes")
        for slug, document in rows.values_list("use_case_id", "document")
    }


def at_risk(now: datetime, limits: Mapping[str, float | None]) -> Q:
    """Tasks with a quarter of their time limit left, or less; ``limits`` as ``time_limits`` says."""
    found = Q(pk__in=[])
    for slug, minutes in limits.items():
        if minutes:
            cut = now + timedelta(minutes=minutes * AT_RISK)
            found |= Q(use_case=slug, due_at__gt=now, due_at__lte=cut)
    return found


def _task_counts(
    now: datetime, slugs: Collection[str] | None, limits: Mapping[str, float | None]
) -> dict[str, dict[str, Any]]:
    is_open = Q(status="open")
    lapsed = Q(status="lapsed", closed_at__gt=now - RECENT)
    rows = ReviewTask.objects.filter(is_open | lapsed, kind__in=ASKING)
    rows = rows if slugs is None else rows.filter(use_case__in=slugs)
    counted = rows.values("use_case_id").annotate(
        waiting=Count("pk", filter=is_open),
        oldest=Min("created_at", filter=is_open),
        at_risk=Count("pk", filter=is_open & at_risk(now, limits)),
        overdue=Count("pk", filter=is_open & Q(due_at__lte=now)),
        lapsed=Count("pk", filter=lapsed),
    )
    return {row["use_case_id"]: dict(row) for row in counted}


def _seat_counts(slugs: Collection[str] | None) -> dict[str, dict[str, Any]]:
    free = Q(state="free", assigned_to__isnull=True)
    held = Q(state="leased")
    assigned = Q(state="free", assigned_to__isnull=False)
    # each has an index, which "free or leased" would not find
    rows: Any = Seat.objects.filter(free | held | assigned)
    rows = rows if slugs is None else rows.filter(pool__use_case__in=slugs)
    counted = rows.values(name=F("pool__use_case")).annotate(
        free=Count("pk", filter=free),
        held=Count("pk", filter=held),
        assigned=Count("pk", filter=assigned),
    )
    return {row["name"]: row for row in counted}


class ChecksHeld(NamedTuple):
    """How many known answers and practice cases one person has in a use case: at work, given back."""

    held: int
    given: int


def checks_held(person: User | None) -> dict[str, ChecksHeld]:
    """By use case; of nobody, none."""
    if person is None:
        return {}
    held = Q(holder=person, state="leased")
    given = Q(assigned_to=person, state="free")
    rows = Seat.objects.filter(held | given, task__status="open").exclude(task__kind__in=ASKING)
    counted = rows.values(name=F("pool__use_case")).annotate(
        held=Count("pk", filter=held), given=Count("pk", filter=given)
    )
    return {row["name"]: ChecksHeld(row["held"], row["given"]) for row in counted}


def _as_of_the_queue(row: Mapping[str, Any], own: ChecksHeld) -> dict[str, int]:
    """The case that a known answer came instead of is free still."""
    free, assigned = row.get("free", 0), row.get("assigned", 0)
    return {"free": max(0, free - own.held), "assigned": max(0, assigned - own.given)}


def _ages(now: datetime, slugs: Collection[str] | None) -> dict[str, dict[int, float]]:
    if slugs is not None and not slugs:
        return {}
    marks = ", ".join(["%s"] * len(slugs or ()))
    of = "" if slugs is None else f"AND use_case_id IN ({marks})"
    by_use_case: dict[str, list[float]] = {}
    for slug, _place, created_at in fetched(_AGES.format(of=of), [*(slugs or ())]):
        by_use_case.setdefault(slug, []).append((now - _time(created_at)) / timedelta(minutes=1))
    return {slug: _at_percentiles(ages) for slug, ages in by_use_case.items()}


def _at_percentiles(ages: list[float]) -> dict[int, float]:
    """In a short queue one row stands at several places: the last ones repeat it."""
    padded = [*ages, *[ages[-1]] * (len(PERCENTILES) - len(ages))]
    return dict(zip(PERCENTILES, padded, strict=True))


def _time(value: Any) -> datetime:
    """SQLite keeps UTC without saying so."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _outlooks(
    now: datetime, slugs: Collection[str] | None, limits: Mapping[str, float | None]
) -> dict[str, Outlook]:
    came: Any = ReviewTask.objects.filter(created_at__gt=now - RECENT, kind__in=ASKING)
    came = came if slugs is None else came.filter(use_case__in=slugs)
    arrivals = dict(came.values_list("use_case_id").annotate(seats=Sum("reviews_required")))
    worked = {
        row["use_case_id"]: row
        for row in _recent_verdicts(now, slugs)
        .values("use_case_id")
        .annotate(people=Count("reviewer", distinct=True), seconds=Avg("active_seconds"))
    }
    hours = RECENT / timedelta(hours=1)
    return {
        slug: outlook(
            arrivals.get(slug, 0) / hours,
            (worked.get(slug, {}).get("seconds") or MINUTES_A_CASE * 60) / 60,
            worked.get(slug, {}).get("people", 0),
            limits.get(slug),
        )
        for slug in {*arrivals, *worked}
    }


def outlook(
    arrivals_per_hour: float, minutes_per_case: float, people: int, sla_minutes: float | None
) -> Outlook:
    """Erlang C over the last day's figures, and the staffing that would hold the limit."""
    waiting = erlang_c(arrivals_per_hour, minutes_per_case, people)
    staffing, why = None, waiting.why
    if sla_minutes:
        try:
            staffing = staffing_for(arrivals_per_hour, minutes_per_case, sla_minutes, SHARE_IN_TIME)
        except ValueError as error:
            why = str(error)
    finite = waiting.utilisation if waiting.utilisation != float("inf") else 0.0
    return Outlook(
        arrivals_per_hour,
        minutes_per_case,
        people,
        finite,
        waiting.expected_wait_minutes,
        staffing,
        why,
    )
