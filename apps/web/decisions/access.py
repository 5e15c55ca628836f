"""What of decisions a page shows to whom, and the trace that content leaves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.callers import Caller
from apps.common.errors import NotFound, NotPermitted
from apps.decisions.models import Decision
from apps.registry.access import require_right
from apps.registry.models import UseCase
from apps.reviews.models import Review, ReviewTask
from apps.reviews.selectors import ASKING
from apps.workflow.desk.blindness import hidden_from
from apps.workflow.desk.closed import without_closed

# Roles that see content for another reason than to review it.
UNBOUND: Final = frozenset({"compliance_officer", "risk_lead", "commander", "supervisor"})


def visible_decisions(caller: Caller) -> QuerySet[Decision]:
    slugs = caller.visible("decision.view")
    found: QuerySet[Decision] = Decision.objects.all()
    return found if slugs is None else found.filter(use_case_id__in=slugs)


def visible_names(caller: Caller, action: str = "decision.view") -> dict[str, str]:
    """Slug -> name of the use cases in which ``caller`` may do ``action``, by name."""
    slugs = caller.visible(action)
    rows = UseCase.objects.order_by("name", "slug")
    rows = rows if slugs is None else rows.filter(slug__in=slugs)
    return dict(rows.values_list("slug", "name"))


def listed_decisions(caller: Caller) -> QuerySet[Decision]:
    """Those for a list: without the cases that wait for the caller's own answer."""
    return without_closed(caller, visible_decisions(caller))


def decision_for(caller: Caller, key: UUID) -> Decision:
    """The decision with what its page reads; NotFound where the caller may not see it."""
    rows = visible_decisions(caller)
    related = ("use_case", "policy", "model_version__system")
    found: Decision | None = rows.select_related(*related).filter(pk=key).first()
    if found is None:
        raise NotFound(f"There is no decision {key} that you may see.")
    return found


def may_act(caller: Caller, action: str, use_case: str) -> bool:
    """Whether a page offers the act: the role's matrix, narrowed by decision rights."""
    try:
        require_right(caller, action, use_case)
    except NotPermitted:
        return False
    return True


def unseen_by(caller: Caller, keys: Iterable[UUID]) -> set[UUID]:
    """Of the decisions those that ``caller`` has yet to judge: what the AI said is not shown."""
    return hidden_from(caller, keys)


def peers_hidden(caller: Caller, decision: Decision) -> bool:
    """Whether others' verdicts stay closed: the caller may be asked for one and gave none."""
    if not caller.may("review.do", decision.use_case_id):
        return False
    asked = ReviewTask.objects.filter(decision=decision, status="open", kind__in=ASKING)
    if not asked.exists():
        return False
    return not Review.objects.filter(decision=decision, reviewer=caller.user).exists()


def shows_content(caller: Caller, use_case: str) -> bool:
    return caller.may("content.view", use_case)


def shows_protected(caller: Caller, decision: Decision) -> bool:
    """Reviewers see protected attributes where the policy says so, on every page alike."""
    for grant in caller.grants:
        if grant.role in UNBOUND and grant.use_case in ("", decision.use_case_id):
            return True
    return bool(decision.policy.document.get("show_protected"))
