"""``reports/`` and ``metrics/summary/``: figures as they were found, and the executive's page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from pydantic import Field

from apps.accounts.callers import Caller
from apps.api.bodies import Body, Document, ListQuery, Moment, OneOf, Query, Slug
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.lookups import found_or_404, use_case_for
from apps.metrics.first_reading import Window
from apps.metrics.models import Report, ReportJob
from apps.metrics.report_jobs import report_ask
from apps.metrics.reports import KINDS
from apps.metrics.summary import executive_summary

KindName = Annotated[str, OneOf(KINDS)]
StatusName = Literal["waiting", "done", "failed"]
HEAVY = ("result", "cells", "parameters")


class ReportRequest(Body):
    use_case: Slug
    kind: KindName
    begin: Moment | None = Field(
        None, alias="from", description="Decided at this time or later; left out, from the first."
    )
    end: Moment | None = Field(
        None, alias="to", description="Decided before this time; left out, to the last."
    )


class ReportHead(Document):
    """A report without its figures."""

    id: UUID
    use_case: str
    kind: str
    begin: datetime | None = Field(serialization_alias="from")
    end: datetime | None = Field(serialization_alias="to")
    created_at: datetime
    code_version: str
    tree_size: int = Field(description="Of the ledger when its rows were read.")
    root_hash: str

    @classmethod
    def of(cls, row: Report) -> ReportHead:
        return cls(use_case=row.use_case_id, **_columns(row, cls, without={"use_case"}))


class ReportDocument(Document):
    """A report, or one that was asked for: then the figures are null until it is done."""

    id: UUID
    use_case: str
    kind: str
    begin: datetime | None = Field(serialization_alias="from")
    end: datetime | None = Field(serialization_alias="to")
    status: StatusName
    error: str | None = None
    report: UUID | None = Field(None, description="Where it is once it is made.")
    created_at: datetime
    code_version: str | None = None
    tree_size: int | None = None
    root_hash: str | None = None
    parameters: dict[str, Any] | None = None
    cells: list[list[str]] | None = Field(
        None, description="Day, family and hash of the cells that it was made of."
    )
    result: dict[str, Any] | None = None

    @classmethod
    def of(cls, row: Report) -> ReportDocument:
        made = _columns(row, cls, without={"use_case", "status", "error", "report"})
        return cls(use_case=row.use_case_id, status="done", report=row.pk, **made)

    @classmethod
    def of_job(cls, job: ReportJob) -> ReportDocument:
        if job.report is not None:
            return cls.of(job.report).model_copy(update={"id": job.pk})
        return cls(
            id=job.pk,
            use_case=job.use_case_id,
            created_at=job.asked_at,
            error=job.error or None,
            **{name: getattr(job, name) for name in ("kind", "begin", "end", "status")},
        )


def _columns(row: Report, document: type[Document], *, without: set[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in document.model_fields if name not in without}


class ReportQuery(ListQuery):
    use_case: Slug | None = None
    kind: KindName | None = None
    begin: Moment | None = Field(
        None, alias="from", description="Whose window begins at this time or later."
    )
    end: Moment | None = Field(
        None, alias="to", description="Whose window ends at this time or before."
    )


class SummaryQuery(Query):
    use_case: Slug | None = Field(None, description="Left out: all that you may see.")
    begin: Moment | None = Field(None, alias="from", description="Decided at this time or later.")
    end: Moment | None = Field(None, alias="to", description="Decided before this time.")


class SummaryLine(Document):
    """One process. A figure without data is null and says why."""

    use_case: str
    name: str
    lifecycle: str
    risk_tier: str
    decisions: int
    currency: str
    automation_rate: dict[str, Any]
    accuracy: dict[str, Any] = Field(description="`combined`, `ai` and `human`.")
    net_value: dict[str, Any]
    roi: dict[str, Any]
    cost_per_decision: dict[str, Any]
    compliance: dict[str, Any] = Field(
        description="Share of decisions handled as their policy demanded."
    )
    open_alerts: dict[str, Any]
    trend: dict[str, Any] = Field(
        description="Each figure less that of the window of the same length before."
    )


class SummaryDocument(Document):
    begin: str | None = Field(serialization_alias="from")
    end: str | None = Field(serialization_alias="to")
    use_cases: list[SummaryLine]


class ReportsView(ApiView):
    actions = {"GET": "report.view", "POST": "report.run"}

    @operation("List reports", returns=ReportHead, listed=True, query=ReportQuery, problems={404})
    def get(self, caller: Caller, query: ReportQuery) -> Any:
        """Newest first, without their figures."""
        reports = _visible_reports(caller).defer(*HEAVY)
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "report.view")
            reports = reports.filter(use_case_id=query.use_case)
        if query.kind is not None:
            reports = reports.filter(kind=query.kind)
        if query.begin is not None:
            reports = reports.filter(begin__gte=query.begin)
        if query.end is not None:
            reports = reports.filter(end__lte=query.end)
        return self.page(reports, ReportHead.of)

    @operation(
        "Run a report",
        returns=ReportDocument,
        status=202,
        body=ReportRequest,
        problems={404},
        keyed=True,
    )
    def post(self, caller: Caller, body: ReportRequest) -> Created:
        """It is made in the background: ask for it again until its status is `done`. The same one
        asked for again while it waits is the one that waits."""
        job = report_ask(
            actor=caller.actor,
            use_case=use_case_for(caller, body.use_case, "report.run"),
            kind=body.kind,
            window=Window(body.begin, body.end),
        )
        location = reverse("api:report", kwargs={"id": job.pk})
        return Created(ReportDocument.of_job(job), location)


class ReportView(ApiView):
    actions = {"GET": "report.view"}

    @operation("Read a report", returns=ReportDocument)
    def get(self, caller: Caller, id: UUID) -> ReportDocument:
        """By its own id, or by the id that was answered when it was asked for."""
        report = _visible_reports(caller).filter(pk=id).first()
        if report is not None:
            return ReportDocument.of(report)
        visible = caller.visible("report.view")
        jobs = ReportJob.objects.select_related("report")
        jobs = jobs if visible is None else jobs.filter(use_case_id__in=visible)
        return ReportDocument.of_job(found_or_404(jobs, f"report {id}", pk=id))


class SummaryView(ApiView):
    actions = {"GET": "report.view"}

    @operation(
        "Read the executive figures", returns=SummaryDocument, query=SummaryQuery, problems={404}
    )
    def get(self, caller: Caller, query: SummaryQuery) -> SummaryDocument:
        """Automation, accuracy, value, compliance and open alerts of each process, and how they
        moved against the window of the same length before."""
        found = executive_summary(
            caller=caller,
            use_case=query.use_case,
            window=Window(query.begin, query.end),
            now=timezone.now(),
        )
        lines = [SummaryLine.model_validate(line) for line in found["use_cases"]]
        return SummaryDocument(begin=found["from"], end=found["to"], use_cases=lines)


def _visible_reports(caller: Caller) -> QuerySet[Report]:
    slugs = caller.visible("report.view")
    found: QuerySet[Report] = Report.objects.all()
    return found if slugs is None else found.filter(use_case_id__in=slugs)
