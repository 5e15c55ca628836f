"""One person: what they hold, what was done about it; deactivated, granted to, revoked from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.accounts.models import User
from apps.accounts.services import person_update, role_grant, role_revoke
from apps.common.errors import BadInput, Conflict, NotFound, PlatformError
from apps.registry.access import require_right
from apps.registry.models import UseCase
from apps.registry.services import decision_right_grant, decision_right_revoke
from apps.web.access import PageRequest, requires
from apps.web.decisions.access import visible_names
from apps.web.people.one import RightForm, RoleForm, person_for, rights_of, steps_of
from apps.web.views.supervision import REFUSED, sentences_of, status_of

VIEW: Final = "person.view"


@never_cache
@requires(VIEW)
def person(request: PageRequest, key: UUID) -> HttpResponse:
    return _shown(request, person_for(key))


def _shown(
    request: PageRequest,
    held: User,
    *,
    role: RoleForm | None = None,
    right: RightForm | None = None,
    refused: PlatformError | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page; after a refusal with what was typed, and why it was not done."""
    caller = request.caller
    skills = held.qualifications.filter(status="held").order_by("skill", "use_case")
    context = {
        "person": held,
        "grants": list(held.role_grants.order_by("role", "use_case")),
        "skills": list(skills),
        "rights": rights_of(caller, held),
        "steps": steps_of(caller, held),
        "now": timezone.now(),
        "may_edit": caller.may("person.edit"),
        "may_grant": caller.may("role.grant"),
        "may_right": caller.may("rights.edit"),
        "may_lead": caller.may("review.lead"),
        "role_form": (role or _role_form(request)) if caller.may("role.grant") else None,
        "right_form": (right or _right_form(request)) if caller.may("rights.edit") else None,
        "errors": sentences_of(refused),
        "current_page": "people",
    }
    shown = status if refused is None else status_of(refused)
    return render(request, "web/people/one.html", context, status=shown)


def _role_form(request: PageRequest, data: Any = None) -> RoleForm:
    return RoleForm(data, names=visible_names(request.caller, "use_case.view"))


def _right_form(request: PageRequest, data: Any = None) -> RightForm:
    return RightForm(data, names=visible_names(request.caller, "rights.edit"))


def _back(request: PageRequest, key: UUID, words: str) -> HttpResponse:
    messages.success(request, words)
    return HttpResponseRedirect(reverse("person", args=[key]))


# --- The account ----------------------------------------------------------------------------


@require_POST
@requires("person.edit")
def person_state(request: PageRequest, key: UUID) -> HttpResponse:
    """Deactivate or reactivate; the records of what they did stay."""
    held = person_for(key)
    active = request.POST.get("to") == "active"
    try:
        reason = _reason(request)
        if held.is_active == active:
            raise Conflict(f"{held.name} is {'active' if active else 'deactivated'} already")
        person_update(actor=request.caller.actor, user=held, reason=reason, is_active=active)
    except REFUSED as refused:
        return _shown(request, held, refused=refused)
    words = "may sign in again" if active else "is deactivated and signed out everywhere"
    return _back(request, key, f"{held.name} {words}.")


def _reason(request: PageRequest) -> str:
    reason = request.POST.get("reason", "").strip()
    if not reason:
        raise BadInput("it takes a reason", "/reason")
    return reason


# --- Roles ----------------------------------------------------------------------------------


@require_POST
@requires("role.grant")
def role_new(request: PageRequest, key: UUID) -> HttpResponse:
    held, form = person_for(key), _role_form(request, request.POST)
    if not form.is_valid():
        return _shown(request, held, role=form, status=400)
    wanted = form.cleaned_data

    def grant() -> None:
        role_grant(actor=request.caller.actor, user=held, **wanted)

    status = _kept(form, grant)
    if status != 200:
        return _shown(request, held, role=form, status=status)
    return _back(request, key, f"{held.name} is {wanted['role'].replace('_', ' ')} from now on.")


@require_POST
@requires("role.grant")
def role_end(request: PageRequest, key: UUID, grant: UUID) -> HttpResponse:
    held = person_for(key)
    found = held.role_grants.filter(pk=grant).first()
    if found is None:
        raise NotFound(f"There is no role {grant} that {held.name} holds.")
    try:
        role_revoke(actor=request.caller.actor, grant=found, reason=_reason(request))
    except REFUSED as refused:
        return _shown(request, held, refused=refused)
    words = f"{held.name} is not {found.role.replace('_', ' ')} there any more."
    return _back(request, key, words)


# --- Decision rights ------------------------------------------------------------------------


@require_POST
@requires("rights.edit")
def right_new(request: PageRequest, key: UUID) -> HttpResponse:
    held, form = person_for(key), _right_form(request, request.POST)
    if not form.is_valid():
        return _shown(request, held, right=form, status=400)
    wanted = form.cleaned_data
    require_right(request.caller, "rights.edit", wanted["use_case"])

    def grant() -> None:
        decision_right_grant(
            actor=request.caller.actor,
            use_case=UseCase.objects.get(pk=wanted["use_case"]),
            right=wanted["right"],
            person=held,
            reason=wanted["reason"],
        )

    status = _kept(form, grant)
    if status != 200:
        return _shown(request, held, right=form, status=status)
    words = (
        f"{held.name} holds the right {wanted['right'].replace('_', ' ')} in {wanted['use_case']}."
    )
    return _back(request, key, words)


@require_POST
@requires("rights.edit")
def right_end(request: PageRequest, key: UUID, right: UUID) -> HttpResponse:
    held = person_for(key)
    found = next((one for one in rights_of(request.caller, held) if one.pk == right), None)
    if found is None:
        raise NotFound(f"There is no right {right} that {held.name} holds.")
    require_right(request.caller, "rights.edit", found.use_case_id)
    try:
        decision_right_revoke(actor=request.caller.actor, right=found, reason=_reason(request))
    except REFUSED as refused:
        return _shown(request, held, refused=refused)
    right_words = found.right.replace("_", " ")
    return _back(request, key, f"{held.name} does not hold the right {right_words} there any more.")


def _kept(form: forms.Form, act: Callable[[], None]) -> int:
    """Do it; a refusal goes into the form. Returns the status of the answer."""
    try:
        act()
    except BadInput as refused:
        for one in refused.errors:
            name = one.pointer.lstrip("/")
            form.add_error(name if name in form.fields else None, one.detail)
        return 400
    except Conflict as refused:
        form.add_error(None, str(refused))
        return 409
    return 200
