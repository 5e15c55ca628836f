"""What is watched in every use case without a limit being set for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

from apps.audit.selectors import last_verification
from apps.metrics.alerts import alert_raise, open_alert, settled_at
from apps.metrics.domain.watching import midnight, running_window
from apps.metrics.first_reading import Window
from apps.metrics.looking import Looks
from apps.metrics.models import Alert
from apps.metrics.schedules import missed_runs

DAYS = 30
SMALLEST = 30
RUBBER_STAMPING, TEAM_LOSS = "rubber_stamping", "team_loss"
MISSED_RUN, TRAIL = "missed_run", "trail"


def matters_check(looks: Looks) -> list[Alert]:
    """Raise an alert for each matter that is found."""
    found = (alert for check in CHECKS for alert in check(looks))
    return [alert for alert in found if alert is not None]


def _window(looks: Looks, since: datetime | None) -> Window:
    return Window(*running_window(looks.now, DAYS, since))


def _rubber_stamping(looks: Looks) -> Iterator[Alert | None]:
    """A reviewer's run of confirmations is longer than chance explains: a reason to look."""
    for name in _stamping(looks, None):
        settled = settled_at(looks.use_case, RUBBER_STAMPING, name)
        found = _stamping(looks, settled).get(name)  # what came before was looked at then
        if found is None or open_alert(looks.use_case, RUBBER_STAMPING, name) is not None:
            continue
        yield alert_raise(
            use_case=looks.use_case,
            kind=RUBBER_STAMPING,
            about=name,
            detail=(
                f"{name} confirmed {found['longest']} cases in a row; the chance of such a run in "
                f"{found['n']} reviews is {found['chance']:.2g}. Cases that are alike come in runs: "
                "it is a reason to look, no proof"
            ),
            value=float(found["longest"]),
            n=found["n"],
        )


def _stamping(looks: Looks, since: datetime | None) -> dict[str, Any]:
    report = looks.report("reviewers", _window(looks, since))
    return {one["reviewer"]: one for one in report["rubber_stamping"]}


def _team_loss(looks: Looks) -> Iterator[Alert | None]:
    """What took effect was surely less accurate than the better of AI and people alone."""
    if open_alert(looks.use_case, TEAM_LOSS, "") is not None:
        return
    window = _window(looks, settled_at(looks.use_case, TEAM_LOSS, ""))
    gain = looks.report("accuracy", window)["team_gain"]
    if gain["value"] is None or gain["n"] < SMALLEST or gain["high"] >= 0:
        return
    against = {"ai": "the AI alone", "human": "people alone"}[gain["against"]]
    yield alert_raise(
        use_case=looks.use_case,
        kind=TEAM_LOSS,
        about="",
        detail=(
            f"AI and people together are less accurate than {against}: {gain['value']:.4f} "
            f"[{gain['low']:.4f}, {gain['high']:.4f}] (n = {gain['n']})"
        ),
        value=gain["value"],
        n=gain["n"],
    )


def _missed_runs(looks: Looks) -> Iterator[Alert | None]:
    """Reports that the schedule asks for have not been made: one alert a kind, by its newest day."""
    newest: dict[str, date] = {}
    for missed in missed_runs(looks.now, [looks.use_case.slug]):
        newest.setdefault(missed.kind, missed.day)
    for kind, day in sorted(newest.items()):
        settled = settled_at(looks.use_case, MISSED_RUN, kind)
        if settled is not None and settled >= midnight(day):
            continue
        yield alert_raise(
            use_case=looks.use_case,
            kind=MISSED_RUN,
            about=kind,
            detail=f"the report of {kind} that was due on {day.isoformat()} has not been made",
        )


def _trail(looks: Looks) -> Iterator[Alert | None]:
    """The last verification found the trail contradicting itself: every process rests on it."""
    run = last_verification()
    if run is None or run.ok:
        return
    settled = settled_at(looks.use_case, TRAIL, "")
    if settled is not None and settled >= run.finished_at:
        return
    findings = len(run.findings)
    yield alert_raise(
        use_case=looks.use_case,
        kind=TRAIL,
        about="",
        detail=f"the verification of {run.finished_at:%Y-%m-%d %H:%M} UTC has {findings} findings",
        value=float(findings),
        n=run.records,
    )


Check = Callable[[Looks], Iterator[Alert | None]]
CHECKS: tuple[Check, ...] = (_rubber_stamping, _team_loss, _missed_runs, _trail)
