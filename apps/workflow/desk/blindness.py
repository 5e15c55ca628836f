"""What a reviewer may not read elsewhere either, while a case waits for their blind answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from apps.accounts.callers import Caller
from apps.accounts.models import User
from apps.reviews.domain.display import SELECTED
from apps.reviews.models import Review, ReviewTask, Seat
from apps.workflow.desk.case import CHECKING
from apps.workflow.desk.machines import login_of

HIDDEN: Final = ("final_output", "would_be", "sampling_probability")


def hidden_from(caller: Caller, decisions: Iterable[UUID]) -> set[UUID]:
    """Of ``decisions`` those whose output and reasons this caller may not see yet: they wait for
    blind reviews, the caller may be asked for one, and has not answered. Of a case that checks the
    caller the output that took effect is the answer itself, blind or not.

    Whoever may not review is never asked, and sees what their roles show.
    """
    if not caller.may("review.do"):
        return set()
    slugs = caller.visible("review.do")
    open_tasks = ReviewTask.objects.filter(decision__in=list(decisions), status="open")
    if slugs is not None:
        open_tasks = open_tasks.filter(use_case__in=slugs)
    rows = list(open_tasks.values_list("pk", "decision", "kind", "decision__policy__document"))
    if not rows:
        return set()
    person = _person_of(caller)
    waiting = _checks_of(person, [pk for pk, *_rest in rows])
    blind = {
        decision
        for pk, decision, kind, document in rows
        if (pk in waiting if kind in CHECKING else document.get("blind"))
    }
    return blind - _answered(person, blind)


def _person_of(caller: Caller) -> User | None:
    if caller.user is not None or caller.key is None:
        return caller.user
    found: User | None = User.objects.filter(username=login_of(caller.key)).first()
    return found


def _checks_of(person: User | None, tasks: list[UUID]) -> set[UUID]:
    """Only one's own known answers and practice cases are anything to be blind to."""
    if person is None:
        return set()
    own = Seat.objects.filter(Q(assigned_to=person) | Q(holder=person), task__in=tasks)
    return set(own.values_list("task", flat=True))


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
