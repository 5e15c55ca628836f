"""Decisions: the list with its filters, saved views and table; one with its whole way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.audit.events import Event, record_event
from apps.common.errors import BadInput, Conflict, NotFound, PlatformError
from apps.decisions.models import Decision
from apps.decisions.selectors import coded_reasons, first_reasons_of, part_of, reasons_of
from apps.registry.access import require_right
from apps.supervision.interventions import decision_intervene
from apps.supervision.rulings import decision_rule
from apps.supervision.selectors import window_end
from apps.web.access import PageRequest, requires
from apps.web.decisions import saved
from apps.web.decisions.access import (
    decision_for,
    shows_content,
    shows_protected,
    unseen_by,
    visible_names,
)
from apps.web.decisions.content import content_of, final_shown
from apps.web.decisions.forms import NARROWING, DecisionFilter
from apps.web.decisions.listing import (
    STRETCH,
    TELLING,
    WINDOW,
    DecisionPage,
    among_of,
    decision_page,
    matching,
    one_use_case,
    period_of,
)
from apps.web.decisions.proofs import proof_document
from apps.web.decisions.table import MOST_CSV, csv_of
from apps.web.decisions.way import history_of, way_of
from apps.web.desk.evidence import attachment_of
from apps.web.desk.seen import content_seen
from apps.web.supervision.acts import ACTIONS, INTERVENE, act_form, act_open, act_posted

VIEW = "decision.view"
NOT_SHOWN = "Your roles do not show the content."
LISTED = "decisions_listed"
PDF = "application/pdf"
KEPT_OF_A_VIEW = (*NARROWING, "sort")


# --- The list -------------------------------------------------------------------------------


def _wanted(form: DecisionFilter) -> dict[str, Any]:
    return form.cleaned_data if form.is_valid() else {}


def _telling(wanted: Mapping[str, Any]) -> bool:
    return any(wanted.get(name) for name in TELLING)


@never_cache
@requires(VIEW)
def decisions(request: PageRequest) -> HttpResponse:
    names = visible_names(request.caller)
    form = DecisionFilter(request.GET, names=names)
    page, sort = DecisionPage([]), "newest"
    if form.is_valid():
        wanted = form.cleaned_data
        sort = wanted.get("sort") or sort
        page = decision_page(
            request.caller,
            matching(request.caller, wanted),
            sort,
            after=wanted["after"],
            before=wanted["before"],
            telling=_telling(wanted),
            among=among_of(request.caller, wanted),
            period=period_of(wanted),
            in_one=one_use_case(request.caller, wanted),
        )
    context = {
        "form": form,
        "page": page,
        "sort": sort,
        "names": names,
        "filtered": any(request.GET.get(name) for name in NARROWING),
        "views": saved.views_of(request.user),
        "query": _query_of(request.GET),
        "window": WINDOW,
        "stretch": STRETCH,
        "most_csv": MOST_CSV,
    }
    return render(request, "web/decisions/list.html", context)


def _query_of(given: QueryDict) -> str:
    """The part of an address that a view is: what narrows and sorts, without a place in it."""
    return urlencode({name: given[name] for name in KEPT_OF_A_VIEW if given.get(name)})


@requires(VIEW)
def decisions_csv(request: PageRequest) -> HttpResponse:
    """The view as a table, recorded as what it is: decisions taken out."""
    form = DecisionFilter(request.GET, names=visible_names(request.caller))
    if not form.is_valid():
        return HttpResponseRedirect(f"{reverse('decisions')}?{request.GET.urlencode()}")
    wanted = form.cleaned_data
    rows = matching(request.caller, wanted)
    table, count = csv_of(
        request.caller,
        rows,
        wanted.get("sort") or "newest",
        period=period_of(wanted),
        in_one=one_use_case(request.caller, wanted),
        telling=_telling(wanted),
    )
    detail = {"door": "page", "rows": count, "narrowed_by": [k for k in NARROWING if wanted.get(k)]}
    event = Event(
        LISTED,
        request.caller.actor,
        action=VIEW,
        target="decisions",
        use_case=wanted.get("use_case") or "",
        detail=detail,
    )
    record_event(event)
    headers = {"Content-Disposition": 'attachment; filename="decisions.csv"'}
    return HttpResponse(table, content_type="text/csv; charset=utf-8", headers=headers)


@require_POST
@requires(VIEW)
def view_save(request: PageRequest) -> HttpResponse:
    query = _query_of(QueryDict(request.POST.get("query", "")))
    try:
        kept = saved.view_save(person=request.user, name=request.POST.get("name", ""), query=query)
        messages.success(request, f"The view “{kept.name}” is kept.")
    except (BadInput, Conflict) as refused:
        words = (
            [one.detail for one in refused.errors] if isinstance(refused, BadInput) else [refused]
        )
        messages.error(request, f"Not kept: {words[0]}.")
    return HttpResponseRedirect(f"{reverse('decisions')}?{query}")


@require_POST
@requires(VIEW)
def view_remove(request: PageRequest, key: int) -> HttpResponse:
    name = saved.view_remove(person=request.user, key=key)
    messages.success(request, f"The view “{name}” is removed.")
    return HttpResponseRedirect(reverse("decisions"))


# --- One ------------------------------------------------------------------------------------


@never_cache
@requires(VIEW)
def decision(request: PageRequest, key: UUID) -> HttpResponse:
    return decision_shown(request, decision_for(request.caller, key))


def decision_shown(
    request: PageRequest,
    held: Decision,
    *,
    refused: PlatformError | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page; after a refused act with what was typed, and why it was not done."""
    caller, now = request.caller, timezone.now()
    if unseen_by(caller, [held.pk]):
        return render(
            request, "web/decisions/unseen.html", {"decision": held, "current_page": "decisions"}
        )
    shown = shows_content(caller, held.use_case_id)
    if shown and refused is None:
        content_seen(caller, held)
    rows = history_of(held)
    act = act_open(caller, held, now)
    form = {name: str(value) for name, value in request.POST.items()}
    context = {
        "decision": held,
        "content": content_of(held, protected=shows_protected(caller, held)) if shown else None,
        "final": final_shown(held) if shown or held.kind == "label" else None,
        "reasons": reasons_of(held) if shown else coded_reasons(held.reason_codes, ""),
        "first_reasons": _first_reasons(held, rows, shown),
        "steps": way_of(caller, held, rows),
        "act": act_form(held, act, form) if act else None,
        "window_ends": window_end(held) if held.lane == "supervised" else None,
        "now": now,
        "sees_trail": caller.may("audit.view", held.use_case_id),
        "sees_policy": caller.may("policy.view", held.use_case_id),
        "sees_models": caller.may("model.view"),
        "errors": _sentences(refused),
        "current_page": "decisions",
    }
    return render(request, "web/decisions/one.html", context, status=status)


def _first_reasons(held: Decision, rows: list[Any], shown: bool) -> list[dict[str, Any]]:
    codes = rows[0].reason_codes
    return first_reasons_of(held, codes) if shown else coded_reasons(codes, "")


def _sentences(refused: PlatformError | None) -> list[str]:
    if refused is None:
        return []
    if isinstance(refused, BadInput):
        return [one.detail for one in refused.errors]
    return [str(refused)]


@requires(VIEW)
def proof(request: PageRequest, key: UUID, leaf: int) -> HttpResponse:
    """What a browser checks a step by; for the steps that the reader's page shows."""
    held = decision_for(request.caller, key)
    if unseen_by(request.caller, [held.pk]):
        raise NotFound("The case waits for your own answer: its records open after it.")
    steps = way_of(request.caller, held, history_of(held))
    if all(step.leaf != leaf for step in steps):
        raise NotFound(f"Record {leaf} is no step of this decision that you may see.")
    return JsonResponse(proof_document(leaf), headers={"Cache-Control": "no-store"})


@requires("content.view")
def decision_evidence(request: PageRequest, key: UUID, number: int) -> HttpResponse:
    """A file that came with a decision; it can run nothing."""
    held = decision_for(request.caller, key)
    request.caller.require("content.view", held.use_case_id)
    if unseen_by(request.caller, [held.pk]):
        raise NotFound("The case waits for your own answer: open it from your queue.")
    pieces = part_of(held, "evidence") or []
    content = pieces[number - 1].get("content") if 0 < number <= len(pieces) else None
    attached = attachment_of(content) if content is not None else None
    if attached is None:
        raise NotFound(f"There is no file {number} with this decision.")
    content_seen(request.caller, held)
    is_pdf = attached.media_type == PDF
    headers = {
        "Content-Disposition": f'{"inline" if is_pdf else "attachment"}; filename="evidence-{number}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    kind = PDF if is_pdf else "application/octet-stream"
    return HttpResponse(attached.content, content_type=kind, headers=headers)


@require_POST
@requires("decision.intervene")
def intervene(request: PageRequest, key: UUID) -> HttpResponse:
    return _act(request, key, INTERVENE)


@require_POST
@requires("decision.command")
def rule(request: PageRequest, key: UUID) -> HttpResponse:
    return _act(request, key, "rule")


def _act(request: PageRequest, key: UUID, act: str) -> HttpResponse:
    caller = request.caller
    held = decision_for(caller, key)
    require_right(caller, ACTIONS[act], held.use_case_id)
    form = {name: str(value) for name, value in request.POST.items()}
    try:
        choice, output, reason = act_posted(held, act, form)
        given: dict[str, Any] = {"actor": caller.actor, "decision_id": key, "reason": reason}
        if act == INTERVENE:
            decision_intervene(**given, action=choice, output=output)
        else:
            decision_rule(**given, verdict=choice, output=output)
    except (BadInput, Conflict) as refused:
        status = 400 if isinstance(refused, BadInput) else 409
        return decision_shown(request, decision_for(caller, key), refused=refused, status=status)
    held = decision_for(caller, key)
    messages.success(request, f"Case {held.external_id} is {held.status}.")
    return HttpResponseRedirect(_back(request, key))


def _back(request: HttpRequest, key: UUID) -> str:
    """To the list that the person works through, where they came from one."""
    offered = {"monitor": "supervision", "command": "command_queue"}
    name = offered.get(request.POST.get("from", ""))
    return reverse(name) if name else reverse("decision", args=[key])
