"""A batch: decisions line by line, of one use case or several, that commit together or not at all.

Lines are read from a file, so that a batch is held in memory one chunk at a time. The stop is
read again once, at the very end: a stop waits for no batch, and a batch that it overtook is routed
anew from its first line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Protocol

from django.db import DatabaseError, transaction
from django.utils import timezone

from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict, FieldError
from apps.decisions.bulk import go_through
from apps.decisions.bulk.locks import gave_way, wait_for_turn
from apps.decisions.domain.envelope import DecisionValidator
from apps.decisions.domain.strict_json import parse_object
from apps.decisions.models import Decision
from apps.decisions.selectors import with_content
from apps.registry.models import UseCase
from apps.workflow.answers import first_state
from apps.workflow.arrivals import Arrival, arrival, validator_of
from apps.workflow.intake import (
    ATTEMPTS,
    Stand,
    StopChangedError,
    read_stop_again,
    route_and_record,
)
from apps.workflow.routing import NotReadyError
from apps.workflow.taken import Taken

CHUNK_LINES = 2_500
STEP_LINES = 500  # checked at once, beside the writing of the chunk before
CHUNK_BYTES = 16 * 1024 * 1024
FETCHED = 500  # duplicates read at once
EMPTY = "the batch is empty; one JSON object a line is expected"

Find = Callable[[str], UseCase]


class Told(Protocol):
    """Who hears what became of each line, in order; ``restart``: all of it is told anew."""

    def restart(self) -> None: ...

    def line(self, line: int, taken: Taken | tuple[FieldError, ...]) -> None: ...


@dataclass(slots=True)
class Counts:
    """What a batch came to."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    lanes: Counter[str] | None = None

    def add(self, taken: Taken | tuple[FieldError, ...]) -> None:
        state = taken.state if isinstance(taken, Taken) else "rejected"
        self.accepted += state == "accepted"
        self.duplicates += state == "duplicate"
        self.rejected += state == "rejected"
        if self.lanes is not None and isinstance(taken, Taken) and state == "accepted":
            self.lanes[str(taken.lane)] += 1

    @property
    def lines(self) -> int:
        return self.accepted + self.duplicates + self.rejected


@dataclass(slots=True)
class _Chunk:
    """Lines that passed their checks, by use case, and what is wrong with the others.

    ``unchecked``: lines whose use case was not looked up yet when they were read.
    """

    by_use_case: dict[str, list[Arrival]] = field(default_factory=dict)
    unchecked: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    outcome: dict[int, Taken | tuple[FieldError, ...]] = field(default_factory=dict)


def take_batch(*, actor: Actor, source: IO[bytes], find: Find, told: Told) -> Counts:
    """Take in every good line of ``source``, a JSON object each; a bad one stops no other.

    ``find`` gives the use case of a slug that the sender may send to, else raises BadInput.

    Raises:
        BadInput: there is no line. Conflict: the stop kept moving.
    """
    return all_or_none(source, told, lambda: _take_all(actor, source, find, told))


def all_or_none(source: IO[bytes], told: Told, take: Callable[[], Counts]) -> Counts:
    """``take`` in one transaction, from the first line again where it has to give way."""
    alone, attempt = False, 0
    while attempt < ATTEMPTS:
        source.seek(0)
        told.restart()
        try:
            with transaction.atomic(durable=True):
                wait_for_turn(alone=alone)
                counts = take()
                if not counts.lines:
                    raise BadInput(EMPTY)
                return counts
        except StopChangedError:
            attempt += 1
        except NotReadyError as error:
            error.mend()  # not an attempt: as many use cases as the batch names may need it
        except DatabaseError as error:
            attempt += 1
            if not gave_way(error) or attempt == ATTEMPTS:
                raise
            alone = True
    raise Conflict("a use case of the batch is being stopped and resumed: send it again")


def _take_all(actor: Actor, source: IO[bytes], find: Find, told: Told) -> Counts:
    counts, stands = Counts(lanes=Counter()), set[Stand]()
    chunks = _Chunks(source, find)
    for chunk in chunks:
        for slug in sorted(chunk.by_use_case):
            stands |= _record(actor, slug, chunk, chunks.read_on)
        _describe_duplicates(chunk)
        for line in sorted(chunk.outcome):
            counts.add(chunk.outcome[line])
            told.line(line, chunk.outcome[line])
    read_stop_again(stands)
    return counts


def chunks_of(source: IO[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """Numbered lines, without the blank ones."""
    lines: list[tuple[int, bytes]] = []
    size = 0
    for number, raw in enumerate(source, 1):
        if raw.isspace():
            continue
        lines.append((number, raw))
        size += len(raw)
        if len(lines) == CHUNK_LINES or size >= CHUNK_BYTES:
            yield lines
            lines, size = [], 0
    if lines:
        yield lines


class _Chunks:
    """The chunks of a batch. The next is read and checked step by step, by ``read_on``, while the
    server writes the last: a thread of its own would only keep the caller from its processor."""

    def __init__(self, source: IO[bytes], find: Find) -> None:
        self._lines = chunks_of(source)
        self._find = find
        # the checks of each use case that was met before
        self._compiled: dict[str, DecisionValidator] = {}
        self._begin()

    def _begin(self) -> None:
        self._next: _Chunk | None = None
        self.read_on = self._read()

    def __iter__(self) -> Iterator[_Chunk]:
        while True:
            go_through(self.read_on)
            chunk = self._next
            if chunk is None:
                return
            self._check_the_rest(chunk)
            self._begin()
            yield chunk

    def _read(self) -> Iterator[None]:
        """It leaves the database alone."""
        lines = next(self._lines, None)
        if lines is None:
            return
        chunk, now = _Chunk(), timezone.now()
        self._next = chunk
        for start in range(0, len(lines), STEP_LINES):
            for line, raw in lines[start : start + STEP_LINES]:
                try:
                    body = parse_object(raw)
                    if slug_of(body) in self._compiled:
                        self._check(chunk, line, body, now)
                    else:
                        chunk.unchecked.append((line, body))
                except BadInput as error:
                    chunk.outcome[line] = tuple(error.errors)
            yield

    def _check_the_rest(self, chunk: _Chunk) -> None:
        """Lines of use cases that are met for the first time."""
        now = timezone.now()
        for line, body in chunk.unchecked:
            try:
                slug = slug_of(body)
                if slug not in self._compiled:
                    self._compiled[slug] = validator_of(self._find(slug))
                self._check(chunk, line, body, now)
            except BadInput as error:
                chunk.outcome[line] = tuple(error.errors)

    def _check(self, chunk: _Chunk, line: int, body: dict[str, Any], now: datetime) -> None:
        slug = slug_of(body)
        found = arrival(line, self._compiled[slug].validate(body, now))
        chunk.by_use_case.setdefault(slug, []).append(found)


def slug_of(body: dict[str, Any]) -> str:
    """The use case that a body names, before anything else of it is looked at."""
    slug = body.get("use_case")
    if not isinstance(slug, str):
        said = "is required" if slug is None else "is not text"
        raise BadInput(f"use_case {said}", "/use_case")
    return slug


def _record(actor: Actor, slug: str, chunk: _Chunk, meanwhile: Iterator[None]) -> set[Stand]:
    arrivals = chunk.by_use_case[slug]
    try:
        taken, stand = route_and_record(actor, slug, arrivals, meanwhile=meanwhile)
    except Conflict as error:
        # No policy in force in this use case: the lines of the others are taken all the same.
        fault = (FieldError("/use_case", str(error)),)
        chunk.outcome.update((one.position, fault) for one in arrivals)
        return set()
    chunk.outcome.update((one.position, one) for one in taken)
    return set() if stand is None else {stand}


def _describe_duplicates(chunk: _Chunk) -> None:
    """A line that was there already is answered as it was the first time."""
    found = [
        (line, taken)
        for line, taken in chunk.outcome.items()
        if isinstance(taken, Taken) and taken.state == "duplicate"
    ]
    for start in range(0, len(found), FETCHED):
        part = found[start : start + FETCHED]
        rows = Decision.objects.filter(pk__in={taken.id for _line, taken in part})
        first = {str(row.pk): first_state(row) for row in with_content(rows)}
        for line, taken in part:
            lane, status, final = first[str(taken.id)]
            chunk.outcome[line] = taken._replace(lane=lane, status=status, final_output=final)
