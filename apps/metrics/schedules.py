"""Reports that are made by themselves: what is due, what was made, and what was missed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.accounts.callers import Caller
from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict, FieldError, NotFound
from apps.common.saving import checked_save, refuse_unstorable
from apps.metrics.cells.days import midnight
from apps.metrics.cells.refreshing import cells_refresh
from apps.metrics.first_reading import Window
from apps.metrics.models import Report, ReportSchedule
from apps.metrics.reports import KINDS, check_kinds, report_run
from apps.registry.access import require_right
from apps.registry.guards import use_case_lock
from apps.registry.models import UseCase

SCHEDULER: Final = Actor.system("reports")
GRACE: Final = timedelta(hours=2)  # a run later than this is missed
LOOKED_BACK: Final = 60  # runs of a schedule that are looked at
FIELDS: Final = ("every_days", "window_days", "kinds", "starts_on", "active")
LIMITS: Final = {"every_days": (1, 366), "window_days": (1, 3660)}


class DueRun(NamedTuple):
    """A report that a schedule asks for: of one kind, over the window that ends with its ``day``."""

    use_case: str
    kind: str
    day: date


class LastRun(NamedTuple):
    """The newest day that reports were made for, and when the newest was made."""

    day: date
    made_at: datetime


def report_schedule_add(
    *,
    caller: Caller,
    use_case: str,
    starts_on: date | None = None,
    every_days: int = 1,
    window_days: int = 30,
    kinds: Sequence[str] = tuple(KINDS),
    active: bool = True,
    reason: str = "",
) -> ReportSchedule:
    """Say which reports of a use case are made by themselves: from ``starts_on`` (None: today),
    every so many days, each over the ``window_days`` before its day.

    Raises: NotFound, NotPermitted: may not schedule there. Conflict: it has a schedule already.
    BadInput: naming what cannot be.
    """
    found = _use_case(caller, use_case)
    given = {
        "every_days": every_days,
        "window_days": window_days,
        "kinds": kinds,
        "starts_on": starts_on or timezone.now().date(),
        "active": active,
    }
    with transaction.atomic():
        held = use_case_lock(found.slug)
        if ReportSchedule.objects.filter(use_case=held).exists():
            raise Conflict(f"{held.slug} has a schedule of reports: change that one")
        made = ReportSchedule(use_case=held, asked_at=timezone.now())
        return _save(made, given, caller.actor, reason)


def report_schedule_change(
    *, caller: Caller, use_case: str, reason: str = "", **changes: Any
) -> ReportSchedule:
    """Change what is named: ``every_days``, ``window_days``, ``kinds``, ``starts_on``, ``active``.

    A schedule that asks for more than before (other days, another kind, active again) begins anew
    on the next day of its rhythm, unless ``starts_on`` says when: what nobody had asked for on the
    days before was not missed.
    Raises: as for adding one; NotFound: the use case has none.
    """
    found = _use_case(caller, use_case)
    with transaction.atomic():
        held = schedule_of(found.slug, lock=True)
        asked = {**{name: getattr(held, name) for name in FIELDS}, **changes}
        if _asks_for_more(held, asked):
            held.asked_at = timezone.now()
            if asked["starts_on"] == held.starts_on:
                asked["starts_on"] = next_day(held, held.asked_at)
        return _save(held, asked, caller.actor, reason)


def schedule_of(slug: str, *, lock: bool = False) -> ReportSchedule:
    """The schedule of a use case. Raises: NotFound: it has none."""
    rows = ReportSchedule.objects.all()
    rows = rows.select_for_update(no_key=True) if lock else rows
    held: ReportSchedule | None = rows.filter(use_case=slug).first()
    if held is None:
        raise NotFound(f"{slug} has no schedule of reports")
    return held


def _use_case(caller: Caller, slug: str) -> UseCase:
    refuse_unstorable(use_case=slug)
    found: UseCase | None = UseCase.objects.filter(slug=slug).first()
    if found is None:
        raise NotFound(f"there is no use case {slug!r}")
    require_right(caller, "report_schedule.set", slug)
    return found


def _asks_for_more(held: ReportSchedule, asked: Mapping[str, Any]) -> bool:
    again = asked["active"] and not held.active
    kinds = set(map(str, asked["kinds"])) - set(held.kinds)
    return bool(again or kinds or asked["every_days"] != held.every_days)


def _save(
    held: ReportSchedule, asked: Mapping[str, Any], actor: Actor, reason: str
) -> ReportSchedule:
    _check(asked["every_days"], asked["window_days"], asked["kinds"])
    today, starts_on = timezone.now().date(), asked["starts_on"]
    if starts_on < today and starts_on != held.starts_on:
        detail = f"starts_on={starts_on} has passed; allowed: {today} or later"
        raise BadInput([FieldError("/starts_on", detail)])
    for name in FIELDS:
        setattr(held, name, asked[name])
    held.kinds = list(dict.fromkeys(asked["kinds"]))
    return checked_save(held, actor=actor, reason=reason)


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


def next_day(schedule: ReportSchedule, now: datetime) -> date:
    """The first day of a schedule's rhythm that has not passed; today is one that has not."""
    passed = (now.date() - schedule.starts_on).days
    steps = max(0, -(-passed // schedule.every_days))
    return schedule.starts_on + timedelta(days=steps * schedule.every_days)


def runs_due(now: datetime) -> list[DueRun]:
    """What is to be made now: of each active schedule its newest day, unless it was made.

    Earlier days that were not made stay as they are, missed: what would be made of them today is
    not what would have been made then.
    """
    schedules = list(ReportSchedule.objects.filter(active=True).order_by("use_case"))
    made = _made(schedules, now)
    return [run for one in schedules for run in _not_made(one, days_due(one, now)[:1], made)]


def missed_runs(now: datetime, slugs: Collection[str] | None = None) -> list[DueRun]:
    """What should have been made and was not, the newest first; of the last 60 runs of a schedule.

    A run counts as missed two hours after it was due, and after it was asked for. ``slugs``: of
    these use cases.
    """
    rows: Any = ReportSchedule.objects.filter(active=True).order_by("use_case")
    schedules = list(rows if slugs is None else rows.filter(use_case__in=list(slugs)))
    return missed_of(schedules, now)


def missed_of(schedules: Sequence[ReportSchedule], now: datetime) -> list[DueRun]:
    """The missed runs of some schedules; one that is paused has none."""
    made = _made(schedules, now)
    found: list[DueRun] = []
    for schedule in schedules:
        begun = schedule.asked_at or midnight(schedule.starts_on)
        late = [day for day in days_due(schedule, now) if now >= max(midnight(day), begun) + GRACE]
        found += _not_made(schedule, late if schedule.active else [], made)
    return sorted(found, key=lambda run: (-run.day.toordinal(), run.use_case, run.kind))


def last_runs(schedules: Sequence[ReportSchedule]) -> dict[str, LastRun]:
    """Use case -> the newest day that its schedule's reports were made for, and when."""
    slugs = [one.use_case_id for one in schedules]
    rows = Report.objects.filter(use_case__in=slugs, scheduled_for__isnull=False)
    found = rows.values_list("use_case").annotate(day=Max("scheduled_for"), at=Max("created_at"))
    return {slug: LastRun(day, at) for slug, day, at in found}


def _made(schedules: Sequence[ReportSchedule], now: datetime) -> set[DueRun]:
    """What was made of the days that are looked at; one query for all schedules."""
    days = [day for one in schedules for day in days_due(one, now)[-1:]]
    if not days:
        return set()
    rows = Report.objects.filter(
        use_case__in=[one.use_case_id for one in schedules], scheduled_for__gte=min(days)
    )
    made = rows.values_list("use_case_id", "kind", "scheduled_for")
    return {DueRun(slug, kind, day) for slug, kind, day in made if day is not None}


def _not_made(
    schedule: ReportSchedule, days: Sequence[date], made: Collection[DueRun]
) -> list[DueRun]:
    asked = (DueRun(schedule.use_case_id, kind, day) for day in days for kind in schedule.kinds)
    return [run for run in asked if run not in made]


def _still_asked(schedule: ReportSchedule, run: DueRun) -> bool:
    same = Report.objects.filter(use_case=run.use_case, kind=run.kind, scheduled_for=run.day)
    return run.kind in schedule.kinds and not same.exists()


def run_due(run: DueRun) -> Report | None:
    """Make one report that is due; None where it was made meanwhile, or the schedule has changed.

    Safe to run twice: whoever makes it holds the schedule's row.
    """
    found = ReportSchedule.objects.select_related("use_case").filter(use_case=run.use_case).first()
    if found is None or not _still_asked(found, run):
        return None
    cells_refresh(found.use_case)  # a day at a time, each in its own transaction
    with transaction.atomic():
        schedules = ReportSchedule.objects.select_for_update(no_key=True, of=("self",))
        schedule = schedules.select_related("use_case").filter(use_case=run.use_case).first()
        if schedule is None or not schedule.active or not _still_asked(schedule, run):
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
