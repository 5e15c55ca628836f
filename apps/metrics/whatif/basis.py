"""What the what-ifs rest on: the policy that is looked at, prices, labels, and what is assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.common.errors import BadInput, Conflict
from apps.common.saving import text_faults
from apps.metrics.domain.cell_levels import Answers
from apps.metrics.domain.frontier import Prices
from apps.metrics.domain.money import CostModel, cost_model
from apps.policies.domain.lanes import RoutingPolicy
from apps.policies.domain.schema import InvalidDocumentError
from apps.policies.domain.validation import content_hash, validate_policy
from apps.policies.faults import as_bad_input
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.policies.selectors import use_case_schema
from apps.registry.models import UseCase


@dataclass(frozen=True, slots=True)
class Looked:
    """A policy that is looked at: a version, or a document that is none yet (``id`` None)."""

    routing: RoutingPolicy
    document: Mapping[str, Any]
    id: UUID | None = None
    number: int | None = None
    status: str | None = None

    def named(self) -> dict[str, Any]:
        """Which one it is, as a JSON object."""
        return {
            "id": None if self.id is None else str(self.id),
            "number": self.number,
            "status": self.status,
            "content_hash": content_hash(self.document),
        }


def policy_read(use_case: UseCase, document: object) -> Looked:
    """A document that is no version. Raises: BadInput: it has faults, each with its pointer."""
    faults = list(text_faults(document, ""))
    if faults:
        raise BadInput(faults)
    try:
        valid = validate_policy(document, use_case_schema(use_case))
    except InvalidDocumentError as error:
        raise as_bad_input(error) from None
    return Looked(valid.routing, valid.document)


def policy_looked(policy: PolicyVersion) -> Looked:
    """A version, in whatever status, against the use case as it is defined now.

    Raises: Conflict: it refers to what the definition no longer has.
    """
    try:
        read = policy_read(policy.use_case, policy.document)
    except BadInput as error:
        raise Conflict(
            f"{policy} does not fit the use case as it is defined now: {error}"
        ) from None
    return Looked(read.routing, read.document, policy.pk, policy.number, policy.status)


def policy_standing(use_case: UseCase) -> Looked | None:
    """The version in force; None where there is none."""
    found = PolicyVersion.objects.filter(use_case=use_case, status=PolicyStatus.ACTIVE)
    policy = found.select_related("use_case").first()
    return None if policy is None else policy_looked(policy)


def answers_of(use_case: UseCase) -> Answers:
    """The labels and what their errors cost."""
    costs = cost_model(use_case.cost_model).errors
    return Answers(tuple(use_case.labels), use_case.favourable_label, costs)


def prices_of(use_case: UseCase, looked: Looked | None) -> Prices:
    """What handling costs under a policy; one person a review without one."""
    model = cost_model(use_case.cost_model)
    return Prices(
        ai_per_decision=float(model.ai_cost_per_decision),
        review_per_hour=float(model.review_cost_per_hour),
        review_minutes=float(model.review_minutes_default),
        reviewers=1 if looked is None else int(looked.document["reviews_required"]),
    )


def written(moment: datetime | None) -> str | None:
    """A time as documents write it: RFC 3339 in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def inputs_of(use_case: UseCase, prices: Prices) -> dict[str, Any]:
    """The inputs that a person can change, as a JSON object."""
    model: CostModel = cost_model(use_case.cost_model)
    return {
        "currency": model.currency,
        "ai_cost_per_decision": str(model.ai_cost_per_decision),
        "review_cost_per_hour": str(model.review_cost_per_hour),
        "review_minutes_default": str(model.review_minutes_default),
        "reviews_required": prices.reviewers,
        "error_costs": [
            {"true": true, "given": given, "cost": str(cost)}
            for (true, given), cost in sorted(model.errors.items())
        ],
    }


def price_notes(prices: Prices) -> list[str]:
    """What stands at 0 and makes a figure say less than it seems to."""
    people = "1 person" if prices.reviewers == 1 else f"{prices.reviewers} people"
    notes = [f"a review takes {prices.review_minutes:g} minutes and {people}"]
    if not prices.review_minutes:
        notes = ["review_minutes_default is 0 in the cost model: reviewer hours are 0 everywhere"]
    return notes
