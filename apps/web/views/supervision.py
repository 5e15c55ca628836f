"""Supervision: the live monitor, stops and resumes, the commander's queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.common.errors import BadInput, Conflict, NotFound, PlatformError
from apps.registry.access import require_right
from apps.registry.models import UseCase
from apps.supervision.interventions import interventions_bulk
from apps.supervision.selectors import InterventionFilter
from apps.supervision.stops import resume, stop
from apps.web.access import PageRequest, requires
from apps.web.decisions.access import may_act, visible_names
from apps.web.supervision.monitor import (
    command_queue,
    monitor_page,
    released,
    streams,
    waiting_by_use_case,
)
from apps.web.supervision.stops import board, past_stops
from apps.workflow.rerouting import reroute_blocked

VIEW: Final = "supervision.view"
PAGE: Final = 50
REFUSED: Final = (BadInput, Conflict)


def sentences_of(refused: PlatformError | None) -> list[str]:
    if refused is None:
        return []
    if isinstance(refused, BadInput):
        return [one.detail for one in refused.errors]
    return [str(refused)]


def status_of(refused: PlatformError | None) -> int:
    if refused is None:
        return 200
    return 400 if isinstance(refused, BadInput) else 409


class MonitorFilter(forms.Form):
    use_case = forms.ChoiceField(label="Use case", required=False)
    label = forms.CharField(label="AI’s label", required=False, max_length=200)
    model_version = forms.CharField(label="Model version", required=False, max_length=100)

    def __init__(self, *args: Any, names: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["use_case"].choices = [("", "Any"), *names.items()]  # type: ignore[attr-defined]


# --- The monitor ----------------------------------------------------------------------------


@never_cache
@requires(VIEW)
def monitor(request: PageRequest) -> HttpResponse:
    return monitor_shown(request)


def monitor_shown(
    request: PageRequest,
    *,
    refused: PlatformError | None = None,
    counted: int | None = None,
) -> HttpResponse:
    """The monitor; with htmx its stream alone. ``counted``: what a step for all would concern."""
    caller, now = request.caller, timezone.now()
    names = visible_names(caller, VIEW)
    given = request.POST if request.method == "POST" else request.GET
    form = MonitorFilter(given, names=names)
    wanted = form.cleaned_data if form.is_valid() else {}
    rows = released(names, wanted, now)
    page, found = monitor_page(caller, rows, names, request.GET.get("page"), now)
    if wanted.get("label") or wanted.get("model_version"):  # they tell what the AI said
        found = [one for one in found if not one.unseen]
    slug = wanted.get("use_case") or ""
    query = {name: value for name, value in wanted.items() if value} | {"page": page.number}
    context = {
        "form": form,
        "page": page,
        "renewed_from": f"{reverse('supervision')}?{urlencode(query)}",
        "rows": found,
        "streams": streams(released(names, {}, now), names),
        "filtered": any(wanted.values()),
        "now": now,
        "slug": slug,
        "labels": UseCase.objects.get(pk=slug).labels if slug else [],
        "may_step_in": bool(slug) and may_act(caller, "decision.intervene", slug),
        "counted": counted,
        "kept": request.POST,
        "errors": sentences_of(refused),
        "tab": "monitor",
        "current_page": "supervision",
    }
    partial = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    template = "web/supervision/_stream.html" if partial else "web/supervision/monitor.html"
    return render(request, template, context, status=status_of(refused))


@require_POST
@requires("decision.intervene")
def intervene_all(request: PageRequest) -> HttpResponse:
    """Reverse or change all that match: counted first, done when the count is confirmed."""
    names = visible_names(request.caller, "decision.intervene")
    form = MonitorFilter(request.POST, names=names)
    slug = request.POST.get("use_case", "")
    if slug not in names or not form.is_valid():
        raise NotFound(f"There is no use case {slug[:80]} in which you may step in.")
    require_right(request.caller, "decision.intervene", slug)
    wanted = form.cleaned_data
    action = request.POST.get("choice", "")
    output = {"label": request.POST.get("new_label")} if action == "change" else None
    is_dry = request.POST.get("sure") != "yes"
    try:
        result = interventions_bulk(
            actor=request.caller.actor,
            filters=InterventionFilter(
                use_case=slug,
                label=wanted.get("label") or None,
                model_version=wanted.get("model_version") or None,
            ),
            action=action,
            reason=request.POST.get("reason", ""),
            output=output,
            dry_run=is_dry,
        )
    except REFUSED as refused:
        return monitor_shown(request, refused=refused)
    if is_dry:
        return monitor_shown(request, counted=result.matched)
    skipped = f"; {result.skipped} had moved on meanwhile" if result.skipped else ""
    messages.success(request, f"Undone: {result.done} of {result.matched} decisions{skipped}.")
    return HttpResponseRedirect(f"{reverse('supervision')}?use_case={slug}")


# --- Stop and resume ------------------------------------------------------------------------


@never_cache
@requires(VIEW)
def stops(request: PageRequest) -> HttpResponse:
    return stops_shown(request)


def stops_shown(request: PageRequest, *, refused: PlatformError | None = None) -> HttpResponse:
    names = visible_names(request.caller, VIEW)
    stopped, running = board(request.caller, names)
    context = {
        "stopped": stopped,
        "running": running,
        "past": past_stops(names),
        "kept": request.POST,
        "asked": request.GET.get("use_case") or request.POST.get("use_case"),
        "errors": sentences_of(refused),
        "tab": "stops",
        "current_page": "supervision",
    }
    return render(request, "web/supervision/stops.html", context, status=status_of(refused))


def _use_case_named(request: PageRequest, action: str) -> UseCase:
    slug = request.POST.get("use_case", "")
    names = visible_names(request.caller, "use_case.view")
    held = UseCase.objects.filter(pk=slug).first() if slug in names else None
    if held is None:
        raise NotFound(f"There is no use case {slug[:80]} that you may see.")
    require_right(request.caller, action, held.slug)
    return held


@require_POST
@requires("use_case.stop")
def stop_now(request: PageRequest) -> HttpResponse:
    held = _use_case_named(request, "use_case.stop")
    try:
        stop(actor=request.caller.actor, use_case=held, reason=request.POST.get("reason", ""))
    except REFUSED as refused:
        return stops_shown(request, refused=refused)
    messages.success(
        request, f"{held.name} is stopped: the next decision is blocked. Another person resumes it."
    )
    return HttpResponseRedirect(reverse("stops"))


@require_POST
@requires("use_case.resume")
def resume_now(request: PageRequest) -> HttpResponse:
    """By another person; with ``reroute`` what the stop withheld is routed again at once."""
    held = _use_case_named(request, "use_case.resume")
    reason, withheld = request.POST.get("reason", ""), request.POST.get("withheld", "leave")
    again = 0
    try:
        resume(actor=request.caller.actor, use_case=held, reason=reason, withheld=withheld)
        if withheld == "reroute":
            again = reroute_blocked(request.caller.actor, held, reason)
    except REFUSED as refused:
        return stops_shown(request, refused=refused)
    words = f" {again} decisions were routed again." if withheld == "reroute" else ""
    messages.success(request, f"{held.name} runs again.{words}")
    return HttpResponseRedirect(reverse("stops"))


# --- Command --------------------------------------------------------------------------------


@never_cache
@requires(VIEW)
def command(request: PageRequest) -> HttpResponse:
    """What waits for the commander."""
    names = visible_names(request.caller, VIEW)
    slug = request.GET.get("use_case", "")
    slug = slug if slug in names else ""
    page = Paginator(command_queue(names, slug), PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "waiting": waiting_by_use_case(command_queue(names), names),
        "names": names,
        "slug": slug,
        "may_rule": request.caller.may("decision.command"),
        "tab": "command",
        "current_page": "supervision",
    }
    return render(request, "web/supervision/command.html", context)
