"""Known answers: listed with how people answered them, entered, retired, forgiven."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.common.errors import PlatformError
from apps.decisions.models import Decision
from apps.reviews.known_answers import known_answer_end, known_answer_enter
from apps.reviews.models import KnownAnswer
from apps.web.access import PageRequest, requires
from apps.web.desk.known import (
    answer_of,
    compared_with,
    decided_case,
    decision_led,
    entering,
    known_answers_of,
    known_rows,
    led_known,
    typed_answer,
)
from apps.web.desk.seen import content_seen
from apps.web.desk.team import led_use_cases
from apps.web.desk.team_forms import CaseFinder, KnownFilter
from apps.web.views.desk_team import REFUSED, TAB, sentences_of, status_of
from apps.workflow.desk.checking import known_answer_forgive

PAGE = 50


@never_cache
@requires("review.lead")
def known(request: PageRequest) -> HttpResponse:
    return known_list(request, CaseFinder(names=led_use_cases(request.caller)))


def known_list(request: PageRequest, finder: CaseFinder, status: int = 200) -> HttpResponse:
    form = KnownFilter(request.GET, names=led_use_cases(request.caller))
    wanted = form.cleaned_data if form.is_valid() else {}
    page = Paginator(known_answers_of(request.caller, wanted), PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "form": form,
        "finder": finder,
        "page": page,
        "rows": known_rows(list(page.object_list)),
        "filtered": any(request.GET.get(name) for name in form.fields),
        **TAB,
        "tab": "known",
    }
    return render(request, "web/desk/team_known.html", context, status=status)


# --- Entered --------------------------------------------------------------------------------


@never_cache
@requires("review.lead")
def enter(request: PageRequest) -> HttpResponse:
    """The case that the lead named, with a form for its right answer."""
    finder = CaseFinder(request.GET, names=led_use_cases(request.caller))
    if not finder.is_valid():
        return known_list(request, finder, 400)
    slug, external_id = finder.cleaned_data["of"], finder.cleaned_data["case"]
    decision = decided_case(request.caller, slug, external_id)
    if decision is None:
        finder.add_error("case", f"There is no case {external_id!r} in this use case.")
        return known_list(request, finder, 404)
    return entry_page(request, decision, {})


def entry_page(
    request: PageRequest,
    decision: Decision,
    typed: Mapping[str, str],
    refused: PlatformError | None = None,
) -> HttpResponse:
    content_seen(request.caller, decision)
    context = {
        "entering": entering(decision, typed),
        "typed": typed,
        "errors": sentences_of(refused),
        **TAB,
        "tab": "known",
    }
    return render(request, "web/desk/team_known_enter.html", context, status=status_of(refused))


@require_POST
@requires("review.lead")
def make(request: PageRequest, decision: UUID) -> HttpResponse:
    held = decision_led(request.caller, decision)
    typed = {name: str(value) for name, value in request.POST.items()}
    try:
        made = known_answer_enter(
            actor=request.caller.actor,
            decision_id=held.pk,
            output=typed_answer(held, typed),
            reason=typed.get("reason", ""),
        )
    except REFUSED as refused:
        return entry_page(request, held, typed, refused)
    messages.success(
        request, f"The answer of {held.external_id} is known now: it is mixed in among the cases."
    )
    return HttpResponseRedirect(reverse("desk_team_known_answer", args=[made.pk]))


# --- One ------------------------------------------------------------------------------------


@never_cache
@requires("review.lead")
def known_answer(request: PageRequest, key: UUID) -> HttpResponse:
    return one_page(request, led_known(request.caller, key))


def one_page(
    request: PageRequest, held: KnownAnswer, refused: PlatformError | None = None
) -> HttpResponse:
    (row,) = known_rows([held])
    if held.label is None:
        content_seen(request.caller, held.decision)
    answer, lines = answer_of(held)
    context = {
        "row": row,
        "known": held,
        "answer": answer,
        "lines": lines,
        "compared": compared_with(held),
        "reason": _reason_of(held),
        "errors": sentences_of(refused),
        **TAB,
        "tab": "known",
    }
    return render(request, "web/desk/team_known_one.html", context, status=status_of(refused))


def _reason_of(held: KnownAnswer) -> str:
    """Why it is as it is: the reason of its newest change."""
    return str(held.history.order_by("-history_id").first().history_change_reason)


@require_POST
@requires("review.lead")
def forgive(request: PageRequest, key: UUID) -> HttpResponse:
    """It was bad: what rested on it is computed again."""
    held, reason = led_known(request.caller, key), request.POST.get("reason", "")
    try:
        count = known_answer_forgive(actor=request.caller.actor, known_id=held.pk, reason=reason)
    except REFUSED as refused:
        return one_page(request, held, refused)
    compared = "1 comparison" if count == 1 else f"{count} comparisons"
    messages.success(request, f"Forgiven: {compared} with it count no more.")
    return HttpResponseRedirect(reverse("desk_team_known_answer", args=[held.pk]))


@require_POST
@requires("review.lead")
def retire(request: PageRequest, key: UUID) -> HttpResponse:
    """It has been shown enough: what was answered stands."""
    held, reason = led_known(request.caller, key), request.POST.get("reason", "")
    try:
        known_answer_end(
            actor=request.caller.actor, known_id=held.pk, status="retired", reason=reason
        )
    except REFUSED as refused:
        return one_page(request, held, refused)
    messages.success(request, "Retired: it is shown to nobody any more; what was answered stands.")
    return HttpResponseRedirect(reverse("desk_team_known_answer", args=[held.pk]))
