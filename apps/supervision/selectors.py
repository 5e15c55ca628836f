"""Reading what people above the AI need: mandates and their use, decisions open to intervention."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from apps.common.errors import BadInput, Conflict
from apps.common.fields import stored_json
from apps.decisions.domain.lifecycle import Lane, Status
from apps.decisions.models import Decision
from apps.policies.domain.condition_parser import parse_condition
from apps.policies.domain.conditions import Condition
from apps.policies.domain.mandates import Mandate as MandateLeft
from apps.policies.domain.schema import InvalidDocumentError, UseCaseSchema
from apps.policies.models import PolicyVersion
from apps.policies.selectors import use_case_schema
from apps.registry.models import UseCase
from apps.supervision.models import Mandate, MandateCounter, MandateUse

PARSED = 1_024  # scopes that a process keeps ready
State = Literal["scheduled", "in_force", "used_up", "over", "revoked"]


class MandateAccount(NamedTuple):
    """What is used of a mandate and what is left; None where there is no limit."""

    state: State
    used_count: int
    used_amount: Decimal
    left_count: int | None
    left_amount: Decimal | None


@dataclass(frozen=True, slots=True)
class InterventionFilter:
    """Which decisions a supervisor means; times are of creation, from ``since`` to before ``until``."""

    use_case: str
    lane: str | None = None
    label: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    model_version: str | None = None

    def __post_init__(self) -> None:
        if self.lane not in (None, Lane.SUPERVISED):
            detail = f"{self.lane!r:.60}: people intervene in the lane supervised alone"
            raise BadInput(detail, "/filter/lane")


class Difference(NamedTuple):
    """A counter that is not the sum of its uses, each as (count, amount)."""

    mandate: UUID
    counted: tuple[int, Decimal]
    summed: tuple[int, Decimal]


def mandates_in_force(
    use_case_slug: str, now: datetime, lock: bool = False
) -> tuple[MandateLeft, ...]:
    """The mandates that hold at ``now`` in order of issue, with what is left of each.

    With ``lock`` their counters stay locked until the transaction ends, taken in the order of
    their ids, so that what is left is exact when it is used.
    """
    valid = Mandate.objects.filter(
        use_case_id=use_case_slug, revoked_at=None, valid_from__lte=now, valid_to__gt=now
    )
    if lock:
        counters = _locked_counters(valid)
        # Read again after the locks: one may have been revoked while this waited.
        rows = list(valid.filter(pk__in=counters).order_by("issued_at", "pk")) if counters else []
    else:
        rows = list(valid.select_related("counter").order_by("issued_at", "pk"))
        counters = {row.pk: row.counter for row in rows}
    if not rows:
        return ()
    schema = use_case_schema(UseCase.objects.get(pk=use_case_slug))
    return tuple(_left(row, counters[row.pk], schema) for row in rows)


def mandates_as_issued(ids: Sequence[UUID]) -> tuple[MandateLeft, ...]:
    """Mandates with nothing used of them yet, whatever became of them."""
    rows = Mandate.objects.select_related("use_case").filter(pk__in=ids)
    return tuple(
        _left(row, MandateCounter(mandate=row), use_case_schema(row.use_case))
        for row in rows.order_by("issued_at", "pk")
    )


def _locked_counters(valid: QuerySet[Mandate]) -> dict[UUID, MandateCounter]:
    counters = MandateCounter.objects.select_for_update(no_key=True, of=("self",))
    found = counters.filter(mandate__in=valid.values("pk")).order_by("mandate_id")
    return {counter.pk: counter for counter in found}


def _left(mandate: Mandate, counter: MandateCounter, schema: UseCaseSchema) -> MandateLeft:
    count, amount = _left_of(mandate, counter)
    return MandateLeft(
        id=str(mandate.pk),
        scope=_scope(stored_json(mandate.scope), schema),
        left_count=count,
        left_amount=amount,
        valid_from=mandate.valid_from,
        valid_to=mandate.valid_to,
        name=mandate.name,
    )


def _left_of(mandate: Mandate, counter: MandateCounter) -> tuple[int | None, Decimal | None]:
    count = None if mandate.max_count is None else mandate.max_count - counter.count
    amount = None if mandate.max_amount is None else mandate.max_amount - counter.amount
    return count, amount


@lru_cache(maxsize=PARSED)
def _scope(stored: str, schema: UseCaseSchema) -> Condition:
    """Keyed by the definition too: a field's type decides how a condition compares."""
    try:
        return parse_condition(json.loads(stored), schema)
    except InvalidDocumentError as error:
        raise Conflict(
            f"the scope of a mandate does not fit the use case as it is defined now: {error}"
        ) from None


def mandate_account(mandate: Mandate, now: datetime) -> MandateAccount:
    """What is used of a mandate and what is left; ``counter`` is best selected with it."""
    counter: MandateCounter = mandate.counter
    count, amount = _left_of(mandate, counter)
    state = _state(mandate, now, used_up=count == 0 or amount == 0)
    return MandateAccount(state, counter.count, counter.amount, count, amount)


def _state(mandate: Mandate, now: datetime, *, used_up: bool) -> State:
    if mandate.revoked_at is not None:
        return "revoked"
    if mandate.valid_to <= now:
        return "over"
    if now < mandate.valid_from:
        return "scheduled"
    return "used_up" if used_up else "in_force"


def counter_differences() -> list[Difference]:
    """Counters that do not equal the sum of their uses; none when all is well."""
    sums: dict[UUID, tuple[int, Decimal]] = {
        row["mandate_id"]: (row["uses"], row["total"] or Decimal(0))
        for row in MandateUse.objects.values("mandate_id").annotate(
            uses=Count("id"), total=Sum("amount")
        )
    }
    counted = {
        row.pk: (row.count, row.amount) for row in MandateCounter.objects.order_by("mandate_id")
    }
    nothing = (0, Decimal(0))
    return [
        Difference(key, counted.get(key, nothing), sums.get(key, nothing))
        for key in sorted({*counted, *sums})
        if counted.get(key, nothing) != sums.get(key, nothing)
    ]


def window_end(decision: Decision) -> datetime | None:
    """When the intervention window closes; None where the policy that routed it sets none."""
    minutes = decision.policy.document["intervention_minutes"]
    return None if minutes is None else decision.routed_at + timedelta(minutes=minutes)


def open_to_intervention(filters: InterventionFilter, now: datetime) -> QuerySet[Decision]:
    """Released supervised decisions that match, as far as their windows are open at ``now``."""
    named = {
        "label": filters.label,
        "model_version__version": filters.model_version,
        "created_at__gte": filters.since,
        "created_at__lt": filters.until,
    }
    found: QuerySet[Decision] = Decision.objects.filter(
        windows_open([filters.use_case], now),
        use_case_id=filters.use_case,
        lane=Lane.SUPERVISED,
        status=Status.RELEASED,
        past=False,
        **{name: value for name, value in named.items() if value is not None},
    )
    return found


def windows_open(slugs: Collection[str] | None, now: datetime) -> Q:
    """The decisions of these use cases (None: of all) whose windows are open at ``now``.

    Policies differ in their windows: by the length of the window, which policies set it.
    """
    versions = PolicyVersion.objects.filter(level="HOTL")
    versions = versions if slugs is None else versions.filter(use_case_id__in=slugs)
    policies: dict[int | None, list[UUID]] = {}
    for policy in versions:
        policies.setdefault(policy.document["intervention_minutes"], []).append(policy.pk)
    is_open = Q(pk__in=[])
    for minutes, keys in policies.items():
        released = {} if minutes is None else {"routed_at__gt": now - timedelta(minutes=minutes)}
        is_open |= Q(policy_id__in=keys, **released)
    return is_open


def mandates_as_they_stood(entries: Sequence[Mapping[str, Any]]) -> tuple[MandateLeft, ...]:
    """The mandates that a decision was routed by, with what was left of each at the time.

    Parameters: ``entries`` of {"id", "count", "amount"}, as the decision recorded them.
    """
    issued = {m.id: m for m in mandates_as_issued([UUID(entry["id"]) for entry in entries])}
    return tuple(
        MandateLeft(
            id=entry["id"],
            scope=issued[entry["id"]].scope,
            left_count=entry["count"],
            left_amount=None if entry["amount"] is None else Decimal(entry["amount"]),
            valid_from=issued[entry["id"]].valid_from,
            valid_to=issued[entry["id"]].valid_to,
            name=issued[entry["id"]].name,
        )
        for entry in entries
    )
