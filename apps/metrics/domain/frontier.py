"""What-if over every threshold at once: what 0 to 100 % review would have given.

The cases are counted by level of confidence, so that a point costs a look-up and not a pass over
the decisions. Reviewed are the least confident; equal confidences go together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import numpy as np

from apps.metrics.domain.estimates import Estimate, not_enough, share, wilson_of_share
from apps.metrics.domain.levels import (
    POINTS,
    Floats,
    GroupLevels,
    Ints,
    Levels,
    blocks_at,
    filled,
    impact_at,
    threshold_of,
    used_levels,
)

MONEY: Final = Decimal("0.000001")
IMPUTED: Final = "wilson_imputed"
NO_VERDICT: Final = "no decision has an outcome and a first verdict of a person"
NO_OUTCOME: Final = "no decision has an outcome and an output"


@dataclass(frozen=True, slots=True)
class Prices:
    """What handling costs: the AI per decision, a reviewer's hour, minutes and people per review."""

    ai_per_decision: float = 0.0
    review_per_hour: float = 0.0
    review_minutes: float = 0.0
    reviewers: int = 1


@dataclass(frozen=True, slots=True)
class Curve:
    """Sums over the automatic and the reviewed cases with the B least confident levels reviewed.

    Arrays of shape (L + 1,), B = 0..L. ``accuracy_single``, ``accuracy_consensus``, ``agreement``:
    shares or nan; ``cost``: per decision; ``imputed``: reviewed cases without an own verdict;
    ``rests_on``: cases whose answer is known.
    """

    reviewed: Ints
    accuracy_single: Floats
    accuracy_consensus: Floats
    cost: Floats
    agreement: Floats
    imputed: Ints
    rests_on: Ints


@dataclass(frozen=True, slots=True)
class Frontier:
    """The 101 points, and what the AI and people would do alone."""

    points: tuple[Mapping[str, Any], ...]
    ai: Estimate
    human: Estimate
    human_consensus: Estimate
    n: int
    without_outcome: int
    notes: tuple[str, ...] = field(default=())


def curve(levels: Levels, prices: Prices) -> Curve:
    """Accuracy, cost and agreement for every number of levels reviewed.

    Definition: automatic cases count as the AI answered, reviewed ones as people did, see
    ``filled`` for those of which that is not known. Cost per decision: the AI's, the reviews'
    (minutes x rate x people), and what the errors of both parts cost (those of a single reviewer).
    Agreement: of automatic cases the share of people's verdicts equal to the AI's label, of
    reviewed ones the share of equal pairs of verdicts. One pass of cumulated sums.
    Parameters: ``levels`` with a decision; ``prices``.
    Returns: Curve.
    """
    n = int(levels.n.sum())
    reviewed = _before(levels.n)
    per_review = prices.review_per_hour * prices.review_minutes / 60 * prices.reviewers
    errors = _mixed(
        filled(levels, levels.error_cost, levels.known),
        filled(levels, levels.people_cost, levels.judged),
    )
    ai = filled(levels, levels.right, levels.known)
    agreed = _mixed(
        filled(levels, levels.agree_ai, levels.judged),
        filled(levels, levels.agree_peers, levels.peers),
    )
    judged, known = _before(levels.judged), int(levels.known.sum()) - _before(levels.known)
    return Curve(
        reviewed=reviewed,
        accuracy_single=_mixed(ai, filled(levels, levels.people, levels.judged)) / n,
        accuracy_consensus=_mixed(ai, filled(levels, levels.consensus, levels.judged)) / n,
        cost=prices.ai_per_decision + (reviewed * per_review + errors) / n,
        agreement=agreed / n,
        imputed=reviewed - judged,
        rests_on=judged + known,
    )


def _before(values: Ints) -> Ints:
    """The sums of the first 0, 1, ... L values."""
    return np.concatenate([[0], np.cumsum(values)]).astype(np.int64)


def _mixed(automatic: Floats, reviewed: Floats) -> Floats:
    """The sum of the reviewed first B levels and of the automatic others; an empty part is 0."""
    found = np.zeros(len(automatic) + 1)
    found[1:] += np.cumsum(reviewed)
    found[:-1] += np.cumsum(automatic[::-1])[::-1]
    return found


def frontier(
    levels: Levels, prices: Prices, groups: Mapping[str, GroupLevels] | None = None
) -> Frontier:
    """The 101 points of review shares 0, 0.01, ... 1.

    Definition: see ``curve``, ``blocks_at``, ``impact_at``. A point's ``low`` and ``high`` are
    Wilson's for accuracy_single with the number of cases whose answer is known, since the others
    are filled in and add nothing. Cost is per decision, hours are per 1,000 decisions.
    Parameters: ``levels``; ``prices``; ``groups``, attribute -> its GroupLevels.
    Returns: Frontier; without a decision it has no points.
    """
    levels = used_levels(levels)
    n, known = int(levels.n.sum()), int(levels.known.sum())
    ai = share(int(levels.right.sum()), known, NO_OUTCOME)
    human = _people(float(levels.people.sum()), int(levels.judged.sum()))
    consensus = share(int(levels.consensus.sum()), int(levels.judged.sum()), NO_VERDICT)
    if not n:
        return Frontier((), ai, human, consensus, 0, 0)
    held, at = curve(levels, prices), blocks_at(levels)
    ratios = {name: impact_at(levels, at, one) for name, one in (groups or {}).items()}
    hours = prices.review_minutes / 60 * prices.reviewers * 1000 / n
    points = tuple(
        _point(held, levels, int(block), i, hours)
        | {"impact_ratio": {name: ratios[name][i] for name in ratios}}
        for i, block in enumerate(at)
    )
    return Frontier(points, ai, human, consensus, n, n - known, _notes(levels, n, known))


def _people(total: float, cases: int) -> Estimate:
    """The mean accuracy of people's own verdicts, a case counting once."""
    if not cases:
        return not_enough(NO_VERDICT, IMPUTED)
    return Estimate(total / cases, *wilson_of_share(total / cases, cases), cases, IMPUTED)


def _notes(levels: Levels, n: int, known: int) -> tuple[str, ...]:
    notes = []
    if known < n:
        notes.append(
            f"{n - known} of {n} decisions have no outcome: they are taken to be like those of "
            "their confidence bin that have one"
        )
    if 0 < int(levels.judged.sum()) < n:
        notes.append(
            f"{n - int(levels.judged.sum())} of {n} decisions have no verdict and outcome: where "
            "reviewed, they are taken to go as those of their confidence bin"
        )
    return tuple(notes)


def _point(held: Curve, levels: Levels, block: int, i: int, hours: float) -> dict[str, Any]:
    single, n = float(held.accuracy_single[block]), int(held.rests_on[block])
    known = not np.isnan(single) and n > 0
    low, high = wilson_of_share(min(1.0, max(0.0, single)), n) if known else (None, None)
    return {
        "review_share": i / (POINTS - 1),
        "reviewed": int(held.reviewed[block]),
        "threshold": threshold_of(levels, block),
        "accuracy_single": single if known else None,
        "low": low,
        "high": high,
        "accuracy_consensus": _number(held.accuracy_consensus[block]),
        "agreement": _number(held.agreement[block]),
        "cost": _money(held.cost[block]),
        "reviewer_hours": float(held.reviewed[block]) * hours,
        "imputed": int(held.imputed[block]),
        "n": n,
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _money(value: float) -> str | None:
    return None if np.isnan(value) else str(Decimal(float(value)).quantize(MONEY))
