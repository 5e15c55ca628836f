"""Known answers and practice: cases that look like the others and decide nothing."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.models import Qualification, User
from apps.accounts.qualifications import qualification_end
from apps.common.actor import Actor
from apps.common.columns import fetched
from apps.common.ids import uuid7
from apps.decisions.models import Decision
from apps.policies.domain.sampling import draw
from apps.policies.seeds import seed_for
from apps.policies.selectors import PolicyInForce
from apps.registry.models import UseCase
from apps.reviews.domain.known_answers import Standing, due, standing
from apps.reviews.known_answers import known_answer_end, known_for, known_output
from apps.reviews.models import KnownAnswer, Review, ReviewTask, Seat
from apps.reviews.reliability import FITTER, reliability_refresh
from apps.reviews.seats import seats_add
from apps.reviews.services import due_at
from apps.workflow.desk.case import standing_policy
from apps.workflow.desk.fitting import weighed_use_cases
from apps.workflow.desk.settling import Desk
from apps.workflow.desk.submission import same
from apps.workflow.desk.words import outputs_of

ASSESSOR: Final = Actor.system("known-answers")
WEEK: Final = timedelta(days=7)
CANDIDATES: Final = 200  # decided cases looked at for practice
APART_MS: Final = 5_000
# Asked at each claim, so written out (apps.common.columns).
GIVEN: Final = (
    "SELECT COUNT(*) FROM reviews_review "
    "WHERE reviewer_id = %s AND use_case_id = %s AND NOT imported"
)


# --- Mixed in -------------------------------------------------------------------------------


def known_is_due(person: User, use_case: UseCase, policy: PolicyInForce, now: datetime) -> bool:
    """Whether this claim is answered with a case whose answer is known. The draw is by the number
    of the reviewer's verdicts here, so that giving a case back does not draw again."""
    rate = policy.document["known_answer_rate"]
    if not rate:
        return False
    key = Review._meta.get_field("reviewer").get_db_prep_value(person.pk, connection)
    ((given,),) = fetched(GIVEN, [key, use_case.pk])
    nth = given + 1
    return due(seed_for(use_case.slug, now.year), str(person.pk), nth, rate)


def known_seat(
    actor: Actor,
    person: User,
    use_case: UseCase,
    policy: PolicyInForce,
    now: datetime,
    instead_of: ReviewTask,
) -> Seat | None:
    """A seat for this person at a known case that they have not seen; None where there is none.

    It takes the place, and to some seconds the arrival and the time limit, of the case that was
    next: a case that came this very second would tell what it is.
    """
    known = known_for(person, use_case)
    if known is None:
        return None
    times = _a_little_before(instead_of)
    return _checking_seat(actor, person, known.decision, "known", policy, times)


def _a_little_before(task: ReviewTask) -> _Times:
    """Two tasks of one and the same moment would stand out."""
    apart = timedelta(milliseconds=1 + secrets.randbelow(APART_MS))
    due = None if task.due_at is None else task.due_at - apart
    return _Times(task.created_at - apart, due, task.rank)


def practice_seat(
    actor: Actor, person: User, use_case: UseCase, policy: PolicyInForce, now: datetime
) -> Seat | None:
    """A random decided case, where the queue gave this person fewer than the policy's minimum in
    the last seven days."""
    least = policy.document["min_weekly_cases"]
    if not least or cases_since(person, use_case, now - WEEK) >= least:
        return None
    seed, day = seed_for(use_case.slug, now.year), now.date().isoformat()
    seen = Review.objects.filter(reviewer=person, use_case=use_case).values("decision")
    settled = Decision.objects.filter(
        use_case=use_case, settled_at__isnull=False, settled_at__lte=now, past=False
    )
    fair = settled.exclude(pk__in=seen).exclude(submitted_by=str(person.pk)).exclude(lane="blocked")
    keys = fair.order_by("-id").values_list("pk", flat=True)[:CANDIDATES]
    drawn = min(keys, key=lambda key: draw(seed, f"practice:{person.pk}:{day}:{key}"), default=None)
    if drawn is None:
        return None
    decision = Decision.objects.select_related("use_case").get(pk=drawn)
    times = _Times(now, due_at(policy.document, use_case, now), now)
    return _checking_seat(actor, person, decision, "practice", policy, times)


def cases_since(person: User, use_case: UseCase, since: datetime) -> int:
    given = Review.objects.filter(reviewer=person, use_case=use_case, imported=False, final=True)
    return given.filter(reviewed_at__gte=since).count()


class _Times(NamedTuple):
    """When a case seems to have come, its limit, and its place in the queue."""

    created_at: datetime
    due_at: datetime | None
    rank: datetime


def _checking_seat(
    actor: Actor,
    person: User,
    decision: Decision,
    kind: str,
    policy: PolicyInForce,
    times: _Times,
) -> Seat:
    """A task with one seat, which this person alone may take."""
    task = ReviewTask(
        # an id holds the time at which it was made
        id=uuid7(int(times.created_at.timestamp() * 1000)),
        use_case=decision.use_case,
        decision=decision,
        kind=kind,
        status="open",
        reviews_required=1,
        **times._asdict(),
    )
    task.save(actor=actor, reason="asked for")
    seats_add(task=task, count=1, skills=policy.document["skills"], assigned_to=person)
    return Seat.objects.select_related("pool").get(task=task)


# --- Compared -------------------------------------------------------------------------------


def known_compare(desk: Desk, review: Review, person: User) -> dict[str, Any] | None:
    """Whether the first answer was right, on the review; whoever is surely below the floor loses
    the qualification. Returns what feedback may show."""
    if desk.task.kind != "known":
        return None
    known = KnownAnswer.objects.filter(decision=desk.decision, status="active").first()
    if known is None or review.verdict in ("abstain", "escalate"):
        return None
    right = _is_right(desk.decision, review, known)
    review.right = right
    review.save(actor=ASSESSOR, reason="compared with the known answer")
    assess(person, desk.task.use_case, desk.policy, desk.now)
    return {"right": right, "answer": known_output(known)}


def _is_right(decision: Decision, review: Review, known: KnownAnswer) -> bool:
    """By the first answer: what was said after the AI's output was seen tells less of the person.
    A withholding is no right answer to a case that has one."""
    (first,) = outputs_of(decision, [review], first=True)
    (final,) = outputs_of(decision, [review])
    return same(decision, first or final, known_output(known))


def standing_on_known(person: User, use_case: UseCase, floor: float) -> Standing:
    """A reviewer's accuracy on the known answers of a use case, with its interval."""
    rows = Review.objects.filter(
        reviewer=person, use_case=use_case, task__kind="known", right__isnull=False
    )
    marks = list(rows.values_list("right", flat=True))
    return standing(marks.count(True), len(marks), floor)


def assess(
    person: User, use_case: UseCase, policy: PolicyInForce, now: datetime
) -> Standing | None:
    """Take the qualification from whoever is below the floor beyond doubt, and give back what only
    answers took that do not count any more. Without a floor nothing is assessed."""
    floor = policy.document["known_answer_floor"]
    if floor is None:
        return None
    found = standing_on_known(person, use_case, floor)
    evidence = _evidence(found, floor, use_case)
    held = Qualification.objects.filter(
        user=person, skill__in=policy.document["skills"], use_case__in=("", use_case.slug)
    )
    for qualification in held:
        if found.below and qualification.status == "held":
            qualification_end(
                actor=ASSESSOR,
                qualification=qualification,
                status="lost",
                reason=_words(found, floor),
                evidence=evidence,
            )
        elif not found.below and _fell_here(qualification, use_case):
            _give_back(qualification, found, floor)
    return found


def _evidence(found: Standing, floor: float, use_case: UseCase) -> dict[str, Any]:
    return {
        "known_answers": {
            "use_case": use_case.slug,
            "value": found.value,
            "low": round(found.low, 6),
            "high": round(found.high, 6),
            "n": found.n,
            "floor": floor,
        }
    }


def _words(found: Standing, floor: float) -> str:
    return (
        f"{found.value or 0:.2f} of {found.n} known answers right, 95 % interval "
        f"{found.low:.2f} to {found.high:.2f}; the floor is {floor:g}"
    )


def _fell_here(qualification: Qualification, use_case: UseCase) -> bool:
    """Lost by the known answers of this use case, and by nothing else since."""
    told = (qualification.evidence or {}).get("known_answers") or {}
    return qualification.status == "lost" and told.get("use_case") == use_case.slug


def _give_back(qualification: Qualification, found: Standing, floor: float) -> None:
    qualification.status, qualification.evidence = "held", None
    qualification.save(
        actor=ASSESSOR, reason=f"not below the floor any more: {_words(found, floor)}"
    )


def known_answer_forgive(
    *, actor: Actor, known_id: UUID, reason: str, now: datetime | None = None
) -> int:
    """Take a bad known answer out, and compute again all that rested on it: each comparison with
    it is taken back, each reviewer's standing found anew, and, where votes are weighed, what was
    said on that case left out of how reliable people are. Returns how many reviews it bore on.

    Raises:
        NotFound: there is no such known answer. Conflict: it was forgiven before.
    """
    at = now or timezone.now()
    compared, use_case = _take_out(actor, known_id, reason, at)
    if use_case.slug in weighed_use_cases():
        # After the commit, since it may take seconds; the daily job does what a crash left.
        reliability_refresh(actor=FITTER, use_case=use_case, now=at)
    return compared


@transaction.atomic
def _take_out(actor: Actor, known_id: UUID, reason: str, at: datetime) -> tuple[int, UseCase]:
    known = known_answer_end(actor=actor, known_id=known_id, status="forgiven", reason=reason)
    reviews = Review.objects.filter(
        decision=known.decision_id,
        task__kind="known",
        right__isnull=False,
        created_at__gte=known.created_at,
    )
    compared = list(reviews.select_related("reviewer").order_by("pk"))
    for review in compared:
        review.right = None
        review.save(actor=actor, reason="the known answer was forgiven")
    policy = standing_policy(known.use_case, at)
    if policy is not None:
        for person in {review.reviewer_id: review.reviewer for review in compared}.values():
            assess(person, known.use_case, policy, at)
    return len(compared), known.use_case
