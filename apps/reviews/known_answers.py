"""Known answers: entered by a lead or drawn from decided cases, taken out when they prove bad."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict, NotFound
from apps.common.saving import checked_reason
from apps.decisions.domain.content import subject_pseudonym
from apps.decisions.domain.lifecycle import Status
from apps.decisions.models import Content, Payload
from apps.decisions.services import checked_final, content_add, decision_lock
from apps.policies.domain.sampling import draw
from apps.policies.seeds import seed_for
from apps.registry.models import UseCase
from apps.reviews.models import KnownAnswer, Review, ReviewTask

PART: Final = "known_answer"
AMONG: Final = 500  # active known answers that a draw chooses from


@transaction.atomic
def known_answer_enter(
    *,
    actor: Actor,
    decision_id: UUID,
    output: object,
    reason: str,
    source: str = "entered",
    now: datetime | None = None,
) -> KnownAnswer:
    """From now on reviewers may be shown this case, and their first answers compared with
    ``output``, the final output that is right.

    Raises:
        NotFound: there is no such decision. BadInput: the output is not one of its kind.
        Conflict: it still waits for people, its content was erased, or its answer is known.
    """
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    decision = decision_lock(decision_id)
    if decision.status == Status.PENDING:
        raise Conflict(
            "the decision waits for people still: only a decided case has a known answer"
        )
    if not Payload.objects.filter(decision=decision.pk).exists():
        raise Conflict("the content of this decision was erased: there is no case to show")
    right = checked_final(decision, output)
    made = KnownAnswer(
        use_case_id=decision.use_case_id,
        decision=decision,
        label=str(right["label"]) if decision.kind == "label" else None,
        source=source,
        status="active",
        made_by=actor.id,
        created_at=now or timezone.now(),
    )
    if KnownAnswer.objects.filter(decision=decision, status="active").exists():
        raise Conflict("the answer of this decision is known already: forgive that one first")
    if decision.kind != "label":
        made.output_commitment = content_add(
            decision.pk, PART, {"of": str(made.pk), "value": right}
        )
    try:
        made.save(actor=actor, reason=reason)
    except IntegrityError as error:  # pragma: no cover - the decision is locked
        raise Conflict("the answer of this decision is known already") from error
    return made


@transaction.atomic
def known_answer_end(*, actor: Actor, known_id: UUID, status: str, reason: str) -> KnownAnswer:
    """``forgiven``: it was bad, and what rested on it does not count; ``retired``: it has been
    shown enough, and what was answered stands."""
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    if status not in ("forgiven", "retired"):
        raise BadInput(f"{status!r} is not one of forgiven, retired", "/status")
    known: KnownAnswer | None = (
        KnownAnswer.objects.select_for_update(no_key=True, of=("self",))
        .select_related("use_case")
        .filter(pk=known_id)
        .first()
    )
    if known is None:
        raise NotFound(f"there is no known answer {known_id}")
    if known.status == "forgiven" or known.status == status:
        raise Conflict(f"the known answer {known_id} is {known.status} already")
    known.status = status
    known.save(actor=actor, reason=reason)
    return known


def known_output(known: KnownAnswer) -> dict[str, Any] | None:
    """The output that is right; None after an erasure."""
    if known.label is not None:
        return {"label": known.label}
    rows = Content.objects.filter(decision=known.decision_id, part=PART).order_by("-id")
    for content in rows.values_list("content", flat=True):
        entry = json.loads(content)
        if entry["of"] == str(known.pk):
            value: dict[str, Any] = entry["value"]
            return value
    return None


def known_for(person: User, use_case: UseCase) -> KnownAnswer | None:
    """A known answer that tells something of ``person``: of a case that they have not reviewed,
    not sent in, and are not the subject of. Which one, a keyed draw says: it cannot be foreseen."""
    key = settings.PSEUDONYM_KEY.encode()
    seen = Review.objects.filter(reviewer=person, use_case=use_case).values("decision")
    rows = KnownAnswer.objects.filter(use_case=use_case, status="active").exclude(decision__in=seen)
    own_work = {"decision__submitted_by": str(person.pk)}
    fair = rows.exclude(**own_work).exclude(made_by=str(person.pk))
    own = subject_pseudonym(key, use_case.slug, person.username)
    keys = [
        pk
        for pk, pseudonym in fair.order_by("-id").values_list("pk", "decision__subject_pseudonym")[
            :AMONG
        ]
        if pseudonym != own
    ]
    if not keys:
        return None
    seed = seed_for(use_case.slug, timezone.now().year)
    drawn = min(keys, key=lambda pk: draw(seed, f"known-answer:{person.pk}:{pk}"))
    found: KnownAnswer = KnownAnswer.objects.select_related("decision__use_case").get(pk=drawn)
    return found


def own_checks(person: User) -> QuerySet[Any]:
    """Keys of the tasks by which ``person`` is checked, or gets practice: those they have, and
    those they answered."""
    held = Q(seats__holder=person, seats__state="leased")
    given = Q(seats__assigned_to=person, seats__state="free")
    checks: Any = ReviewTask.objects.filter(kind__in=("known", "practice"))
    now = checks.filter(held | given).values("pk")
    answered = Review.objects.filter(reviewer=person, task__isnull=False).values("task")
    keys: QuerySet[Any] = checks.filter(Q(pk__in=now) | Q(pk__in=answered)).values("pk")
    return keys
