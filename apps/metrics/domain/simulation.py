"""What another routing would have given: sums over stored decisions, chunk by chunk.

A decision that is released unseen counts as the AI answered it, one that waits for people as their
first verdicts did. Where that is not known it counts as the mean of its confidence bin, over all
decisions of the window of which it is known, so that both routings are judged by the same measure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from apps.metrics.domain.estimates import Estimate, not_enough, share, wilson_of_share
from apps.metrics.domain.frontier import IMPUTED, MONEY, Prices
from apps.metrics.domain.levels import BINS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NOTHING_KNOWN: Final = "no decision has an outcome with what the AI or a person said"
NO_DECISIONS: Final = "there are no decisions"


class Part(IntEnum):
    """Who answers: the AI alone, people before release, or nobody since it is blocked."""

    UNSEEN = 0
    PEOPLE = 1
    BLOCKED = 2


@dataclass(frozen=True, slots=True)
class Cases:
    """What is known of n decisions; arrays of shape (n,).

    ``bin``: of 15 equal ones of confidence, a missing one counting as 0; ``known``: whether the
    AI's answer was right is known, and then ``right`` and ``error_cost``; ``judged``: an outcome and
    a first verdict are there, and then ``people``, the share of right verdicts, and
    ``people_cost``, the mean cost of their errors; ``favoured``: the AI gave the favourable label;
    ``asked``: first verdicts are there, and then ``liked``, the share that is favourable;
    ``groups``: attribute -> (names, codes), -1 for no known group.
    """

    bin: Ints
    known: Mask
    right: Mask
    error_cost: Floats
    judged: Mask
    people: Floats
    people_cost: Floats
    favoured: Mask
    asked: Mask
    liked: Floats
    groups: dict[str, tuple[tuple[str, ...], Ints]]


def _bins() -> Floats:
    return np.zeros(BINS)


def _parts() -> Floats:
    return np.zeros((len(Part), BINS))


@dataclass(slots=True)
class Known:
    """Sums by confidence bin over all decisions of the window, whatever their way."""

    known: Floats = field(default_factory=_bins)
    right: Floats = field(default_factory=_bins)
    error_cost: Floats = field(default_factory=_bins)
    judged: Floats = field(default_factory=_bins)
    people: Floats = field(default_factory=_bins)
    people_cost: Floats = field(default_factory=_bins)
    groups: dict[tuple[str, str], Floats] = field(default_factory=dict)

    def add(self, cases: Cases) -> None:
        """The decisions of one chunk more."""
        for name, among in _SUMMED:
            mask = getattr(cases, among).astype(float)
            weights = mask if name == among else mask * getattr(cases, name)
            held: Floats = getattr(self, name)
            held += np.bincount(cases.bin, weights, minlength=BINS)
        # by group: asked, liked
        _add_groups(self.groups, cases, np.stack([cases.asked, cases.asked * cases.liked]))


_SUMMED: Final = (
    *(("known", "known"), ("right", "known"), ("error_cost", "known")),
    *(("judged", "judged"), ("people", "judged"), ("people_cost", "judged")),
)


@dataclass(slots=True)
class Way:
    """Sums of one routing, by Part and confidence bin; ``after``: decisions that people look at
    after their release; ``groups``: what is unseen and favoured, or seen, by group."""

    n: Floats = field(default_factory=_parts)
    known: Floats = field(default_factory=_parts)
    right: Floats = field(default_factory=_parts)
    error_cost: Floats = field(default_factory=_parts)
    judged: Floats = field(default_factory=_parts)
    people: Floats = field(default_factory=_parts)
    people_cost: Floats = field(default_factory=_parts)
    after: int = 0
    groups: dict[tuple[str, str], Floats] = field(default_factory=dict)

    def add(self, cases: Cases, part: Ints, after: Mask) -> None:
        """The decisions of one chunk more; ``part``, shape (n,): a Part each."""
        at = part * BINS + cases.bin
        self.n += _by(at, np.ones(len(at)))
        for name, among in _SUMMED:
            mask = getattr(cases, among).astype(float)
            weights = mask if name == among else mask * getattr(cases, name)
            held: Floats = getattr(self, name)
            held += _by(at, weights)
        self.after += int(after.sum())
        alone, seen = part == Part.UNSEEN, part == Part.PEOPLE
        rows = (alone, alone & cases.favoured, seen, seen & cases.favoured)
        told = (seen & cases.asked, seen * cases.asked * cases.liked)
        _add_groups(self.groups, cases, np.stack([*rows, *told]))


def _by(at: Ints, weights: Floats) -> Floats:
    sums = np.bincount(at, weights, minlength=len(Part) * BINS).astype(np.float64)
    return sums.reshape(len(Part), BINS)


def _add_groups(held: dict[tuple[str, str], Floats], cases: Cases, rows: npt.NDArray[Any]) -> None:
    for attribute, (names, codes) in cases.groups.items():
        kept = codes >= 0
        sums = [np.bincount(codes[kept], row[kept], minlength=len(names)) for row in rows]
        for i, name in enumerate(names):
            more = np.array([each[i] for each in sums])
            held[attribute, name] = held.get((attribute, name), 0.0) + more


def way_report(way: Way, known: Known, prices: Prices) -> dict[str, Any]:
    """What a routing gives.

    Definition: automation_rate = unseen / all; expected_error = 1 - (answers that are right, those
    that are not known filled in) / answered ones, with Wilson's interval by the number of known
    answers; cost_per_decision = the AI's + reviews (minutes x rate x people) + errors; reviewer
    hours per 1,000 decisions, reviews after release among them; impact_ratio: see ``impact_ratios``.
    Blocked decisions have no answer, and are in none of error and cost of errors.
    Parameters: ``way``; ``known`` of the same decisions; ``prices``.
    Returns: a JSON object; null, and why, where nothing is known.
    """
    n, reviewed = int(way.n.sum()), int(way.n[Part.PEOPLE].sum()) + way.after
    error = expected_error(way, known)
    per_review = prices.review_minutes / 60 * prices.reviewers
    errors = _filled_costs(way, known)
    cost = None
    if n and errors is not None:
        money = (
            prices.ai_per_decision + (reviewed * per_review * prices.review_per_hour + errors) / n
        )
        cost = str(Decimal(money).quantize(MONEY))
    return {
        "automation_rate": share(int(way.n[Part.UNSEEN].sum()), n, NO_DECISIONS).document(),
        "expected_error": error.document(),
        "cost_per_decision": cost,
        "reviewer_hours": reviewed * per_review * 1000 / n if n else None,
        "reviewed": reviewed,
        "blocked": int(way.n[Part.BLOCKED].sum()),
        "impact_ratio": impact_ratios(way, known),
    }


def expected_error(way: Way, known: Known) -> Estimate:
    """The share of wrong answers that a routing lets take effect; lower is better.

    Definition and parameters: see ``way_report``. Returns: Estimate with ``imputed``, the answers
    that were filled in; null where nothing is known of a part that has decisions.
    """
    answered = float(way.n[Part.UNSEEN].sum() + way.n[Part.PEOPLE].sum())
    rests_on = int(way.known[Part.UNSEEN].sum() + way.judged[Part.PEOPLE].sum())
    more = {"imputed": int(answered) - rests_on}
    right = _filled(way, known, ("right", "known"), ("people", "judged"))
    if not answered:
        return not_enough(NO_DECISIONS, IMPUTED, more=more)
    if right is None or not rests_on:
        return not_enough(NOTHING_KNOWN, IMPUTED, n=rests_on, more=more)
    error = min(1.0, max(0.0, 1 - right / answered))
    return Estimate(error, *wilson_of_share(error, rests_on), rests_on, IMPUTED, more=more)


def _filled_costs(way: Way, known: Known) -> float | None:
    return _filled(way, known, ("error_cost", "known"), ("people_cost", "judged"))


def _filled(
    way: Way, known: Known, alone: tuple[str, str], people: tuple[str, str]
) -> float | None:
    """The sum over the unseen and the seen part, what is not known filled in; None where nothing
    is known of a part that has decisions."""
    total = 0.0
    for part, (value, among) in ((Part.UNSEEN, alone), (Part.PEOPLE, people)):
        missing = way.n[part] - getattr(way, among)[part]
        if missing.any():
            sums, counts = getattr(known, value), getattr(known, among)
            if not counts.any():
                return None
            means = np.full(BINS, float(sums.sum() / counts.sum()))
            np.divide(sums, counts, out=means, where=counts > 0)
            total += float(missing @ means)
        total += float(getattr(way, value)[part].sum())
    return total


def impact_ratios(way: Way, known: Known) -> dict[str, dict[str, Any]]:
    """The lowest favourable share of an attribute's groups over the highest.

    Definition: a decision counts as the AI answered it where it is unseen and as people's first
    verdicts did where it is seen; a seen one without a verdict counts as the mean of its group's
    verdicts in the window, or as the AI answered where the group has none. Neutral value: 1.
    Parameters: ``way``; ``known``.
    Returns: attribute -> {"value", "gap", "low_group", "n", "groups": {G: {"share", "n"}}}; null,
    and why, where fewer than two groups have decisions or no one is favoured.
    """
    found: dict[str, dict[str, Any]] = {}
    for attribute in sorted({attribute for attribute, _ in way.groups}):
        groups = {}
        for (name, group), sums in sorted(way.groups.items()):
            if name == attribute and sums[0] + sums[2] > 0:
                groups[group] = _group_share(sums, known.groups[name, group])
        found[attribute] = _ratio(groups)
    return found


def _group_share(sums: Floats, votes: Floats) -> dict[str, Any]:
    unseen, favoured, seen, seen_favoured, asked, liked = (float(one) for one in sums)
    people = liked + (seen - asked) * float(votes[1] / votes[0]) if votes[0] else seen_favoured
    n = int(unseen + seen)
    return {"share": (favoured + people) / n, "n": n}


def _ratio(groups: dict[str, dict[str, Any]]) -> dict[str, Any]:
    n = min((one["n"] for one in groups.values()), default=0)
    highest = max((one["share"] for one in groups.values()), default=0.0)
    if len(groups) < 2 or not highest > 0:
        reason = "fewer than two groups have cases" if len(groups) < 2 else "no one is favoured"
        why = f"not enough data (n = {n}): {reason}"
        nothing = {"value": None, "gap": None, "low_group": None}
        return nothing | {"n": n, "why": why, "groups": groups}
    low = min(groups, key=lambda name: groups[name]["share"])
    least = groups[low]["share"]
    return {
        "value": least / highest,
        "gap": highest - least,
        "low_group": low,
        "n": n,
        "groups": groups,
    }
