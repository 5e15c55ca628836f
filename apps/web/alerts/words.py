"""Alerts in plain words, and which dashboard shows the figure that one is about."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlencode

from django.urls import reverse

from apps.accounts.callers import Caller
from apps.metrics.models import Alert
from apps.metrics.watch import limits, matters, tripwires

KIND_WORDS: Final = {
    limits.LIMIT: "limit broken",
    limits.UNREADABLE: "limit without a figure",
    tripwires.TRIPWIRE: "tripwire crossed",
    tripwires.UNREADABLE: "tripwire without a figure",
    matters.RUBBER_STAMPING: "rubber-stamping suspected",
    matters.TEAM_LOSS: "team worse than the better alone",
    matters.MISSED_RUN: "report missed",
    matters.TRAIL: "trail contradicts itself",
}
# kind of report -> dashboard that draws it
DASHBOARDS: Final = {
    "accuracy": "accuracy",
    "bias": "fairness",
    "drift": "drift",
    "reviewers": "people",
    "operations": "people",
    "compliance": "executive",
    "business": "executive",
}
REPORTS: Final = {matters.RUBBER_STAMPING: "reviewers", matters.TEAM_LOSS: "accuracy"}
ABOUT_A_PATH: Final = {
    tripwires.TRIPWIRE,
    tripwires.UNREADABLE,
    matters.MISSED_RUN,  # about: a kind of report, which is where such a path begins
}
ACTIONS: Final = {"trail": "audit.view"}


class Shown(NamedTuple):
    """Where a figure is drawn: the dashboard's words and its address."""

    words: str
    address: str


def dashboard_of(caller: Caller, metric: str, use_case: str) -> Shown | None:
    """The dashboard that draws a figure, by its path; None where the caller may not open it."""
    return _dashboard(caller, DASHBOARDS.get(metric.partition(".")[0], ""), use_case)


def dashboard_of_alert(caller: Caller, alert: Alert) -> Shown | None:
    """The dashboard that draws what an alert is about."""
    if alert.kind == matters.TRAIL:
        return _dashboard(caller, "trail", alert.use_case_id)
    if alert.limit is not None:
        return dashboard_of(caller, alert.limit.metric, alert.use_case_id)
    path = alert.about.partition(" ")[0] if alert.kind in ABOUT_A_PATH else ""
    return dashboard_of(caller, REPORTS.get(alert.kind, path), alert.use_case_id)


def _dashboard(caller: Caller, name: str, use_case: str) -> Shown | None:
    action = ACTIONS.get(name, "report.view")
    scope = None if action == "audit.view" else use_case
    if not name or not caller.may(action, scope):
        return None
    query = "" if name == "trail" else f"?{urlencode({'use_case': use_case})}"
    words = {"people": "reviewers and operations", "trail": "audit health"}.get(name, name)
    return Shown(words, reverse(f"dashboard_{name}") + query)
