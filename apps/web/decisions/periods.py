"""A page of the decisions of a period, by when they were decided.

Block ranges, which ingest does not pay for, find a few days' decisions and put nothing in order.
So a page is put together from pieces of the period, each as long as what it holds is soon sorted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.decisions.models import Decision
from apps.decisions.selectors import DAY, by_day

FIRST: Final = timedelta(hours=6)
GROWTH: Final = 4  # where a piece holds next to nothing
LONGEST: Final = timedelta(days=100 * 365)  # from then on a piece has no end
PIECES: Final = 3  # of which a stretch is made


@dataclass(frozen=True, slots=True)
class Period:
    """From ``begin`` on and before ``end``, aware; None: without a bound."""

    begin: datetime | None = None
    end: datetime | None = None

    def bounds(self) -> Q:
        found = Q()
        if self.begin is not None:
            found &= Q(day__gte=self.begin)
        return found if self.end is None else found & Q(day__lt=self.end)


def of_one_use_case(
    rows: QuerySet[Decision],
    among: QuerySet[Decision] | None,
    period: Period,
    *,
    start: UUID | None,
    falls: bool,
    stretch: int,
) -> tuple[QuerySet[Decision], UUID | None]:
    """``rows`` of one use case, in the period after ``start``, in the order of day and id: all of
    that is in one index. ``among``: of them so many as make ``stretch`` are looked at; with them the
    last of these, None where nothing is left to look at."""
    order = ("-day", "-pk") if falls else ("day", "pk")
    place = period.bounds() if start is None else period.bounds() & _after(start, falls)
    rows = by_day(rows).filter(place).order_by(*order)
    if among is None:
        return rows, None
    looked_at = by_day(among).filter(place).order_by(*order).values_list(DAY, "pk")
    last = looked_at[stretch - 1 : stretch].first()
    if last is None:
        return rows, None
    day, key = last
    way = "gt" if falls else "lt"
    until: Any = Q(**{f"day__{way}": day}) | Q(**{"day": day, f"pk__{way}e": key})
    return rows.filter(Q(**{f"day__{way}e": day}) & until), key


def of_period(
    rows: QuerySet[Decision],
    among: QuerySet[Decision] | None,
    period: Period,
    *,
    start: UUID | None,
    falls: bool,
    most: int,
    stretch: int,
) -> tuple[list[Decision], UUID | None]:
    """The first ``most`` of ``rows`` in the period after ``start``, by day and id; ``falls``: from
    the newest on. ``among``: the decisions that are looked at for them; None where indexes find
    all of them at once.

    With them the last decision looked at, where ``stretch`` or more were and fewer than ``most``
    were found; None where nothing is left to look at.
    """
    place = Q() if start is None else _after(start, falls)
    rows = by_day(rows).filter(place)
    ordered = rows.order_by(*(("-day", "-pk") if falls else ("day", "pk")))
    if among is None:
        return list(ordered.filter(period.bounds())[:most]), None
    among = by_day(among).filter(place)
    found: list[Decision] = []
    seen, length, rest = 0, FIRST, period
    edge = _first_edge(period, falls)
    while edge is not None:
        piece, rest, edge = _cut(rest, edge, length, falls)
        found += ordered.filter(piece.bounds())[: most - len(found)]
        if edge is None or len(found) >= most:
            break
        held = among.filter(piece.bounds())
        here = held.order_by()[:stretch].count()
        seen += here
        if seen >= stretch:
            furthest = held.order_by(*(("day", "pk") if falls else ("-day", "-pk")))
            return found, furthest.values_list("pk", flat=True).first()
        length *= min(GROWTH, max(1, stretch // PIECES // max(here, 1)))
    return found, None


def _after(start: UUID, falls: bool) -> Q:
    """What comes after a decision by day and id. The bound on the day alone is for the index."""
    day = Decision.objects.filter(pk=start).values_list(DAY, flat=True).first()
    if day is None:
        return Q()
    way, key = ("lt", "pk__lt") if falls else ("gt", "pk__gt")
    further: Any = Q(**{f"day__{way}": day}) | Q(**{"day": day, key: start})
    return Q(**{f"day__{way}e": day}) & further


def _first_edge(period: Period, falls: bool) -> datetime | None:
    """Where pieces are measured from: without a bound, at what came last, or first."""
    bound = period.end if falls else period.begin
    if bound is not None:
        return bound
    ends = Decision.objects.order_by("-pk" if falls else "pk")
    found: datetime | None = ends.values_list(DAY, flat=True).first()
    return found


def _cut(
    period: Period, edge: datetime, length: timedelta, falls: bool
) -> tuple[Period, Period, datetime | None]:
    """A piece of what is left of a period, what is left then, and its edge; None: nothing."""
    try:
        far = edge - length if falls else edge + length
    except OverflowError:
        return period, period, None
    bound = period.begin if falls else period.end
    is_last = length > LONGEST if bound is None else (far <= bound if falls else far >= bound)
    if is_last:
        return period, period, None
    if falls:
        return Period(far, period.end), Period(period.begin, far), far
    return Period(period.begin, far), Period(far, period.end), far
