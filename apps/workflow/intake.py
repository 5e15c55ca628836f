"""The one way in: decisions are routed, recorded and answered, one or fifty thousand at a time.

Everything of one call commits together or not at all. The last step before the commit reads the
stop again, under a share lock: if a stop came in between, all is routed anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from apps.common.actor import Actor
from apps.common.columns import read_together
from apps.common.errors import Conflict, FieldError, NotFound
from apps.decisions.bulk.locks import (
    gave_way,
    shared_stop,
    stop_reading,
    wait_for_turn,
)
from apps.policies.seeds import seed_reading
from apps.policies.selectors import standing_reading
from apps.registry.models import UseCase
from apps.registry.selectors import use_case_reading
from apps.workflow.answers import answer_when_written
from apps.workflow.arrivals import Arrival
from apps.workflow.known import Digests, digests_reading
from apps.workflow.recording import Recorder
from apps.workflow.routing import NotReadyError, Routed, ready, route_arrivals
from apps.workflow.taken import Taken
from apps.workflow.versions import (
    Pair,
    RegisteredMeanwhile,
    Versions,
    named_by,
    resolve_versions,
    versions_reading,
)

ATTEMPTS = 5


class StopChangedError(Exception):
    """The stop moved between routing and commit: nothing was written, all is routed again."""


@dataclass
class _Sorted:
    """Arrivals told apart: new ones, and those already answered."""

    new: list[Arrival] = field(default_factory=list)
    answered: list[Taken] = field(default_factory=list)


class Stand(NamedTuple):
    """The stop as it was when arrivals were routed: the lifecycle, and which versions were withdrawn."""

    use_case: str
    lifecycle: str
    versions: frozenset[str]
    withdrawn: frozenset[str]


class Seen(NamedTuple):
    """What arrivals are routed by, as it stood at ``at``."""

    at: datetime
    use_case: UseCase | None
    known: Digests
    registered: Versions
    standing: list[Any]
    seed: bytes | None


def look(slug: str, external_ids: Sequence[str], versions: Collection[Pair]) -> Seen:
    """All of it in one trip to the database. Of what may change before the commit, the stop alone
    has to be as it was, and is read again; a case that came meanwhile meets the key of the first."""
    now = timezone.now()
    found = read_together(
        use_case_reading(slug),
        digests_reading(slug, external_ids),
        versions_reading(versions),
        standing_reading(slug),
        seed_reading(slug, now.year),
    )
    return Seen(now, *found)


class _Attempt(NamedTuple):
    """What became of the arrivals; ``recorder`` wrote the new ones, None where there were none."""

    taken: list[Taken]
    recorder: Recorder | None

    @property
    def stand(self) -> Stand | None:
        return None if self.recorder is None else stand_of(self.recorder.routed)


def take_in(
    *, actor: Actor, use_case: str, arrivals: Sequence[Arrival], past: bool = False
) -> list[Taken]:
    """Take decisions in, in the order of their positions.

    ``past``: acted on before they were recorded here: routed for the record, released, without
    task, clock or event.

    Raises:
        NotFound: no such use case. Conflict: no policy in force, or the stop kept moving.
    """
    return _committed(actor, use_case, arrivals, past).taken


def take_one(
    *, actor: Actor, arrival: Arrival, seen: Seen | None = None
) -> tuple[Taken, dict[str, Any] | None]:
    """Take one decision in; its answer, unless it was there already or is refused.

    ``seen``: what it can be routed by, where that was just read.
    """
    done = _committed(actor, arrival.valid.use_case, [arrival], past=False, seen=seen)
    if done.recorder is None:
        return done.taken[0], None
    return done.taken[0], answer_when_written(done.recorder.written(0))


def _committed(
    actor: Actor,
    use_case: str,
    arrivals: Sequence[Arrival],
    past: bool,
    seen: Seen | None = None,
) -> _Attempt:
    alone, single = False, len(arrivals) == 1
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                if not single:
                    wait_for_turn(alone=alone)
                now_seen = seen if attempt == 0 else None
                done = _attempt(actor, use_case, arrivals, past, now_seen, to_commit=single)
                if done.stand is not None and not single:
                    read_stop_again([done.stand])
                return done
        except StopChangedError:
            continue
        except NotReadyError as error:
            error.mend()
        except (DatabaseError, RegisteredMeanwhile) as error:
            # Somebody else took in the same case, or registered the same version, at this moment:
            # the next attempt finds it there.
            met = isinstance(error, IntegrityError | RegisteredMeanwhile) or gave_way(error)
            if not met or attempt == ATTEMPTS - 1:
                raise
            alone = True
    raise Conflict(f"the use case {use_case!r} is being stopped and resumed: send it again")


def route_and_record(
    actor: Actor,
    use_case: str,
    arrivals: Sequence[Arrival],
    *,
    past: bool = False,
    meanwhile: Iterator[None] | None = None,
) -> tuple[list[Taken], Stand | None]:
    """Write decisions in the caller's transaction, which reads the stop again before it commits.

    The stand is None where nothing new was written; ``meanwhile`` is then left to the caller, else
    it is gone through beside the writing, without the database.
    """
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                done = _attempt(actor, use_case, arrivals, past, meanwhile=meanwhile)
                return done.taken, done.stand
        except (IntegrityError, RegisteredMeanwhile):
            # Somebody else took in the same case, or registered the same version, at this moment:
            # the next attempt finds it there.
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _attempt(
    actor: Actor,
    slug: str,
    arrivals: Sequence[Arrival],
    past: bool,
    seen: Seen | None = None,
    *,
    to_commit: bool = False,
    meanwhile: Iterator[None] | None = None,
) -> _Attempt:
    """``to_commit``: nothing follows, so that the stop is read again behind what is written."""
    if seen is None:
        seen = look(slug, [a.valid.external_id for a in arrivals], named_by(arrivals))
    now, use_case, known, registered, standing, seed = seen
    if use_case is None:
        raise NotFound(f"there is no use case {slug!r}")
    sorted_out = _sort(arrivals, known)
    by = ready(use_case, standing, seed, now) if sorted_out.new else None
    versions, refused = resolve_versions(actor, use_case, sorted_out.new, registered)
    first = [_refused(arrival, error) for arrival, error in refused]
    gone = {arrival.position for arrival, _ in refused}
    new = [arrival for arrival in sorted_out.new if arrival.position not in gone]
    recorder = None
    if new and by is not None:
        routed = route_arrivals(use_case, new, versions, by, now, past=past)
        recorder = Recorder(actor, routed, now)
        if to_commit:
            _write_unless_stopped(recorder)
        else:
            recorder.write(meanwhile=meanwhile)
        first += recorder.taken
    answered = [*_as_the_first(sorted_out.answered, first), *first]
    return _Attempt(sorted(answered, key=lambda taken: taken.position), recorder)


def _write_unless_stopped(recorder: Recorder) -> None:
    """The rows, and the stop read behind them in the same trip.

    Raises:
        StopChangedError: a stop was committed since the routing.
    """
    stand = stand_of(recorder.routed)
    found = recorder.write(stop_reading(stand.use_case, sorted(stand.versions)))
    if found != (stand.lifecycle, stand.withdrawn):
        raise StopChangedError


def stand_of(routed: Routed) -> Stand:
    return Stand(
        routed.use_case.slug,
        routed.use_case.lifecycle,
        frozenset(str(version.pk) for version in routed.versions),
        frozenset(routed.withdrawn_ids),
    )


def read_stop_again(stands: Iterable[Stand]) -> None:
    """The last step before the commit. Use cases in one order, so that no two senders lock
    each other out.

    Raises:
        StopChangedError: a stop was committed since the routing.
    """
    for stand in sorted(stands, key=lambda stand: stand.use_case):
        found = shared_stop(stand.use_case, sorted(stand.versions))
        if found != (stand.lifecycle, stand.withdrawn):
            raise StopChangedError


def _as_the_first(repeats: list[Taken], first: list[Taken]) -> Iterator[Taken]:
    """Repeats within one call get the id of the first, or its refusal."""
    by_case = {taken.external_id: taken for taken in first}
    for repeat in repeats:
        found = by_case.get(repeat.external_id)
        if repeat.id is None and found is not None:
            if found.state == "rejected":
                repeat = found._replace(position=repeat.position)
            else:
                repeat = repeat._replace(id=found.id)
        yield repeat


def _refused(arrival: Arrival, error: FieldError) -> Taken:
    return Taken(arrival.position, "rejected", arrival.valid.external_id, errors=(error,))


def _sort(arrivals: Sequence[Arrival], known: Digests) -> _Sorted:
    """New cases, repeats of known ones, and cases known with another content."""
    found = _Sorted()
    first_here: dict[str, Arrival] = {}
    repeats: list[Arrival] = []
    for arrival in arrivals:
        external_id = arrival.valid.external_id
        if external_id in known:
            found.answered.append(_known(arrival, *known[external_id]))
        elif external_id in first_here:
            repeats.append(arrival)
        else:
            first_here[external_id] = arrival
            found.new.append(arrival)
    found.answered += _repeats(repeats, first_here)
    return found


def _repeats(repeats: list[Arrival], first_here: dict[str, Arrival]) -> Iterator[Taken]:
    for arrival in repeats:
        first = first_here[arrival.valid.external_id]
        yield _known(arrival, None, first.digest, f"position {first.position}")


def _known(
    arrival: Arrival, known_id: str | None, digest: str | None, where: str = "here"
) -> Taken:
    external_id = arrival.valid.external_id
    if digest == arrival.digest:
        return Taken(arrival.position, "duplicate", external_id, id=known_id)
    detail = f"external_id {external_id!r} is there already ({where}) with other content"
    error = FieldError("/external_id", detail)
    return Taken(
        arrival.position, "rejected", external_id, id=known_id, errors=(error,), conflict=True
    )
