"""``report-schedules/``: the reports that are made by themselves, what comes next, what was missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Annotated, Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from pydantic import Field, StrictInt

from apps.accounts.callers import Caller
from apps.api.bodies import (
    Body,
    Day,
    Document,
    Flag,
    ListQuery,
    OptionalReason,
    Reason,
    Slug,
    optional,
)
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.lookups import use_case_for
from apps.api.v1.reports import KindName
from apps.metrics import schedules
from apps.metrics.models import ReportSchedule
from apps.metrics.reports import KINDS

Kinds = Annotated[list[KindName], Field(min_length=1, max_length=7)]


class LastRunDocument(Document):
    day: date
    made_at: datetime


class MissedRun(Document):
    kind: str
    day: date


class ReportScheduleDocument(Document):
    use_case: str
    every_days: int
    window_days: int
    kinds: list[str]
    starts_on: date
    active: bool
    next_run: date | None = Field(
        description="The first day that has not passed; null while it is paused."
    )
    last_run: LastRunDocument | None
    missed: list[MissedRun] = Field(description="Of the last 60 runs, the newest first.")


class ReportScheduleAddition(Body):
    use_case: Slug
    every_days: StrictInt = Field(1, description="1 to 366.")
    window_days: StrictInt = Field(30, description="Days that each report looks back: 1 to 3660.")
    kinds: Kinds = Field(default_factory=lambda: list(KINDS))
    starts_on: Day | None = Field(None, description="The first day, in UTC; null: today.")
    active: Flag = True
    reason: OptionalReason = ""


class ReportScheduleChange(Body):
    every_days: StrictInt = optional()
    window_days: StrictInt = optional()
    kinds: Kinds = optional()
    starts_on: Day = optional()
    active: Flag = optional("False: it is paused.")
    reason: Reason


class ReportScheduleQuery(ListQuery):
    use_case: Slug | None = None


def schedule_documents(rows: Iterable[ReportSchedule]) -> Iterator[ReportScheduleDocument]:
    """Two queries for the runs of all."""
    held, now = list(rows), timezone.now()
    last, missed = schedules.last_runs(held), schedules.missed_of(held, now)
    for one in held:
        slug, made = one.use_case_id, last.get(one.use_case_id)
        yield ReportScheduleDocument(
            use_case=slug,
            next_run=schedules.next_day(one, now) if one.active else None,
            last_run=None if made is None else LastRunDocument(**made._asdict()),
            missed=[
                MissedRun(kind=run.kind, day=run.day) for run in missed if run.use_case == slug
            ],
            **{name: getattr(one, name) for name in schedules.FIELDS},
        )


class ReportSchedulesView(ApiView):
    actions = {"GET": "report.view", "POST": "report_schedule.set"}

    @operation(
        "List schedules of reports",
        returns=ReportScheduleDocument,
        listed=True,
        query=ReportScheduleQuery,
        problems={404},
    )
    def get(self, caller: Caller, query: ReportScheduleQuery) -> Any:
        """Newest first, paused ones too."""
        rows = _visible(caller)
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "report.view")
            rows = rows.filter(use_case_id=query.use_case)
        return self.page_of(rows, schedule_documents)

    @operation(
        "Schedule reports",
        returns=ReportScheduleDocument,
        status=201,
        body=ReportScheduleAddition,
        problems={404, 409},
    )
    def post(self, caller: Caller, body: ReportScheduleAddition) -> Created:
        """One schedule a use case. A run belongs to the UTC day that its window ends with."""
        use_case_for(caller, body.use_case, "report_schedule.set")
        made = schedules.report_schedule_add(caller=caller, **body.model_dump())
        location = reverse("api:report-schedule", kwargs={"slug": made.use_case_id})
        return Created(_document(made), location)


class ReportScheduleView(ApiView):
    actions = {"GET": "report.view", "PATCH": "report_schedule.set"}

    @operation("Read a schedule of reports", returns=ReportScheduleDocument)
    def get(self, caller: Caller, slug: str) -> ReportScheduleDocument:
        use_case_for(caller, slug, "report.view")
        return _document(schedules.schedule_of(slug))

    @operation(
        "Change a schedule of reports", returns=ReportScheduleDocument, body=ReportScheduleChange
    )
    def patch(
        self, caller: Caller, slug: str, body: ReportScheduleChange
    ) -> ReportScheduleDocument:
        """Keys that are left out stay as they are. One that asks for more than before begins anew on
        the next day of its rhythm, unless `starts_on` says when."""
        use_case_for(caller, slug, "report_schedule.set")
        changed = schedules.report_schedule_change(
            caller=caller, use_case=slug, reason=body.reason, **body.sent()
        )
        return _document(changed)


def _document(row: ReportSchedule) -> ReportScheduleDocument:
    return next(schedule_documents([row]))


def _visible(caller: Caller) -> QuerySet[ReportSchedule]:
    slugs = caller.visible("report.view")
    found: QuerySet[ReportSchedule] = ReportSchedule.objects.all()
    return found if slugs is None else found.filter(use_case_id__in=slugs)
