"""My queue: what is mine, what waits, the next case, and the verdicts that are on their way."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.web.access import PageRequest, requires
from apps.web.desk import work
from apps.web.desk.keys import key_context
from apps.workflow.desk.opening import open_next
from apps.workflow.desk.undo import drafts_submit_due

NOTHING = "Nothing waits for you now."


@never_cache
@requires("review.take")
def desk(request: PageRequest) -> HttpResponse:
    now, person = timezone.now(), request.user
    drafts_submit_due(now, person=person)
    waiting = work.waiting_for(request.caller, person, now)
    context = {
        "mine": work.mine(person, now),
        "waiting": waiting,
        "total": sum(one.count for one in waiting),
        "load": work.load_now(person, now),
        "refused_drafts": work.refused_of(person),
        "page": undo_context(request),
        **key_context(),
    }
    return render(request, "web/desk/queue.html", context)


def undo_context(request: PageRequest, **more: Any) -> dict[str, Any]:
    """What the strip of pending verdicts shows."""
    return {"pending": work.pending_of(request.user), "refused": [], "feedback": [], **more}


@require_POST
@requires("review.take")
def next_case(request: PageRequest) -> HttpResponse:
    return to_next(request, request.POST.get("use_case") or None)


def to_next(request: PageRequest, use_case: str | None = None) -> HttpResponse:
    """To the next case, or back to the queue where nothing waits."""
    opened = open_next(actor=request.caller.actor, person=request.user, use_case=use_case)
    if opened is None:
        messages.info(request, NOTHING)
        return HttpResponseRedirect(reverse("desk"))
    if opened.load.pause:
        messages.warning(request, opened.load.pause)
    return HttpResponseRedirect(reverse("desk_case", args=[opened.task.pk]))


@require_POST
@requires("review.take")
def settle(request: PageRequest) -> HttpResponse:
    """Make final what can no more be taken back; answers with the strip as it is now."""
    now, person = timezone.now(), request.user
    before = work.pending_keys(person)
    drafts_submit_due(now, person=person)
    page = undo_context(
        request,
        refused=work.refused_of(person, before),
        feedback=work.feedback_of(person, now),
    )
    return render(request, "web/desk/_undo.html", {"page": page})
