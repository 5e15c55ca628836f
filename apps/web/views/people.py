"""People: who holds which role, and what each role allows."""

from __future__ import annotations

from collections.abc import Iterator

from django import forms
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render

from apps.accounts.domain.matrix import ACTIONS, PEOPLE, ROLES, Action
from apps.accounts.models import User
from apps.web.access import PageRequest, requires

PAGE = 50
ROLE_WORDS = [(role, role.replace("_", " ")) for role in ROLES if role in PEOPLE]


class PersonFilter(forms.Form):
    q = forms.CharField(label="Name or login", required=False, max_length=200)
    role = forms.ChoiceField(choices=[("", "Any"), *ROLE_WORDS], required=False)


def _narrowed(wanted: dict[str, str]) -> QuerySet[User]:
    people: QuerySet[User] = User.objects.prefetch_related("role_grants")
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
        "page": Paginator(_narrowed(wanted), PAGE).get_page(request.GET.get("page")),
        "filtered": any(wanted.values()),
        "roles": ROLES,
        "matrix": list(matrix_rows()),
        "may_edit": request.caller.may("person.edit"),
    }
    return render(request, "web/people.html", context)
