"""The start page: who you are, what you can do here, how the trail stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render

from apps.accounts.callers import Caller
from apps.accounts.domain.matrix import ACTIONS
from apps.registry.models import UseCase
from apps.web.access import PageRequest, signed_in
from apps.web.navigation import sections_for
from apps.web.tours import tours_for
from apps.web.trail import trail_state

JOBS = {
    "administrator": "Sets up people, keys and use cases, and grants roles.",
    "compliance_officer": "Finds, verifies and exports the audit trail.",
    "risk_lead": "Sets the oversight level and rules of each process, and stops what goes wrong.",
    "commander": "Decides whether, when and within what limits the AI may decide at all.",
    "supervisor": "Watches released decisions and steps in.",
    "reviewer": "Works through the cases that need a human.",
    "senior_reviewer": "Reviews cases and settles disagreement between reviewers.",
    "executive": "Reads accuracy, value, automation, compliance and risk of every process.",
    "auditor": "Reads everything that proves what happened; changes nothing.",
}


@dataclass(frozen=True, slots=True)
class RoleCard:
    """A role held, where, its job in a sentence, and what the matrix lets it do there."""

    role: str
    use_case: str
    job: str
    actions: Sequence[str]


def role_cards(caller: Caller) -> list[RoleCard]:
    return [
        RoleCard(
            grant.role,
            grant.use_case,
            JOBS[grant.role],
            [
                entry.words
                for entry in ACTIONS.values()
                if grant.role in entry.roles and (entry.scoped or not grant.use_case)
            ],
        )
        for grant in sorted(caller.grants)
    ]


@signed_in
def home(request: PageRequest) -> HttpResponse:
    caller = request.caller
    visible = caller.visible("use_case.view")
    seen = UseCase.objects.all() if visible is None else UseCase.objects.filter(slug__in=visible)
    context = {
        "cards": role_cards(caller),
        "sections": sections_for(caller),
        "tours": tours_for(caller),
        "use_case_count": seen.count(),
        "trail": trail_state() if caller.may("audit.view") else None,
    }
    return render(request, "web/home.html", context)
