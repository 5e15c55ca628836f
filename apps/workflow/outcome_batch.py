"""A batch of outcomes: what turned out to be true, line by line, committed together or not at all.

Labels, which is nearly all there is, go the way of a file of outcomes, many rows at once. A case
with any line that asks for more (another kind of output, a reason, a value that is to be refused)
goes line by line through ``outcome_record``, all its lines in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import IO, Any, Literal, NamedTuple

from django.db import transaction
from django.utils import timezone

from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict, FieldError
from apps.decisions.domain.checks import EPOCH
from apps.decisions.domain.review_line import OUTCOME_SOURCES, ValidOutcome
from apps.decisions.domain.strict_json import parse_object
from apps.decisions.models import Decision
from apps.outcomes.services import STATED_BY, outcome_record
from apps.registry.models import UseCase
from apps.workflow.batch import FETCHED, Counts, Find, Told, all_or_none, chunks_of, slug_of
from apps.workflow.outcome_import import OutcomeIntake
from apps.workflow.taken import Taken

PLAIN = frozenset({"label", "source", "observed_at", "satisfaction"})
Case = tuple[str, str]
Outcome = Taken | tuple[FieldError, ...]


class Stated(NamedTuple):
    """An outcome that passed its checks: of which case, and what ``outcome_record`` takes."""

    use_case: str
    external_id: str
    said: dict[str, Any]

    @property
    def case(self) -> Case:
        return self.use_case, self.external_id


Read = Callable[[dict[str, Any]], Stated]


class _Chunk:
    """Some lines of the batch, and what became of each."""

    def __init__(self, actor: Actor, use_cases: dict[str, UseCase]) -> None:
        self.actor, self.use_cases = actor, use_cases
        self.stated: dict[int, Stated] = {}
        self.outcome: dict[int, Outcome] = {}
        self.decisions: dict[Case, Decision] = {}

    def read(self, lines: Iterable[tuple[int, bytes]], find: Find, read: Read) -> None:
        for line, raw in lines:
            try:
                body = parse_object(raw)
                slug = slug_of(body)
                self.use_cases[slug] = find(slug)
                self.stated[line] = read(body)
            except BadInput as error:
                self.outcome[line] = tuple(error.errors)

    def record(self) -> None:
        self.decisions = _locked(self.stated.values())
        apart = {one.case for one in self.stated.values() if not self._is_plain(one)}
        for slug in sorted({one.use_case for one in self.stated.values()}):
            self._record_together(slug, apart)
        for line, one in self.stated.items():
            if one.case in apart:
                self.outcome[line] = _record(self.actor, line, one, self.decisions.get(one.case))

    def _is_plain(self, one: Stated) -> bool:
        """Whether it states a label as the import takes it; whatever is in doubt is not."""
        decision, said = self.decisions.get(one.case), one.said
        if decision is None or STATED_BY[decision.kind] != "label" or not said.keys() <= PLAIN:
            return False
        observed_at = said.get("observed_at")
        return (
            said.get("label") in self.use_cases[one.use_case].labels
            and said.get("source", "observed") in OUTCOME_SOURCES
            and (observed_at is None or _is_past(observed_at))
        )

    def _record_together(self, slug: str, apart: set[Case]) -> None:
        records = [
            (line, _valid(one))
            for line, one in self.stated.items()
            if one.use_case == slug and one.case not in apart
        ]
        if not records:
            return
        for taken in OutcomeIntake(self.use_cases[slug]).take(self.actor, records):
            decision = self.decisions[slug, taken.external_id]
            self.outcome[taken.position] = taken._replace(
                id=str(decision.pk), lane=decision.lane, status=decision.status
            )


def take_outcomes(*, actor: Actor, source: IO[bytes], find: Find, read: Read, told: Told) -> Counts:
    """Record every good line of ``source``; a bad one stops no other.

    ``find`` gives the use case of a slug that the sender may record in; ``read`` checks a body.
    Both raise BadInput.

    Raises:
        BadInput: there is no line.
    """
    return all_or_none(source, told, lambda: _take_all(actor, source, find, read, told))


def _take_all(actor: Actor, source: IO[bytes], find: Find, read: Read, told: Told) -> Counts:
    counts, use_cases = Counts(), dict[str, UseCase]()
    for lines in chunks_of(source):
        chunk = _Chunk(actor, use_cases)
        chunk.read(lines, find, read)
        chunk.record()
        for line in sorted(chunk.outcome):
            counts.add(chunk.outcome[line])
            told.line(line, chunk.outcome[line])
    return counts


def _locked(stated: Iterable[Stated]) -> dict[Case, Decision]:
    """The decisions, held to the end: nobody else records the truth about them meanwhile.

    In one order, so that two batches of the same cases do not lock each other out.
    """
    cases: dict[str, set[str]] = {}
    for one in stated:
        cases.setdefault(one.use_case, set()).add(one.external_id)
    found = {}
    for slug, external_ids in sorted(cases.items()):
        ids = sorted(external_ids)
        for start in range(0, len(ids), FETCHED):
            part = ids[start : start + FETCHED]
            rows = Decision.objects.filter(use_case_id=slug, external_id__in=part)
            held = rows.order_by("external_id").select_for_update(no_key=True)
            found.update({(slug, row.external_id): row for row in held})
    return found


def _is_past(moment: datetime) -> bool:
    return moment.tzinfo is not None and EPOCH <= moment <= timezone.now()


def _valid(one: Stated) -> ValidOutcome:
    satisfaction = one.said.get("satisfaction")
    return ValidOutcome(
        one.external_id,
        one.said["label"],
        one.said.get("observed_at"),
        one.said.get("source", "observed"),
        None if satisfaction is None else float(satisfaction),
    )


def _record(actor: Actor, line: int, stated: Stated, decision: Decision | None) -> Outcome:
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
