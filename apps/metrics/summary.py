"""The executive figures: each process on one line, and whether it goes up or down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import Count

from apps.accounts.callers import Caller
from apps.common.errors import NotFound
from apps.metrics.alerts import RESOLVED
from apps.metrics.domain.figures import figure_at
from apps.metrics.first_reading import Window
from apps.metrics.looking import Looks
from apps.metrics.models import Alert
from apps.metrics.reports import checked_window
from apps.metrics.whatif.basis import written
from apps.registry.models import UseCase

# name -> the path of the figure
FIGURES: Final[Mapping[str, str]] = {
    "automation_rate": "business.automation_rate",
    "accuracy_combined": "accuracy.combined",
    "accuracy_ai": "accuracy.ai",
    "accuracy_human": "accuracy.human",
    "net_value": "business.net_value",
    "roi": "business.roi",
    "cost_per_decision": "business.cost_per_decision",
    "compliance": "compliance.handled_as_demanded",
}


def executive_summary(
    *, caller: Caller, use_case: str | None, window: Window, now: datetime
) -> dict[str, Any]:
    """The figures of one use case, or of all that the caller may see, and of the window before.

    Raises: NotFound, NotPermitted: not this one. BadInput: a window that ends before it begins.
    """
    checked_window(window)
    before = window_before(window)
    return {
        "from": written(window.begin),
        "to": written(window.end),
        "use_cases": [
            _one(Looks(found, now), window, before) for found in _use_cases(caller, use_case)
        ],
    }


def _use_cases(caller: Caller, slug: str | None) -> list[UseCase]:
    caller.require("report.view")
    visible = caller.visible("report.view")
    found = UseCase.objects.order_by("slug")
    found = found if visible is None else found.filter(slug__in=visible)
    if slug is None:
        return list(found)
    one = found.filter(slug=slug).first()
    if one is None:
        raise NotFound(f"there is no use case {slug!r}")
    return [one]


def window_before(window: Window) -> Window | None:
    """The window of the same length that ends where this one begins; None where it has no length."""
    if window.begin is None or window.end is None:
        return None
    return Window(window.begin - (window.end - window.begin), window.begin)


def _one(looks: Looks, window: Window, before: Window | None) -> dict[str, Any]:
    use_case = looks.use_case
    now = _figures(looks, window)
    business = looks.report("business", window)
    return {
        "use_case": use_case.slug,
        "name": use_case.name,
        "lifecycle": use_case.lifecycle,
        "risk_tier": use_case.risk_tier,
        "decisions": business["decisions"],
        "currency": business["currency"],
        **{name: figure for name, figure in now.items() if not name.startswith("accuracy_")},
        "accuracy": {side: now[f"accuracy_{side}"] for side in ("combined", "ai", "human")},
        "open_alerts": _open_alerts(use_case),
        "trend": _trend(looks, window, before),
    }


def _figures(looks: Looks, window: Window) -> dict[str, Any]:
    found = {}
    for name, path in FIGURES.items():
        kind, _, rest = path.partition(".")
        found[name] = looks.report(kind, window)[rest]
    return found


def _open_alerts(use_case: UseCase) -> dict[str, Any]:
    rows = Alert.objects.filter(use_case=use_case).exclude(status=RESOLVED)
    by_kind = dict(rows.values_list("kind").annotate(n=Count("pk")).order_by("kind"))
    return {"n": sum(by_kind.values()), "by_kind": by_kind}


def _trend(looks: Looks, window: Window, before: Window | None) -> dict[str, Any]:
    """Each figure less that of the window before; null where either is not known, and why."""
    if before is None:
        why = "a window with both ends is needed to compare it with the one before"
        return {"from": None, "to": None, "change": None, "why": why}
    return {
        "from": written(before.begin),
        "to": written(before.end),
        "change": {name: _change(looks, path, window, before) for name, path in FIGURES.items()},
    }


def _change(looks: Looks, path: str, window: Window, before: Window) -> float | None:
    kind = path.partition(".")[0]
    one, other = (
        figure_at({kind: looks.report(kind, each)}, path).value for each in (window, before)
    )
    return None if one is None or other is None else one - other
