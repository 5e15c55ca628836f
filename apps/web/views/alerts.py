"""Alerts and limits: what broke its limit, what people make of it, the limits set and retired."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.common.errors import BadInput, Conflict, PlatformError
from apps.metrics.alerts import RAISED, RESOLVED, alert_acknowledge, alert_resolve
from apps.metrics.limits import alert_limit_retire, alert_limit_set
from apps.metrics.models import Alert
from apps.registry.models import UseCase
from apps.web.access import PageRequest, requires
from apps.web.alerts.limits import (
    PROPOSED,
    LimitFilter,
    LimitForm,
    bound_words,
    limit_for,
    limits_page,
)
from apps.web.alerts.listing import (
    AcknowledgeForm,
    AlertFilter,
    ResolveForm,
    alert_for,
    alert_steps,
    alerts_page,
)
from apps.web.alerts.words import KIND_WORDS, dashboard_of_alert
from apps.web.decisions.access import visible_names
from apps.web.views.supervision import REFUSED, sentences_of, status_of

VIEW: Final = "alert.view"
HANDLE: Final = "alert.handle"
SET: Final = "alert_limit.set"
SETTABLE: Final = ("metric", "op", "value", "smallest", "in_a_row", "window_days", "reason")


@never_cache
@requires(VIEW)
def alerts(request: PageRequest) -> HttpResponse:
    names = visible_names(request.caller, VIEW)
    form = AlertFilter(request.GET, names=names)
    wanted = form.cleaned_data if form.is_valid() else {}
    page, rows = alerts_page(request.caller, names, wanted, request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "rows": rows,
        "filtered": any(wanted.values()),
        "tab": "alerts",
    }
    return render(request, "web/alerts/list.html", context)


# --- One ------------------------------------------------------------------------------------


@never_cache
@requires(VIEW)
def alert(request: PageRequest, key: UUID) -> HttpResponse:
    return _alert_shown(request, alert_for(visible_names(request.caller, VIEW), key))


def _alert_shown(
    request: PageRequest,
    held: Alert,
    *,
    seen: forms.Form | None = None,
    done: forms.Form | None = None,
    refused: PlatformError | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page; after a refusal with what was typed, and why it was not done."""
    may = request.caller.may(HANDLE, held.use_case_id)
    context = {
        "alert": held,
        "words": KIND_WORDS.get(held.kind, held.kind),
        "shown": dashboard_of_alert(request.caller, held),
        "bound": bound_words(held.limit) if held.limit is not None else "",
        "steps": alert_steps(held),
        "seen_form": (seen or AcknowledgeForm()) if may and held.status == RAISED else None,
        "done_form": (done or ResolveForm()) if may and held.status != RESOLVED else None,
        "errors": sentences_of(refused),
        "tab": "alerts",
        "current_page": "alerts",
    }
    shown = status if refused is None else status_of(refused)
    return render(request, "web/alerts/one.html", context, status=shown)


@require_POST
@requires(HANDLE)
def acknowledge(request: PageRequest, key: UUID) -> HttpResponse:
    held = _to_handle(request, key)
    form = AcknowledgeForm(request.POST)
    if not form.is_valid():
        return _alert_shown(request, held, seen=form, status=400)
    try:
        note = form.cleaned_data["note"]
        alert_acknowledge(actor=request.caller.actor, alert=held, note=note)
    except REFUSED as refused:
        held.refresh_from_db()
        return _alert_shown(request, held, seen=form, refused=refused)
    messages.success(request, "You look into it: the others see your name on it.")
    return HttpResponseRedirect(reverse("alert", args=[key]))


@require_POST
@requires(HANDLE)
def resolve(request: PageRequest, key: UUID) -> HttpResponse:
    held = _to_handle(request, key)
    form = ResolveForm(request.POST)
    if not form.is_valid():
        return _alert_shown(request, held, done=form, status=400)
    try:
        alert_resolve(actor=request.caller.actor, alert=held, note=form.cleaned_data["note"])
    except REFUSED as refused:
        held.refresh_from_db()
        return _alert_shown(request, held, done=form, refused=refused)
    messages.success(request, "The alert is resolved. Found again later, it is a new one.")
    return HttpResponseRedirect(reverse("alert", args=[key]))


def _to_handle(request: PageRequest, key: UUID) -> Alert:
    held = alert_for(visible_names(request.caller, VIEW), key)
    request.caller.require(HANDLE, held.use_case_id)
    return held


# --- Limits ---------------------------------------------------------------------------------


@never_cache
@requires(VIEW)
def limits(request: PageRequest) -> HttpResponse:
    return _limits_shown(request)


def _limits_shown(
    request: PageRequest,
    *,
    setting: LimitForm | None = None,
    refused: PlatformError | None = None,
    status: int = 200,
) -> HttpResponse:
    names = visible_names(request.caller, VIEW)
    form = LimitFilter(request.GET, names=names)
    wanted = form.cleaned_data if form.is_valid() else {}
    page, rows = limits_page(request.caller, names, wanted, request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "rows": rows,
        "filtered": any(wanted.values()),
        "set_form": setting or _limit_form(request),
        "proposed": PROPOSED,
        "errors": sentences_of(refused),
        "tab": "limits",
        "current_page": "alerts",
    }
    shown = status if refused is None else status_of(refused)
    return render(request, "web/alerts/limits.html", context, status=shown)


def _limit_form(request: PageRequest, data: Any = None) -> LimitForm | None:
    """None where the reader may set no limit, or there is nothing to set one on."""
    if not request.caller.may(SET):
        return None
    names = visible_names(request.caller, SET)
    return LimitForm(data, names=names) if names else None


@require_POST
@requires(SET)
def limit_set(request: PageRequest) -> HttpResponse:
    form = _limit_form(request, request.POST)
    if form is None or not form.is_valid():
        return _limits_shown(request, setting=form, status=400)
    wanted = form.cleaned_data
    try:
        made = alert_limit_set(
            actor=request.caller.actor,
            use_case=UseCase.objects.get(pk=wanted["use_case"]),
            **{name: wanted[name] for name in SETTABLE},
        )
    except BadInput as refused:
        for one in refused.errors:
            field = one.pointer.lstrip("/")
            form.add_error(field if field in form.fields else None, one.detail)
        return _limits_shown(request, setting=form, status=400)
    except Conflict as refused:
        form.add_error(None, str(refused))
        return _limits_shown(request, setting=form, status=409)
    messages.success(request, f"The limit on {made.metric} is set.")
    return HttpResponseRedirect(reverse("alert_limits"))


@require_POST
@requires(SET)
def limit_retire(request: PageRequest, key: UUID) -> HttpResponse:
    held = limit_for(visible_names(request.caller, VIEW), key)
    request.caller.require(SET, held.use_case_id)
    try:
        reason = request.POST.get("reason", "")
        alert_limit_retire(actor=request.caller.actor, limit=held, reason=reason)
    except REFUSED as refused:
        return _limits_shown(request, refused=refused)
    messages.success(request, f"The limit on {held.metric} is retired.")
    return HttpResponseRedirect(reverse("alert_limits"))
