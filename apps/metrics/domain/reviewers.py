"""Reviewers: each one's figures with their intervals, and no rank where these overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from apps.metrics.domain.durations import Durations, times_report
from apps.metrics.domain.estimates import Estimate, not_enough, share
from apps.metrics.domain.fairness import gap
from apps.metrics.domain.proportions import Part
from apps.metrics.domain.reliance import (
    FEW,
    ReviewCells,
    Streak,
    appropriate_reliance,
    of_reviewer,
    over_reliance,
    reliance,
    rubber_stamping,
    seconds_per_case,
)
from apps.reviews.domain.agreement import Agreement, alpha, kappa

KAPPA: Final = "asymptotic"
ALPHA: Final = "bootstrap_cases"


@dataclass(frozen=True, slots=True)
class Reviewer:
    """What is counted of one reviewer.

    ``known_answers``: right of those answered; ``peers``: table of counts (K, K), own first verdict
    by a peer's on the same case; ``times``: active seconds; ``streak``: runs of confirmations;
    ``hasty``: confirmations below the queue's floor of all; ``favourable``: attribute -> group ->
    own favourable verdicts; ``missing``: qualifications that lapsed or lack; ``last``: how many
    cases in the last week.
    """

    name: str
    code: int
    known_answers: Part
    peers: tuple[tuple[int, ...], ...]
    times: Durations
    streak: Streak
    hasty: Part
    favourable: Mapping[str, Mapping[str, Part]]
    missing: tuple[str, ...] = ()
    last_week: int = 0


def agreement_estimate(found: Agreement, method: str) -> Estimate:
    """An agreement as an estimate; null keeps its reason."""
    if found.value is None:
        return not_enough(found.why or "it is not defined", method, n=found.n)
    return Estimate(found.value, found.low, found.high, found.n, method)


def places(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    """Between which places each one stands, higher being better.

    Definition: the best place is 1 + the number of others whose whole interval lies above one's
    own, the worst is the number of all less those whose whole interval lies below. ``rank`` is
    stated only where the two are one and the same, so that overlapping intervals are never ranked,
    and only from 20 cases on. Others without a value are left out of the count.
    Parameters: ``estimates`` by name.
    Returns: name -> {"best", "worst", "rank"}; all null without a value or on fewer than 20 cases.
    """
    ranked = {
        name: (one.low, one.high)
        for name, one in estimates.items()
        if one.low is not None and one.high is not None and one.n >= FEW
    }
    found: dict[str, dict[str, Any]] = {}
    for name in estimates:
        if name not in ranked:
            found[name] = {"best": None, "worst": None, "rank": None}
            continue
        low, high = ranked[name]
        best = 1 + sum(other > high for other, _ in ranked.values())
        worst = len(ranked) - sum(other < low for _, other in ranked.values())
        found[name] = {"best": best, "worst": worst, "rank": best if best == worst else None}
    return found


def scorecard(one: Reviewer, cells: ReviewCells, usual: float) -> dict[str, Any]:
    """One reviewer's figures.

    Definition: known_answer_accuracy by Wilson; agreement with peers as Cohen's kappa of own first
    verdicts against peers'; reliance and over-reliance as in their module; times as quantiles;
    verdict_gap: the largest difference of favourable shares between groups, Newcombe, of the cases
    that came to this reviewer, which are not the same as another's.
    Parameters: ``one``; ``cells`` of all reviewers; ``usual``: the share the queue confirms.
    Returns: a JSON object. A figure without data is null and says why.
    """
    own = of_reviewer(cells, one.code)
    hasty = one.hasty.rate if one.hasty.n else None
    table = np.asarray(one.peers, dtype=np.int64)
    peers = (
        kappa(table)
        if table.size
        else Agreement(None, None, None, 0, "no peer judged the same case")
    )
    answers = share(*one.known_answers, "no known answer was asked of this reviewer")
    return {
        "reviewer": one.name,
        "reviews": int(own.n.sum()),
        "known_answer_accuracy": answers.document(),
        "kappa": agreement_estimate(peers, KAPPA).document(),
        "reliance": reliance_of(own),
        "seconds": times_report(one.times, "no review states its active time"),
        "rubber_stamping": rubber_stamping(one.streak, usual, hasty),
        "verdict_gap": {
            attribute: gap(parts).document() for attribute, parts in one.favourable.items()
        },
        "practice": {"last_week": one.last_week, "missing_qualifications": list(one.missing)},
    }


def reviewers_report(
    reviewers: Sequence[Reviewer],
    cells: ReviewCells,
    cases: Sequence[Sequence[int]],
    pairs: Sequence[Sequence[int]],
    seed: int = 0,
    copies: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Every figure of a use case's reviewers.

    Definition: alpha is Krippendorff's (nominal) over cases with two first verdicts or more; kappa
    is Cohen's of the AI's label against people's first verdicts; known_answer_accuracy of all
    together; reliance of all; by_reviewer by name, with places by known-answer accuracy (see
    ``places``), never by speed.
    Parameters: ``reviewers``; ``cells``; ``cases``: counts (N, K), first verdicts of each case by
    label; ``pairs``: counts (K, K), the AI's label by people's first verdict; ``seed`` of alpha's
    interval; ``copies``, shape (N,): how many cases each row of ``cases`` stands for.
    Returns: {"alpha", "kappa", "known_answer_accuracy", "reliance", "by_reviewer"}.
    """
    table, crossed = np.asarray(cases, dtype=np.int64), np.asarray(pairs, dtype=np.int64)
    nobody = Agreement(None, None, None, 0, "no case was rated twice")
    against = Agreement(None, None, None, 0, "no case has the AI's label and a first verdict")
    agreed = alpha(table, seed=seed, copies=copies) if table.size else nobody
    with_ai = kappa(crossed) if crossed.size else against
    known = Part(
        sum(one.known_answers.k for one in reviewers), sum(one.known_answers.n for one in reviewers)
    )
    usual = usual_share(cells)
    cards = [scorecard(one, cells, usual) for one in sorted(reviewers, key=lambda r: r.name)]
    answers = {
        one.name: share(*one.known_answers, "no known answer was asked of this reviewer")
        for one in reviewers
    }
    at = places(answers)
    return {
        "alpha": agreement_estimate(agreed, ALPHA).document(),
        "kappa": agreement_estimate(with_ai, KAPPA).document() | {"between": "ai and people"},
        "known_answer_accuracy": share(*known, "no known answer was asked").document(),
        "reliance": reliance_of(cells),
        "by_reviewer": [card | {"place": at[card["reviewer"]]} for card in cards],
    }


def reliance_of(cells: ReviewCells) -> dict[str, Any]:
    """Every figure of reliance of some reviews, and the mean active seconds of those that state them.

    Returns: those of ``reliance``, ``over_reliance`` and ``appropriate_reliance``, and
    "seconds_per_case", null where no review states its time.
    """
    found = reliance(cells) | over_reliance(cells) | appropriate_reliance(cells)
    return found | {"seconds_per_case": seconds_per_case(cells)}


def usual_share(cells: ReviewCells) -> float:
    """The share of all reviews with sight of the AI's answer that left it as it was; 0 for none."""
    told = cells.saw_ai & (cells.ai >= 0) & (cells.final >= 0)
    n = int(cells.n[told].sum())
    kept = int(cells.n[told & (cells.final == cells.ai)].sum())
    return kept / n if n else 0.0
