"""Stops: which use cases run, which are stopped and by whom, and what the next person can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count

from apps.accounts.callers import Caller
from apps.decisions.domain.lifecycle import Lane, Status
from apps.decisions.models import Decision
from apps.policies.second_person import actors_known
from apps.registry.access import rights_held_by_others
from apps.registry.models import Lifecycle, UseCase
from apps.supervision.models import Stop

SHOWN: Final = 20
RUNNING: Final = (Lifecycle.DRAFT, Lifecycle.PILOT, Lifecycle.LIVE)


@dataclass(frozen=True, slots=True)
class Running:
    """A use case that can be stopped by the reader or by others."""

    use_case: UseCase
    may_stop: bool


@dataclass(frozen=True, slots=True)
class Stopped:
    """A use case that is stopped. ``is_own``: the reader stopped it, so another one resumes it."""

    use_case: UseCase
    by: str
    at: datetime
    reason: str
    blocked: int
    may_resume: bool
    is_own: bool


@dataclass(frozen=True, slots=True)
class PastStop:
    """A stop that is over."""

    use_case: str
    name: str
    stopped_by: str
    stopped_at: datetime
    reason: str
    resumed_by: str
    resumed_at: datetime
    withheld: str
    why: str


def board(caller: Caller, names: Mapping[str, str]) -> tuple[list[Stopped], list[Running]]:
    """What is stopped and what runs, of the use cases that the reader sees."""
    held = _held_elsewhere(caller)
    stopped, running = [], []
    open_stops = {
        one.use_case_id: one
        for one in Stop.objects.filter(resumed_at=None, use_case__in=list(names))
    }
    known = actors_known(one.stopped_by for one in open_stops.values())
    reasons = _reasons(list(open_stops.values()), "+")
    blocked = _blocked(list(open_stops))
    for one in UseCase.objects.filter(slug__in=list(names)).order_by("name", "slug"):
        stop = open_stops.get(one.slug)
        if stop is not None and one.lifecycle == Lifecycle.SUSPENDED:
            stopped.append(
                Stopped(
                    use_case=one,
                    by=known[stop.stopped_by].words,
                    at=stop.stopped_at,
                    reason=reasons.get(stop.pk, ""),
                    blocked=blocked.get(one.slug, 0),
                    may_resume=_may(caller, held, "use_case.resume", "resume", one.slug),
                    is_own=stop.stopped_by == caller.actor.id,
                )
            )
        elif one.lifecycle in RUNNING:
            running.append(Running(one, _may(caller, held, "use_case.stop", "stop", one.slug)))
    return stopped, running


def _held_elsewhere(caller: Caller) -> set[tuple[str, str]]:
    person = caller.user.pk if caller.user is not None else None
    return rights_held_by_others(person, ("stop", "resume"))


def _may(caller: Caller, held: set[tuple[str, str]], action: str, right: str, slug: str) -> bool:
    return caller.may(action, slug) and (slug, right) not in held


def _blocked(slugs: Sequence[str]) -> dict[str, int]:
    rows = Decision.objects.filter(use_case_id__in=slugs, lane=Lane.BLOCKED, status=Status.WITHHELD)
    return dict(rows.order_by().values_list("use_case_id").annotate(n=Count("pk")))


def _reasons(stops: Sequence[Stop], change: str) -> dict[Any, str]:
    """Why, by stop: the words are the record's own."""
    rows = Stop.history.filter(id__in=[one.pk for one in stops], history_type=change)
    return dict(rows.values_list("id", "history_change_reason"))


def past_stops(names: Mapping[str, str]) -> list[PastStop]:
    """The newest stops that are over."""
    rows = Stop.objects.filter(use_case__in=list(names), resumed_at__isnull=False)
    stops = list(rows.order_by("-resumed_at")[:SHOWN])
    known = actors_known(who for one in stops for who in (one.stopped_by, one.resumed_by))
    began, ended = _reasons(stops, "+"), _reasons(stops, "~")
    return [
        PastStop(
            use_case=one.use_case_id,
            name=names[one.use_case_id],
            stopped_by=known[one.stopped_by].words,
            stopped_at=one.stopped_at,
            reason=began.get(one.pk, ""),
            resumed_by=known[one.resumed_by].words,
            resumed_at=one.resumed_at,
            withheld=one.withheld,
            why=ended.get(one.pk, ""),
        )
        for one in stops
        if one.resumed_at is not None
    ]
