"""Routing of arrivals: the context read from the database, the pure function, its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

import numpy as np

from apps.policies.activation import activate_due
from apps.policies.domain.lanes import Lifecycle, RoutingContext, RoutingResult
from apps.policies.domain.routing import route
from apps.policies.domain.rows import columns_from_decisions
from apps.policies.seeds import seed_for, stored_seed
from apps.policies.selectors import PolicyInForce, policy_unless_due, standing_reading
from apps.registry.models import ModelVersion, UseCase
from apps.supervision.selectors import mandates_in_force
from apps.workflow.arrivals import Arrival
from apps.workflow.versions import Versions

IN_SERVICE = ("pilot", "live")


class NotReadyError(Exception):
    """Before a use case can route, something of its own has to be written: the seed of a new year,
    or a policy whose moment has come. Both hold the use case's lock, and so would keep a stop
    waiting until the transaction of a whole batch ends: the batch gives way, ``mend`` writes it in
    a short transaction, and the batch begins anew."""

    def __init__(self, use_case: str, moment: datetime) -> None:
        super().__init__(f"{use_case} needs a seed or has a policy that is due")
        self.use_case, self.moment = use_case, moment

    def mend(self) -> None:
        activate_due(self.moment, self.use_case)
        seed_for(self.use_case, self.moment.year)


class Ready(NamedTuple):
    """What a use case routes by."""

    policy: PolicyInForce
    seed: bytes


@dataclass(frozen=True)
class Routed:
    """Arrivals with the version of each and where each goes."""

    use_case: UseCase
    policy: PolicyInForce
    arrivals: Sequence[Arrival]
    versions: list[ModelVersion]
    withdrawn_ids: set[str]
    result: RoutingResult
    past: bool


def route_arrivals(
    use_case: UseCase,
    arrivals: Sequence[Arrival],
    versions: Versions,
    by: Ready,
    now: datetime,
    *,
    past: bool,
) -> Routed:
    """Route under the policy in force; mandates are locked, so that their limits hold exactly."""
    policy, seed = by
    rows = [versions[a.valid.model, a.valid.model_version] for a in arrivals]
    withdrawn = np.array([row.status != "active" for row in rows])
    commands = policy.level == "HIC" and use_case.lifecycle in IN_SERVICE and not past
    context = RoutingContext(
        lifecycle=cast(Lifecycle, use_case.lifecycle),
        seed=seed,
        moment=now,
        mandates=mandates_in_force(use_case.slug, now, lock=True) if commands else (),
        withdrawn=withdrawn,
    )
    columns = columns_from_decisions([as_routed(a.valid) for a in arrivals])
    result = route(policy.routing, context, columns)
    stopped = {str(row.pk) for row in rows if row.status != "active"}
    return Routed(use_case, policy, arrivals, rows, stopped, result, past)


def ready_to_route(use_case: UseCase, now: datetime) -> Ready:
    """The policy in force and the seed of the year; NotReadyError where one has to be made."""
    standing, seed = standing_reading(use_case.slug).now(), stored_seed(use_case.slug, now.year)
    return ready(use_case, standing, seed, now)


def make_ready(use_case: UseCase, now: datetime) -> None:
    """Write what is lacking, in transactions of its own."""
    try:
        ready_to_route(use_case, now)
    except NotReadyError as error:
        error.mend()


def ready(use_case: UseCase, standing: list[Any], seed: bytes | None, now: datetime) -> Ready:
    """The same from what was read of both."""
    policy = policy_unless_due(use_case, standing, now)
    if policy is None or seed is None:
        raise NotReadyError(use_case.slug, now)
    return Ready(policy, seed)


def as_routed(valid: Any) -> dict[str, Any]:
    """A decision in the form that conditions read."""
    return {
        "external_id": valid.external_id,
        "model_version": valid.model_version,
        "kind": valid.kind,
        "output": valid.output,
        "amount": valid.amount,
        "features": valid.features,
        "subject": {"attributes": valid.subject_attributes},
    }
