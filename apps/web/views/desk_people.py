"""The people of the desk: load, skills and absences; granted, revoked, recorded and ended."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.accounts.models import Qualification
from apps.accounts.qualifications import qualification_grant, qualification_revoke
from apps.common.errors import BadInput, Conflict, NotFound, NotPermitted, PlatformError
from apps.reviews.absences import absence_add, absence_end
from apps.reviews.assignments import seats_delegate
from apps.reviews.models import Absence
from apps.web.access import PageRequest, requires
from apps.web.desk.staff import (
    SKILLS,
    absences_now,
    people_page,
    places_for,
    skill_rows,
    skills_asked,
    skills_of,
)
from apps.web.desk.team import led, led_use_cases, person_named, reviewers_offered
from apps.web.desk.team_forms import AbsenceForm, SkillFilter, SkillForm
from apps.web.views.desk_team import REFUSED, TAB, sentences_of, status_of

GRANT: Final = "qualification.grant"


@never_cache
@requires("review.lead")
def people(request: PageRequest) -> HttpResponse:
    return people_shown(request)


def people_shown(
    request: PageRequest,
    *,
    refused: PlatformError | None = None,
    skill: SkillForm | None = None,
    absence: AbsenceForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page; after a refusal with the form as it was filled in, and why it was not done."""
    caller, now = request.caller, timezone.now()
    slugs, names = led(caller), led_use_cases(caller)
    narrowing = SkillFilter(request.GET)
    wanted = narrowing.cleaned_data if narrowing.is_valid() else {}
    skills = Paginator(skills_of(slugs, wanted), SKILLS).get_page(request.GET.get("skills"))
    context = {
        "page": people_page(slugs, request.GET.get("page"), now),
        "skills": skills,
        "skill_rows": skill_rows(list(skills.object_list), caller.visible(GRANT), now),
        "filter": narrowing,
        "filtered": bool(request.GET.get("q") or request.GET.get("status")),
        "absences": absences_now(now),
        "now": now,
        "skill_form": skill or _skill_form(request),
        "absence_form": absence or AbsenceForm(),
        "skills_asked": skills_asked(slugs),
        "offered": reviewers_offered(slugs),
        "names": names,
        "errors": sentences_of(refused),
        **TAB,
        "tab": "people",
    }
    shown = status if refused is None else status_of(refused)
    return render(request, "web/desk/team_people.html", context, status=shown)


def _skill_form(request: PageRequest, data: Any = None) -> SkillForm:
    slugs = request.caller.visible(GRANT)
    return SkillForm(data, places=places_for(slugs, led_use_cases(request.caller)))


def back(request: PageRequest, words: str) -> HttpResponse:
    messages.success(request, words)
    return HttpResponseRedirect(reverse("desk_team_people"))


# --- Skills ---------------------------------------------------------------------------------


@require_POST
@requires(GRANT)
def grant(request: PageRequest) -> HttpResponse:
    form = _skill_form(request, request.POST)
    if not form.is_valid():
        return people_shown(request, skill=form, status=400)
    wanted = form.cleaned_data
    try:
        held = qualification_grant(
            actor=request.caller.actor,
            user=person_named(wanted["person"]),
            skill=wanted["skill"],
            use_case=wanted["use_case"],
            valid_until=wanted["valid_until"],
            reason=wanted["reason"],
        )
    except REFUSED as refused:
        return people_shown(request, skill=_with(form, refused), status=status_of(refused))
    return back(request, f"{held.user.name} holds the skill {held.skill} now.")


def _with(form: Any, refused: PlatformError) -> Any:
    """The form with the refusal at the fields that it names."""
    if not isinstance(refused, BadInput):
        form.add_error(None, str(refused))
        return form
    for error in refused.errors:
        name = error.pointer.strip("/")
        form.add_error(name if name in form.fields else None, error.detail)
    return form


@require_POST
@requires(GRANT)
def revoke(request: PageRequest, key: UUID) -> HttpResponse:
    held = _skill_here(request, key)
    try:
        qualification_revoke(
            actor=request.caller.actor, qualification=held, reason=request.POST.get("reason", "")
        )
    except REFUSED as refused:
        return people_shown(request, refused=refused)
    return back(request, f"{held.user.name} does not hold the skill {held.skill} any more.")


def _skill_here(request: PageRequest, key: UUID) -> Qualification:
    """A skill that counts everywhere is revoked by who may grant it everywhere."""
    held: Qualification | None = Qualification.objects.select_related("user").filter(pk=key).first()
    slugs = request.caller.visible(GRANT)
    if held is None or (slugs is not None and held.use_case not in ("", *slugs)):
        raise NotFound(f"There is no skill {key} on the desks that you lead.")
    if slugs is not None and not held.use_case:
        raise NotPermitted(
            f"{request.caller.actor.name} may revoke skills in one use case alone, and "
            f"{held.skill} counts in all of them",
            action=GRANT,
        )
    return held


# --- Absences -------------------------------------------------------------------------------


@require_POST
@requires("review.lead")
def away(request: PageRequest) -> HttpResponse:
    form = AbsenceForm(request.POST)
    if not form.is_valid():
        return people_shown(request, absence=form, status=400)
    try:
        row, moved = _away(request, form.cleaned_data)
    except REFUSED as refused:
        return people_shown(request, absence=_with(form, refused), status=status_of(refused))
    return back(request, _words_of(row, moved))


def _away(request: PageRequest, wanted: dict[str, Any]) -> tuple[Absence, int]:
    """The absence and, where it has begun, what was given to the one who is away handed on."""
    actor, person = request.caller.actor, person_named(wanted["person"])
    delegate = person_named(wanted["delegate"], "/delegate") if wanted["delegate"] else None
    with transaction.atomic():
        row = absence_add(
            actor=actor,
            person=person,
            delegate=delegate,
            starts_at=wanted["starts_at"],
            ends_at=wanted["ends_at"],
            reason=wanted["reason"],
        )
        if delegate is None or row.starts_at > timezone.now():
            return row, 0
        moved = seats_delegate(
            actor=actor,
            person=person,
            delegate=delegate,
            use_cases=led(request.caller),
            reason=wanted["reason"],
        )
    return row, moved


def _words_of(row: Absence, moved: int) -> str:
    if row.delegate is None:
        return f"{row.person.name} is recorded as away; nobody stands in."
    cases = "1 case was" if moved == 1 else f"{moved} cases were"
    return (
        f"{row.person.name} is recorded as away: {cases} handed on to {row.delegate.name}, who "
        "stands in until then."
    )


@require_POST
@requires("review.lead")
def end(request: PageRequest, key: UUID) -> HttpResponse:
    row = Absence.objects.select_related("person").filter(pk=key).first()
    if row is None:
        raise NotFound(f"There is no absence {key}.")
    try:
        absence_end(actor=request.caller.actor, absence=row, reason=request.POST.get("reason", ""))
    except (BadInput, Conflict) as refused:
        return people_shown(request, refused=refused)
    return back(request, f"{row.person.name} is back.")
