"""What a report needs besides cells: read once, stored with the report, so that it can be made again.

Facts are JSON values. Those of the moment (a queue, who holds which skill, the last verification)
are as they stood when the report was made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Q

from apps.accounts.models import Qualification, User
from apps.audit.models import PendingRecord, VerificationRun
from apps.metrics.cells.attributes import newest_profile, protected_attributes
from apps.metrics.cells.window import WindowCells
from apps.metrics.domain.bias import SMALLEST
from apps.metrics.domain.bootstrap import DRAWS
from apps.metrics.first_reading import Window
from apps.metrics.kinds.reviewers import keys_of
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.registry.models import UseCase
from apps.reviews.models import Review, ReviewTask
from apps.reviews.selectors import queue_states, time_limits

WEEK: Final = timedelta(days=7)
SEED: Final = 0

Facts = dict[str, Any]


def facts_of(
    kind: str, use_case: UseCase, window: Window, cells: WindowCells, now: datetime
) -> Facts:
    """The facts of one report.

    Parameters: ``kind``, a key of BY_KIND; ``cells`` of the window; ``now``, aware.
    Returns: JSON values by name; ``begin`` and ``end`` of the window, the use case's labels and
    protected attributes, and what the kind asks for besides.
    """
    common = {
        "labels": list(use_case.labels),
        "favourable": use_case.favourable_label,
        "positive": use_case.positive_label,
        "attributes": list(protected_attributes(use_case)),
        "begin": written(window.begin),
        "end": written(window.end),
        "as_of": written(now),
    }
    return common | BY_KIND[kind](use_case, cells, now)


def written(moment: datetime | None) -> str | None:
    """A time as RFC 3339 in UTC; None stays None."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _nothing(use_case: UseCase, cells: WindowCells, now: datetime) -> Facts:
    return {}


def _of_bias(use_case: UseCase, cells: WindowCells, now: datetime) -> Facts:
    keys = cells.table("reviews", "cells").texts["reviewer"].names
    drawn = {"draws": DRAWS, "seed": SEED, "smallest": SMALLEST, "left_out": {}}
    return {**drawn, "people": names_of(keys)}


def _of_drift(use_case: UseCase, cells: WindowCells, now: datetime) -> Facts:
    ends = (use_case.reference_from, use_case.reference_to)
    profile = newest_profile(use_case)
    if profile is not None and (profile.begin, profile.end) != ends:
        profile = None  # it is of a window that is the reference no more
    return {
        "reference_from": None if ends[0] is None else ends[0].isoformat(),
        "reference_to": None if ends[1] is None else ends[1].isoformat(),
        "profile": None if profile is None else str(profile.pk),
    }


def _of_reviewers(use_case: UseCase, cells: WindowCells, now: datetime) -> Facts:
    keys = keys_of(cells)
    return {"seed": SEED, "people": names_of(keys), "practice": practice_of(use_case, keys, now)}


def _of_operations(use_case: UseCase, cells: WindowCells, now: datetime) -> Facts:
    return {
        "cost_model": use_case.cost_model,
        "queue": queue_of(use_case, now),
        "sla_minutes": time_limits([use_case.slug]).get(use_case.slug),
    }


def _of_compliance(use_case: UseCase, cells: WindowCells, now: datetime) -> Facts:
    return {"trail": trail_now()}


def _of_business(use_case: UseCase, cells: WindowCells, now: datetime) -> Facts:
    return {"cost_model": use_case.cost_model}


BY_KIND: Final[Mapping[str, Callable[[UseCase, WindowCells, datetime], Facts]]] = {
    "accuracy": _nothing,
    "bias": _of_bias,
    "drift": _of_drift,
    "reviewers": _of_reviewers,
    "operations": _of_operations,
    "compliance": _of_compliance,
    "business": _of_business,
}


def names_of(keys: Collection[str]) -> dict[str, str]:
    """Person's key -> login, of those that are known."""
    rows = User.objects.filter(pk__in=list(keys)).values_list("pk", "username")
    return {str(key): name for key, name in rows}


def practice_of(use_case: UseCase, keys: Collection[str], now: datetime) -> dict[str, Any]:
    """Who of ``keys`` reviewed how much in the last week, and lacks which skill.

    Returns: key -> {"last_week", "missing_qualifications"}; people who were only ever imported and
    cannot sign in need no skill here.
    """
    cases = Review.objects.filter(
        use_case=use_case, reviewer__in=list(keys), imported=False, machine=False
    )
    recent = dict(
        cases.filter(reviewed_at__gt=now - WEEK)
        .values_list("reviewer_id")
        .annotate(n=Count("decision_id", distinct=True))
        .values_list("reviewer_id", "n")
    )
    asked = skills_asked(use_case)
    held: dict[Any, set[str]] = {}
    if asked:
        lasting = Q(valid_until=None) | Q(valid_until__gt=now)
        places = Q(use_case__in=("", use_case.slug))
        rows = Qualification.objects.filter(lasting, places, status="held", skill__in=asked)
        for person, skill in rows.values_list("user_id", "skill"):
            held.setdefault(person, set()).add(skill)
    people = User.objects.filter(pk__in=list(keys), signs_in=True).values_list("pk", flat=True)
    return {
        str(person): {
            "last_week": recent.get(person, 0),
            "missing_qualifications": sorted(set(asked) - held.get(person, set())),
        }
        for person in people
    }


def skills_asked(use_case: UseCase) -> list[str]:
    """The skills that the policy in force asks of a reviewer."""
    active = PolicyVersion.objects.filter(use_case=use_case, status=PolicyStatus.ACTIVE).first()
    return [] if active is None else list(active.document.get("skills", ()))


def queue_of(use_case: UseCase, now: datetime) -> Facts:
    """What waits now, since when, and what it comes to with the people who were at it of late."""
    waiting = ReviewTask.objects.filter(
        use_case=use_case, status="open", kind__in=("before", "after")
    )
    found: Facts = {"open_tasks": waiting.count(), "as_of": written(now), "state": None}
    for state in queue_states(now, [use_case.slug]):
        document = asdict(state)
        document["oldest_at"] = written(state.oldest_at)
        document["ages"] = {f"p{share}": minutes for share, minutes in state.ages.items()}
        found["state"] = document
    return found


def trail_now() -> Facts:
    """The last full verification, and how many records wait to be sealed."""
    last = VerificationRun.objects.filter(full=True).order_by("-id").first()
    found: Facts = {"unsealed_records": PendingRecord.objects.count(), "last_verification": None}
    if last is not None:
        found["last_verification"] = {
            "finished_at": written(last.finished_at),
            "ok": last.ok,
            "records": last.records,
            "tree_size": last.tree_size,
        }
    return found
