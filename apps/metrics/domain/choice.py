"""Which point of the frontier to take: the goal, under the limits that a risk lead sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

Point = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a policy must keep to; None: no limit.

    ``max_error``: in [0, 1]; ``max_hours``: a reviewer's per 1,000 decisions; ``min_impact_ratio``:
    of every attribute, in [0, 1]; ``max_cost``: per decision.
    """

    max_error: float | None = None
    max_hours: float | None = None
    min_impact_ratio: float | None = None
    max_cost: Decimal | None = None

    def document(self) -> dict[str, Any]:
        """The limits as a JSON object; money as text."""
        cost = None if self.max_cost is None else str(self.max_cost)
        return {
            "max_error": self.max_error,
            "max_hours": self.max_hours,
            "min_impact_ratio": self.min_impact_ratio,
            "max_cost": cost,
        }


def error_of(point: Point) -> float:
    """1 - accuracy_single; infinite where that is not known."""
    accuracy = point["accuracy_single"]
    return float("inf") if accuracy is None else 1 - accuracy


def cost_of(point: Point) -> float:
    """Cost per decision; infinite where it is not known."""
    return float("inf") if point["cost"] is None else float(point["cost"])


def impact_of(point: Point) -> float | None:
    """The lowest impact ratio of a point's attributes; None where it has none."""
    known = [one["value"] for one in point["impact_ratio"].values() if one["value"] is not None]
    return min(known, default=None)


def gap_of(point: Point) -> float:
    """The largest difference of favourable shares between groups; 0 where there are no groups."""
    gaps = [one["gap"] for one in point["impact_ratio"].values() if one["gap"] is not None]
    return max(gaps, default=0.0)


def accuracy_rank(point: Point) -> tuple[float, ...]:
    """Least error; of equal ones the cheaper, then the less review."""
    return error_of(point), cost_of(point), point["review_share"]


def speed_rank(point: Point) -> tuple[float, ...]:
    """Least reviewing time; of equal ones the less error."""
    return point["reviewer_hours"], point["review_share"], error_of(point)


def consistency_rank(point: Point) -> tuple[float, ...]:
    """Highest agreement less the largest gap between groups; of equal ones the less error."""
    agreement = point["agreement"]
    return gap_of(point) - (agreement or 0.0), error_of(point), point["review_share"]


def cost_rank(point: Point) -> tuple[float, ...]:
    """Least cost; of equal ones the less error, then the less review."""
    return cost_of(point), error_of(point), point["review_share"]


GOALS: Final[Mapping[str, Callable[[Point], tuple[float, ...]]]] = {
    "accuracy": accuracy_rank,
    "speed": speed_rank,
    "consistency": consistency_rank,
    "cost": cost_rank,
}


def broken_bounds(point: Point, bounds: Bounds) -> list[str]:
    """Which limits a point breaks; a figure that is not known breaks its limit.

    Parameters: ``point``; ``bounds``. Returns: sentences, [] where it keeps to all.
    """
    found = []
    error, impact = error_of(point), impact_of(point)
    if bounds.max_error is not None and error > bounds.max_error:
        found.append(f"error {error:.4g} is above {bounds.max_error:.4g}")
    if bounds.max_hours is not None and point["reviewer_hours"] > bounds.max_hours:
        found.append(f"{point['reviewer_hours']:.4g} hours are above {bounds.max_hours:.4g}")
    least = bounds.min_impact_ratio
    if least is not None and (impact is None or impact < least):
        found.append(f"impact ratio {impact} is below {least:.4g}")
    if bounds.max_cost is not None and cost_of(point) > bounds.max_cost:
        found.append(f"cost {point['cost']} is above {bounds.max_cost}")
    return found


def best_point(points: Sequence[Point], goal: str, bounds: Bounds | None = None) -> dict[str, Any]:
    """The point to recommend.

    Definition: of the points within the bounds the first by the goal's order. accuracy: least error
    (within the load); speed: least reviewing time (within the error limit); consistency: highest
    agreement less the gap between groups; cost: least cost per decision.
    Parameters: ``points`` of a frontier; ``goal``, a key of GOALS; ``bounds``.
    Returns: {"goal", "bounds", and the point's own keys}; where no point is within the bounds, or
    there are none, ``review_share`` and ``threshold`` are null and ``why`` names what the nearest
    point (the one that breaks fewest, then first by the goal) breaks.
    Errors: KeyError for another goal.
    """
    rank, bounds = GOALS[goal], bounds or Bounds()
    found = {"goal": goal, "bounds": bounds.document()}
    nothing = {"review_share": None, "threshold": None}
    if not points:
        return found | nothing | {"why": "not enough data (n = 0): there are no decisions"}
    broken = [(broken_bounds(point, bounds), rank(point), point) for point in points]
    faults, _, best = min(broken, key=lambda one: (len(one[0]), one[1]))
    if faults:
        at = f"at a review share of {best['review_share']:.2f}"
        return found | nothing | {"why": f"no point keeps to all limits: {at} " + ", ".join(faults)}
    return found | dict(best)
