"""Schedules of reports as pages show them, and the form that sets one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django import forms
from django.core.paginator import Page, Paginator

from apps.accounts.callers import Caller
from apps.common.errors import NotFound
from apps.metrics import schedules
from apps.metrics.models import ReportSchedule
from apps.metrics.reports import KINDS
from apps.web.desk.team_forms import reason_field

PAGE: Final = 50
SET: Final = "report_schedule.set"
DAY_INPUT: Final = {"type": "date"}


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule in words: when the next run is (None: paused), the last one, what was missed."""

    schedule: ReportSchedule
    use_case: str
    rhythm: str
    next_day: date | None
    last: schedules.LastRun | None
    missed: list[schedules.DueRun]
    may_set: bool


class ScheduleForm(forms.Form):
    """What is made, how often, and how far back; with ``names`` also for which use case."""

    prefix = "schedule"
    use_case = forms.ChoiceField(label="Use case")
    every_days = forms.IntegerField(
        label="Every so many days",
        min_value=schedules.LIMITS["every_days"][0],
        max_value=schedules.LIMITS["every_days"][1],
        initial=1,
    )
    window_days = forms.IntegerField(
        label="Each over the days before",
        min_value=schedules.LIMITS["window_days"][0],
        max_value=schedules.LIMITS["window_days"][1],
        initial=30,
        help_text="Whole days, in UTC.",
    )
    starts_on = forms.DateField(
        label="From",
        required=False,
        widget=forms.DateInput(attrs=DAY_INPUT, format="%Y-%m-%d"),
        help_text="Empty: today, or as before.",
    )
    reason = reason_field()
    kinds = forms.MultipleChoiceField(
        label="Reports",
        choices=[(kind, kind) for kind in KINDS],
        widget=forms.CheckboxSelectMultiple,
        initial=list(KINDS),
    )

    def __init__(self, *args: Any, names: Mapping[str, str] | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if names is None:
            del self.fields["use_case"]
        else:
            self.fields["use_case"].choices = list(names.items())  # type: ignore[attr-defined]

    def wanted(self) -> dict[str, Any]:
        """As the services take it; what was left empty is not said."""
        return {name: value for name, value in self.cleaned_data.items() if value is not None}


def rhythm_of(schedule: ReportSchedule) -> str:
    """ "every 7 days over the 30 days before"."""
    often = "every day" if schedule.every_days == 1 else f"every {schedule.every_days} days"
    back = "the day" if schedule.window_days == 1 else f"the {schedule.window_days} days"
    return f"{often} over {back} before"


def schedules_page(
    caller: Caller, names: Mapping[str, str], now: datetime, number: str | None
) -> tuple[Page[Any], list[ScheduleRow]]:
    """By use case; the queries do not grow with the rows."""
    found = ReportSchedule.objects.filter(use_case__in=list(names)).order_by("use_case__name", "pk")
    page = Paginator(found, PAGE).get_page(number)
    return page, rows_of(caller, names, list(page.object_list), now)


def rows_of(
    caller: Caller, names: Mapping[str, str], held: Sequence[ReportSchedule], now: datetime
) -> list[ScheduleRow]:
    last, missed = schedules.last_runs(held), schedules.missed_of(held, now)
    return [
        ScheduleRow(
            one,
            names[one.use_case_id],
            rhythm_of(one),
            schedules.next_day(one, now) if one.active else None,
            last.get(one.use_case_id),
            [run for run in missed if run.use_case == one.use_case_id],
            caller.may(SET, one.use_case_id),
        )
        for one in held
    ]


def schedule_for(caller: Caller, names: Mapping[str, str], slug: str, now: datetime) -> ScheduleRow:
    """One that the reader may see."""
    if slug not in names:
        raise NotFound(f"There is no use case {slug} whose reports you may see.")
    (row,) = rows_of(caller, names, [schedules.schedule_of(slug)], now)
    return row


def free_names(caller: Caller, names: Mapping[str, str]) -> dict[str, str]:
    """The use cases without a schedule that the reader may give one."""
    taken = set(ReportSchedule.objects.values_list("use_case_id", flat=True))
    return {
        slug: name for slug, name in names.items() if slug not in taken and caller.may(SET, slug)
    }
