"""Reports that are made by themselves: what is due, what was made, and what was missed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.utils import timezone

from apps.accounts.callers import Caller
from apps.common.actor import Actor
from apps.common.errors import BadInput, FieldError
from apps.common.saving import checked_save
from apps.metrics.cells.days import midnight
from apps.metrics.cells.refreshing import cells_refresh
from apps.metrics.first_reading import Window
from apps.metrics.models import Report, ReportSchedule
from apps.metrics.reports import KINDS, check_kinds, report_run
from apps.metrics.selectors import use_cases_to_report

SCHEDULER: Final = Actor.system("reports")
GRACE: Final = timedelta(hours=2)  # a run later than this is missed
LOOKED_BACK: Final = 60  # runs of a schedule that are looked at
LIMITS: Final = {"every_days": (1, 366), "window_days": (1, 3660)}


class DueRun(NamedTuple):
    """A report that a schedule asks for: of one kind, over the window that ends with its ``day``."""

    use_case: str
    kind: str
    day: date


def report_schedule_set(
    *,
    caller: Caller,
    use_case: str,
    starts_on: date,
    every_days: int = 1,
    window_days: int = 30,
    kinds: Sequence[str] = tuple(KINDS),
    active: bool = True,
    reason: str = "",
) -> ReportSchedule:
    """Say which reports of a use case are made by themselves: from ``starts_on``, every so many days,
    each over the ``window_days`` before its day. A later call changes the schedule.

    Raises: NotFound, NotPermitted: as for running one. BadInput: naming what cannot be.
    """
    (found,) = use_cases_to_report(caller, use_case)
    _check(every_days, window_days, kinds)
    with transaction.atomic():
        schedules = ReportSchedule.objects.select_for_update(no_key=True)
        held = schedules.filter(use_case=found).first() or ReportSchedule(use_case=found)
        today = timezone.now().date()
        if starts_on < today and starts_on != held.starts_on:
            detail = f"starts_on={starts_on} has passed; allowed: {today} or later"
            raise BadInput([FieldError("/starts_on", detail)])
        held.every_days, held.window_days = every_days, window_days
        held.kinds, held.starts_on, held.active = list(dict.fromkeys(kinds)), starts_on, active
        return checked_save(held, actor=caller.actor, reason=reason)


def _check(every_days: int, window_days: int, kinds: Sequence[str]) -> None:
    check_kinds(kinds)
    faults = [
        FieldError(f"/{name}", f"{name}={value!r}; allowed: {low} to {high}")
        for name, value in (("every_days", every_days), ("window_days", window_days))
        for low, high in (LIMITS[name],)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high
    ]
    if not kinds:
        faults.append(FieldError("/kinds", f"at least one of {', '.join(KINDS)}"))
    if faults:
        raise BadInput(faults)


def days_due(schedule: ReportSchedule, now: datetime) -> list[date]:
    """The days of a schedule up to now, the newest first, at most 60.

    A run belongs to the UTC day that its window ends with, and is due when that day begins.
    """
    passed = (now.date() - schedule.starts_on).days
    if passed < 0:
        return []
    newest = passed // schedule.every_days
    runs = range(newest, max(-1, newest - LOOKED_BACK), -1)
    return [schedule.starts_on + timedelta(days=run * schedule.every_days) for run in runs]


def runs_due(now: datetime) -> list[DueRun]:
    """What is to be made now: of each active schedule its newest day, unless it was made.

    Earlier days that were not made stay as they are, missed: what would be made of them today is
    not what would have been made then.
    """
    found = []
    for schedule in ReportSchedule.objects.filter(active=True).order_by("use_case"):
        days = days_due(schedule, now)[:1]
        found += [run for day in days for run in _not_made(schedule, [day])]
    return found


def missed_runs(now: datetime, slugs: Collection[str] | None = None) -> list[DueRun]:
    """What should have been made and was not, the newest first; of the last 60 runs of a schedule.

    The newest run counts as missed two hours after it was due. ``slugs``: of these use cases.
    """
    rows: Any = ReportSchedule.objects.filter(active=True).order_by("use_case")
    rows = rows if slugs is None else rows.filter(use_case__in=list(slugs))
    found: list[DueRun] = []
    for schedule in rows:
        late = [day for day in days_due(schedule, now) if now >= midnight(day) + GRACE]
        found += _not_made(schedule, late)
    return sorted(found, key=lambda run: (-run.day.toordinal(), run.use_case, run.kind))


def _not_made(schedule: ReportSchedule, days: Sequence[date]) -> list[DueRun]:
    slug = schedule.use_case_id
    rows = Report.objects.filter(use_case=slug, scheduled_for__in=days)
    made = set(rows.values_list("kind", "scheduled_for"))
    return [
        DueRun(slug, kind, day)
        for day in days
        for kind in schedule.kinds
        if (kind, day) not in made
    ]


def run_due(run: DueRun) -> Report | None:
    """Make one report that is due; None where it was made meanwhile, or the schedule has changed.

    Safe to run twice: whoever makes it holds the schedule's row.
    """
    found = ReportSchedule.objects.select_related("use_case").filter(use_case=run.use_case).first()
    if found is None or run not in _not_made(found, [run.day]):
        return None
    cells_refresh(found.use_case)  # a day at a time, each in its own transaction
    with transaction.atomic():
        schedules = ReportSchedule.objects.select_for_update(no_key=True, of=("self",))
        schedule = schedules.select_related("use_case").filter(use_case=run.use_case).first()
        if schedule is None or not schedule.active or run not in _not_made(schedule, [run.day]):
            return None
        end = midnight(run.day)
        return report_run(
            actor=SCHEDULER,
            use_case=schedule.use_case,
            kind=run.kind,
            window=Window(end - timedelta(days=schedule.window_days), end),
            scheduled_for=run.day,
            refresh=False,
        )


def reports_run_due(now: datetime) -> int:
    """Make every report that is due; how many were made here."""
    return sum(run_due(run) is not None for run in runs_due(now))
