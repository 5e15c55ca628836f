"""Policies: what is in force and on its way, one version, and the steps from draft to approval."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.common.changes import change_entries
from apps.common.errors import BadInput, PlatformError
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.policies.second_person import actors_known
from apps.policies.services import policy_approve, policy_draft, policy_propose, policy_reject
from apps.registry.access import require_right
from apps.web.access import PageRequest, requires
from apps.web.decisions.access import may_act
from apps.web.policies import versions
from apps.web.views.supervision import REFUSED, sentences_of, status_of

HERE: Final = {"current_page": "policies_overview"}


@never_cache
@requires("policy.view")
def overview(request: PageRequest) -> HttpResponse:
    rows = versions.overview(request.caller)
    return render(request, "web/policies/overview.html", {"rows": rows, **HERE})


@never_cache
@requires("policy.view")
def policies(request: PageRequest, slug: str) -> HttpResponse:
    held = versions.use_case_for(request.caller, slug)
    rows = versions.version_rows(held)
    context = {
        "use_case": held,
        "rows": rows,
        "may_draft": may_act(request.caller, "policy.propose", slug),
        **HERE,
    }
    return render(request, "web/policies/list.html", context)


@never_cache
@requires("policy.view")
def policy(request: PageRequest, slug: str, number: int) -> HttpResponse:
    return policy_shown(request, versions.version_for(request.caller, slug, number))


def policy_shown(
    request: PageRequest, held: PolicyVersion, *, refused: PlatformError | None = None
) -> HttpResponse:
    """The page; after a refused step with what was typed, and why it was not done."""
    standing = versions.standing_of(held.use_case)
    sentences, misfit = versions.words_of(held)
    known = actors_known([held.proposed_by, held.approved_by])
    is_standing = standing is not None and standing.pk == held.pk
    context = {
        "policy": held,
        "use_case": held.use_case,
        "sentences": sentences,
        "misfit": misfit,
        "standing": standing,
        "is_standing": is_standing,
        "changes": None if is_standing else versions.changes_between(standing, held),
        "moves": versions.moves_of(request.caller, held),
        "may_draft": may_act(request.caller, "policy.propose", held.use_case_id),
        "proposed_by": known[held.proposed_by].words if held.proposed_by else "",
        "approved_by": known[held.approved_by].words if held.approved_by else "",
        "entries": change_entries(held),
        "tone": versions.TONES.get(held.status, ""),
        "kept": request.POST,
        "errors": sentences_of(refused),
        **HERE,
    }
    return render(request, "web/policies/one.html", context, status=status_of(refused))


@require_POST
@requires("policy.propose")
def draft_new(request: PageRequest, slug: str) -> HttpResponse:
    """A draft that begins as what is in force, or as another version (``from``)."""
    held = versions.use_case_for(request.caller, slug)
    require_right(request.caller, "policy.propose", slug)
    chosen = request.POST.get("from", "")
    basis = (
        versions.version_for(request.caller, slug, int(chosen))
        if chosen.isascii() and chosen.isdigit() and len(chosen) < 10
        else versions.standing_of(held)
    )
    document: dict[str, Any] = {"level": "HITL"} if basis is None else dict(basis.document)
    reason = "a first draft" if basis is None else f"begun from version {basis.number}"
    given: dict[str, Any] = {
        "actor": request.caller.actor,
        "use_case": held,
        "reason": reason,
    }
    try:
        made = policy_draft(**given, document=document)
    except BadInput as misfit:
        # It refers to what the use case no longer has: the draft begins with what always fits.
        made = policy_draft(**given, document={"level": document["level"]})
        messages.warning(request, f"Begun anew, since the version no longer fits: {misfit}")
    return HttpResponseRedirect(reverse("policy_edit", args=[slug, made.number]))


def _step(
    request: PageRequest, slug: str, number: int, action: str, take: Callable[[PolicyVersion], str]
) -> HttpResponse:
    held = versions.version_for(request.caller, slug, number)
    require_right(request.caller, action, slug)
    try:
        words = take(held)
    except REFUSED as refused:
        return policy_shown(request, held, refused=refused)
    messages.success(request, words)
    return HttpResponseRedirect(reverse("policy", args=[slug, number]))


@require_POST
@requires("policy.propose")
def propose(request: PageRequest, slug: str, number: int) -> HttpResponse:
    def take(held: PolicyVersion) -> str:
        reason = request.POST.get("reason", "")
        policy_propose(actor=request.caller.actor, policy=held, reason=reason)
        return "Proposed: its text is fixed now, and another person approves it."

    return _step(request, slug, number, "policy.propose", take)


@require_POST
@requires("policy.approve")
def approve(request: PageRequest, slug: str, number: int) -> HttpResponse:
    def take(held: PolicyVersion) -> str:
        made = policy_approve(
            actor=request.caller.actor,
            policy=held,
            effective_from=_moment(request.POST.get("effective_from", "")),
            reason=request.POST.get("reason", ""),
        )
        if made.status == PolicyStatus.ACTIVE:
            return f"Approved: version {made.number} is in force."
        return f"Approved: version {made.number} takes effect at its moment."

    return _step(request, slug, number, "policy.approve", take)


def _moment(text: str) -> datetime | None:
    """A moment in the reader's zone; None for at once."""
    if not text.strip():
        return None
    try:
        found = parse_datetime(text.strip())
    except ValueError:
        found = None
    if found is None:
        raise BadInput(f"{text[:40]!r} is not a moment; pick a day and a time", "/effective_from")
    return timezone.make_aware(found) if timezone.is_naive(found) else found


@require_POST
@requires("policy.approve")
def reject(request: PageRequest, slug: str, number: int) -> HttpResponse:
    def take(held: PolicyVersion) -> str:
        reason = request.POST.get("reason", "")
        policy_reject(actor=request.caller.actor, policy=held, reason=reason)
        return f"Version {held.number} is rejected."

    return _step(request, slug, number, "policy.approve", take)
