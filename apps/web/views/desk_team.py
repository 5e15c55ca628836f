"""The team board: what waits and how long, each task with its seats, and what a lead does to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.accounts.models import User
from apps.common.errors import BadInput, Conflict, NotFound, PlatformError
from apps.registry.access import require_right
from apps.reviews.assignments import seat_assign, seat_return, seat_unassign
from apps.reviews.models import Assignment, ReviewTask
from apps.reviews.selectors import people_states
from apps.web.access import PageRequest, requires
from apps.web.desk.page import exchanges_of
from apps.web.desk.seen import content_seen
from apps.web.desk.team import (
    given_of,
    led,
    led_task,
    led_use_cases,
    named_queues,
    person_named,
    reviewers_offered,
    rows_of,
    tasks_of,
    totals,
)
from apps.web.desk.team_forms import TaskFilter
from apps.web.middleware import STATUS
from apps.workflow.desk.asking import review_inform
from apps.workflow.desk.words import dialogue

PAGE: Final = 50
TAB: Final = {"current_page": "desk_team"}  # in the navigation; ``tab`` on the board itself
REFUSED: Final = (BadInput, Conflict, NotFound)  # said on the page, with what was typed


@never_cache
@requires("review.lead")
def team(request: PageRequest) -> HttpResponse:
    now = timezone.now()
    queues = named_queues(request.caller, now)
    people = people_states(now, led(request.caller))
    context = {
        "queues": queues,
        "people": people,
        "totals": totals(queues),
        "lapsed_leases": sum(person.lapsed_leases for person in people),
        **TAB,
        "tab": "team",
    }
    return render(request, "web/desk/team_board.html", context)


@never_cache
@requires("review.lead")
def tasks(request: PageRequest) -> HttpResponse:
    now, names = timezone.now(), led_use_cases(request.caller)
    form = TaskFilter(request.GET, names=names)
    wanted = form.cleaned_data if form.is_valid() else {}
    found = tasks_of(request.caller, wanted, now)
    page = Paginator(found if form.is_valid() else found.none(), PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "form": form,
        "page": page,
        "rows": rows_of(request.caller, list(page.object_list), now),
        "filtered": any(request.GET.get(name) for name in form.fields),
        **TAB,
        "tab": "tasks",
    }
    return render(request, "web/desk/team_tasks.html", context)


# --- One task -------------------------------------------------------------------------------


@never_cache
@requires("review.lead")
def task(request: PageRequest, task: UUID) -> HttpResponse:
    return task_page(request, led_task(request.caller, task))


def task_page(
    request: PageRequest,
    held: ReviewTask,
    *,
    refused: PlatformError | None = None,
    typed: Mapping[str, str] | None = None,
) -> HttpResponse:
    """A task with its seats; after a refusal with what was typed, and why it was not done."""
    (row,) = rows_of(request.caller, [held], timezone.now())
    said = dialogue(held.decision, held.pk)
    if said:
        content_seen(request.caller, held.decision)
    exchanges = exchanges_of(said)
    context = {
        "row": row,
        "task": held,
        "given": given_of(held),
        "exchanges": exchanges,
        "waits_for_reply": bool(exchanges) and not exchanges[-1]["reply"] and held.status == "open",
        "offered": reviewers_offered([held.use_case_id]),
        "typed": typed or {},
        "errors": sentences_of(refused),
        **TAB,
        "tab": "tasks",
    }
    return render(request, "web/desk/team_task.html", context, status=status_of(refused))


def sentences_of(refused: PlatformError | None) -> list[str]:
    """Why something was not done, a sentence for each fault."""
    if isinstance(refused, BadInput):
        return [error.detail for error in refused.errors]
    return [] if refused is None else [str(refused)]


def status_of(refused: PlatformError | None) -> int:
    """The HTTP status of a page that says why something was not done."""
    return next((code for cls, code in STATUS.items() if isinstance(refused, cls)), 200)


@require_POST
@requires("review.lead")
def give(request: PageRequest, task: UUID) -> HttpResponse:
    """Give a seat to somebody, return it, or take it back."""
    held = led_task(request.caller, task)
    typed = {name: str(value) for name, value in request.POST.items()}
    try:
        act, words = _act(typed)
        made = act(request, held, typed)
    except REFUSED as refused:
        return task_page(request, held, refused=refused, typed=typed)
    whose = made.person.name if made.person is not None else ""
    messages.success(request, words.format(seat=made.seat, whose=whose))
    return HttpResponseRedirect(reverse("desk_team_task", args=[held.pk]))


Act = Callable[[PageRequest, ReviewTask, Mapping[str, str]], Assignment]


def _act(typed: Mapping[str, str]) -> tuple[Act, str]:
    found = ACTS.get(typed.get("act", ""))
    if found is None:
        raise BadInput(f"Choose what to do: {', '.join(ACTS)} are allowed.", "/act")
    return found


def _number(typed: Mapping[str, str]) -> int:
    text = typed.get("seat", "")
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 5):
        raise BadInput(f"{text!r} is no seat: the number of a seat of this task is.", "/seat")
    return int(text)


def _person(typed: Mapping[str, str]) -> User:
    return person_named(typed.get("person", "").strip())


def _assign(request: PageRequest, held: ReviewTask, typed: Mapping[str, str]) -> Assignment:
    return seat_assign(
        actor=request.caller.actor,
        task_id=held.pk,
        person=_person(typed),
        number=_number(typed),
        reason=typed.get("reason", ""),
    )


def _return(request: PageRequest, held: ReviewTask, typed: Mapping[str, str]) -> Assignment:
    return seat_return(
        actor=request.caller.actor,
        task_id=held.pk,
        person=_person(typed),
        number=_number(typed),
        reason=typed.get("reason", ""),
    )


def _unassign(request: PageRequest, held: ReviewTask, typed: Mapping[str, str]) -> Assignment:
    return seat_unassign(
        actor=request.caller.actor,
        task_id=held.pk,
        number=_number(typed),
        reason=typed.get("reason", ""),
    )


ACTS: Final[Mapping[str, tuple[Act, str]]] = {
    "assign": (_assign, "Seat {seat} is {whose}’s now."),
    "return": (_return, "Seat {seat} is back with {whose}."),
    "unassign": (_unassign, "Seat {seat} waits in the queue again."),
}


@require_POST
@requires("review.lead")
def inform(request: PageRequest, task: UUID) -> HttpResponse:
    """Answer what a reviewer asked."""
    held = led_task(request.caller, task)
    require_right(request.caller, "review.inform", held.use_case_id)
    text = request.POST.get("text", "")
    try:
        review_inform(actor=request.caller.actor, task_id=held.pk, text=text)
    except REFUSED as refused:
        return task_page(request, held, refused=refused, typed={"text": text})
    messages.success(
        request, "The reply is sent: the clock goes on, and the case is its reviewer’s."
    )
    return HttpResponseRedirect(reverse("desk_team_task", args=[held.pk]))
