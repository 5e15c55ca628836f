"""The frontier of a use case: every threshold at once, each label's, and every audit rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from apps.metrics.cells.window import read_cells
from apps.metrics.domain.audit_rates import audit_points, unseen_error
from apps.metrics.domain.cell_levels import (
    Answers,
    groups_from,
    levels_from,
    silent,
    single_human,
)
from apps.metrics.domain.choice import GOALS, Bounds, best_point
from apps.metrics.domain.estimates import not_enough
from apps.metrics.domain.frontier import NO_OUTCOME, Frontier, Prices, frontier
from apps.metrics.domain.tables import Table, codes_by, where
from apps.metrics.first_reading import Window
from apps.metrics.whatif.basis import (
    Looked,
    answers_of,
    inputs_of,
    price_notes,
    prices_of,
    written,
)
from apps.policies.domain.lanes import RoutingPolicy
from apps.registry.models import UseCase

FAMILIES: Final = ("confidence", "people", "groups")
LABEL_STEP: Final = 5  # of the 101 points of a label's own frontier every fifth is given


def frontier_of(
    use_case: UseCase,
    window: Window,
    looked: Looked | None,
    *,
    goal: str | None = None,
    bounds: Bounds | None = None,
    refresh: bool = True,
    whole: bool = True,
) -> dict[str, Any]:
    """What 0 to 100 % review would have given in a window, and which point to take.

    ``looked``: the policy whose thresholds the audit rates start from and whose changed document is
    recommended; None: there is none, nothing is below a threshold. ``refresh``: days that changed
    are counted again before; ``whole``: False leaves out ``by_label`` and ``audit``.
    Raises: KeyError for a goal that is none of GOALS.
    """
    cells = read_cells(use_case, window, FAMILIES, refresh=refresh)
    confidence, groups = cells.summed("confidence"), cells.summed("groups")
    people = cells.summed("people", "levels")
    answers, prices = answers_of(use_case), prices_of(use_case, looked)
    goal, bounds = goal or use_case.goal, bounds or Bounds()
    found = frontier(levels_from(confidence, people, answers), prices, groups_from(groups, answers))
    human = single_human(people, answers).document()
    unanswered = int(confidence.ints("n")[silent(confidence)].sum())
    document: dict[str, Any] = {
        "use_case": use_case.slug,
        "from": written(window.begin),
        "to": written(window.end),
        "policy": None if looked is None else looked.named(),
        "n": found.n,
        "points": list(found.points),
        "best": best_point(found.points, goal, bounds),
        "recommended": _recommended(found, bounds, looked, answers),
        "ai": found.ai.document(),
        "human": human | {"mean_by_case": found.human.value},
        "human_consensus": found.human_consensus.document(),
        "inputs": inputs_of(use_case, prices),
        "assumed": _assumed(found, unanswered, prices),
    }
    if whole:
        document["by_label"] = _by_label(confidence, people, answers, prices, (goal, bounds))
        document["audit"] = _audit(confidence, people, answers, prices, looked)
    return document


def _recommended(
    found: Frontier, bounds: Bounds, looked: Looked | None, answers: Answers
) -> dict[str, dict[str, Any]]:
    """For each goal the point within the bounds, and the policy's document changed to it."""
    return {
        goal: best | {"document": changed(looked, best, answers)}
        for goal in GOALS
        for best in [best_point(found.points, goal, bounds)]
    }


def changed(
    looked: Looked | None, best: Mapping[str, Any], answers: Answers
) -> dict[str, Any] | None:
    """The policy with one threshold for all labels, which reviews what the point reviews.

    Where no threshold does, since some outputs are certain, every label is always reviewed. None
    without a policy to change, or without a point.
    """
    if looked is None or best["review_share"] is None:
        return None
    threshold, always = best["threshold"], looked.document["always_review_labels"]
    if threshold is None:
        threshold, always = 1.0, list(answers.labels)
    more = {"confidence_threshold": threshold, "label_thresholds": {}}
    return {**looked.document, **more, "always_review_labels": always}


def _by_label(
    confidence: Table,
    people: Table,
    answers: Answers,
    prices: Prices,
    choice: tuple[str, Bounds],
) -> dict[str, dict[str, Any]]:
    """A frontier for the outputs of each label: the threshold that would fit it alone."""
    found = {}
    for code, label in enumerate(answers.labels):
        own = [
            where(table, codes_by(table, "given", answers.labels) == code)
            for table in (confidence, people)
        ]
        one = frontier(levels_from(own[0], own[1], answers), prices)
        found[label] = {
            "n": one.n,
            "points": [dict(point) for point in one.points[::LABEL_STEP]],
            "best": best_point(one.points, *choice),
        }
    return found


def _audit(
    confidence: Table, people: Table, answers: Answers, prices: Prices, looked: Looked | None
) -> dict[str, Any]:
    """The rates of the random audit, for what the policy's thresholds let pass."""
    told = where(confidence, ~silent(confidence))
    passed = where(told, _passing(told, None if looked is None else looked.routing, answers))
    nobody = where(people, np.zeros(len(people), dtype=bool))
    kept = levels_from(passed, nobody, answers)
    decisions = int(told.ints("n").sum())
    known = unseen_error(kept) if kept.n.any() else not_enough(NO_OUTCOME, "none")
    return {
        "n": int(kept.n.sum()),
        "error": known.document(),
        "points": audit_points(kept, decisions, prices),
    }


def _passing(table: Table, policy: RoutingPolicy | None, answers: Answers) -> Any:
    """The rows whose confidence is not below the threshold of their label, else the overall one."""
    if policy is None:
        return np.ones(len(table), dtype=bool)
    overall = policy.confidence_threshold
    by_label = [policy.label_thresholds.get(label, overall) for label in answers.labels]
    thresholds = np.array([*by_label, overall])[codes_by(table, "given", answers.labels)]
    return np.maximum(table.ints("level"), 0) >= np.round(thresholds * 10_000)


def _assumed(found: Frontier, unanswered: int, prices: Prices) -> list[str]:
    notes = [*price_notes(prices), *found.notes]
    notes.append("confidence is read at 4 decimals, by group at 3; a missing one counts as 0")
    if unanswered:
        notes.append(f"{unanswered} cases without an output of a model are left out")
    return notes
