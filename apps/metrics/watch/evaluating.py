"""The evaluation of everything that can raise an alert, one use case at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from apps.common.errors import PlatformError
from apps.metrics.looking import Looks
from apps.metrics.models import Alert, AlertLimit
from apps.metrics.watch.limits import limits_check
from apps.metrics.watch.matters import matters_check
from apps.metrics.watch.tripwires import tripwires_check
from apps.registry.models import UseCase

IN_SERVICE = ("pilot", "live", "suspended")
Check = Callable[[Looks], list[Alert]]
CHECKS: tuple[Check, ...] = (tripwires_check, limits_check, matters_check)


def watched_use_cases() -> list[str]:
    """Those in service, and those for which somebody set a limit."""
    in_service = UseCase.objects.filter(lifecycle__in=IN_SERVICE).values_list("slug", flat=True)
    limited = AlertLimit.objects.filter(active=True).values_list("use_case_id", flat=True)
    return sorted({*in_service, *limited})


def alerts_evaluate(now: datetime) -> list[Alert]:
    """Evaluate every use case; one use case's fault is raised after the others are done."""
    found, failed = [], None
    for slug in watched_use_cases():
        try:
            found += alerts_evaluate_one(slug, now)
        except PlatformError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return found


def alerts_evaluate_one(slug: str, now: datetime) -> list[Alert]:
    """The alerts that were raised in one use case; safe to repeat, since an open one is not added to."""
    use_case = UseCase.objects.filter(slug=slug).first()
    if use_case is None:
        return []
    looks, found, failed = Looks(use_case, now), [], None
    for check in CHECKS:
        try:
            found += check(looks)
        except PlatformError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return found


def nudge_each(send: Callable[[str], Any]) -> int:
    """Ask for the evaluation of each use case by itself; returns how many."""
    slugs = watched_use_cases()
    for slug in slugs:
        send(slug)
    return len(slugs)
