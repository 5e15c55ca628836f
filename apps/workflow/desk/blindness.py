"""What a reviewer may not read elsewhere either, while a case waits for their blind answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from apps.accounts.callers import Caller
from apps.accounts.models import User
from apps.policies.models import PolicyVersion
from apps.reviews.domain.display import SELECTED
from apps.reviews.models import Review, ReviewTask
from apps.workflow.desk.case import CHECKING
from apps.workflow.desk.closed import closed_to, person_of

HIDDEN: Final = ("final_output", "would_be", "sampling_probability")


def hidden_from(caller: Caller, decisions: Iterable[UUID]) -> set[UUID]:
    """Of ``decisions`` those whose output and reasons this caller may not see yet: those that are
    closed to the caller, and those that wait for blind reviews, of which the caller may be asked
    for one and has given none.

    Whoever may not review is never asked, and sees what their roles show.
    """
    if not caller.may("review.do"):
        return set()
    wanted = list(decisions)
    slugs = caller.visible("review.do")
    open_tasks = ReviewTask.objects.filter(decision__in=wanted, status="open")
    if slugs is not None:
        open_tasks = open_tasks.filter(use_case__in=slugs)
    rows = list(open_tasks.values_list("decision", "kind", "decision__policy"))
    if not rows:
        return set()
    policies = PolicyVersion.objects.filter(pk__in={policy for _decision, _kind, policy in rows})
    is_blind = {
        key: document.get("blind") for key, document in policies.values_list("pk", "document")
    }
    blind = {
        decision for decision, kind, policy in rows if kind not in CHECKING and is_blind[policy]
    }
    return (blind - _answered(person_of(caller), blind)) | set(closed_to(caller, wanted))


def _answered(person: User | None, decisions: set[UUID]) -> set[UUID]:
    """A question asked before the answer is no answer."""
    if person is None or not decisions:
        return set()
    given = Review.objects.filter(reviewer=person, decision__in=decisions).exclude(
        verdict="ask", initial_label=None, initial_commitment=None
    )
    return set(given.values_list("decision", flat=True))


def blinded(document: dict[str, Any]) -> dict[str, Any]:
    """A decision's answer without what would steer its reviewer."""
    reason = {**SELECTED, "rule": None, "value": None}
    return {**document, **dict.fromkeys(HIDDEN), "reasons": [reason]}
