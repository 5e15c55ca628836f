"""The share of right answers of each side: the AI, people, and what took effect."""

from __future__ import annotations

from apps.metrics.domain.accuracy import NO_EFFECT, NO_OUTCOME, NO_VERDICT
from apps.metrics.domain.estimates import Estimate, share, share_by_case
from apps.metrics.domain.tables import Mask, Table
from apps.metrics.kinds.reading import UNKNOWN, Judged, counted


def with_outcome(outcome: Table) -> Mask:
    """Cells whose cases have an outcome, as a label or as right or wrong."""
    known: Mask = (outcome.texts["true"].codes != UNKNOWN) | (outcome.ints("right") != UNKNOWN)
    return known


def _share_of(table: Table, column: str, why: str) -> Estimate:
    right, n = table.ints(column), table.ints("n")
    return share(counted(n, right == 1), counted(n, right != UNKNOWN), why)


def ai_share(outcome: Table) -> Estimate:
    """The share of the AI's outputs that are right, among those with an outcome."""
    return _share_of(outcome, "right", NO_OUTCOME)


def combined_share(outcome: Table) -> Estimate:
    """The same of what took effect."""
    return _share_of(outcome, "right_final", NO_EFFECT)


def human_share(people: Judged) -> Estimate:
    """The share of people's first verdicts that are right, among cases with an outcome."""
    known = people.true != UNKNOWN
    counts = people.n[known].tolist()
    return share_by_case(
        people.hits[known].tolist(), people.sizes[known].tolist(), NO_VERDICT, counts
    )


def consensus_share(people: Judged) -> Estimate:
    """The share of cases whose plain majority of first verdicts is right."""
    known = (people.true != UNKNOWN) & (people.sizes > 0)
    right = counted(people.n, known & (people.consensus == people.true))
    return share(right, counted(people.n, known), NO_VERDICT)
