"""A batch of outcomes: what turned out to be true, line by line, committed together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import IO, Any, Literal, NamedTuple

from django.db import transaction

from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict, FieldError
from apps.decisions.domain.strict_json import parse_object
from apps.decisions.models import Decision
from apps.outcomes.services import outcome_record
from apps.workflow.batch import FETCHED, Counts, Find, Told, all_or_none, chunks_of, slug_of
from apps.workflow.taken import Taken


class Stated(NamedTuple):
    """An outcome that passed its checks: of which case, and what ``outcome_record`` takes."""

    use_case: str
    external_id: str
    said: dict[str, Any]


Read = Callable[[dict[str, Any]], Stated]


def take_outcomes(*, actor: Actor, source: IO[bytes], find: Find, read: Read, told: Told) -> Counts:
    """Record every good line of ``source``; a bad one stops no other.

    ``find`` gives the use case of a slug that the sender may record in; ``read`` checks a body.
    Both raise BadInput.

    Raises:
        BadInput: there is no line.
    """
    return all_or_none(source, told, lambda: _take_all(actor, source, find, read, told))


def _take_all(actor: Actor, source: IO[bytes], find: Find, read: Read, told: Told) -> Counts:
    counts = Counts()
    for lines in chunks_of(source):
        stated: dict[int, Stated] = {}
        outcome: dict[int, Taken | tuple[FieldError, ...]] = {}
        for line, raw in lines:
            try:
                body = parse_object(raw)
                find(slug_of(body))
                stated[line] = read(body)
            except BadInput as error:
                outcome[line] = tuple(error.errors)
        decisions = _decisions(stated.values())
        for line, one in stated.items():
            outcome[line] = _record(actor, line, one, decisions.get(one[:2]))
        for line in sorted(outcome):
            counts.add(outcome[line])
            told.line(line, outcome[line])
    return counts


def _decisions(stated: Iterable[Stated]) -> dict[tuple[str, str], Decision]:
    cases: dict[str, list[str]] = {}
    for one in stated:
        cases.setdefault(one.use_case, []).append(one.external_id)
    found = {}
    for slug, ids in cases.items():
        for start in range(0, len(ids), FETCHED):
            part = ids[start : start + FETCHED]
            rows = Decision.objects.filter(use_case_id=slug, external_id__in=part)
            found.update({(slug, row.external_id): row for row in rows})
    return found


def _record(
    actor: Actor, line: int, stated: Stated, decision: Decision | None
) -> Taken | tuple[FieldError, ...]:
    if decision is None:
        detail = f"there is no decision {stated.external_id!r} in {stated.use_case}"
        return (FieldError("/external_id", detail),)
    try:
        with transaction.atomic():
            recorded = outcome_record(actor=actor, decision=decision, **stated.said)
    except BadInput as error:
        return tuple(error.errors)
    except Conflict as error:
        return (FieldError("", str(error)),)
    state: Literal["accepted", "duplicate"] = "accepted" if recorded.is_new else "duplicate"
    return Taken(line, state, stated.external_id, str(decision.pk), decision.lane, decision.status)
