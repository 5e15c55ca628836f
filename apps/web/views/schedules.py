"""Schedules of reports: which are made by themselves, what comes next, what was missed."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.common.errors import BadInput, Conflict, PlatformError
from apps.metrics.schedules import FIELDS, report_schedule_add, report_schedule_change
from apps.web.access import PageRequest, requires
from apps.web.decisions.access import visible_names
from apps.web.reports.schedules import (
    SET,
    ScheduleForm,
    free_names,
    schedule_for,
    schedules_page,
)
from apps.web.views.supervision import REFUSED, sentences_of, status_of

VIEW: Final = "report.view"


@never_cache
@requires(VIEW)
def schedules(request: PageRequest) -> HttpResponse:
    return _schedules_shown(request)


def _schedules_shown(
    request: PageRequest, *, adding: ScheduleForm | None = None, status: int = 200
) -> HttpResponse:
    names = visible_names(request.caller, VIEW)
    number = request.GET.get("page")
    page, rows = schedules_page(request.caller, names, timezone.now(), number)
    free = free_names(request.caller, names)
    context = {
        "page": page,
        "rows": rows,
        "add_form": adding or (ScheduleForm(names=free) if free else None),
        "may_set": request.caller.may(SET),
    }
    return render(request, "web/reports/schedules.html", context, status=status)


@require_POST
@requires(SET)
def schedule_add(request: PageRequest) -> HttpResponse:
    names = visible_names(request.caller, VIEW)
    form = ScheduleForm(request.POST, names=names)
    if not form.is_valid():
        return _schedules_shown(request, adding=form, status=400)
    wanted = form.wanted()
    request.caller.require(SET, wanted["use_case"])
    try:
        report_schedule_add(caller=request.caller, **wanted)
    except REFUSED as refused:
        _say(form, refused)
        return _schedules_shown(request, adding=form, status=status_of(refused))
    messages.success(request, f"The reports of {names[wanted['use_case']]} are scheduled.")
    return HttpResponseRedirect(reverse("schedules"))


def _say(form: ScheduleForm, refused: PlatformError) -> None:
    """Each fault at its field, else above the form."""
    if not isinstance(refused, BadInput):
        form.add_error(None, str(refused))
        return
    for one in refused.errors:
        field = one.pointer.lstrip("/").partition("/")[0]
        form.add_error(field if field in form.fields else None, one.detail)


# --- One ------------------------------------------------------------------------------------


@never_cache
@requires(VIEW)
def schedule(request: PageRequest, slug: str) -> HttpResponse:
    return _schedule_shown(request, slug)


def _schedule_shown(
    request: PageRequest,
    slug: str,
    *,
    changing: ScheduleForm | None = None,
    refused: PlatformError | None = None,
    status: int = 200,
) -> HttpResponse:
    row = schedule_for(request.caller, visible_names(request.caller, VIEW), slug, timezone.now())
    initial: dict[str, Any] = {name: getattr(row.schedule, name) for name in FIELDS}
    context = {
        "row": row,
        "form": (changing or ScheduleForm(names=None, initial=initial)) if row.may_set else None,
        "errors": sentences_of(refused),
        "current_page": "schedules",
    }
    shown = status if refused is None else status_of(refused)
    return render(request, "web/reports/schedule.html", context, status=shown)


@require_POST
@requires(SET)
def schedule_change(request: PageRequest, slug: str) -> HttpResponse:
    row = _to_set(request, slug)
    form = ScheduleForm(request.POST, names=None)
    if not form.is_valid():
        return _schedule_shown(request, slug, changing=form, status=400)
    try:
        report_schedule_change(caller=request.caller, use_case=slug, **form.wanted())
    except REFUSED as refused:
        _say(form, refused)
        return _schedule_shown(request, slug, changing=form, status=status_of(refused))
    messages.success(request, f"The schedule of {row.use_case} is changed.")
    return HttpResponseRedirect(reverse("schedule", args=[slug]))


@require_POST
@requires(SET)
def schedule_switch(request: PageRequest, slug: str) -> HttpResponse:
    """Pause it, or go on: as the form says, so that a second click changes nothing back."""
    row = _to_set(request, slug)
    active, reason = request.POST.get("active") == "true", request.POST.get("reason", "")
    try:
        if not reason.strip():
            raise BadInput("a change needs a reason", "/reason")
        if row.schedule.active == active:
            raise Conflict("it is in force already" if active else "it is paused already")
        report_schedule_change(caller=request.caller, use_case=slug, active=active, reason=reason)
    except REFUSED as refused:
        return _schedule_shown(request, slug, refused=refused)
    done = "go on" if active else "are paused"
    messages.success(request, f"The reports of {row.use_case} {done}.")
    return HttpResponseRedirect(reverse("schedule", args=[slug]))


def _to_set(request: PageRequest, slug: str) -> Any:
    row = schedule_for(request.caller, visible_names(request.caller, VIEW), slug, timezone.now())
    request.caller.require(SET, slug)
    return row
