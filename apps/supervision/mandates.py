"""Mandates: what a commander lets the AI release by itself, and what is used of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q, Value
from django.utils import timezone

from apps.accounts.models import User
from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict, FieldError
from apps.common.fields import ExactDecimalField
from apps.common.saving import checked_reason, text_faults
from apps.decisions.bulk import insert_rows
from apps.policies.domain.condition_parser import parse_condition
from apps.policies.domain.conditions import condition_data
from apps.policies.domain.schema import InvalidDocumentError
from apps.policies.faults import as_bad_input
from apps.policies.selectors import use_case_schema
from apps.registry.guards import use_case_lock
from apps.registry.models import UseCase
from apps.supervision.models import Mandate, MandateCounter, MandateUse

MOST = 10**15  # of a count: far more than there will be, far less than a column holds


class Use(NamedTuple):
    """A decision is released under a mandate; ``amount`` is what it takes of the mandate's."""

    mandate: UUID
    decision: UUID
    amount: Decimal | None


@transaction.atomic
def mandate_issue(
    *,
    actor: Actor,
    use_case: UseCase,
    scope: object,
    valid_to: datetime,
    reason: str,
    valid_from: datetime | None = None,
    max_count: int | None = None,
    max_amount: str | Decimal | None = None,
    name: str = "",
) -> Mandate:
    """A new mandate, from now on where ``valid_from`` is left out. A limit of None is no limit.

    It is read against the use case's definition, which is held still meanwhile.
    """
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    held, now = use_case_lock(use_case.slug), timezone.now()
    begin = now if valid_from is None else valid_from
    faults = [
        *_name_faults(name),
        *_count_faults(max_count),
        *_amount_faults(max_amount),
        *_window_faults(begin, valid_to, now),
    ]
    normal = _checked_scope(scope, held, faults)
    limit: Any = None if max_amount is None else Decimal(max_amount)
    mandate = Mandate(
        use_case=held,
        scope=normal,
        name=name,
        max_count=max_count,
        max_amount=limit,
        valid_from=begin,
        valid_to=valid_to,
        issued_by=User.objects.filter(pk=actor.id).first() if actor.kind == "person" else None,
        issued_at=now,
    )
    mandate.save(actor=actor, reason=reason)
    MandateCounter(mandate=mandate).save(force_insert=True)
    return mandate


def _checked_scope(scope: object, use_case: UseCase, faults: list[FieldError]) -> dict[str, Any]:
    """The scope in its normal form; BadInput with its faults and those found before."""
    faults += text_faults(scope, "/scope")
    if scope is None:
        everything = '{"all": []} covers every decision'
        faults.append(FieldError("/scope", f"a mandate needs a scope: a condition; {everything}"))
    else:
        try:
            condition = parse_condition(scope, use_case_schema(use_case), "/scope")
        except InvalidDocumentError as error:
            faults += as_bad_input(error).errors
    if faults:
        raise BadInput(faults)
    return condition_data(condition)


def _name_faults(name: object) -> Iterator[FieldError]:
    if not isinstance(name, str) or len(name) > 200:
        yield FieldError("/name", "a name is text of at most 200 characters")
    yield from text_faults(name, "/name")


def _count_faults(count: object) -> Iterator[FieldError]:
    if count is None:
        return
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        yield FieldError("/max_count", f"{count!r:.60} is not a whole number of 1 to {MOST}")


def _amount_faults(amount: object) -> Iterator[FieldError]:
    if amount is None:
        return
    wanted = 'an amount above 0: a decimal in quotes, such as "50000.00"'
    if not isinstance(amount, str | Decimal):
        yield FieldError("/max_amount", f"{amount!r:.60} is not {wanted}")
        return
    try:
        number = ExactDecimalField().to_python(amount)
    except ValidationError as error:
        yield FieldError("/max_amount", error.messages[0])
        return
    if number is None or number <= 0:
        yield FieldError("/max_amount", f"{amount!r:.60} is not {wanted}")


def _window_faults(begin: datetime, end: datetime, now: datetime) -> Iterator[FieldError]:
    naive = [name for name, at in (("from", begin), ("to", end)) if at.tzinfo is None]
    if naive:
        yield from (FieldError(f"/valid_{name}", "the time has no zone") for name in naive)
        return
    if end <= begin:
        detail = f"{end.isoformat()} is not after valid_from, which is {begin.isoformat()}"
        yield FieldError("/valid_to", detail)
    elif end <= now:
        yield FieldError("/valid_to", f"{end.isoformat()} lies in the past")


@transaction.atomic
def mandate_revoke(*, actor: Actor, mandate: Mandate, reason: str) -> Mandate:
    """End a mandate now. Its counter is locked first, as those who use it do: once the revocation
    is committed nothing more is released under it."""
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    MandateCounter.objects.select_for_update(no_key=True).get(pk=mandate.pk)
    held: Mandate = Mandate.objects.select_for_update(no_key=True).get(pk=mandate.pk)
    now = timezone.now()
    if held.revoked_at is not None:
        raise Conflict(f"the mandate was revoked at {held.revoked_at.isoformat()}")
    if held.valid_to <= now:
        raise Conflict(f"the mandate was over at {held.valid_to.isoformat()}")
    held.revoked_at = now
    held.save(actor=actor, reason=reason)
    return held


@transaction.atomic
def mandates_take(
    use_case_slug: str, uses: Iterable[tuple[UUID | str, UUID, Decimal | None]]
) -> None:
    """Write down which decisions were released under which mandate, and count them.

    Each use is (mandate, decision, amount). The caller holds the counters' locks from
    ``mandates_in_force(..., lock=True)``. Should one not, a limit still holds: what goes beyond it
    is a Conflict, and nothing of it stays.
    """
    taken = [Use(UUID(str(mandate)), decision, amount) for mandate, decision, amount in uses]
    _write_uses(use_case_slug, taken)
    mandates = sorted({use.mandate for use in taken})
    for mandate in mandates:
        _count(mandate, [use.amount for use in taken if use.mandate == mandate])
    _refuse_excess(mandates)


def _write_uses(slug: str, taken: list[Use]) -> None:
    scaled = ExactDecimalField().get_prep_value
    rows = [(use.mandate, use.decision, scaled(use.amount)) for use in taken]
    constants = {"at": timezone.now(), "use_case": slug}
    insert_rows(MandateUse, constants, ["mandate_id", "decision_id", "amount"], rows)


def _count(mandate: UUID, amounts: list[Decimal | None]) -> None:
    total = sum((amount or Decimal(0) for amount in amounts), Decimal(0))
    MandateCounter.objects.filter(pk=mandate).update(
        count=F("count") + len(amounts),
        amount=F("amount") + Value(total, output_field=ExactDecimalField()),
    )


def _refuse_excess(mandates: list[UUID]) -> None:
    too_many = Q(max_count__lt=F("counter__count"))
    too_much = Q(max_amount__lt=F("counter__amount"))
    over = Mandate.objects.filter(too_many | too_much, pk__in=mandates).first()
    if over is not None:
        raise Conflict(f"the mandate {over} has not so much left")
