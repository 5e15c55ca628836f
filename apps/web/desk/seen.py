"""The trace that a lead leaves who opens what a case says of a person."""

from __future__ import annotations

from typing import Final

from apps.accounts.callers import Caller
from apps.audit.events import Event, record_repeatable
from apps.decisions.models import Decision
from apps.registry.access import require_right

VIEWED: Final = "personal_data_viewed"
ACTION: Final = "content.view"


def content_seen(caller: Caller, decision: Decision) -> None:
    """Record that ``caller`` opens the content of a case; within a minute it is counted.

    Raises: NotPermitted where their roles do not show it.
    """
    require_right(caller, ACTION, decision.use_case_id)
    key = str(decision.pk)
    event = Event(
        VIEWED,
        caller.actor,
        action=ACTION,
        target=key,
        use_case=decision.use_case_id,
        detail={"door": "page"},
    )
    record_repeatable(event, source=key)
