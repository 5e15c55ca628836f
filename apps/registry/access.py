"""May the caller do this in this use case: the role's matrix, narrowed by decision rights."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from apps.accounts.callers import Caller
from apps.accounts.domain.matrix import ACTIONS
from apps.common.columns import ModelColumns, fetched
from apps.common.errors import NotPermitted
from apps.registry.models import DecisionRight

# Asked at each claim, so written out (apps.common.columns).
HOLDER: Final = ModelColumns(DecisionRight, "use_case", "right", "person")
HOLDERS: Final = 'SELECT {} FROM registry_decisionright r WHERE r."right" IN ({})'


def require_right(caller: Caller, action: str, use_case: str) -> None:
    """NotPermitted unless a role allows it and, where the right has holders, the caller is one.

    Commands of the operator stand outside decision rights and are named in the trail.
    """
    caller.require(action, use_case)
    right = ACTIONS[action].right
    if right is None or caller.actor.kind == "command":
        return
    holders = set(
        DecisionRight.objects.filter(use_case_id=use_case, right=right).values_list(
            "person_id", flat=True
        )
    )
    if holders and (caller.user is None or caller.user.pk not in holders):
        raise NotPermitted(
            f"{caller.actor.name} may not {ACTIONS[action].words} in {use_case}: "
            f"the right {right.replace('_', ' ')} is held there by {len(holders)} named people",
            action=action,
            use_case=use_case,
        )


def rights_held_by_others(person: Any, rights: Collection[str]) -> set[tuple[str, str]]:
    """(use case, right) where the right has holders and ``person`` (a key) is none of them.

    For a queue that spans use cases: ``require_right`` for all of them, in one query.
    """
    held: dict[tuple[str, str], set[Any]] = {}
    marks = ", ".join(["%s"] * len(rights))
    for row in fetched(HOLDERS.format(HOLDER.of("r"), marks), list(rights)):
        use_case, right, holder = HOLDER.values(row)
        held.setdefault((use_case, right), set()).add(holder)
    return {place for place, holders in held.items() if person not in holders}
