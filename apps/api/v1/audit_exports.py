"""``audit/exports/``: evidence bundles, asked for, made in the background, taken."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import FileResponse
from django.urls import reverse
from pydantic import Field

from apps.accounts.callers import Caller
from apps.api.bodies import Body, Document, Moment, OneOf, Slug, Text
from apps.api.operations import ApiView, Created, operation
from apps.api.renderers import ZIP, ZipRenderer
from apps.api.v1.lookups import found_or_404
from apps.exports.formats import DEFAULT, FORMATS
from apps.exports.jobs import download_name, export_ask, export_open, visible_jobs
from apps.exports.models import ExportJob
from apps.exports.selectors import ExportFilter
from apps.exports.services import ACTION, LONGEST_PURPOSE

FormatName = Annotated[str, OneOf(FORMATS)]
StatusName = Literal["waiting", "running", "done", "failed", "removed"]


class ExportRequest(Body):
    use_case: Slug | None = Field(
        None, description="Left out: the whole trail, for who may export every use case."
    )
    type: Annotated[str, Text(40, shortest=1)] | None = Field(None, description="Record type.")
    actor: Annotated[str, Text(150, shortest=1)] | None = Field(
        None, description="Id as records carry it, or login."
    )
    subject: Annotated[str, Text(200, shortest=1)] | None = Field(
        None, description="The subject's reference as it was sent in, or its pseudonym."
    )
    decision: UUID | None = None
    begin: Moment | None = Field(None, alias="from", description="At this time or later.")
    end: Moment | None = Field(None, alias="to", description="Before this time.")
    formats: Annotated[list[FormatName], Field(max_length=len(FORMATS))] = Field(
        list(DEFAULT), description="Beside the records as they were hashed, which are always there."
    )
    purpose: Annotated[str, Text(LONGEST_PURPOSE, shortest=1)] = Field(
        description="What the records are taken out for; it goes into the trail."
    )


class ExportFilters(Document):
    use_case: str | None
    type: str | None
    actor: str | None
    subject_pseudonyms: list[str] | None
    decision: UUID | None
    begin: datetime | None = Field(alias="from", serialization_alias="from")
    end: datetime | None = Field(alias="to", serialization_alias="to")


class ExportDocument(Document):
    id: UUID
    status: StatusName = Field(description="`removed`: made, and its file has been cleared away.")
    progress: float = Field(ge=0, le=1)
    filters: ExportFilters
    formats: list[str]
    purpose: str
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None
    error: str | None
    records: int | None
    tree_size: int | None
    root: str | None
    sha256: str | None = Field(description="Of the file, as the trail has it.")
    size: int | None = Field(description="Bytes of the file.")

    @classmethod
    def of(cls, job: ExportJob) -> ExportDocument:
        other = {"id", "filters", "asked_by", "error", "root", "sha256"}
        columns: dict[str, Any] = {
            name: getattr(job, name) for name in cls.model_fields if name not in other
        }
        return cls(
            id=job.pk,
            filters=ExportFilters.model_validate(job.filters),
            asked_by=job.asked_name,
            error=job.error or None,
            root=job.root or None,
            sha256=job.sha256 or None,
            **columns,
        )


class ExportsView(ApiView):
    actions = {"POST": ACTION}

    @operation(
        "Export audit records",
        returns=ExportDocument,
        status=202,
        body=ExportRequest,
        problems={404},
        keyed=True,
    )
    def post(self, caller: Caller, body: ExportRequest) -> Created:
        """The bundle is made in the background: ask for it again until its status is `done`."""
        asked: dict[str, Any] = body.model_dump(exclude={"formats", "purpose"})
        job = export_ask(
            caller=caller,
            filters=ExportFilter(**asked),
            formats=body.formats,
            purpose=body.purpose,
        )
        return Created(ExportDocument.of(job), reverse("api:export", kwargs={"id": job.pk}))


class ExportView(ApiView):
    actions = {"GET": ACTION}

    @operation("Read how far an export is", returns=ExportDocument)
    def get(self, caller: Caller, id: UUID) -> ExportDocument:
        return ExportDocument.of(_job(caller, id))


class ExportDownloadView(ApiView):
    actions = {"GET": ACTION}
    renderer_classes = (ZipRenderer,)

    @operation("Take the bundle of an export", returns=ZIP, problems={404, 409})
    def get(self, caller: Caller, id: UUID) -> FileResponse:
        """Recorded as what it is. `verify.py` within it checks the bundle without this platform."""
        job = _job(caller, id)
        path = export_open(caller=caller, job=job)
        return FileResponse(
            path.open("rb"), as_attachment=True, filename=download_name(job), content_type=ZIP
        )


def _job(caller: Caller, key: UUID) -> ExportJob:
    job: ExportJob = found_or_404(visible_jobs(caller), f"export {key}", pk=key)
    return job
