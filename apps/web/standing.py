"""How use cases stand: the policy in force, whether something is wrong, where decisions went."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Q
from django.utils import timezone

from apps.accounts.models import RoleGrant
from apps.decisions.models import Decision
from apps.decisions.selectors import newest_of
from apps.metrics.models import Alert
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.registry.models import Lifecycle, UseCase
from apps.reviews.models import ReviewTask
from apps.reviews.selectors import ASKING

COUNTED: Final = 2_000  # of the newest decisions, so that the page costs the same with more
MOST_PEOPLE: Final = 100


@dataclass(frozen=True, slots=True)
class Health:
    """At a glance: ``tone`` is good, warn or bad; ``words``, what is the matter, most urgent first."""

    tone: str
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """A use case in the list."""

    use_case: UseCase
    level: str
    policy: int | None
    health: Health


def standings(use_cases: Sequence[UseCase]) -> list[Standing]:
    """The use cases of one page, in three queries whatever their number."""
    slugs = [one.slug for one in use_cases]
    rows = PolicyVersion.objects.filter(use_case__in=slugs, status=PolicyStatus.ACTIVE)
    policies = {row.use_case_id: row for row in rows.only("use_case", "level", "number")}
    alerts, overdue = _alerts(slugs), _overdue(slugs)
    return [
        Standing(
            use_case=one,
            level=policies[one.slug].level if one.slug in policies else "",
            policy=policies[one.slug].number if one.slug in policies else None,
            health=_health(one, one.slug in policies, alerts, overdue),
        )
        for one in use_cases
    ]


def health_of(use_case: UseCase, has_policy: bool) -> Health:
    slugs = [use_case.slug]
    return _health(use_case, has_policy, _alerts(slugs), _overdue(slugs))


def _alerts(slugs: Collection[str]) -> dict[str, int]:
    rows = Alert.objects.filter(use_case__in=slugs).exclude(status="resolved")
    return dict(rows.order_by().values_list("use_case").annotate(n=Count("pk")))


def _overdue(slugs: Collection[str]) -> dict[str, int]:
    rows = ReviewTask.objects.filter(
        use_case__in=slugs,
        status="open",
        kind__in=ASKING,
        paused_at=None,
        due_at__lt=timezone.now(),
    )
    return dict(rows.order_by().values_list("use_case").annotate(n=Count("pk")))


def _health(
    use_case: UseCase, has_policy: bool, alerts: Mapping[str, int], overdue: Mapping[str, int]
) -> Health:
    words, tone = [], "good"
    if late := overdue.get(use_case.slug, 0):
        words.append(f"{late} review{'' if late == 1 else 's'} overdue")
        tone = "warn"
    if raised := alerts.get(use_case.slug, 0):
        words.insert(0, f"{raised} open alert{'' if raised == 1 else 's'}")
        tone = "bad"
    if not has_policy and use_case.lifecycle in (Lifecycle.LIVE, Lifecycle.PILOT):
        words.insert(0, "no policy in force")
        tone = "bad"
    if use_case.lifecycle == Lifecycle.SUSPENDED:
        words.insert(0, "stopped")
        tone = "bad"
    return Health(tone, words)


@dataclass(frozen=True, slots=True)
class LaneCount:
    lane: str
    n: int
    share: float
    waiting: int


def lane_counts(use_case: UseCase) -> tuple[list[LaneCount], int]:
    """Where the newest decisions went, and how many those are: at most COUNTED."""
    rows_of_it = Decision.objects.filter(use_case=use_case)
    newest = newest_of(rows_of_it, COUNTED, of_one_use_case=True)
    rows = newest.order_by().values("lane")
    counted = rows.annotate(n=Count("pk"), waiting=Count("pk", filter=Q(status="pending")))
    found = list(counted.values_list("lane", "n", "waiting"))
    total = sum(n for _lane, n, _waiting in found)
    ranked = sorted(found, key=lambda one: (-one[1], one[0]))
    return [LaneCount(lane, n, n / total, waiting) for lane, n, waiting in ranked], total


def people_of(use_case: UseCase) -> list[Any]:
    """Who holds a role in this use case alone; the roles held everywhere stand with the people."""
    rows = RoleGrant.objects.filter(use_case=use_case.slug, user__is_active=True)
    return list(rows.select_related("user").order_by("role", "user__name")[:MOST_PEOPLE])
