"""Compliance: the share of decisions handled as their policy demanded, and each exception."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from apps.metrics.domain.estimates import share

SHOWN: Final = 1000
KINDS: Final = {
    "released_without_review": "released although its policy called for a review",
    "too_few_reviews": "settled on fewer human reviews than its policy asks for",
    "unqualified_reviewer": "reviewed by a person who lacked a skill that its policy asks for",
    "interested_reviewer": "reviewed by a person with an interest in it",
    "sla_lapsed": "not settled within its time limit",
    "fallback_released": "released by the fallback, no person having decided",
    "outside_mandate": "released outside of any mandate under human-in-command",
    "unsealed": "its records are not sealed within the time that sealing takes",
    "untraceable": "its routing cannot be replayed to the same result",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """One exception: its ``kind``, a key of KINDS; the ``decision``'s id; a sentence of ``detail``."""

    kind: str
    decision: str
    detail: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many exceptions there are. ``affected``: decisions with any; ``by_kind``: decisions of each
    kind; ``exceptions``: of each kind, where a decision may have several. Days add up, since a
    decision is of one day."""

    affected: int
    by_kind: Counter[str]
    exceptions: Counter[str]

    @property
    def total(self) -> int:
        return self.exceptions.total()

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.affected + other.affected,
            self.by_kind + other.by_kind,
            self.exceptions + other.exceptions,
        )


def counted(breaches: Iterable[Breach]) -> Counts:
    """The counts of exceptions that are all listed; one that is listed twice counts once."""
    found = set(breaches)
    return Counts(
        len({one.decision for one in found}),
        Counter(kind for kind, _ in {(one.kind, one.decision) for one in found}),
        Counter(one.kind for one in found),
    )


def compliance_report(
    decisions: int, breaches: Iterable[Breach], counts: Counts | None = None
) -> dict[str, Any]:
    """How many decisions were handled as their policy demanded.

    Definition: a decision is handled as demanded when it has no breach; one with several counts
    once. Wilson interval. Neutral value: 1; higher is better. It says what the records show, not
    that a law is met.
    Parameters: ``decisions`` of the window; ``breaches`` of these, in any order; ``counts``, where
    ``breaches`` are not all of them but hold the first 1,000 by kind and decision.
    Returns: {"handled_as_demanded": an estimate's object, "decisions_with_breaches", "by_kind":
    {kind: {"n", "share", "meaning"}}, "breaches": the first 1,000 by kind and decision, "listed",
    "total"}; null without a decision, and why.
    Errors: ValueError for a kind that is not in KINDS, or more decisions with breaches than
    decisions.
    """
    found = sorted(set(breaches), key=lambda one: (one.kind, one.decision, one.detail))
    counts = counted(found) if counts is None else counts
    unknown = counts.by_kind.keys() - KINDS.keys()
    if unknown:
        raise ValueError(f"kinds={sorted(unknown)}: not among {', '.join(KINDS)}")
    if counts.affected > decisions:
        raise ValueError(f"{counts.affected} decisions have breaches, of {decisions} in the window")
    handled = share(decisions - counts.affected, decisions, "there are no decisions")
    listed = [
        {"kind": one.kind, "decision": one.decision, "detail": one.detail} for one in found[:SHOWN]
    ]
    return {
        "decisions": decisions,
        "handled_as_demanded": handled.document(),
        "decisions_with_breaches": counts.affected,
        "by_kind": {
            kind: {
                "n": counts.by_kind[kind],
                "share": counts.by_kind[kind] / decisions if decisions else None,
                "meaning": meaning,
            }
            for kind, meaning in KINDS.items()
        },
        "breaches": listed,
        "listed": len(listed),
        "total": counts.total,
    }
