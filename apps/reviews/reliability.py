"""How reliable each reviewer of a use case is: fitted by a job, used to weigh votes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
from django.db import transaction

from apps.common.actor import Actor
from apps.registry.models import UseCase
from apps.reviews.domain.dawid_skene import Model, fit
from apps.reviews.models import ReliabilityFit, Review

MOST_REVIEWS: Final = 200_000  # the newest: people change, and so do cases
DIGITS: Final = 6
FITTER = Actor.system("reliability")


class Weights(NamedTuple):
    """What the newest fit says: a confusion matrix by person, and how frequent each label is."""

    reliabilities: Mapping[str, Sequence[Sequence[float]]]
    prior: Mapping[str, float]


class Given(NamedTuple):
    """A label that a person gave to a case before anything could steer them, if they did."""

    decision: Any
    reviewer: Any
    label: str


def weights_of(use_case: UseCase) -> Weights | None:
    """The newest fit, None where there is none or the label set has changed since."""
    newest: ReliabilityFit | None = (
        ReliabilityFit.objects.filter(use_case=use_case).order_by("-id").first()
    )
    if newest is None or newest.document["labels"] != list(use_case.labels):
        return None
    document = newest.document
    prior = dict(zip(document["labels"], document["prior"], strict=True))
    return Weights(document["reviewers"], prior)


@transaction.atomic
def reliability_refresh(*, actor: Actor, use_case: UseCase, now: datetime) -> ReliabilityFit | None:
    """Fit the reviewers of a use case anew; None where no two people gave a label to one case, or
    nothing was said since the last fit."""
    given = labels_given(use_case)
    newest = ReliabilityFit.objects.filter(use_case=use_case).order_by("-id").first()
    if len({g.decision for g in given}) == len(given):
        return None
    document = fitted(given, list(use_case.labels))
    if newest is not None and newest.document == document:
        return None
    made = ReliabilityFit(use_case=use_case, fitted_at=now, reviews=len(given), document=document)
    made.save(actor=actor, reason="refreshed")
    return made


def labels_given(use_case: UseCase) -> list[Given]:
    """The newest labels that were given, one a person and case, in an order that stays. A known
    answer that was forgiven was a bad case: what people said on it tells nothing of them."""
    rows = Review.objects.filter(use_case=use_case, final=True, label__isnull=False)
    rows = rows.exclude(task__kind="known", right=None)
    columns = ("decision_id", "reviewer_id", "initial_label", "label")
    newest = rows.order_by("-id").values_list(*columns)[:MOST_REVIEWS]
    labels = set(use_case.labels)
    found: dict[Any, Given] = {}
    for decision, reviewer, initial, label in newest:
        first = label if initial is None else initial
        if first in labels:
            found.setdefault((decision, reviewer), Given(decision, reviewer, first))
    return list(found.values())[::-1]


def fitted(given: Sequence[Given], labels: list[str]) -> dict[str, Any]:
    """The document of a fit: rounded, so that equal reviews give equal documents everywhere."""
    cases, case_of = np.unique([str(g.decision) for g in given], return_inverse=True)
    people, person_of = np.unique([str(g.reviewer) for g in given], return_inverse=True)
    place = {label: k for k, label in enumerate(labels)}
    said = np.array([place[g.label] for g in given])
    model: Model = fit(case_of, person_of, said, len(labels))
    return {
        "labels": labels,
        "prior": _rounded(model.class_prior),
        "reviewers": {
            person: [_rounded(row) for row in model.confusion[r]]
            for r, person in enumerate(people.tolist())
        },
        "cases": len(cases),
        "iterations": model.iterations,
        "converged": model.converged,
    }


def _rounded(values: Any) -> list[float]:
    return [round(float(value), DIGITS) for value in values]
