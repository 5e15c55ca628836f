"""Model versions: listed, one with its history, withdrawn and put back."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.common.changes import change_entries
from apps.common.errors import BadInput, PlatformError
from apps.registry.models import ModelVersion
from apps.registry.services import model_version_set_status
from apps.web.access import PageRequest, requires
from apps.web.model_versions.standing import COUNTED, VersionFilter, uses_of, version_for, versions
from apps.web.views.supervision import REFUSED, sentences_of, status_of

VIEW: Final = "model.view"
STOP: Final = "model.stop"
EDIT: Final = "model.edit"
PAGE: Final = 50


@requires(VIEW)
def model_versions(request: PageRequest) -> HttpResponse:
    form = VersionFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    caller = request.caller
    context = {
        "form": form,
        "page": Paginator(versions(wanted), PAGE).get_page(request.GET.get("page")),
        "filtered": any(wanted.values()),
        "may_register": caller.may(EDIT) and caller.may("admin.site"),
        "current_page": "model_versions",
    }
    return render(request, "web/models/list.html", context)


@never_cache
@requires(VIEW)
def model_version(request: PageRequest, key: UUID) -> HttpResponse:
    return _shown(request, version_for(key))


def _shown(
    request: PageRequest, held: ModelVersion, *, refused: PlatformError | None = None
) -> HttpResponse:
    """The page; after a refusal with what was typed, and why it was not done."""
    caller = request.caller
    context = {
        "version": held,
        "uses": uses_of(caller, held) if caller.may("decision.view") else [],
        "counted": COUNTED,
        "changes": change_entries(held),
        "may_withdraw": caller.may(STOP) and held.status == "active",
        "may_put_back": caller.may(STOP) and caller.may(EDIT) and held.status == "withdrawn",
        "kept": request.POST,
        "errors": sentences_of(refused),
        "current_page": "model_versions",
    }
    return render(request, "web/models/one.html", context, status=status_of(refused))


@require_POST
@requires(STOP)
def model_version_state(request: PageRequest, key: UUID) -> HttpResponse:
    """Withdraw a version, or put it back: that takes the right to edit as well."""
    held = version_for(key)
    status = request.POST.get("to", "")
    if status == "active":
        request.caller.require(EDIT)
    reason = request.POST.get("reason", "").strip()
    try:
        if not reason:
            raise BadInput("it takes a reason", "/reason")
        if status == "withdrawn" and request.POST.get("sure") != "yes":
            raise BadInput("tick that you know what is blocked", "/sure")
        model_version_set_status(
            actor=request.caller.actor, model_version=held, status=status, reason=reason
        )
    except REFUSED as refused:
        return _shown(request, version_for(key), refused=refused)
    words = (
        "is withdrawn: its next output is blocked" if status == "withdrawn" else "is in use again"
    )
    messages.success(request, f"{held} {words}.")
    return HttpResponseRedirect(reverse("model_version", args=[key]))
