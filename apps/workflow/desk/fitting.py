"""The refresh of reviewers' reliability: for each use case where people's votes are weighed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from apps.policies.models import PolicyVersion
from apps.registry.models import UseCase
from apps.reviews.reliability import FITTER, reliability_refresh


def weighed_use_cases() -> list[str]:
    """Slugs of the use cases whose policy in force weighs votes, or asks until it is sure."""
    active = PolicyVersion.objects.filter(status="active").order_by("use_case")
    return [
        slug
        for slug, document in active.values_list("use_case", "document")
        if document["combination"] == "weighted" or document.get("posterior_level") is not None
    ]


def nudge_each(send: Callable[[str], Any]) -> int:
    slugs = weighed_use_cases()
    for slug in slugs:
        send(slug)
    return len(slugs)


def fit_one(slug: str, now: datetime) -> bool:
    """Fit one use case; True where the reviewers were found to be other than before."""
    use_case = UseCase.objects.filter(pk=slug).first()
    if use_case is None:
        return False
    return reliability_refresh(actor=FITTER, use_case=use_case, now=now) is not None
