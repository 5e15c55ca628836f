"""The list of decisions: narrowed, sorted, in pages by cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import F, QuerySet

from apps.accounts.callers import Caller
from apps.decisions.domain.lifecycle import Status
from apps.decisions.models import Decision
from apps.decisions.selectors import by_day, newest_of
from apps.web.decisions.access import listed_decisions, unseen_by, visible_decisions, visible_names
from apps.web.decisions.periods import Period, of_one_use_case, of_period

PAGE: Final = 50
# A part of an id, and an order by a figure, are looked for among so many of the newest: neither
# has an index, which every decision would have to pay for on its way in.
WINDOW: Final = 5_000
# What no index serves is looked for in so many decisions at a time, and the next page looks on:
# a rare match would else be sought among all of them before a page could be shown.
STRETCH: Final = 10_000
UNSERVED: Final = ("lane", "status", "label", "model_version")
SORTS: Final = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "unsure": "Least confident first",
    "sure": "Most confident first",
    "amount": "Largest amount first",
}
FIGURES: Final = {
    "unsure": ("confidence", False),
    "sure": ("confidence", True),
    "amount": ("amount", True),
}
# To find a case by one of these is to learn what the AI said of it.
TELLING: Final = ("label", "model_version")
# What a row of the list reads: an object of all columns takes three times as long to make.
SHOWN: Final = (
    "use_case_id",
    "external_id",
    "kind",
    "label",
    "confidence",
    "amount",
    "lane",
    "status",
    "final_label",
    "final_commitment",
    "decided_at",
    "created_at",
    "model_version__version",
    "model_version__system__name",
)
ALWAYS: Final = Period()


@dataclass(frozen=True, slots=True)
class Row:
    """One decision as the list shows it; ``unseen``: what the AI said waits for the reader's own
    answer."""

    decision: Decision
    use_case: str
    unseen: bool


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """``next`` and ``previous``: the ids that the neighbouring pages begin after and end before;
    ``partial``: the page ends where a stretch did, and more may match further on."""

    rows: Sequence[Row]
    next: UUID | None = None
    previous: UUID | None = None
    partial: bool = False


def matching(caller: Caller, wanted: Mapping[str, Any]) -> QuerySet[Decision]:
    """The decisions that ``caller`` may see, as far as they meet ``wanted``; a case that waits for
    the caller's own answer is on its page and in the queue alone.

    Parameters: ``wanted``, of ``use_case``, ``lane``, ``status``, ``label``, ``model_version``,
    ``begin`` and ``end`` (aware; of when it was decided, else of when it came) and ``q``, an
    external id or a part of one; each may be missing.
    """
    named = {
        "use_case_id": wanted.get("use_case"),
        "lane": wanted.get("lane"),
        "status": wanted.get("status"),
        "label": wanted.get("label"),
        "model_version__version": wanted.get("model_version"),
    }
    rows = listed_decisions(caller).filter(**{k: v for k, v in named.items() if v})
    period = period_of(wanted)
    if period != ALWAYS:
        rows = by_day(rows).filter(period.bounds())
    return _by_external_id(caller, rows, wanted) if wanted.get("q") else rows


def one_use_case(caller: Caller, wanted: Mapping[str, Any]) -> bool:
    """Whether all that a list can hold is of one use case."""
    slugs = caller.visible("decision.view")
    return bool(wanted.get("use_case")) or (slugs is not None and len(slugs) == 1)


def period_of(wanted: Mapping[str, Any]) -> Period:
    return Period(wanted.get("begin"), wanted.get("end"))


def among_of(caller: Caller, wanted: Mapping[str, Any]) -> QuerySet[Decision] | None:
    """The decisions among which a page of ``matching`` is looked for stretch by stretch; None where
    indexes find it."""
    served = wanted.get("q") or wanted.get("status") == Status.PENDING
    unserved = any(wanted.get(name) for name in UNSERVED) or period_of(wanted) != ALWAYS
    if served or not unserved:
        return None
    rows = visible_decisions(caller)
    return rows.filter(use_case_id=wanted["use_case"]) if wanted.get("use_case") else rows


def _by_external_id(
    caller: Caller, rows: QuerySet[Decision], wanted: Mapping[str, Any]
) -> QuerySet[Decision]:
    """The whole id by its index; where none has it, a part of one among the newest."""
    text, slugs = wanted["q"], list(visible_names(caller))
    whole = rows.filter(use_case__in=slugs, external_id=text)
    if whole.exists():
        return whole
    newest = newest_of(rows, WINDOW, of_one_use_case=one_use_case(caller, wanted))
    return newest.filter(external_id__icontains=text)


def decision_page(
    caller: Caller,
    rows: QuerySet[Decision],
    sort: str,
    *,
    after: UUID | None = None,
    before: UUID | None = None,
    telling: bool = False,
    among: QuerySet[Decision] | None = None,
    period: Period = ALWAYS,
    in_one: bool = False,
    size: int = PAGE,
) -> DecisionPage:
    """One page of ``rows``: by id; in a ``period`` or in one use case (``in_one``) by when they were
    decided. ``telling``: what they were narrowed by says what the AI said; ``among``: see
    ``among_of``."""
    look = _Look(rows, among, period, in_one)
    find = _by_figure if sort in FIGURES else _by_time
    found, next_, previous, partial = find(look, sort, after, before, size)
    unseen = unseen_by(caller, [row.pk for row in found])
    if telling or sort in ("sure", "unsure"):
        found = [row for row in found if row.pk not in unseen]
    names = visible_names(caller)
    shown = [
        Row(row, names.get(row.use_case_id, row.use_case_id), row.pk in unseen) for row in found
    ]
    return DecisionPage(shown, next_, previous, partial)


def _falls(sort: str, before: UUID | None) -> bool:
    """Whether a page is read from the newest on."""
    return sort in FIGURES or (sort == "newest") != (before is not None)


def _stretch_end(among: QuerySet[Decision], falls: bool, start: UUID | None) -> UUID | None:
    """The last id of the stretch that begins at ``start``; None where it reaches the end of all."""
    if start is not None:
        among = among.filter(**{f"pk__{'lt' if falls else 'gt'}": start})
    ordered = among.order_by("-pk" if falls else "pk").values_list("pk", flat=True)
    found: UUID | None = ordered[STRETCH - 1 : STRETCH].first()
    return found


@dataclass(frozen=True, slots=True)
class _Look:
    """Where a page is looked for."""

    rows: QuerySet[Decision]
    among: QuerySet[Decision] | None
    period: Period
    in_one: bool

    @property
    def in_pieces(self) -> bool:
        return self.period != ALWAYS and not self.in_one

    def keys(self, start: UUID | None, falls: bool, most: int) -> tuple[list[UUID], UUID | None]:
        """The first ids after ``start``, with the end of the stretch they were looked for in. Ids
        alone, which indexes hold; the rows of a page are read by them."""
        if self.in_pieces:
            return self.pieces(["pk"], start, falls, most)
        found, end = self.ordered(start, falls)
        return list(found.values_list("pk", flat=True)[:most]), end

    def pieces(
        self, columns: Sequence[str], start: UUID | None, falls: bool, most: int
    ) -> tuple[list[Any], UUID | None]:
        """Of several use cases, in a period."""
        rows: Any = self.rows.values_list(*columns, flat=len(columns) == 1)
        return of_period(
            rows, self.among, self.period, start=start, falls=falls, most=most, stretch=STRETCH
        )

    def ordered(self, start: UUID | None, falls: bool) -> tuple[QuerySet[Decision], UUID | None]:
        """In order after ``start``, as far as the stretch goes, with its end."""
        if self.in_one:
            return of_one_use_case(
                self.rows, self.among, self.period, start=start, falls=falls, stretch=STRETCH
            )
        rows = self.rows.order_by("-pk" if falls else "pk")
        end = None if self.among is None else _stretch_end(self.among, falls, start)
        if end is not None:
            rows = rows.filter(**{f"pk__{'gte' if falls else 'lte'}": end})
        if start is not None:
            rows = rows.filter(**{f"pk__{'lt' if falls else 'gt'}": start})
        return rows, end


_Found = tuple[list[Decision], UUID | None, UUID | None, bool]


def _by_time(look: _Look, sort: str, after: UUID | None, before: UUID | None, size: int) -> _Found:
    keys, end = look.keys(before or after, _falls(sort, before), size + 1)
    more, keys = len(keys) > size, keys[:size]
    partial = end is not None and len(keys) < size
    if before is not None:
        keys.reverse()
    first, last = (keys[0], keys[-1]) if keys else (None, None)
    next_ = last if more or before is not None else None
    previous = first if (more if before is not None else after is not None) else None
    if partial:
        next_, previous = (end, previous) if before is None else (next_, end)
    return _rows_of(keys), next_, previous, partial


def _by_figure(
    look: _Look, sort: str, after: UUID | None, before: UUID | None, size: int
) -> _Found:
    """The newest that match, ordered by a figure; those without one come last."""
    keys = _ranked(look, *FIGURES[sort])
    places = {key: place for place, key in enumerate(keys)}
    start = places[after] + 1 if after in places else 0
    if before in places:
        start = max(0, places[before] - size)
    chosen = keys[start : start + size]
    next_ = chosen[-1] if start + size < len(keys) else None
    return _rows_of(chosen), next_, chosen[0] if chosen and start > 0 else None, False


def _ranked(look: _Look, column: str, falling: bool) -> list[UUID]:
    if look.in_pieces:
        newest, _end = look.pieces(["pk", column], None, True, WINDOW)
        newest.sort(key=lambda one: rank_of(one[1], falling))
        return [one[0] for one in newest]
    rows, _end = look.ordered(None, True)
    newest_rows = newest_of(rows, WINDOW, of_one_use_case=look.in_one)
    figure = F(column).desc(nulls_last=True) if falling else F(column).asc(nulls_last=True)
    newest_first = ("-day", "-pk") if look.in_one else ("-pk",)
    return list(newest_rows.order_by(figure, *newest_first).values_list("pk", flat=True))


def rank_of(figure: Any, falling: bool) -> tuple[bool, Any]:
    if figure is None:
        return True, 0
    return False, -figure if falling else figure


def _rows_of(keys: Sequence[UUID]) -> list[Decision]:
    """The decisions in the order of their ids."""
    rows = Decision.objects.filter(pk__in=keys).select_related("model_version__system")
    held = {row.pk: row for row in rows.only(*SHOWN)}
    return [held[key] for key in keys if key in held]
