"""Reading policies: the one in force, compiled; what changes between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from apps.common.columns import ModelColumns, Reading, Rows
from apps.common.errors import Conflict
from apps.policies.activation import activate_due, check_untouched
from apps.policies.domain.diff import diff_in_plain_words
from apps.policies.domain.lanes import Level, RoutingPolicy
from apps.policies.domain.schema import Feature, InvalidDocumentError, RiskTier, UseCaseSchema
from apps.policies.domain.validation import ValidatedPolicy, validate_policy
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.registry.models import UseCase

COMPILED = 512  # versions that a process keeps ready
STANDING = ModelColumns(PolicyVersion, "id", "content_hash", "status", "effective_from")


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A version, ready to route by. ``document`` is shared: it is read, never changed."""

    id: UUID
    number: int
    content_hash: str
    document: Mapping[str, Any]
    routing: RoutingPolicy
    level: Level


def use_case_schema(use_case: UseCase) -> UseCaseSchema:
    """What a policy or a mandate of the use case may refer to."""
    return UseCaseSchema(
        labels=tuple(use_case.labels),
        favourable_label=use_case.favourable_label or None,
        kinds=tuple(use_case.kinds),
        risk_tier=cast(RiskTier, use_case.risk_tier),
        features=_features(use_case.features),
        subject_attributes=_features(use_case.subject_attributes),
    )


def _features(entries: list[dict[str, Any]]) -> tuple[Feature, ...]:
    return tuple(
        Feature(entry["name"], entry["type"], bool(entry.get("protected"))) for entry in entries
    )


def policy_in_force(use_case: UseCase, now: datetime) -> PolicyInForce:
    """The version that routes at ``now``; one whose moment has come takes effect first.

    One query where nothing is due: versions are fixed, so each is compiled once a process.
    """
    found = policy_unless_due(use_case, standing_reading(use_case.slug).now(), now)
    while found is None:
        activate_due(now, use_case.slug)
        found = policy_unless_due(use_case, standing_reading(use_case.slug).now(), now)
    return found


def policy_unless_due(
    use_case: UseCase, standing: list[Any], now: datetime
) -> PolicyInForce | None:
    """The version in force of those ``standing``; None where the moment of another has come and
    it has to be put into force first, which writes."""
    if any(status == PolicyStatus.APPROVED and moment <= now for *_, status, moment in standing):
        return None
    for key, recorded_hash, status, _ in standing:
        if status == PolicyStatus.ACTIVE:
            return _compiled(key, recorded_hash, use_case_schema(use_case))
    raise Conflict(f"{use_case.slug} has no policy in force: approve one first")


def compiled_policy(policy_id: UUID) -> PolicyInForce:
    """Any version, ready to route by as it did when it was in force."""
    policy: PolicyVersion = PolicyVersion.objects.select_related("use_case").get(pk=policy_id)
    return _compiled(policy.pk, policy.content_hash, use_case_schema(policy.use_case))


def standing_reading(slug: str) -> Reading[list[Any]]:
    """(id, hash, status, moment) of the versions that are in force or approved."""
    return Reading(
        f"SELECT {STANDING.of('p')} FROM policies_policyversion p "  # noqa: S608
        "WHERE p.use_case_id = %s AND p.status IN (%s, %s)",
        [slug, PolicyStatus.APPROVED.value, PolicyStatus.ACTIVE.value],
        _standing,
    )


def _standing(rows: Rows) -> list[Any]:
    return [STANDING.values(row) for row in rows]


@lru_cache(maxsize=COMPILED)
def _compiled(key: UUID, recorded_hash: str, schema: UseCaseSchema) -> PolicyInForce:
    """Keyed by the definition too: a field's type decides how a condition compares."""
    policy: PolicyVersion = PolicyVersion.objects.get(pk=key)
    check_untouched(policy)
    valid = _read_again(policy, schema)
    return PolicyInForce(
        id=policy.pk,
        number=policy.number,
        content_hash=recorded_hash,
        document=valid.document,
        routing=valid.routing,
        level=valid.routing.level,
    )


def policy_diff(old: PolicyVersion, new: PolicyVersion) -> list[str]:
    """What changes from ``old`` to ``new``, a sentence a change. Both are of one use case."""
    if old.use_case_id != new.use_case_id:
        raise Conflict(
            f"{old} and {new} are of different use cases: only versions of one are compared"
        )
    schema = use_case_schema(new.use_case)
    return diff_in_plain_words(_read_again(old, schema), _read_again(new, schema))


def _read_again(policy: PolicyVersion, schema: UseCaseSchema) -> ValidatedPolicy:
    """An old version or a draft may refer to what the definition no longer has."""
    try:
        return validate_policy(policy.document, schema)
    except InvalidDocumentError as error:
        raise Conflict(
            f"{policy} does not fit the use case as it is defined now: {error}"
        ) from None
