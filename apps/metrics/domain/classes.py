"""Figures by class: confusion, error rates, precision, recall, F1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from apps.metrics.domain.estimates import Estimate, not_enough, share, wilson

WILSON_F: Final = "wilson_f"


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each label was given for each true label.

    ``labels``: L names; ``counts``: L x L whole numbers, a row for each true label, a column for
    each given one.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def n(self) -> int:
        """All cases."""
        return sum(map(sum, self.counts))

    @property
    def right(self) -> int:
        """Cases whose given label is the true one."""
        return sum(row[i] for i, row in enumerate(self.counts))

    def true(self, label: str) -> int:
        """Cases whose true label is ``label``."""
        return sum(self.counts[self.labels.index(label)])

    def given(self, label: str) -> int:
        """Cases that were given ``label``."""
        at = self.labels.index(label)
        return sum(row[at] for row in self.counts)

    def hits(self, label: str) -> int:
        """Cases that are ``label`` and were given it."""
        at = self.labels.index(label)
        return self.counts[at][at]


def confusion_of(pairs: Mapping[tuple[str, str], int], labels: Iterable[str]) -> Confusion:
    """Counts of (true, given) as a table.

    Definition: the labels in the order given; labels that stand in the pairs alone follow, sorted,
    since a label set can have shrunk after the fact.
    Parameters: ``pairs``, (true, given) -> count; ``labels`` of the use case.
    Returns: Confusion; without pairs all counts are 0.
    """
    named = tuple(labels)
    seen = {label for pair in pairs for label in pair}
    every = (*named, *sorted(seen - set(named)))
    rows = tuple(tuple(pairs.get((true, given), 0) for given in every) for true in every)
    return Confusion(every, rows)


def accuracy(confusion: Confusion, why: str) -> Estimate:
    """The share of cases whose label is the true one.

    Definition: trace / n, with the Wilson interval. Neutral value: 1; higher is better.
    Parameters: ``confusion``; ``why``, said where it is empty (the value is then null).
    Returns: Estimate.
    """
    return share(confusion.right, confusion.n, why)


def error_rates(confusion: Confusion, positive: str) -> dict[str, Estimate]:
    """The two error rates with one label taken as positive, all others as negative.

    Definition: fpr = cases given ``positive`` among those that are not; fnr = cases not given
    ``positive`` among those that are. Wilson intervals. Neutral value: 0; lower is better.
    Parameters: ``confusion``; ``positive``, one of its labels.
    Returns: {"fpr", "fnr"}; null where the window has no such cases.
    """
    positives = confusion.true(positive)
    negatives = confusion.n - positives
    false_positives = confusion.given(positive) - confusion.hits(positive)
    misses = positives - confusion.hits(positive)
    return {
        "fpr": share(false_positives, negatives, f"no case is truly other than {positive!r}"),
        "fnr": share(misses, positives, f"no case is truly {positive!r}"),
    }


def per_class(confusion: Confusion) -> dict[str, dict[str, Any]]:
    """Precision, recall and F1 of each label.

    Definition: precision = hits / given, recall = hits / true, F1 = 2 hits / (given + true).
    Precision and recall have Wilson intervals. F1 = 2 f / (1 + f) with f = hits / (given + true -
    hits), which is a share, so that the ends of its Wilson interval carried over are F1's.
    Neutral value: 1; higher is better.
    Parameters: ``confusion``.
    Returns: label -> {"precision", "recall", "f1": Estimate, "true", "given": counts}; null where a
    label was never given (precision), is never true (recall), or neither (F1).
    Source: D. J. Hand, P. Christen, N. Kirielle, Machine Learning 110 (2021) 451 (F and F*).
    """
    return {label: _of_class(confusion, label) for label in confusion.labels}


def _of_class(confusion: Confusion, label: str) -> dict[str, Any]:
    hits, true, given = confusion.hits(label), confusion.true(label), confusion.given(label)
    return {
        "precision": share(hits, given, f"{label!r} was given to no case"),
        "recall": share(hits, true, f"no case is truly {label!r}"),
        "f1": _f1(hits, given + true - hits, label),
        "true": true,
        "given": given,
    }


def _f1(hits: int, union: int, label: str) -> Estimate:
    if union == 0:
        return not_enough(f"no case is, or was given, {label!r}", WILSON_F)
    low, high = wilson(hits, union)
    value, low, high = (2 * f / (1 + f) for f in (hits / union, low, high))
    return Estimate(value, low, high, union, WILSON_F)
