"""What a reviewer sees at a seat, and which verdicts that allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from apps.reviews.models import Seat

BLIND, OPEN, REVEALED, ADJUDICATION = "blind", "open", "revealed", "adjudication"
ANYWHERE: Final = ("escalate", "abstain", "ask")
NEEDS_OUTPUT: Final = ("change", "answer")
NEEDS_RATIONALE: Final = ("change", "withhold", "ask")

# (stage, whether a model has spoken) -> what may be said there
ALLOWED: Final[dict[tuple[str, bool], tuple[str, ...]]] = {
    (BLIND, True): ("answer", *ANYWHERE),
    (BLIND, False): ("answer", "withhold", *ANYWHERE),
    (OPEN, True): ("confirm", "change", "withhold", *ANYWHERE),
    (OPEN, False): ("answer", "withhold", *ANYWHERE),
    (REVEALED, True): ("confirm", "change", "withhold", *ANYWHERE),
    (ADJUDICATION, True): ("confirm", "change", "withhold", *ANYWHERE),
    (ADJUDICATION, False): ("answer", "withhold", *ANYWHERE),
}
ASKED: Final = {
    (BLIND, True): "Give your own answer. The AI's output is shown afterwards; you can then keep "
    "your answer or change it.",
    (BLIND, False): "Give your answer, or withhold.",
    (OPEN, True): "Confirm the AI's output, change it, or withhold it.",
    (OPEN, False): "Give your answer, or withhold. No model has spoken on this case.",
    (REVEALED, True): "Keep your answer, or change it now that you see the AI's output.",
    (ADJUDICATION, True): "This case was passed on to you: confirm the AI's output, change it, or "
    "withhold it.",
    (ADJUDICATION, False): "This case was passed on to you: give your answer, or withhold.",
}


def stage_of(seat: Seat, policy: Mapping[str, object]) -> str:
    """Blind until the first answer is given, where the policy says so; seniors see the case."""
    if seat.stage == ADJUDICATION:
        return ADJUDICATION
    if not policy["blind"]:
        return OPEN
    return REVEALED if seat.answered else BLIND
