"""What a draft would have done with stored decisions, for the panel beside the editor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apps.metrics.first_reading import Window
from apps.metrics.whatif.basis import policy_read
from apps.metrics.whatif.simulating import simulate
from apps.registry.models import UseCase

NEWEST: Final = 2_000  # decisions looked at while a person waits
SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure under the policy in force and under the draft; ``better``: which way is good."""

    words: str
    now: str
    then: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """``moves``: (from, to, how many); ``first``: some of the decisions that would change lane."""

    decisions: int
    routed: int
    figures: list[Figure]
    lanes: list[Figure]
    moves: list[Mapping[str, Any]]
    first: list[Mapping[str, Any]]
    changed: int
    assumed: list[str]


def what_if(use_case: UseCase, document: object) -> WhatIf:
    """The document over the newest decisions of its use case. Raises: BadInput: it has faults."""
    found = simulate(use_case, policy_read(use_case, document), Window(), most=NEWEST)
    changes = found["changes"]
    return WhatIf(
        decisions=found["decisions"],
        routed=found["routed"],
        figures=_figures(found["now"], found["then"], use_case.cost_model.get("currency", "")),
        lanes=_lanes(found["lanes"]),
        moves=changes["by_lane"],
        first=changes["first"][:SHOWN],
        changed=changes["n"],
        assumed=found["assumed"],
    )


def _figures(now: Mapping[str, Any], then: Mapping[str, Any], currency: str) -> list[Figure]:
    rates = [
        Figure(words, _estimate(now[key]), _estimate(then[key]), _interval(then[key]))
        for key, words in (
            ("automation_rate", "Released without review"),
            ("expected_error", "Expected error"),
        )
    ]
    hours = Figure(
        "Reviewer hours per 1,000",
        _number(now["reviewer_hours"]),
        _number(then["reviewer_hours"]),
    )
    cost = Figure(
        "Cost a decision", _money(now, currency), _money(then, currency), "AI, reviews and errors"
    )
    return [*rates, hours, cost, *_fairness(now["impact_ratio"], then["impact_ratio"])]


def _estimate(estimate: Mapping[str, Any]) -> str:
    value = estimate.get("value")
    return "not known" if value is None else f"{value:.1%}"


def _interval(estimate: Mapping[str, Any]) -> str:
    low, high = estimate.get("low"), estimate.get("high")
    if low is None or high is None:
        return str(estimate.get("why") or "")
    return f"95 % interval {low:.1%} to {high:.1%}, n = {estimate.get('n', 0):,}"


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.1f}"


def _money(way: Mapping[str, Any], currency: str) -> str:
    cost = way["cost_per_decision"]
    return "not known" if cost is None else f"{cost} {currency}".strip()


def _fairness(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[Figure]:
    return [
        Figure(
            f"Impact ratio by {name.replace('_', ' ')}",
            _ratio(now.get(name)),
            _ratio(then[name]),
            "lowest favourable share of a group over the highest; below 0.8 is looked at",
        )
        for name in sorted(then)
    ]


def _ratio(estimate: Mapping[str, Any] | None) -> str:
    value = (estimate or {}).get("value")
    return "too few" if value is None else f"{value:.2f}"


def _lanes(lanes: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    def share(side: str, lane: str) -> str:
        held = lanes[side].get(lane)
        return "–" if held is None else f"{held['share']:.1%} ({held['n']:,})"

    names = sorted({*lanes["now"], *lanes["then"]})
    return [Figure(name, share("now", name), share("then", name)) for name in names]
