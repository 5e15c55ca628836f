"""Replay: a recorded decision is routed again from its recorded inputs, and must go the same way."""

from __future__ import annotations

from typing import Any, cast

from apps.common.errors import Conflict
from apps.decisions.models import Decision
from apps.decisions.selectors import reasons_of
from apps.policies.domain.lanes import NONE, Lane, Lifecycle, RoutingContext, RoutingResult
from apps.policies.domain.reasons import reasons
from apps.policies.domain.routing import route
from apps.policies.domain.rows import columns_from_decisions
from apps.policies.seeds import seed_for
from apps.policies.selectors import compiled_policy
from apps.supervision.selectors import mandates_as_they_stood
from apps.workflow.answers import decision_as_sent


def replay(decision: Decision) -> dict[str, Any]:
    """``same``: True or False; None where an erasure took the inputs, with ``why``."""
    try:
        sent = decision_as_sent(decision)
    except Conflict as error:
        return {"same": None, "why": str(error)}
    policy = compiled_policy(decision.policy_id)
    result = route(policy.routing, _context(decision), columns_from_decisions([sent]))
    recorded, again = _recorded(decision), _routed(result)
    return {
        "same": recorded == again,
        "policy_version": str(policy.id),
        "policy_hash": policy.content_hash,
        "recorded": recorded,
        "routed_again": again,
    }


def _context(decision: Decision) -> RoutingContext:
    return RoutingContext(
        lifecycle=cast(Lifecycle, decision.lifecycle),
        seed=seed_for(decision.use_case_id, decision.routed_at.year),
        moment=decision.routed_at,
        mandates=mandates_as_they_stood(decision.mandates_left or []),
        withdrawn=decision.model_status != "active",
    )


def _recorded(decision: Decision) -> dict[str, Any]:
    return {
        "lane": decision.lane,
        "would_be": decision.would_be,
        "sampling_probability": decision.sampling_probability,
        "mandate": None if decision.mandate is None else str(decision.mandate),
        "reasons": reasons_of(decision),
    }


def _routed(result: RoutingResult) -> dict[str, Any]:
    would_be, chance = int(result.would_be[0]), float(result.sampling_probability[0])
    mandate = int(result.mandate[0])
    return {
        "lane": Lane(int(result.lane[0])).code,
        "would_be": None if would_be == NONE else Lane(would_be).code,
        "sampling_probability": None if chance != chance else chance,
        "mandate": None if mandate < 0 else str(result.context.mandates[mandate].id),
        "reasons": [dict(reason) for reason in reasons(result, 0)],
    }
