"""Exports of the trail: asked for, followed while they are made, taken."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.common.errors import BadInput, Conflict, NotFound
from apps.exports.jobs import (
    KEPT_FOR,
    OPEN,
    download_name,
    export_ask,
    export_open,
    visible_jobs,
)
from apps.exports.models import ExportJob
from apps.exports.services import ACTION
from apps.registry.models import UseCase
from apps.web.access import PageRequest, requires
from apps.web.decisions.access import visible_names
from apps.web.exports.forms import FIELDS, FILTERS, ExportForm

PAGE: Final = 20
ZIP: Final = "application/zip"


def export_form(request: PageRequest, data: Any = None) -> ExportForm:
    """The form with the filters at hand, as the address has them."""
    caller = request.caller
    given = {name: request.GET[name] for name in FILTERS if request.GET.get(name)}
    return ExportForm(
        data,
        initial=given,
        auto_id="export_%s",
        names=visible_names(caller, ACTION),
        whole=caller.visible(ACTION) is None,
    )


@never_cache
@requires(ACTION)
def exports(request: PageRequest) -> HttpResponse:
    return _shown(request)


def _shown(
    request: PageRequest, *, form: ExportForm | None = None, status: int = 200
) -> HttpResponse:
    """The page; with htmx the list of jobs alone, until none of them is at work any more."""
    page = Paginator(visible_jobs(request.caller), PAGE).get_page(request.GET.get("page"))
    jobs: list[ExportJob] = list(page.object_list)
    slugs = {job.use_case for job in jobs if job.use_case}
    names = dict(UseCase.objects.filter(slug__in=slugs).values_list("slug", "name"))
    context = {
        "page": page,
        "rows": [(job, names.get(job.use_case, job.use_case)) for job in jobs],
        "working": any(job.status in OPEN for job in jobs),
        "kept_days": KEPT_FOR.days,
        "current_page": "exports",
    }
    if request.htmx and not request.htmx.history_restore_request:  # type: ignore[attr-defined]
        return render(request, "web/exports/_jobs.html", context)
    context["form"] = form or export_form(request)
    return render(request, "web/exports/list.html", context, status=status)


@require_POST
@requires(ACTION)
def export_now(request: PageRequest) -> HttpResponse:
    form = export_form(request, request.POST)
    if not form.is_valid():
        return _shown(request, form=form, status=400)
    try:
        export_ask(
            caller=request.caller,
            filters=form.wanted(),
            purpose=form.cleaned_data["purpose"],
            formats=form.chosen(),
        )
    except BadInput as refused:
        for one in refused.errors:
            name = FIELDS.get(one.pointer, one.pointer.lstrip("/"))
            form.add_error(name if name in form.fields else None, one.detail)
        return _shown(request, form=form, status=400)
    except NotFound as refused:
        form.add_error("actor", str(refused))
        return _shown(request, form=form, status=400)
    messages.success(request, "The export is being made. You can leave this page and come back.")
    return HttpResponseRedirect(reverse("exports"))


@require_GET
@requires(ACTION)
def export_download(request: PageRequest, key: UUID) -> Any:
    job = visible_jobs(request.caller).filter(pk=key).first()
    if job is None:
        raise NotFound(f"There is no export {key} that you may take.")
    try:
        path = export_open(caller=request.caller, job=job)
    except Conflict as refused:
        messages.error(request, f"Not taken: {refused}.")
        return HttpResponseRedirect(reverse("exports"))
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=download_name(job), content_type=ZIP
    )
