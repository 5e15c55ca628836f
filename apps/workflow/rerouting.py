"""After a resume: what a stop withheld is routed again, as a new step of each decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

import numpy as np
from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from apps.common.actor import Actor
from apps.common.errors import Conflict, PlatformError
from apps.decisions.domain.final_outputs import final_output
from apps.decisions.domain.lifecycle import Lane, Status, may_reroute, next_status, reroute_event
from apps.decisions.models import Decision
from apps.decisions.selectors import output_of
from apps.decisions.services import content_add, set_final, tell
from apps.policies.domain.lanes import NONE, Lifecycle, RoutingContext, RoutingResult
from apps.policies.domain.lanes import Lane as RoutedLane
from apps.policies.domain.reasons import reasons
from apps.policies.domain.routing import route
from apps.policies.domain.rows import columns_from_decisions
from apps.policies.selectors import PolicyInForce
from apps.registry.models import UseCase
from apps.reviews.services import task_open
from apps.supervision.mandates import mandates_take
from apps.supervision.models import Stop
from apps.supervision.selectors import mandates_in_force
from apps.workflow.answers import decision_as_sent
from apps.workflow.intake import ATTEMPTS, Stand, StopChangedError, read_stop_again
from apps.workflow.recording import left_entry, remaining
from apps.workflow.routing import IN_SERVICE, NotReadyError, ready_to_route

CHUNK = 200
SUSPENDED = "suspended"
SWEEPER = Actor.system("rerouting")
LEFT = "asked for by the resume, and left by a failure"


def reroute_blocked(actor: Actor, use_case: UseCase, reason: str) -> int:
    """Route again every decision that a stop withheld; returns how many. Chunk by chunk: a chunk
    commits whole, and what a failure leaves can be rerouted by the next call.

    Raises:
        Conflict: the use case is stopped, or was stopped meanwhile: that chunk stays withheld.
    """
    waiting = Decision.objects.filter(
        use_case=use_case, lane=Lane.BLOCKED, status=Status.WITHHELD
    ).order_by("id")
    ids, done = list(waiting.values_list("id", flat=True)), 0
    for start in range(0, len(ids), CHUNK):
        done += _reroute_chunk(actor, use_case.pk, ids[start : start + CHUNK], reason)
    return done


def reroutes_finish() -> int:
    """Route what a resume was asked to route again and a failure left; returns how many.

    The resume says it on its own row. What was blocked after that resume was not its concern: a
    later stop's own resume says what becomes of it.
    """
    done, failed = 0, None
    for asked in _unfinished():
        try:
            done += _finish(asked)
        except (PlatformError, DatabaseError) as error:
            # one use case's fault must not keep the others waiting
            failed = failed or error
    if failed is not None:
        raise failed
    return done


def _unfinished() -> Iterator[Stop]:
    """Resumes that asked for it in use cases where routing goes on, and that left some."""
    left = Decision.objects.filter(
        use_case=OuterRef("use_case"),
        lane=Lane.BLOCKED,
        status=Status.WITHHELD,
        lifecycle=SUSPENDED,
        routed_at__gte=OuterRef("stopped_at"),
        routed_at__lte=OuterRef("resumed_at"),
    )
    stops = Stop.objects.filter(withheld="reroute", use_case__lifecycle__in=IN_SERVICE)
    found = stops.filter(Exists(left)).select_related("use_case")
    return iter(found.order_by("resumed_at"))


def _finish(asked: Stop) -> int:
    waiting = Decision.objects.filter(
        use_case=asked.use_case_id,
        lane=Lane.BLOCKED,
        status=Status.WITHHELD,
        lifecycle=SUSPENDED,
        routed_at__gte=asked.stopped_at,
        routed_at__lte=asked.resumed_at,
    )
    ids = list(waiting.order_by("id").values_list("id", flat=True))
    starts = range(0, len(ids), CHUNK)
    return sum(
        _reroute_chunk(SWEEPER, asked.use_case_id, ids[start : start + CHUNK], LEFT)
        for start in starts
    )


def _reroute_chunk(actor: Actor, slug: str, ids: Sequence[UUID], reason: str) -> int:
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return _reroute(actor, slug, ids, reason)
        except StopChangedError:
            continue
        except NotReadyError as error:
            error.mend()
    raise Conflict(f"the use case {slug!r} is being stopped and resumed: reroute again")


def _reroute(actor: Actor, slug: str, ids: Sequence[UUID], reason: str) -> int:
    use_case = UseCase.objects.get(pk=slug)
    if use_case.lifecycle not in {"live", "pilot"}:
        raise Conflict(f"the use case is {use_case.lifecycle}: nothing can be routed")
    now = timezone.now()
    policy, seed = ready_to_route(use_case, now)
    rows = Decision.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=ids)
    locked = rows.select_related("model_version").order_by("id")
    found = [d for d in locked if may_reroute(Lane(d.lane), Status(d.status))]
    if not found:
        return 0
    sent = [decision_as_sent(decision) for decision in found]
    result = route(
        policy.routing, _context(use_case, policy, seed, found, now), columns_from_decisions(sent)
    )
    for row, decision in enumerate(found):
        _move(actor, decision, result, row, policy, now, reason)
    read_stop_again([_stand(use_case, found)])
    return len(found)


def _stand(use_case: UseCase, found: list[Decision]) -> Stand:
    versions = {str(d.model_version_id): d.model_version.status for d in found}
    withdrawn = frozenset(key for key, status in versions.items() if status != "active")
    return Stand(use_case.slug, use_case.lifecycle, frozenset(versions), withdrawn)


def _context(
    use_case: UseCase, policy: PolicyInForce, seed: bytes, found: list[Decision], now: datetime
) -> RoutingContext:
    commands = policy.level == "HIC"
    return RoutingContext(
        lifecycle=cast(Lifecycle, use_case.lifecycle),
        seed=seed,
        moment=now,
        mandates=mandates_in_force(use_case.slug, now, lock=True) if commands else (),
        withdrawn=np.array([d.model_version.status != "active" for d in found]),
    )


def _move(
    actor: Actor,
    decision: Decision,
    result: RoutingResult,
    row: int,
    policy: PolicyInForce,
    now: datetime,
    reason: str,
) -> None:
    lane = Lane(RoutedLane(int(result.lane[row])).code)
    event = reroute_event(lane)
    decision.status = next_status(event, Status(decision.status))
    why = [dict(found) for found in reasons(result, row)]
    would_be, chance = int(result.would_be[row]), float(result.sampling_probability[row])
    decision.lane, decision.policy_id, decision.routed_at = lane.value, policy.id, now
    decision.lifecycle = result.context.lifecycle
    decision.model_status = decision.model_version.status
    decision.would_be = None if would_be == NONE else RoutedLane(would_be).code
    decision.sampling_probability = None if chance != chance else chance
    decision.after_review = bool(result.needs_after_review[row])
    decision.reason_codes = " ".join(dict.fromkeys(str(found["code"]) for found in why))
    decision.reasons_commitment = content_add(decision.pk, "reasons", why)
    decision.settled_at = None if decision.status == Status.PENDING else now
    _use_mandate(decision, result, row)
    released = decision.status == Status.RELEASED
    final = final_output(decision.kind, output_of(decision)) if released else None
    set_final(decision, final, event)
    decision.save(actor=actor, reason=reason)
    waits = lane is Lane.REVIEW
    if waits or decision.after_review or decision.would_be == "review":
        task_open(actor=actor, decision=decision, policy=policy.document, now=now, before=waits)
    if lane is not Lane.BLOCKED:
        tell(decision, final)


def _use_mandate(decision: Decision, result: RoutingResult, row: int) -> None:
    index, mandates = int(result.mandate[row]), result.context.mandates
    decision.mandate = mandates[index].id if index >= 0 else None
    if mandates:
        left = remaining(mandates, result.mandate_use(before=row))
        decision.mandates_left = [left_entry(mandate) for mandate in left]
    if index >= 0 and result.context.lifecycle == "live":
        mandates_take(decision.use_case_id, [(mandates[index].id, decision.pk, decision.amount)])
