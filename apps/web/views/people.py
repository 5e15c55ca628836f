"""People: who holds which roles, skills and rights, and what each role allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from apps.accounts.callers import Caller
from apps.accounts.domain.matrix import ACTIONS, PEOPLE, ROLES, Action
from apps.accounts.models import Qualification, RoleGrant, User
from apps.registry.models import DecisionRight
from apps.web.access import PageRequest, requires

PAGE = 50
ROLE_WORDS = [(role, role.replace("_", " ")) for role in ROLES if role in PEOPLE]


class PersonFilter(forms.Form):
    q = forms.CharField(label="Name or login", required=False, max_length=200)
    role = forms.ChoiceField(choices=[("", "Any"), *ROLE_WORDS], required=False)


def _held(caller: Caller) -> Iterator[Prefetch[Any]]:
    """What people hold, as three queries for any number of them."""
    yield Prefetch("role_grants", RoleGrant.objects.order_by("role", "use_case"))
    skills = Qualification.objects.filter(status="held").order_by("skill", "use_case")
    yield Prefetch("qualifications", skills, to_attr="skills_held")
    rights = DecisionRight.objects.order_by("right", "use_case_id")
    slugs = caller.visible("rights.view")
    rights = rights if slugs is None else rights.filter(use_case_id__in=slugs)
    yield Prefetch("decision_rights", rights, to_attr="rights_held")


def _narrowed(caller: Caller, wanted: dict[str, str]) -> QuerySet[User]:
    people: QuerySet[User] = User.objects.prefetch_related(*_held(caller))
    text = wanted.get("q", "")
    if text:
        people = people.filter(Q(name__icontains=text) | Q(username__icontains=text))
    if wanted.get("role"):
        people = people.filter(role_grants__role=wanted["role"]).distinct()
    return people.order_by("name", "username")


def matrix_rows() -> Iterator[tuple[Action, list[bool]]]:
    """One row an action: its words and, for each role in order, whether it allows it."""
    for entry in ACTIONS.values():
        yield entry, [role in entry.roles for role in ROLES]


@requires("person.view")
def people(request: PageRequest) -> HttpResponse:
    form = PersonFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    context = {
        "form": form,
        "page": Paginator(_narrowed(request.caller, wanted), PAGE).get_page(
            request.GET.get("page")
        ),
        "filtered": any(wanted.values()),
        "roles": ROLES,
        "matrix": list(matrix_rows()),
        "now": timezone.now(),
        "may_edit": request.caller.may("person.edit"),
    }
    return render(request, "web/people.html", context)
