"""The policy editor: rows come and go by its buttons, faults stand at their fields, and the later
of two who edit one draft is told what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.common.errors import BadInput, Conflict
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.policies.selectors import use_case_schema
from apps.registry.access import require_right
from apps.web.access import PageRequest, go, requires
from apps.web.policies import versions
from apps.web.policies.document import changed, document_from, faults_by_input, form_of
from apps.web.policies.editor import DraftMovedError, draft_save, editor_context
from apps.web.policies.whatif import NEWEST, what_if

HERE = {"current_page": "policies_overview"}


def _draft(request: PageRequest, slug: str, number: int) -> PolicyVersion:
    held = versions.version_for(request.caller, slug, number)
    require_right(request.caller, "policy.propose", slug)
    return held


@never_cache
@requires("policy.propose")
def edit(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Each button posts the whole form; ``save`` alone writes."""
    held = _draft(request, slug, number)
    if held.status != PolicyStatus.DRAFT:
        messages.warning(request, f"Version {number} is {held.status}: only a draft can be edited.")
        return go(request, reverse("policy", args=[slug, number]))
    if request.method != "POST":
        return _shown(request, held, form_of(held.document), held.content_hash)
    form = {name: str(value) for name, value in request.POST.items()}
    act, _colon, path = form.pop("do", "").partition(":")
    seen = form.get("seen", "")
    if act != "save":
        rows = changed(form, act, path, use_case_schema(held.use_case))
        return _shown(request, held, rows, seen)
    return _saved(request, held, form, seen)


def _saved(
    request: PageRequest, held: PolicyVersion, form: Mapping[str, str], seen: str
) -> HttpResponse:
    sent = document_from(form, use_case_schema(held.use_case))
    try:
        draft_save(
            actor=request.caller.actor,
            policy=held,
            document=sent.document,
            seen=seen,
            reason=form.get("reason", "").strip(),
        )
    except DraftMovedError as moved:
        return _shown(request, held, form, moved.now, moved=moved, status=409)
    except BadInput as refused:
        found = [(one.pointer, one.detail) for one in refused.errors]
        faults = faults_by_input(found, sent.places)
        return _shown(request, held, form, seen, faults=faults, status=400)
    except Conflict as refused:
        faults = {"": [str(refused)]}
        return _shown(request, held, form, seen, faults=faults, status=409)
    messages.success(request, "The draft is saved.")
    return go(request, reverse("policy", args=[held.use_case_id, held.number]))


def _shown(
    request: PageRequest,
    held: PolicyVersion,
    form: Mapping[str, str],
    seen: str,
    *,
    faults: Mapping[str, list[str]] | None = None,
    moved: DraftMovedError | None = None,
    status: int = 200,
) -> HttpResponse:
    schema = use_case_schema(held.use_case)
    context: dict[str, Any] = {
        "policy": held,
        "use_case": held.use_case,
        "seen": seen,
        "moved": moved,
        "reason": form.get("reason", ""),
        "newest": NEWEST,
        **editor_context(form, schema, faults),
        **HERE,
    }
    partial = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    template = "_editor_form.html" if partial else "edit.html"
    return render(request, f"web/policies/{template}", context, status=status)


@require_POST
@requires("policy.propose")
def try_out(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """What the form as it stands would have done; nothing is saved."""
    held = _draft(request, slug, number)
    form = {name: str(value) for name, value in request.POST.items()}
    sent = document_from(form, use_case_schema(held.use_case))
    context: dict[str, Any] = {"found": None, "use_case": held.use_case}
    try:
        context["found"] = what_if(held.use_case, sent.document)
    except BadInput as refused:
        context["faults"] = len(refused.errors)
    except Conflict as refused:
        context["why"] = str(refused)
    return render(request, "web/policies/_what_if.html", context)
