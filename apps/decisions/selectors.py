"""Reading decisions and their content."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from apps.common.prepared import Prepared
from apps.decisions.domain.content import join_output
from apps.decisions.domain.final_outputs import final_output
from apps.decisions.domain.lifecycle import Status
from apps.decisions.models import Content, Decision, Payload

DAY: Final = Coalesce("decided_at", "created_at")
LATER = "_later_content"  # of a decision whose later content was read with its page
ERASED = "The content was erased."
STANDING = ("reasons", "final")  # the parts whose newest content counts
PAYLOAD = Prepared(
    lambda decision: Payload.objects.filter(decision=decision), decision=Payload.decision
)


def by_day(rows: QuerySet[Any]) -> QuerySet[Any]:
    """``rows`` that can be narrowed and ordered by ``day``: when decided, else when it came."""
    found: QuerySet[Any] = rows.alias(day=DAY)
    return found


def newest_of(
    rows: QuerySet[Decision], most: int, *, of_one_use_case: bool = False
) -> QuerySet[Decision]:
    """The newest of ``rows``, at most ``most``: by id, in one use case by day, where an index holds
    all that lists ask for. Bounded by the last: ids as a subquery would be joined with the whole
    table."""
    if of_one_use_case:
        days: Any = by_day(rows)
        found = days.order_by("-day", "-pk").values_list(DAY, "pk")[most - 1 : most].first()
        newest: QuerySet[Decision] = days if found is None else days.filter(_from(*found))
        return newest
    ordered = rows.order_by("-pk").values_list("pk", flat=True)
    last = ordered[most - 1 : most].first()
    return rows if last is None else rows.filter(pk__gte=last)


def _from(day: datetime, key: UUID) -> Q:
    """From a decision on, itself included. The bound on the day alone is for the index."""
    further: Q = Q(day__gt=day) | Q(day=day, pk__gte=key)
    return Q(day__gte=day) & further


def payload_of(decision: Decision) -> Payload | None:
    """The content as sent, read once; None after an erasure."""
    if not hasattr(decision, "_payload"):
        decision._payload = PAYLOAD.first(decision=decision.pk)
    found: Payload | None = decision._payload
    return found


def with_content(decisions: Iterable[Decision]) -> list[Decision]:
    """Decisions of one page with their content, in two queries more whatever their number."""
    found = with_later_content(decisions)
    keys = [decision.pk for decision in found]
    payloads = {row.pk: row for row in Payload.objects.filter(decision__in=keys)}
    for decision in found:
        decision._payload = payloads.get(decision.pk)
    return found


def with_later_content(decisions: Iterable[Decision]) -> list[Decision]:
    """Decisions with what came to them later, in one query whatever their number."""
    found = list(decisions)
    later: dict[Any, dict[str, str]] = {decision.pk: {} for decision in found}
    rows = Content.objects.filter(decision__in=list(later), part__in=STANDING).order_by("id")
    for row in rows:
        later[row.decision][row.part] = row.content
    for decision in found:
        decision.__dict__[LATER] = later[decision.pk]
    return found


def part_of(decision: Decision, part: str) -> Any:
    """One part of the content as a value; None where there is none."""
    payload = payload_of(decision)
    text = getattr(payload, part) if payload is not None else None
    return None if text is None else json.loads(text)


def later_part(decision: Decision, part: str) -> Any:
    """The newest content of a part that came after the decision; None where there is none."""
    if LATER in decision.__dict__:
        read: dict[str, str] = decision.__dict__[LATER]
        return json.loads(read[part]) if part in read else None
    newest = Content.objects.filter(decision=decision.pk, part=part).order_by("-id").first()
    return None if newest is None else json.loads(newest.content)


def output_of(decision: Decision) -> dict[str, object] | None:
    """The AI's output as it was sent, None where no model had spoken."""
    payload = payload_of(decision)
    text = payload.output if payload is not None else None
    part = None if text is None else text.encode()
    return join_output(decision.kind, decision.label, decision.confidence, part)


def final_of(decision: Decision) -> dict[str, object] | None:
    """What took effect: changed by a person, or the AI's own where it was released as it was."""
    if decision.kind == "label":
        return None if decision.final_label is None else {"label": decision.final_label}
    if decision.final_commitment is not None:
        found: dict[str, object] | None = later_part(decision, "final")
        return found
    if decision.status == Status.RELEASED:
        return final_output(decision.kind, output_of(decision))
    return None


def reasons_of(decision: Decision) -> list[dict[str, Any]]:
    """The reasons with their values; the codes alone after an erasure."""
    if decision.routed_at == decision.created_at:
        return first_reasons_of(decision, decision.reason_codes)
    found = later_part(decision, "reasons")
    return coded_reasons(decision.reason_codes, ERASED) if found is None else list(found)


def first_reasons_of(decision: Decision, codes: str) -> list[dict[str, Any]]:
    """The reasons of its first routing, whose codes were ``codes``."""
    found = part_of(decision, "reasons")
    return coded_reasons(codes, ERASED) if found is None else list(found)


def coded_reasons(codes: str, why: str) -> list[dict[str, Any]]:
    """Reasons without their values, and ``why`` they have none."""
    return [{"code": code, "rule": None, "value": None, "text": why} for code in codes.split()]
