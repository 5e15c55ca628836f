"""The live monitor: released decisions that can still be undone, what stands out on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Min, QuerySet

from apps.accounts.callers import Caller
from apps.decisions.domain.lifecycle import Lane, Status
from apps.decisions.models import Decision
from apps.decisions.selectors import coded_reasons
from apps.policies.models import PolicyVersion
from apps.supervision.models import Stop
from apps.supervision.selectors import window_end, windows_open
from apps.web.decisions.access import unseen_by

PAGE: Final = 50
# Where a policy sets no window people may step in at any time: shown are those of the last day.
WITHOUT_WINDOW: Final = timedelta(days=1)
SOON: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Released:
    """One released decision. ``ends``: when its window closes, None where the policy sets none."""

    decision: Decision
    use_case: str
    ends: datetime | None
    is_soon: bool
    why: Sequence[str]
    unseen: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """One use case on the loop: how many can be undone now, how many of them stand out."""

    slug: str
    name: str
    open: int
    picked: int


def released(
    names: Mapping[str, str], wanted: Mapping[str, Any], now: datetime
) -> QuerySet[Decision]:
    """Released supervised decisions of the use cases ``names`` whose windows are open.

    Parameters: ``wanted``, of ``use_case``, ``label`` and ``model_version``; each may be missing.
    """
    slugs = [wanted["use_case"]] if wanted.get("use_case") else list(names)
    rows: QuerySet[Decision] = Decision.objects.filter(
        windows_open(slugs, now),
        use_case_id__in=slugs,
        lane=Lane.SUPERVISED,
        status=Status.RELEASED,
        past=False,
    )
    since = _since(slugs, now)
    if since is not None:
        rows = rows.filter(pk__gte=first_id(since))
    named = {
        "label": wanted.get("label"),
        "model_version__version": wanted.get("model_version"),
    }
    return rows.filter(**{name: value for name, value in named.items() if value})


def _since(slugs: Sequence[str], now: datetime) -> datetime | None:
    """The earliest moment from which a decision on the monitor can be; None for no such bound.

    With it the ids, which are ordered by time, serve as the index. What was routed again after a
    stop is older than its window, so while there is such a thing every decision is looked at.
    """
    versions = PolicyVersion.objects.filter(use_case_id__in=slugs, level="HOTL")
    windows = [one.document["intervention_minutes"] for one in versions]
    longest = max((timedelta(minutes=one) for one in windows if one), default=WITHOUT_WINDOW)
    if None in windows:
        longest = max(longest, WITHOUT_WINDOW)
    since = now - longest
    again = Stop.objects.filter(use_case__in=slugs, withheld="reroute", resumed_at__gt=since)
    return None if again.exists() else since


def first_id(moment: datetime) -> UUID:
    """The lowest UUIDv7 that can be made at ``moment``."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def monitor_page(
    caller: Caller, rows: QuerySet[Decision], names: Mapping[str, str], page: Any, now: datetime
) -> tuple[Page[Any], list[Released]]:
    """What routing picked for a look afterwards first, then the newest."""
    ordered = rows.order_by("-after_review", "-pk").values_list("pk", flat=True)
    found = Paginator(ordered, PAGE).get_page(page)
    keys = list(found.object_list)
    held = Decision.objects.select_related("policy", "model_version__system").in_bulk(keys)
    unseen = unseen_by(caller, keys)
    return found, [_released(held[key], names, now, key in unseen) for key in keys]


def _released(
    decision: Decision, names: Mapping[str, str], now: datetime, unseen: bool
) -> Released:
    ends = window_end(decision)
    return Released(
        decision=decision,
        use_case=names.get(decision.use_case_id, decision.use_case_id),
        ends=ends,
        is_soon=ends is not None and ends - now < SOON,
        why=[one["code"] for one in coded_reasons(decision.reason_codes, "")],
        unseen=unseen,
    )


def streams(rows: QuerySet[Decision], names: Mapping[str, str]) -> list[Stream]:
    """The open decisions by use case, the fullest first: one query."""
    counted = rows.order_by().values("use_case_id", "after_review").annotate(n=Count("pk"))
    sums: dict[str, list[int]] = {}
    for slug, picked, n in counted.values_list("use_case_id", "after_review", "n"):
        held = sums.setdefault(slug, [0, 0])
        held[0] += n
        held[1] += n if picked else 0
    found = [Stream(slug, names.get(slug, slug), n, picked) for slug, (n, picked) in sums.items()]
    return sorted(found, key=lambda one: (-one.picked, -one.open, one.name))


# --- What waits for the commander -----------------------------------------------------------


def command_queue(names: Mapping[str, str], use_case: str = "") -> QuerySet[Decision]:
    """What no mandate covers and waits for the commander, the oldest first."""
    slugs = [use_case] if use_case else list(names)
    rows: QuerySet[Decision] = Decision.objects.filter(
        use_case_id__in=slugs, status=Status.PENDING, lane=Lane.COMMAND
    )
    return rows.select_related("model_version__system").order_by("pk")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait in one use case, and since when."""

    slug: str
    name: str
    n: int
    oldest: datetime


def waiting_by_use_case(rows: QuerySet[Decision], names: Mapping[str, str]) -> list[Waiting]:
    counted = (
        rows.order_by().values("use_case_id").annotate(n=Count("pk"), oldest=Min("created_at"))
    )
    found = counted.values_list("use_case_id", "n", "oldest")
    return sorted(
        (Waiting(slug, names.get(slug, slug), n, oldest) for slug, n, oldest in found),
        key=lambda one: one.oldest,
    )
