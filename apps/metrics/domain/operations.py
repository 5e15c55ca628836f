"""Operations: how much runs by itself, how long people take, and whether they see what matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Final

from apps.metrics.domain.durations import Durations, times_report
from apps.metrics.domain.estimates import Estimate, not_enough, share, z_of
from apps.metrics.domain.proportions import Part, difference

UNSEEN_LANES: Final = ("automatic", "supervised")
MEAN: Final = "normal_mean"
NO_DECISIONS: Final = "there are no decisions"
EDGE_KINDS: Final = ("novel", "low_confidence", "rule_matched")


@dataclass(frozen=True, slots=True)
class EdgeCases:
    """Cases of one kind that a person should see: ``n``; ``seen``: decided by a person; ``known``:
    of these, with an outcome; ``right``: of these, decided right."""

    n: int
    seen: int
    known: int
    right: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Satisfaction scores: how many, their sum, the sum of their squares."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True, slots=True)
class Flow:
    """What went through in a window; all are sums, so that days add up.

    ``lanes``: (lane, status) -> decisions; ``waits``: from opening to claim, ``handling``: active
    time of a review, ``release``: lane -> from ingest to release; ``due``: tasks whose limit lay in
    the window, ``met``: closed by it; ``escalated`` and ``reviewed``: decisions; ``reviews`` and
    ``review_seconds``; ``interventions`` and ``overridden``: decisions; ``open_tasks``, now;
    ``edges``: kind -> EdgeCases; ``before`` and ``after``: satisfaction.
    """

    lanes: Mapping[tuple[str, str], int]
    waits: Durations
    handling: Durations
    release: Mapping[str, Durations]
    due: int = 0
    met: int = 0
    escalated: int = 0
    reviewed: int = 0
    reviews: int = 0
    review_seconds: int = 0
    interventions: int = 0
    overridden: int = 0
    open_tasks: int = 0
    edges: Mapping[str, EdgeCases] = field(default_factory=dict)
    before: Scores = Scores()
    after: Scores = Scores()


def automation_rate(lanes: Mapping[tuple[str, str], int]) -> Estimate:
    """The share of decisions that took effect without a person.

    Definition: decisions in the lanes automatic and supervised over all. Wilson interval. Neutral
    value: none; higher is faster, not better.
    Parameters: ``lanes``, (lane, status) -> decisions. Returns: Estimate; null without a decision.
    """
    n = sum(lanes.values())
    unseen = sum(count for (lane, _), count in lanes.items() if lane in UNSEEN_LANES)
    return share(unseen, n, NO_DECISIONS)


def by_lane(lanes: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Decisions by lane, and in each by status. Returns: lane -> status -> count, sorted."""
    found: dict[str, dict[str, int]] = {}
    for (lane, status), count in sorted(lanes.items()):
        found.setdefault(lane, {})[status] = count
    return found


def edge_coverage(edges: Mapping[str, EdgeCases]) -> dict[str, Any]:
    """Whether people decide the cases that the AI is least fit for, and decide them right.

    Definition, by kind (novel, low confidence, matched by a rule): decided_by_person = seen / n,
    decided_right = right / known. Wilson intervals. Neutral value: 1; higher is better.
    Parameters: ``edges``, kind -> EdgeCases; a case can be of several kinds.
    Returns: kind -> {"n", "decided_by_person", "decided_right"}; null without such cases, and why.
    """
    return {
        kind: {
            "n": one.n,
            "decided_by_person": share(one.seen, one.n, f"no case is {kind}").document(),
            "decided_right": share(
                one.right, one.known, f"no {kind} case that a person decided has an outcome"
            ).document(),
        }
        for kind, one in edges.items()
    }


def mean_score(scores: Scores) -> Estimate:
    """The mean of some scores.

    Definition: total / n +- z s / sqrt(n), s with n - 1. Higher is better.
    Parameters: ``scores``. Returns: Estimate in the scores' unit; null below two scores, since one
    says nothing of their spread.
    """
    n = scores.n
    if n < 2:
        return not_enough("fewer than two scores", MEAN, n=n)
    mean = scores.total / n
    half = z_of(0.95) * sqrt(_variance(scores) / n)
    return Estimate(mean, mean - half, mean + half, n, MEAN)


def score_change(before: Scores, after: Scores) -> Estimate:
    """How much satisfaction changed.

    Definition: mean after - mean before +- z sqrt(s1^2 / n1 + s2^2 / n2). Neutral value: 0; higher
    is better. Parameters: ``before``, ``after``: different people.
    Returns: Estimate; null where either has fewer than two scores, and why.
    """
    for name, scores in (("before", before), ("after", after)):
        if scores.n < 2:
            return not_enough(f"fewer than two scores {name}", MEAN, n=scores.n)
    change = after.total / after.n - before.total / before.n
    half = z_of(0.95) * sqrt(_variance(before) / before.n + _variance(after) / after.n)
    return Estimate(change, change - half, change + half, before.n + after.n, MEAN)


def _variance(scores: Scores) -> float:
    return max(0.0, scores.squares - scores.total**2 / scores.n) / (scores.n - 1)


def per_reviewer_hour(reviewed: int, seconds: int) -> dict[str, Any]:
    """Decisions per hour of active reviewing; null, and why, without a stated time."""
    if not seconds:
        why = f"not enough data (n = {reviewed}): no review states its active time"
        return {"value": None, "n": reviewed, "why": why}
    return {"value": reviewed * 3600 / seconds, "n": reviewed}


def error_rates(ai: Part, human: Part, combined: Part) -> dict[str, Any]:
    """The error rate of what took effect, against the AI alone and people alone.

    Definition: errors / cases with an outcome, Wilson; the differences combined - ai and combined
    - human by Newcombe, as if of different cases, which is wider than need be. Neutral value of a
    difference: 0; below it, oversight helps.
    Parameters: errors of cases, each. Returns: five estimates' objects; null without cases.
    """
    sides = {"ai": ai, "human": human, "combined": combined}
    found = {
        name: share(*part, f"no case of {name} has an outcome").document()
        for name, part in sides.items()
    }
    for name in ("ai", "human"):
        found[f"combined_less_{name}"] = difference(combined, sides[name]).document()
    return found


def operations_report(flow: Flow, human_minutes: float) -> dict[str, Any]:
    """Every figure of operations of a window.

    Definition: each figure's own function says how it is made; sla_met = met / due, escalation,
    override and intervention rates are shares of reviewed, reviewed and all decisions; times are in
    seconds; time_saved_share = 1 - mean release time of a lane / (human_minutes x 60).
    Parameters: ``flow``; ``human_minutes``: what a person alone takes for a decision.
    Returns: a JSON object. A figure without data is null and says why.
    """
    n = sum(flow.lanes.values())
    times = {
        lane: times_report(one, f"no decision of the lane {lane} was released")
        for lane, one in flow.release.items()
    }
    for one in times.values():
        one["time_saved_share"] = saved_share(one["mean"], human_minutes)
    return {
        "decisions": n,
        "lanes": by_lane(flow.lanes),
        "automation_rate": automation_rate(flow.lanes).document(),
        "open_tasks": flow.open_tasks,
        "waits": times_report(flow.waits, "no task was claimed"),
        "handling": times_report(flow.handling, "no review states its active time"),
        "release": times,
        "sla_met": share(flow.met, flow.due, "no task was due").document(),
        "escalations": share(flow.escalated, flow.reviewed, "nothing was reviewed").document(),
        "overrides": share(flow.overridden, flow.reviewed, "nothing was reviewed").document(),
        "interventions": share(flow.interventions, n, NO_DECISIONS).document(),
        "decisions_per_reviewer_hour": per_reviewer_hour(flow.reviewed, flow.review_seconds),
        "edge_cases": edge_coverage(flow.edges),
        "satisfaction": {
            "before": mean_score(flow.before).document(),
            "after": mean_score(flow.after).document(),
            "change": score_change(flow.before, flow.after).document(),
        },
    }


def saved_share(mean_seconds: float | None, human_minutes: float) -> float | None:
    """1 - mean time / what a person alone takes; below 0 it takes longer; None without either."""
    if mean_seconds is None or human_minutes <= 0:
        return None
    return 1 - mean_seconds / (human_minutes * 60)
