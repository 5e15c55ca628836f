"""What an intervention means for the desk: the review after the fact has nothing left to find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from apps.common.actor import Actor
from apps.decisions.domain.lifecycle import Event
from apps.decisions.models import Decision
from apps.reviews.models import ReviewTask
from apps.reviews.seats import seats_close

INTERVENED: Final = "a supervisor stepped in"
INTERVENTIONS: Final = frozenset({Event.INTERVENE_REVERSE, Event.INTERVENE_CHANGE})


def hold(decisions: Sequence[UUID]) -> None:
    """The open reviews after the fact, locked in the order of their ids."""
    list(_open_after(decisions).values_list("pk"))


def follow(actor: Actor, decision: Decision, event: Event) -> None:
    """Cancel them, with the seats that people may hold; a late verdict is refused."""
    if event not in INTERVENTIONS:
        return
    for task in _open_after([decision.pk]):
        seats_close(task)
        task.status, task.closed_at = "cancelled", timezone.now()
        task.paused_at = task.paused_until = None
        task.ruling = {**(task.ruling or {}), "state": "cancelled", "why": INTERVENED}
        task.save(actor=actor, reason=INTERVENED)


def _open_after(decisions: Sequence[UUID]) -> Any:
    tasks = ReviewTask.objects.select_for_update(no_key=True, of=("self",))
    return tasks.filter(decision__in=decisions, kind="after", status="open").order_by("pk")
