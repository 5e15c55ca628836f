"""Mandates: listed with what is used of them, issued by way of the condition builder, revoked."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.common.errors import BadInput, Conflict, NotFound, PlatformError
from apps.policies.selectors import use_case_schema
from apps.registry.access import require_right
from apps.registry.models import UseCase
from apps.supervision.mandates import mandate_issue, mandate_revoke
from apps.supervision.models import Mandate
from apps.web.access import PageRequest, go, requires
from apps.web.decisions.access import visible_names
from apps.web.policies import builder
from apps.web.policies.document import faults_by_input
from apps.web.policies.rows import node_of
from apps.web.supervision.mandates import MandateFilter, MandateForm, issuable, mandates_page
from apps.web.views.supervision import REFUSED, VIEW, sentences_of, status_of

ROOT: Final = "scope"


@never_cache
@requires(VIEW)
def mandates(request: PageRequest) -> HttpResponse:
    return mandates_shown(request)


def mandates_shown(request: PageRequest, *, refused: PlatformError | None = None) -> HttpResponse:
    caller, now = request.caller, timezone.now()
    names = visible_names(caller, "mandate.view")
    form = MandateFilter(request.GET, names=names)
    wanted = form.cleaned_data if form.is_valid() else {}
    page, rows = mandates_page(caller, names, wanted, request.GET.get("page"), now)
    context = {
        "form": form,
        "page": page,
        "rows": rows,
        "filtered": any(wanted.values()),
        "issuable": issuable(caller) if caller.may("mandate.issue") else {},
        "errors": sentences_of(refused),
        "tab": "mandates",
        "current_page": "supervision",
    }
    return render(request, "web/supervision/mandates.html", context, status=status_of(refused))


@never_cache
@requires("mandate.issue")
def mandate_new(request: PageRequest) -> HttpResponse:
    """The form of a new mandate; each of its buttons posts it, and only one of them issues."""
    given = request.POST if request.method == "POST" else request.GET
    held = _use_case_of(request, given.get("use_case", ""))
    schema = use_case_schema(held)
    sent = {name: str(value) for name, value in request.POST.items()}
    if request.method != "POST":
        return _form_shown(request, held, MandateForm(), {f"{ROOT}.kind": "all"})
    act, _colon, path = sent.pop("do", "").partition(":")
    if act != "issue":
        rows = builder.changed(sent, act, path, schema)
        return _form_shown(request, held, MandateForm(initial=sent), rows)
    form = MandateForm(request.POST)
    if not form.is_valid():
        return _form_shown(request, held, form, sent, status=400)
    return _issue(request, held, form, sent)


def _use_case_of(request: PageRequest, slug: str) -> UseCase:
    names = visible_names(request.caller, "mandate.issue")
    held = UseCase.objects.filter(pk=slug).first() if slug in names else None
    if held is None:
        raise NotFound(f"There is no use case {slug[:80]!r} in which you may issue mandates.")
    require_right(request.caller, "mandate.issue", held.slug)
    return held


def _issue(
    request: PageRequest, held: UseCase, form: MandateForm, sent: dict[str, str]
) -> HttpResponse:
    wanted = form.cleaned_data
    read = builder.read(sent, ROOT, use_case_schema(held), "/scope")
    try:
        made = mandate_issue(
            actor=request.caller.actor,
            use_case=held,
            scope=read.condition,
            reason=wanted["reason"],
            name=wanted["name"],
            max_count=wanted["max_count"],
            max_amount=wanted["max_amount"].strip() or None,
            valid_from=wanted["valid_from"],
            valid_to=wanted["valid_to"],
        )
    except BadInput as refused:
        places = {**read.places, **{f"/{name}": name for name in form.fields}}
        found = [(one.pointer, one.detail) for one in refused.errors]
        faults = faults_by_input(found, places)
        for name in form.fields:
            for detail in faults.get(name, ()):
                form.add_error(name, detail)
        return _form_shown(request, held, form, sent, faults=faults, status=400)
    except Conflict as refused:
        form.add_error(None, str(refused))
        return _form_shown(request, held, form, sent, status=409)
    messages.success(request, f"The mandate {made.name or made.pk} is issued.")
    return go(request, reverse("mandates"))


def _form_shown(
    request: PageRequest,
    held: UseCase,
    form: MandateForm,
    rows: dict[str, str],
    *,
    faults: dict[str, list[str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "use_case": held,
        "form": form,
        "node": node_of(rows, ROOT, use_case_schema(held), faults),
        "tab": "mandates",
        "current_page": "supervision",
    }
    partial = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    template = "_mandate_form.html" if partial else "mandate_new.html"
    return render(request, f"web/supervision/{template}", context, status=status)


@require_POST
@requires("mandate.issue")
def revoke(request: PageRequest, key: UUID) -> HttpResponse:
    names = visible_names(request.caller, "mandate.view")
    held: Mandate | None = Mandate.objects.filter(pk=key, use_case_id__in=list(names)).first()
    if held is None:
        raise NotFound(f"There is no mandate {key} that you may see.")
    require_right(request.caller, "mandate.issue", held.use_case_id)
    try:
        reason = request.POST.get("reason", "")
        mandate_revoke(actor=request.caller.actor, mandate=held, reason=reason)
    except REFUSED as refused:
        return mandates_shown(request, refused=refused)
    messages.success(request, "The mandate is revoked: nothing more is released under it.")
    return HttpResponseRedirect(reverse("mandates"))
