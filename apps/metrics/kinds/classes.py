"""Accuracy by class: precision, recall, F1, and the confusion matrix of each side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from apps.metrics.domain.accuracy import Labels
from apps.metrics.domain.classes import confusion_of, error_rates, per_class
from apps.metrics.domain.estimates import Estimate, share_by_case
from apps.metrics.domain.tables import Table
from apps.metrics.kinds.reading import UNKNOWN, Judged, documents, pairs


def by_class(outcome: Table, people: Judged, labels: Labels) -> dict[str, Any]:
    """Precision, recall and F1 of each label, and the confusion matrix of each side."""
    known = outcome.ints("right") != UNKNOWN
    ai = confusion_of(pairs(outcome, "given", known), labels.names)
    took_effect = outcome.ints("right_final") != UNKNOWN
    tables = {
        "ai": ai,
        "human": confusion_of(verdict_pairs(people), labels.names),
        "human_consensus": confusion_of(_consensus_pairs(people), labels.names),
        "combined": confusion_of(pairs(outcome, "final", took_effect), labels.names),
    }
    classes = {
        label: {
            name: figure.document() if isinstance(figure, Estimate) else figure
            for name, figure in figures.items()
        }
        for label, figures in per_class(ai).items()
    }
    confusion: dict[str, Any] = {"positive": labels.event or None}
    for side, table in tables.items():
        rates: Mapping[str, Estimate] = {}
        if labels.event in table.labels:
            human = side == "human"
            rates = _human_rates(people, labels) if human else error_rates(table, labels.event)
        confusion[side] = {
            "labels": list(table.labels),
            "counts": [list(row) for row in table.counts],
            **documents(rates),
        }
    return {"per_class": classes, "confusion": confusion}


def verdict_pairs(people: Judged) -> Counter[tuple[str, str]]:
    """(true label, first verdict) -> verdicts."""
    found: Counter[tuple[str, str]] = Counter()
    for true in np.unique(people.true[people.true != UNKNOWN]).tolist():
        rows = people.true == true
        sums = people.n[rows] @ people.verdicts[rows]
        for label, count in zip(people.names, sums.tolist(), strict=True):
            if count:
                found[people.names[true], label] = count
    return found


def _consensus_pairs(people: Judged) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    used = (people.true != UNKNOWN) & (people.consensus != UNKNOWN)
    rows = (people.true[used], people.consensus[used], people.n[used])
    for true, given, n in zip(*(column.tolist() for column in rows), strict=True):
        found[people.names[true], people.names[given]] += n
    return found


def _human_rates(people: Judged, labels: Labels) -> dict[str, Estimate]:
    """The error rates of first verdicts, as ``domain.accuracy`` has them."""
    event, known = labels.event, people.true != UNKNOWN
    is_event = np.array([name == event for name in people.names], dtype=bool)
    truly = known & is_event[people.true]
    called, sizes = people.of(event), people.sizes
    found = {}
    for name, mask, hits, why in (
        ("fpr", known & ~truly, called, f"no judged case is truly other than {event!r}"),
        ("fnr", truly, sizes - called, f"no judged case is truly {event!r}"),
    ):
        columns = (hits[mask].tolist(), sizes[mask].tolist(), why, people.n[mask].tolist())
        found[name] = share_by_case(*columns)
    return found
