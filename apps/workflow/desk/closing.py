"""Tasks that end without people's verdicts: their content is gone."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from apps.common.actor import Actor
from apps.decisions.domain.lifecycle import Event, Status
from apps.decisions.services import decision_lock, decision_move
from apps.workflow.desk.asking import task_lock
from apps.workflow.desk.case import policy_of, standing_policy
from apps.workflow.desk.settling import Desk, task_close

CLERK: Final = Actor.system("desk")
ERASED: Final = "the content was erased: there is nothing to decide on"


@transaction.atomic
def task_without_content(task_id: UUID, now: datetime) -> None:
    """Nobody can decide on a case whose content was erased: what still waited is withheld."""
    held = task_lock(task_id)
    if held.status != "open":
        return
    decision = held.decision = decision_lock(held.decision_id)
    policy = policy_of(held, standing_policy(decision.use_case, now))
    desk = Desk(CLERK, held, decision, policy, now)
    task_close(desk, {"state": "cancelled", "why": ERASED}, "cancelled")
    if held.kind == "before" and decision.status == Status.PENDING:
        decision_move(actor=CLERK, decision=decision, event=Event.FALLBACK_WITHHOLD, reason=ERASED)
