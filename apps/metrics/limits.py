"""Limits on figures: set and retired by people, kept by the evaluation of alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict, FieldError
from apps.common.saving import checked_reason
from apps.metrics.domain.watching import OPS
from apps.metrics.models import AlertLimit
from apps.metrics.reports import KINDS
from apps.registry.guards import use_case_lock
from apps.registry.models import UseCase

PATH = re.compile(r"[^\s.]+(\.[^.\x00-\x1f]+)+")
LONGEST = 200
# field -> the whole numbers that it may hold
RANGES = {"smallest": (1, 1_000_000_000), "in_a_row": (1, 12), "window_days": (1, 366)}


@transaction.atomic
def alert_limit_set(
    *,
    actor: Actor,
    use_case: UseCase,
    metric: object,
    op: object,
    value: object,
    smallest: object = 30,
    in_a_row: object = 2,
    window_days: object = 7,
    reason: str = "",
) -> AlertLimit:
    """A new limit on one figure of a use case; ``metric`` is its path, "accuracy.combined.value".

    It is broken when ``in_a_row`` windows of ``window_days`` in a row are out of bounds, each on
    ``smallest`` cases or more.
    Raises: BadInput: each fault by its field. Conflict: the figure has such a limit already.
    """
    require_actor(actor)
    reason = checked_reason(reason)
    whole = {"smallest": smallest, "in_a_row": in_a_row, "window_days": window_days}
    faults = [*_metric_faults(metric), *_bound_faults(op, value), *_whole_faults(whole)]
    if faults:
        raise BadInput(faults)
    held = use_case_lock(use_case.slug)
    same: dict[str, Any] = {"use_case": held, "metric": metric, "op": op}
    there = AlertLimit.objects.filter(**same, active=True).first()
    if there is not None:
        raise Conflict(f"{held.slug} has the limit {metric} {op} {there.value:g}: retire it first")
    numbers: dict[str, Any] = {"value": float(str(value)), **whole}
    limit = AlertLimit(**same, **numbers, created_at=timezone.now())
    limit.save(actor=actor, reason=reason)
    return limit


def _metric_faults(metric: object) -> Iterator[FieldError]:
    if _is_path(metric):
        return
    allowed = f"a path such as accuracy.combined.value, beginning with one of {', '.join(KINDS)}"
    yield FieldError("/metric", f"{metric!r:.80} is not {allowed}")


def _is_path(metric: object) -> bool:
    if not isinstance(metric, str) or len(metric) > LONGEST or not PATH.fullmatch(metric):
        return False
    return metric.partition(".")[0] in KINDS


def _bound_faults(op: object, value: object) -> Iterator[FieldError]:
    if not isinstance(op, str) or op not in OPS:
        yield FieldError("/op", f"{op!r:.20} is not one of {', '.join(OPS)}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        yield FieldError("/value", f"{value!r:.40} is not a finite number")


def _is_finite(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # a whole number beyond every double
        return False


def _whole_faults(numbers: dict[str, object]) -> Iterator[FieldError]:
    for name, value in numbers.items():
        least, most = RANGES[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not least <= int(str(value)) <= most:
            detail = f"{value!r:.40} is not a whole number of {least} to {most}"
            yield FieldError(f"/{name}", detail)


@transaction.atomic
def alert_limit_retire(*, actor: Actor, limit: AlertLimit, reason: str) -> AlertLimit:
    """Ask for it no longer; an alert that it raised stays until a person resolves it."""
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    held: AlertLimit = AlertLimit.objects.select_for_update(no_key=True).get(pk=limit.pk)
    if not held.active:
        raise Conflict(f"the limit on {held.metric} is retired already")
    held.active = False
    held.save(actor=actor, reason=reason)
    return held
