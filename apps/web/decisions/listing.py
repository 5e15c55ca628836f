"""The list of decisions: narrowed, sorted, in pages by cursor, and as a table to take away."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from apps.accounts.callers import Caller
from apps.decisions.domain.lifecycle import Status
from apps.decisions.models import Decision
from apps.exports.domain.csv_view import write_csv
from apps.web.decisions.access import listed_decisions, unseen_by, visible_decisions, visible_names

PAGE: Final = 50
MOST_CSV: Final = 10_000
# A part of an id, and an order by a figure, are looked for among so many of the newest: neither
# has an index, which every decision would have to pay for on its way in.
WINDOW: Final = 10_000
# What no index serves is looked for in so many decisions at a time, and the next page looks on:
# a rare match would else be sought among all of them before a page could be shown.
STRETCH: Final = 20_000
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
CSV_COLUMNS: Final = (
    "id",
    "use_case",
    "external_id",
    "decided_at",
    "arrived_at",
    "model",
    "model_version",
    "kind",
    "label",
    "confidence",
    "amount",
    "lane",
    "would_be",
    "status",
    "final_label",
    "reasons",
)


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
    if wanted.get("begin") or wanted.get("end"):
        rows = rows.annotate(day=Coalesce("decided_at", "created_at"))
        rows = rows.filter(day__gte=wanted["begin"]) if wanted.get("begin") else rows
        rows = rows.filter(day__lt=wanted["end"]) if wanted.get("end") else rows
    return _by_external_id(caller, rows, wanted["q"]) if wanted.get("q") else rows


def among_of(caller: Caller, wanted: Mapping[str, Any]) -> QuerySet[Decision] | None:
    """The decisions, in the order of an index, among which a page of ``matching`` is looked for
    stretch by stretch; None where indexes find it, or a period bounds it."""
    unserved = [name for name in UNSERVED if wanted.get(name)]
    bounded = any(wanted.get(name) for name in ("begin", "end", "q"))
    if not unserved or bounded or wanted.get("status") == Status.PENDING:
        return None
    rows = visible_decisions(caller)
    return rows.filter(use_case_id=wanted["use_case"]) if wanted.get("use_case") else rows


def _by_external_id(caller: Caller, rows: QuerySet[Decision], text: str) -> QuerySet[Decision]:
    """The whole id by its index; where none has it, a part of one among the newest."""
    slugs = list(visible_names(caller))
    whole = rows.filter(use_case__in=slugs, external_id=text)
    if whole.exists():
        return whole
    newest = rows.order_by("-pk").values("pk")[:WINDOW]
    return Decision.objects.filter(pk__in=newest, external_id__icontains=text)


def decision_page(
    caller: Caller,
    rows: QuerySet[Decision],
    sort: str,
    *,
    after: UUID | None = None,
    before: UUID | None = None,
    telling: bool = False,
    among: QuerySet[Decision] | None = None,
    size: int = PAGE,
) -> DecisionPage:
    """One page of ``rows``. ``telling``: what they were narrowed by says what the AI said;
    ``among``: see ``among_of``."""
    falls = _falls(sort, before)
    end = None if among is None else _stretch_end(among, falls, before or after)
    if end is not None:
        rows = rows.filter(**{f"pk__{'gte' if falls else 'lte'}": end})
    find = _by_figure if sort in FIGURES else _by_time
    found, next_, previous = find(rows, sort, after, before, size)
    partial = end is not None and sort not in FIGURES and len(found) < size
    if partial:
        next_, previous = (end, previous) if before is None else (next_, end)
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


_Found = tuple[list[Decision], UUID | None, UUID | None]


def _by_time(
    rows: QuerySet[Decision], sort: str, after: UUID | None, before: UUID | None, size: int
) -> _Found:
    """By id: ids are ordered by time."""
    rows = rows.select_related("model_version__system")
    falling = _falls(sort, before)
    start = before or after
    if start is not None:
        rows = rows.filter(**{f"pk__{'lt' if falling else 'gt'}": start})
    found = list(rows.order_by("-pk" if falling else "pk")[: size + 1])
    more, found = len(found) > size, found[:size]
    if before is not None:
        found.reverse()
    if not found:
        return [], None, None
    has_next = more if before is None else True
    has_previous = more if before is not None else after is not None
    return found, found[-1].pk if has_next else None, found[0].pk if has_previous else None


def _by_figure(
    rows: QuerySet[Decision], sort: str, after: UUID | None, before: UUID | None, size: int
) -> _Found:
    """The newest that match, ordered by a figure; those without one come last."""
    column, falling = FIGURES[sort]
    newest = list(rows.order_by("-pk").values_list("pk", column)[:WINDOW])
    newest.sort(key=lambda one: _rank(one[1], falling))
    keys = [key for key, _figure in newest]
    places = {key: place for place, key in enumerate(keys)}
    start = places[after] + 1 if after in places else 0
    if before in places:
        start = max(0, places[before] - size)
    chosen = keys[start : start + size]
    held = {row.pk: row for row in _with_models(chosen)}
    found = [held[key] for key in chosen if key in held]
    next_ = chosen[-1] if start + size < len(keys) else None
    return found, next_, chosen[0] if chosen and start > 0 else None


def _rank(figure: Any, falling: bool) -> tuple[bool, Any]:
    if figure is None:
        return True, 0
    return False, -figure if falling else figure


def _with_models(keys: Sequence[UUID]) -> QuerySet[Decision]:
    return Decision.objects.select_related("model_version__system").filter(pk__in=keys)


# --- To take away ---------------------------------------------------------------------------


def csv_of(
    caller: Caller, rows: QuerySet[Decision], sort: str, *, telling: bool
) -> tuple[bytes, int]:
    """The view as CSV with its number of rows, at most MOST_CSV: what the list shows, no content."""
    page = decision_page(caller, rows, sort, telling=telling, size=MOST_CSV)
    out = io.BytesIO()
    write_csv(_records(page.rows), CSV_COLUMNS, out)
    return out.getvalue(), len(page.rows)


def _records(rows: Sequence[Row]) -> Iterator[dict[str, str | int | bool | None]]:
    for row in rows:
        one = row.decision
        said: dict[str, str | None] = {
            "model": one.model_version.system.name,
            "model_version": one.model_version.version,
            "label": one.label,
            "confidence": None if one.confidence is None else repr(one.confidence),
            "final_label": one.final_label,
            "would_be": one.would_be,
            "reasons": one.reason_codes,
        }
        yield {
            "id": str(one.pk),
            "use_case": one.use_case_id,
            "external_id": one.external_id,
            "decided_at": None if one.decided_at is None else one.decided_at.isoformat(),
            "arrived_at": one.created_at.isoformat(),
            "kind": one.kind,
            "amount": None if one.amount is None else str(one.amount),
            "lane": one.lane,
            "status": one.status,
            **(dict.fromkeys(said) if row.unseen else said),
        }
