"""Reliance: what people did with the AI's answer once they had seen it.

Figures of switching need a first answer, given before the AI's was shown; without one only over-
and under-reliance can be told. Without wrong answers of the AI none of the figures that matter has
a denominator, which is why some are seeded among the known answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from apps.metrics.domain.estimates import share

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

UNKNOWN: Final = -1
FEW: Final = 20
RARE: Final = 0.01
NO_REVIEW: Final = "no review has a first answer and sight of the AI's after it"
NO_RIGHT: Final = "first answer and AI never differed where the AI was right"
NO_WRONG: Final = "first answer and AI never differed where the AI was wrong"
NO_OVERRIDE: Final = "no review that overrode the AI has an outcome"


@dataclass(frozen=True, slots=True)
class ReviewCells:
    """Counts of reviews; arrays of shape (C,).

    ``reviewer``, and the labels ``first``, ``final``, ``ai`` and ``true``: codes, -1 for none;
    ``saw_ai``: the AI's answer was seen before the final one; ``n``: reviews; ``seconds``: active
    time of the ``timed`` ones among them. Cells of other days with the same codes are appended.
    """

    reviewer: Ints
    saw_ai: Mask
    first: Ints
    final: Ints
    ai: Ints
    true: Ints
    n: Ints
    seconds: Ints
    timed: Ints


def of_reviewer(cells: ReviewCells, reviewer: int) -> ReviewCells:
    """One reviewer's cells.

    Parameters: ``cells``; ``reviewer``, a code. Returns: ReviewCells, possibly of shape (0,).
    """
    kept = cells.reviewer == reviewer
    return ReviewCells(*(getattr(cells, name)[kept] for name in ReviewCells.__slots__))


def reliance(cells: ReviewCells) -> dict[str, Any]:
    """What people did where their first answer and the AI's differed.

    Definition, over reviews with a first and a final answer and sight of the AI's in between:
    disagreements = reviews with first != AI; of those with a right AI switched_when_ai_right is the
    share that took its answer; of those with a wrong AI kept_when_ai_wrong is the share that stayed
    and followed_when_ai_wrong the share that took its answer; override_rate = final != AI over all;
    override_precision = the share of overrides (with an outcome) that are right. improved, worsened
    and switched: wrong first and right in the end, the reverse, and first != final, over all (with
    an outcome); before and after: the accuracy of both answers. Wilson intervals.
    Neutral values: none; switched_when_ai_right, kept_when_ai_wrong, override_precision and
    improved are better high, followed_when_ai_wrong and worsened better low.
    Parameters: ``cells``. Returns: name -> an estimate's object, ``disagreements`` and ``n`` counts;
    an estimate on fewer than 20 reviews says ``few``. Null without a denominator, and why.
    Source: M. Schemmer et al., IUI 2023; K. Goddard et al., Int. J. Med. Inform. 83 (2014) 368.
    """
    used = _twice_answered(cells)
    differs, known = used & (cells.first != cells.ai), cells.true != UNKNOWN
    ai_right = known & (cells.ai == cells.true)
    taken, wrong = cells.final == cells.ai, known & ~ai_right
    over = used & ~taken
    before, after = cells.first == cells.true, cells.final == cells.true

    def part(hit: Mask, among: Mask, why: str) -> dict[str, Any]:
        return _share(cells, hit & among, among, why)

    told = used & known
    return {
        "n": _count(cells, used),
        "disagreements": _count(cells, differs),
        "switched_when_ai_right": part(taken, differs & ai_right, NO_RIGHT),
        "kept_when_ai_wrong": part(cells.final == cells.first, differs & wrong, NO_WRONG),
        "followed_when_ai_wrong": part(taken, differs & wrong, NO_WRONG),
        "override_rate": part(~taken, used, NO_REVIEW),
        "override_precision": part(after, over & known, NO_OVERRIDE),
        "switched": part(cells.first != cells.final, used, NO_REVIEW),
        "improved": part(~before & after, told, NO_REVIEW),
        "worsened": part(before & ~after, told, NO_REVIEW),
        "before": part(before, told, NO_REVIEW),
        "after": part(after, told, NO_REVIEW),
    }


def _twice_answered(cells: ReviewCells) -> Mask:
    told = (cells.first != UNKNOWN) & (cells.final != UNKNOWN) & (cells.ai != UNKNOWN)
    return np.asarray(told & cells.saw_ai)


def over_reliance(cells: ReviewCells) -> dict[str, Any]:
    """How often people agree with a wrong AI, and differ from a right one.

    Definition, over reviews with sight of the AI's answer and an outcome, with a first answer or
    without: over_reliance = P(final = AI | AI wrong), under_reliance = P(final != AI | AI right).
    Wilson intervals. Neutral value: 0; lower is better.
    Parameters: ``cells``. Returns: both as estimates' objects; null without such cases, and why.
    Source: the agreement rate with wrong recommendations, doi 10.3233/SHTI240871.
    """
    told = (cells.final != UNKNOWN) & (cells.ai != UNKNOWN) & (cells.true != UNKNOWN)
    seen, right = told & cells.saw_ai, cells.ai == cells.true
    taken = cells.final == cells.ai
    wrong = "no review with sight of the AI is of a case in which it was wrong"
    fine = "no review with sight of the AI is of a case in which it was right"
    return {
        "over_reliance": _share(cells, seen & ~right & taken, seen & ~right, wrong),
        "under_reliance": _share(cells, seen & right & ~taken, seen & right, fine),
    }


def appropriate_reliance(cells: ReviewCells) -> dict[str, Any]:
    """Whether people take the AI's answer when they should, and only then.

    Definition: RAIR = of reviews with a wrong first answer and a right AI the share that is right
    in the end; RSR = of those with a right first answer and a wrong AI the share that is right in
    the end. Wilson intervals. Neutral value: none; 1 is best.
    Parameters: ``cells``. Returns: "rair" and "rsr" as estimates' objects; null without such
    cases, and why.
    Source: M. Schemmer et al., IUI 2023.
    """
    used = _twice_answered(cells) & (cells.true != UNKNOWN)
    first, ai = cells.first == cells.true, cells.ai == cells.true
    after = cells.final == cells.true
    helped, misled = used & ~first & ai, used & first & ~ai
    return {
        "rair": _share(
            cells, helped & after, helped, "no first answer was wrong where the AI was right"
        ),
        "rsr": _share(
            cells, misled & after, misled, "no first answer was right where the AI was wrong"
        ),
    }


def seconds_per_case(cells: ReviewCells) -> float | None:
    """Mean active seconds of the reviews that state them; None where none does."""
    timed = int(cells.timed.sum())
    return int(cells.seconds.sum()) / timed if timed else None


def _count(cells: ReviewCells, mask: Mask) -> int:
    return int(cells.n[mask].sum())


def _share(cells: ReviewCells, hit: Mask, among: Mask, why: str) -> dict[str, Any]:
    n = _count(cells, among)
    found = share(_count(cells, hit), n, why).document()
    return found | {"few": True} if 0 < n < FEW else found


# --- Streaks --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Streak:
    """Runs of confirmations in a reviewer's reviews, in order of time.

    ``n``: reviews; ``confirmed``: of them; ``head`` and ``tail``: confirmations before the first
    and after the last other verdict; ``longest`` run. Two parts in a row are joined by ``joined``,
    so that days add up without their rows.
    """

    n: int = 0
    confirmed: int = 0
    head: int = 0
    tail: int = 0
    longest: int = 0


def streak_of(confirmations: Sequence[bool]) -> Streak:
    """The runs of some reviews.

    Parameters: ``confirmations``, in order: the verdict left the AI's answer as it was.
    Returns: Streak; all 0 without a review.
    """
    longest = run = head = 0
    broken = False
    for confirmed in confirmations:
        run = run + 1 if confirmed else 0
        broken = broken or not confirmed
        head = head if broken else run
        longest = max(longest, run)
    return Streak(len(confirmations), sum(confirmations), head, run, longest)


def joined(one: Streak, later: Streak) -> Streak:
    """The runs of two parts in a row.

    Definition: the run over the seam is one's tail and later's head; a part of confirmations alone
    lengthens the other's end. Associative; the empty streak is neutral.
    Parameters: ``one``, ``later``. Returns: Streak of both.
    """
    return Streak(
        n=one.n + later.n,
        confirmed=one.confirmed + later.confirmed,
        head=one.n + later.head if one.head == one.n else one.head,
        tail=later.n + one.tail if later.tail == later.n else later.tail,
        longest=max(one.longest, later.longest, one.tail + later.head),
    )


def rubber_stamping(
    streak: Streak, usual: float, hasty: float | None = None, limit: float = RARE
) -> dict[str, Any]:
    """Whether a run of confirmations is longer than chance explains.

    Definition: a reviewer who confirms each case with the chance ``usual``, independently, has in n
    reviews on average n (1 - usual) usual^L + usual^L runs of L or more that start in them; below
    ``limit`` the longest run is called unusual, and ``expected`` is the length at which it is 1.
    Cases that resemble each other come in runs of their own, so it is a reason to look, no proof.
    ``hasty``, the share of confirmations faster than the queue's floor, is stated beside it.
    Parameters: ``streak``; ``usual`` in (0, 1): the share that the queue's reviewers confirm;
    ``hasty`` in [0, 1]; ``limit``.
    Returns: {"longest", "current", "expected", "chance", "raised", "hasty", "n"}; ``chance`` null,
    and why, without a review, or where all or none are confirmed by all.
    Source: W. Feller, An Introduction to Probability Theory, vol. 1, ch. XIII.7.
    """
    found: dict[str, Any] = {"longest": streak.longest, "current": streak.tail, "n": streak.n}
    found |= {"expected": None, "chance": None, "raised": False, "hasty": hasty}
    if not streak.n or not 0 < usual < 1:
        reason = f"the queue confirms a share of {usual:g}" if streak.n else "there are no reviews"
        return found | {"why": f"not enough data (n = {streak.n}): {reason}"}
    starts = 1 + streak.n * (1 - usual)
    chance = min(1.0, starts * usual**streak.longest)
    expected = log(starts) / -log(usual)
    raised = streak.longest > 0 and chance < limit
    return found | {"expected": expected, "chance": chance, "raised": raised}
