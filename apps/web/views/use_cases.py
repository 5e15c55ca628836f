"""Use cases: the list, and one with everything that defines it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render

from apps.accounts.callers import Caller
from apps.common.changes import change_entries
from apps.common.errors import NotFound
from apps.registry.models import Lifecycle, RiskTier, UseCase
from apps.web.access import PageRequest, requires
from apps.web.policies.versions import coming_of, standing_of, words_of
from apps.web.standing import COUNTED, health_of, lane_counts, people_of, standings

PAGE = 50
SORTS = {
    "name": ("name", "slug"),
    "lifecycle": ("lifecycle", "name", "slug"),
    "risk_tier": ("risk_tier", "name", "slug"),
    "industry": ("industry", "name", "slug"),
}
COST_WORDS = {
    "ai_cost_per_decision": "AI, per decision",
    "review_cost_per_hour": "Review, per hour",
    "review_minutes_default": "Minutes per review, where not measured",
    "human_minutes_per_decision": "Minutes per decision without AI",
    "setup_cost": "Set-up",
    "fixed_cost_per_month": "Fixed, per month",
}
BASELINES = {"human_only": "people deciding alone", "ai_only": "the AI deciding alone"}


class UseCaseFilter(forms.Form):
    q = forms.CharField(label="Name or slug", required=False, max_length=200)
    lifecycle = forms.ChoiceField(choices=[("", "Any"), *Lifecycle.choices], required=False)
    risk_tier = forms.ChoiceField(choices=[("", "Any"), *RiskTier.choices], required=False)
    sort = forms.ChoiceField(
        choices=[(name, name) for name in SORTS], required=False, widget=forms.HiddenInput
    )


def visible_use_cases(caller: Caller) -> QuerySet[UseCase]:
    """The use cases that ``caller`` may see, with their owners."""
    slugs = caller.visible("use_case.view")
    found: QuerySet[UseCase] = UseCase.objects.select_related("owner")
    return found if slugs is None else found.filter(slug__in=slugs)


def _narrowed(found: QuerySet[UseCase], wanted: dict[str, Any]) -> QuerySet[UseCase]:
    text = wanted.get("q", "")
    if text:
        found = found.filter(Q(name__icontains=text) | Q(slug__icontains=text))
    for name in ("lifecycle", "risk_tier"):
        if wanted.get(name):
            found = found.filter(**{name: wanted[name]})
    return found.order_by(*SORTS[wanted.get("sort") or "name"])


@requires("use_case.view")
def use_cases(request: PageRequest) -> HttpResponse:
    form = UseCaseFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    found = Paginator(_narrowed(visible_use_cases(request.caller), wanted), PAGE)
    page = found.get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "rows": standings(list(page.object_list)),
        "sort": wanted.get("sort") or "name",
        "filtered": any(wanted.get(name) for name in ("q", "lifecycle", "risk_tier")),
        "may_create": request.caller.may("use_case.create") and request.caller.may("admin.site"),
    }
    return render(request, "web/use_cases.html", context)


def cost_rows(cost_model: dict[str, Any]) -> list[tuple[str, str]]:
    """The cost model's amounts in plain words; minutes carry no currency."""
    currency = cost_model.get("currency", "EUR")
    return [
        (words, cost_model[key] if "minutes" in key else f"{cost_model[key]} {currency}")
        for key, words in COST_WORDS.items()
        if key in cost_model
    ]


def feature_rows(use_case: UseCase) -> list[dict[str, Any]]:
    """Features, then attributes of the subject, in the order of the definition."""
    sources = (("case", use_case.features), ("person", use_case.subject_attributes))
    return [{**entry, "of": source} for source, entries in sources for entry in entries]


@requires("use_case.view")
def use_case(request: PageRequest, slug: str) -> HttpResponse:
    held = visible_use_cases(request.caller).filter(slug=slug).first()
    if held is None:
        raise NotFound(f"There is no use case {slug} that you may see.")
    caller = request.caller
    sees_rights = caller.may("rights.view", slug)
    standing = standing_of(held)
    lanes, counted = lane_counts(held)
    context = {
        "standing": standing,
        "sentences": words_of(standing) if standing is not None else ([], ""),
        "coming": coming_of(held),
        "health": health_of(held, standing is not None),
        "lanes": lanes,
        "counted": counted,
        "most_counted": COUNTED,
        "people": people_of(held) if sees_rights else None,
        "sees_supervision": caller.may("supervision.view", slug),
        "sees_figures": caller.may("report.view", slug) and caller.may("alert.view", slug),
        "sees_decisions": caller.may("decision.view", slug),
        "use_case": held,
        "features": feature_rows(held),
        "costs": cost_rows(held.cost_model),
        "baseline": BASELINES[held.cost_model.get("baseline", "human_only")],
        "rights": list(held.rights.select_related("person")) if sees_rights else None,
        "changes": change_entries(held),
        "may_edit": request.caller.may("use_case.edit", slug) and request.caller.may("admin.site"),
    }
    return render(request, "web/use_case.html", context)
