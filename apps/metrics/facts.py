"""What a report needs besides cells: read once, stored with the report, so that it can be made again.

Facts are JSON values. Those of the moment (a queue, who holds which skill, the last verification)
are as they stood when the report was made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Count, Min, Q
from django.db.models.functions import Coalesce

from apps.accounts.models import Qualification, User
from apps.audit.models import PendingRecord, VerificationRun
from apps.decisions.models import Decision
from apps.metrics.cells.attributes import newest_profile, protected_attributes
from apps.metrics.cells.days import midnight
from apps.metrics.cells.window import WindowCells
from apps.metrics.domain.bias import SMALLEST
from apps.metrics.domain.bootstrap import DRAWS
from apps.metrics.domain.compliance import SHOWN
from apps.metrics.first_reading import Window
from apps.metrics.kinds.reviewers import keys_of
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.registry.models import UseCase
from apps.reviews.models import Review, ReviewTask
from apps.reviews.selectors import queue_states, time_limits

DAY: Final = timedelta(days=1)
WEEK: Final = 7 * DAY
SEALED_WITHIN: Final = timedelta(minutes=10)  # the sealer runs every few seconds
SEED: Final = 0

Facts = dict[str, Any]


class Asked(NamedTuple):
    """What facts are asked about: a use case, the window and its cells, and the time."""

    use_case: UseCase
    window: Window
    cells: WindowCells
    now: datetime


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
    return common | BY_KIND[kind](Asked(use_case, window, cells, now))


def written(moment: datetime | None) -> str | None:
    """A time as RFC 3339 in UTC; None stays None."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _nothing(asked: Asked) -> Facts:
    return {}


def _of_bias(asked: Asked) -> Facts:
    keys = asked.cells.table("reviews", "cells").texts["reviewer"].names
    drawn = {"draws": DRAWS, "seed": SEED, "smallest": SMALLEST}
    return {**drawn, "left_out": left_out_of(asked.use_case), "people": names_of(keys)}


def left_out_of(use_case: UseCase) -> dict[str, dict[str, str]]:
    """Attribute (or attributes joined by " & ") -> group left out of the ratios -> why."""
    found: dict[str, dict[str, str]] = {}
    for row in use_case.left_out:
        found.setdefault(row["attribute"], {})[row["group"]] = row["reason"]
    return found


def _of_drift(asked: Asked) -> Facts:
    ends = (asked.use_case.reference_from, asked.use_case.reference_to)
    profile = newest_profile(asked.use_case)
    if profile is not None and (profile.begin, profile.end) != ends:
        profile = None  # it is of a window that is the reference no more
    return {
        "reference_from": None if ends[0] is None else ends[0].isoformat(),
        "reference_to": None if ends[1] is None else ends[1].isoformat(),
        "profile": None if profile is None else str(profile.pk),
    }


def _of_reviewers(asked: Asked) -> Facts:
    keys = keys_of(asked.cells)
    return {
        "seed": SEED,
        "people": names_of(keys),
        "practice": practice_of(asked.use_case, keys, asked.now),
        "hasty_seconds": asked.use_case.hasty_seconds,
    }


def _of_operations(asked: Asked) -> Facts:
    return {
        "cost_model": asked.use_case.cost_model,
        "queue": queue_of(asked.use_case, asked.now),
        "sla_minutes": time_limits([asked.use_case.slug]).get(asked.use_case.slug),
    }


def _of_compliance(asked: Asked) -> Facts:
    return {"trail": trail_now(), "unsealed": unsealed_of(asked)}


def _of_business(asked: Asked) -> Facts:
    return {"cost_model": asked.use_case.cost_model}


BY_KIND: Final[Mapping[str, Callable[[Asked], Facts]]] = {
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


def unsealed_of(asked: Asked) -> Facts:
    """Decisions of the window of which a record has waited to be sealed for longer than it takes.

    Returns: {"n": how many, "first": rows of [decision, what waits since when], by decision, at most
    1,000}.
    """
    if not asked.cells.days:
        return {"n": 0, "first": []}
    begin = asked.window.begin or midnight(asked.cells.days[0])
    end = asked.window.end or midnight(asked.cells.days[-1]) + DAY
    waiting = PendingRecord.objects.filter(record_type=Decision.record_type).values("record_id")
    late = Decision.history.annotate(made=Coalesce("decided_at", "created_at")).filter(
        history_id__in=waiting,
        history_date__lt=asked.now - SEALED_WITHIN,
        use_case_id=asked.use_case.slug,
        made__gte=begin,
        made__lt=end,
    )
    since = late.order_by("id").values_list("id").annotate(at=Min("history_date"))
    first = [[str(key), f"recorded at {written(at)}, and not sealed"] for key, at in since[:SHOWN]]
    n = len(first) if len(first) < SHOWN else late.values("id").distinct().count()
    return {"n": n, "first": first}


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
