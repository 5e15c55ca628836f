"""From verdicts to one label: the people's majority, and the label that took effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class PastVerdict(NamedTuple):
    """An imported verdict: the label in the end, and whether the AI's output was seen before."""

    label: str
    saw_ai: bool | None


def plain_majority(verdicts: Sequence[str], labels: Sequence[str], favourable: str) -> str | None:
    """The label that most verdicts name.

    Definition: the most frequent one; of several the favourable label if it is among them, else
    the earliest in ``labels`` (a label that has left the set comes last, by name).
    Parameters: ``verdicts``, each one vote; ``labels`` of the use case; ``favourable`` or "".
    Returns: a label, None without a verdict.
    """
    return majority_of_counts(Counter(verdicts), labels, favourable)


def majority_of_counts(
    counts: Mapping[str, int], labels: Sequence[str], favourable: str
) -> str | None:
    """``plain_majority`` of verdicts that are counted already.

    Parameters: ``counts``, label -> verdicts; ``labels``; ``favourable`` or "".
    Returns: a label, None without a verdict.
    """
    most = max(counts.values(), default=0)
    if not most:
        return None
    tied = [label for label, count in counts.items() if count == most]
    order = {label: place for place, label in enumerate(labels)}
    return min(tied, key=lambda one: (one != favourable, order.get(one, len(order)), one))


def first_verdict(initial: str | None, label: str | None, saw_ai: bool | None) -> str | None:
    """What a person said before the AI could steer them.

    Definition: the initial label where there is one, else the label where the AI was not seen.
    Parameters: a review's ``initial`` and final ``label``, None where absent; ``saw_ai``, None
    where it is not known, which counts as seen.
    Returns: a label, or None: the review holds no first verdict.
    """
    if initial is not None:
        return initial
    return label if saw_ai is False else None


class Taken(NamedTuple):
    """What is kept of a decision about its effect: the AI's and the final label, lane, status."""

    ai: str | None
    final: str | None
    lane: str
    status: str


def label_in_effect(
    taken: Taken, past: Sequence[PastVerdict], labels: Sequence[str], favourable: str
) -> str | None:
    """The label that took effect.

    Definition: what was withheld or reversed has its final label, if any. Else, where past
    verdicts were imported: their plain majority if one of the reviewers saw the AI or the lane is
    ``review``, and the AI's label if not. Else the final label, which a decision that still waits
    does not have.
    Parameters: ``taken``; ``past``, the imported verdicts; ``labels``; ``favourable`` or "".
    Returns: a label, or None: none took effect.
    """
    if taken.status in ("withheld", "reversed") or not past:
        return taken.final
    if taken.lane == "review" or any(verdict.saw_ai for verdict in past):
        return plain_majority([verdict.label for verdict in past], labels, favourable)
    return taken.ai
