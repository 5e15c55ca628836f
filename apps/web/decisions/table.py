"""The list of decisions as a table to take away: what the list shows, no content."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.callers import Caller
from apps.decisions.models import Decision
from apps.decisions.selectors import by_day
from apps.exports.domain.csv_view import write_csv
from apps.registry.models import ModelVersion
from apps.reviews.models import ReviewTask
from apps.web.decisions.access import unseen_by
from apps.web.decisions.listing import ALWAYS, FIGURES, rank_of
from apps.web.decisions.periods import Period

MOST_CSV: Final = 10_000
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


class Line(NamedTuple):
    """What a line of the table is made of: columns of a decision, by their names."""

    id: UUID
    use_case_id: str
    external_id: str
    decided_at: Any
    created_at: Any
    model_version_id: UUID
    kind: str
    label: str | None
    confidence: float | None
    amount: Any
    lane: str
    would_be: str | None
    status: str
    final_label: str | None
    reason_codes: str


def csv_of(
    caller: Caller,
    rows: QuerySet[Decision],
    sort: str,
    *,
    period: Period,
    in_one: bool,
    telling: bool,
) -> tuple[bytes, int]:
    """The view as CSV with its number of rows, at most MOST_CSV, in the order of the list."""
    lines = _lines(rows, sort, by_time=in_one or period != ALWAYS)
    unseen = _unseen(caller, lines)
    if telling or sort in ("sure", "unsure"):
        lines = [line for line in lines if line.id not in unseen]
    out = io.BytesIO()
    write_csv(_records(lines, unseen), CSV_COLUMNS, out)
    return out.getvalue(), len(lines)


def _lines(rows: QuerySet[Decision], sort: str, *, by_time: bool) -> list[Line]:
    """Without making objects of ten thousand rows, their model versions and systems."""
    order = ("day", "pk") if by_time else ("pk",)
    rows = by_day(rows) if by_time else rows
    rows = rows.order_by(*(name if sort == "oldest" else f"-{name}" for name in order))
    lines = [Line(*values) for values in rows.values_list(*Line._fields)[:MOST_CSV]]
    if sort in FIGURES:
        column, falling = FIGURES[sort]
        lines.sort(key=lambda line: rank_of(getattr(line, column), falling))
    return lines


def _unseen(caller: Caller, lines: Sequence[Line]) -> set[UUID]:
    """Whatever waits for the reader's own answer has an open task, as few of so many have."""
    if not lines:
        return set()
    keys = {line.id for line in lines}
    first, last = min(keys), max(keys)
    waiting = ReviewTask.objects.filter(status="open", decision__gte=first, decision__lte=last)
    return unseen_by(caller, keys.intersection(waiting.values_list("decision", flat=True)))


def _records(
    lines: Sequence[Line], unseen: Collection[UUID]
) -> Iterator[dict[str, str | int | bool | None]]:
    wanted = {line.model_version_id for line in lines}
    found = ModelVersion.objects.filter(pk__in=wanted)
    models = {pk: names for pk, *names in found.values_list("pk", "system__name", "version")}
    for line in lines:
        model, version = models[line.model_version_id]
        said: dict[str, str | None] = {
            "model": model,
            "model_version": version,
            "label": line.label,
            "confidence": None if line.confidence is None else repr(line.confidence),
            "final_label": line.final_label,
            "would_be": line.would_be,
            "reasons": line.reason_codes,
        }
        yield {
            "id": str(line.id),
            "use_case": line.use_case_id,
            "external_id": line.external_id,
            "decided_at": None if line.decided_at is None else line.decided_at.isoformat(),
            "arrived_at": line.created_at.isoformat(),
            "kind": line.kind,
            "amount": None if line.amount is None else str(line.amount),
            "lane": line.lane,
            "status": line.status,
            **(dict.fromkeys(said) if line.id in unseen else said),
        }
