"""What the tests of known answers share: desks that mix them in, and reviewers who answer them."""

from __future__ import annotations

from typing import Any

from apps.decisions.models import Decision
from apps.registry.models import UseCase
from apps.reviews.known_answers import known_answer_enter
from apps.reviews.models import KnownAnswer
from apps.workflow.desk.opening import Opened
from tests.services.desks import case, desk, opened, person, say
from tests.services.gates import LEAD

DENY = {"label": "deny", "confidence": 0.5}
ALWAYS = {"known_answer_rate": 1.0}
APPROVE = {"label": "approve"}


def past_case(use_case: UseCase, external_id: str, by: Any, **more: Any) -> Decision:
    """A case that somebody has decided: with a rate of 1 only where no answer is known yet."""
    decision = case(use_case, external_id, **{**DENY, **more})
    say(by, opened(by), "confirm")
    decision.refresh_from_db()
    assert decision.status == "released"
    return decision


def know(decision: Decision, label: str = "deny", **more: Any) -> KnownAnswer:
    return known_answer_enter(
        actor=LEAD, decision_id=decision.pk, output={"label": label}, reason="agreed", **more
    )


def checked_desk(
    policy: dict[str, Any] | None = None, *, known: int = 1, **definition: Any
) -> tuple[UseCase, list[KnownAnswer]]:
    """A use case with cases of known answers (deny is right), decided by an old hand."""
    use_case = desk({**ALWAYS, **(policy or {})}, **definition)
    skill = (policy or {}).get("skills", [""])[0]
    old = person("old.hand", skill=skill)
    decided = [past_case(use_case, f"past-{n}", old) for n in range(known)]
    return use_case, [know(decision) for decision in decided]


def next_known(who: Any, use_case: UseCase, external_id: str) -> Opened:
    """A case comes in, and the claim for it is answered with a known one."""
    case(use_case, external_id, **DENY)
    at = opened(who)
    assert at.task.kind == "known"
    return at


def answers(who: Any, use_case: UseCase, said: str) -> None:
    """For each letter a known answer given right (r) or wrong (w)."""
    for n, letter in enumerate(said):
        at = next_known(who, use_case, f"{who.username}-{n}")
        if letter == "r":
            say(who, at, "confirm")
        else:
            say(who, at, "change", output=APPROVE)
