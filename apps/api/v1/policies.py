"""``policies/``: versions of a use case's policy, from draft to approval by another person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from pydantic import ConfigDict, Field, WithJsonSchema

from apps.accounts.callers import Caller
from apps.api.bodies import (
    Body,
    Document,
    ListQuery,
    Moment,
    OptionalReason,
    Query,
    Reason,
    Slug,
    optional,
)
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.lookups import found_or_404, use_case_for
from apps.policies.domain.validation import (
    COMBINATIONS,
    ESCALATION_ROLES,
    FALLBACKS,
    LEVELS,
    TRIPWIRE_ACTIONS,
    TRIPWIRE_OPS,
)
from apps.policies.models import PolicyVersion
from apps.policies.second_person import actors_known
from apps.policies.selectors import policy_diff
from apps.policies.services import (
    policy_approve,
    policy_change_draft,
    policy_draft,
    policy_propose,
    policy_reject,
)
from apps.registry.access import require_right

StatusName = Literal["draft", "proposed", "approved", "active", "superseded", "rejected"]


SHARE = {"type": "number", "minimum": 0, "maximum": 1}
SHARES = {"type": "object", "additionalProperties": SHARE}
POSTERIOR = {"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 1}
COUNT = {"type": "integer", "minimum": 1}
FLAG = {"type": "boolean"}
ROLES = {"type": "array", "items": {"enum": list(ESCALATION_ROLES)}}
TEXTS = {"type": "array", "items": {"type": "string"}}
CONDITION = {
    "type": "object",
    "description": "A comparison `{field, op, value}`, or `all`, `any`, `not` around conditions.",
}
RULE = {
    "type": "object",
    "required": ["name", "when", "then"],
    "properties": {
        "name": {"type": "string"},
        "when": CONDITION,
        "then": {"enum": ["review", "command", "automatic", "sample"]},
        "rate": {**SHARE, "description": "With `sample` alone."},
    },
}
TRIPWIRE = {
    "type": "object",
    "required": ["metric", "op", "value", "action"],
    "properties": {
        "metric": {"type": "string"},
        "op": {"enum": list(TRIPWIRE_OPS)},
        "value": {"type": "number"},
        "action": {"enum": list(TRIPWIRE_ACTIONS)},
    },
}
RULES = {"type": "array", "items": RULE}
TRIPWIRES = {"type": "array", "items": TRIPWIRE}
REASONED = {
    "type": "object",
    "required": ["justification"],
    "properties": {"justification": {"type": "string"}},
}


def schema(body: dict[str, Any], *, null: bool = False) -> WithJsonSchema:
    """What a key is, for the document: the policy's own rules check it, not the body's model."""
    return WithJsonSchema({"anyOf": [body, {"type": "null"}]} if null else body)


def enum(names: Iterable[str]) -> WithJsonSchema:
    return schema({"type": "string", "enum": list(names)})


class PolicyFields(Body):
    """A policy's document. Every key but the level has a default; every fault has its pointer."""

    level: Annotated[Any, enum(LEVELS)] = optional()
    confidence_threshold: Annotated[Any, schema(SHARE)] = optional("Below it: reviewed.")
    label_thresholds: Annotated[Any, schema(SHARES)] = optional("By label; else the overall one.")
    rules: Annotated[Any, schema(RULES)] = optional("In order: the first match settles.")
    unreviewed_release: Annotated[Any, schema(REASONED, null=True)] = optional(
        "Where a rule releases without review in a high risk tier."
    )
    always_review_labels: Annotated[Any, schema(TEXTS)] = optional()
    audit_rate: Annotated[Any, schema(SHARE)] = optional("Share of the rest reviewed at random.")
    reviews_required: Annotated[Any, schema(COUNT)] = optional()
    combination: Annotated[Any, enum(COMBINATIONS)] = optional()
    blind: Annotated[Any, schema(FLAG)] = optional("A first answer before the AI's is shown.")
    known_answer_rate: Annotated[Any, schema(SHARE)] = optional()
    known_answer_floor: Annotated[Any, schema(SHARE, null=True)] = optional()
    skills: Annotated[Any, schema(TEXTS)] = optional()
    sla_minutes: Annotated[Any, schema(COUNT, null=True)] = optional()
    escalation: Annotated[Any, schema(ROLES)] = optional()
    fallback: Annotated[Any, enum(FALLBACKS)] = optional()
    intervention_minutes: Annotated[Any, schema(COUNT, null=True)] = optional(
        "Null: people may step in at any time."
    )
    tripwires: Annotated[Any, schema(TRIPWIRES)] = optional()
    min_weekly_cases: Annotated[Any, schema({"type": "integer", "minimum": 0})] = optional()
    senior_sees_verdicts: Annotated[Any, schema(FLAG)] = optional()
    reviews_max: Annotated[Any, schema(COUNT, null=True)] = optional()
    posterior_level: Annotated[Any, schema(POSTERIOR, null=True)] = optional()
    feedback: Annotated[Any, schema(FLAG)] = optional()
    show_protected: Annotated[Any, schema(FLAG)] = optional()
    lease_minutes: Annotated[Any, schema(COUNT)] = optional(
        "How long a case is held without a sign of its reviewer; 15, at most 1440."
    )
    ask_limit_minutes: Annotated[Any, schema(COUNT)] = optional(
        "How long a question may stop the clock; 1440."
    )
    daily_limit: Annotated[Any, schema(COUNT, null=True)] = optional("Cases a reviewer and day.")
    streak_limit: Annotated[Any, schema(COUNT, null=True)] = optional(
        "Cases in a row before a pause is suggested."
    )
    practice_days: Annotated[Any, schema(COUNT, null=True)] = optional(
        "Days without a case after which a qualification lapses."
    )

    # Unknown keys go on to the policy's own rules, which name them among all other faults.
    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": False})


class PolicyDraft(PolicyFields):
    use_case: Slug
    reason: OptionalReason = ""


class PolicyChange(PolicyFields):
    reason: Reason


class PolicyProposal(Body):
    reason: OptionalReason = ""


class PolicyApproval(Body):
    effective_from: Moment | None = Field(None, description="Left out: it takes effect at once.")
    reason: OptionalReason = ""


class PolicyRejection(Body):
    reason: Reason


class ActorNamed(Document):
    """Who acted: the id that the trail has, and the login or the key's name."""

    id: str
    name: str


class PolicyDocument(Document):
    id: UUID
    use_case: str
    number: int
    status: StatusName
    level: Literal["HITL", "HOTL", "HIC"]
    document: dict[str, Any]
    content_hash: str = Field(description="SHA-256 of the document's canonical JSON (RFC 8785).")
    effective_from: datetime | None
    proposed_by: ActorNamed | None
    approved_by: ActorNamed | None
    created_at: datetime
    activated_at: datetime | None


class PolicyDiffDocument(Document):
    policy: UUID
    against: UUID
    changes: list[str] = Field(description="From `against` to this version, a sentence a change.")


class PolicyQuery(ListQuery):
    use_case: Slug | None = None
    status: StatusName | None = None


class PolicyDiffQuery(Query):
    against: UUID = Field(description="The version to compare with, of the same use case.")


def policy_documents(policies: Iterable[PolicyVersion]) -> Iterator[PolicyDocument]:
    """Two queries for the names of all."""
    rows = list(policies)
    known = actors_known(one for row in rows for one in (row.proposed_by, row.approved_by))
    named = {one: ActorNamed(id=one, name=actor.name) for one, actor in known.items()}
    plain = ("number", "status", "level", "document", "content_hash", "effective_from")
    for row in rows:
        yield PolicyDocument(
            id=row.pk,
            use_case=row.use_case_id,
            proposed_by=named.get(row.proposed_by),
            approved_by=named.get(row.approved_by),
            **{name: getattr(row, name) for name in (*plain, "created_at", "activated_at")},
        )


def _document(policy: PolicyVersion) -> PolicyDocument:
    return next(policy_documents([policy]))


def visible_policies(caller: Caller) -> QuerySet[PolicyVersion]:
    slugs = caller.visible("policy.view")
    found: QuerySet[PolicyVersion] = PolicyVersion.objects.select_related("use_case")
    return found if slugs is None else found.filter(use_case_id__in=slugs)


def policy_for(caller: Caller, key: UUID, action: str) -> PolicyVersion:
    """NotFound where the caller may not see it, NotPermitted where they may only see it."""
    policy: PolicyVersion = found_or_404(visible_policies(caller), f"policy {key}", pk=key)
    require_right(caller, action, policy.use_case_id)
    return policy


class PoliciesView(ApiView):
    actions = {"GET": "policy.view", "POST": "policy.propose"}

    @operation(
        "List policies", returns=PolicyDocument, listed=True, query=PolicyQuery, problems={404}
    )
    def get(self, caller: Caller, query: PolicyQuery) -> Any:
        """Newest first, in every status."""
        policies = visible_policies(caller)
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "policy.view")
            policies = policies.filter(use_case_id=query.use_case)
        if query.status is not None:
            policies = policies.filter(status=query.status)
        return self.page_of(policies, policy_documents)

    @operation(
        "Draft a policy", returns=PolicyDocument, status=201, body=PolicyDraft, problems={404}
    )
    def post(self, caller: Caller, body: PolicyDraft) -> Created:
        """It can be changed until it is proposed."""
        use_case = use_case_for(caller, body.use_case, "policy.propose")
        policy = policy_draft(
            actor=caller.actor, use_case=use_case, document=body.sent(), reason=body.reason
        )
        return Created(_document(policy), reverse("api:policy", kwargs={"id": policy.pk}))


class PolicyView(ApiView):
    actions = {"GET": "policy.view", "PATCH": "policy.propose"}

    @operation("Read a policy", returns=PolicyDocument)
    def get(self, caller: Caller, id: UUID) -> PolicyDocument:
        return _document(policy_for(caller, id, "policy.view"))

    @operation("Change a draft", returns=PolicyDocument, body=PolicyChange, problems={409})
    def patch(self, caller: Caller, id: UUID, body: PolicyChange) -> PolicyDocument:
        """Keys that are left out stay as they are. From the proposal on nothing changes."""
        policy = policy_for(caller, id, "policy.propose")
        changed = policy_change_draft(
            actor=caller.actor, policy=policy, changes=body.sent(), reason=body.reason
        )
        return _document(changed)


class PolicyProposalView(ApiView):
    actions = {"POST": "policy.propose"}

    @operation("Propose a policy", returns=PolicyDocument, body=PolicyProposal, problems={409})
    def post(self, caller: Caller, id: UUID, body: PolicyProposal) -> PolicyDocument:
        """Its document is fixed from here on; another person approves or rejects it."""
        policy = policy_for(caller, id, "policy.propose")
        return _document(policy_propose(actor=caller.actor, policy=policy, reason=body.reason))


class PolicyApprovalView(ApiView):
    actions = {"POST": "policy.approve"}

    @operation("Approve a policy", returns=PolicyDocument, body=PolicyApproval, problems={409})
    def post(self, caller: Caller, id: UUID, body: PolicyApproval) -> PolicyDocument:
        """Never by its proposer. It takes effect at once or at `effective_from`, and the version
        before it is then superseded."""
        policy = policy_for(caller, id, "policy.approve")
        approved = policy_approve(
            actor=caller.actor,
            policy=policy,
            effective_from=body.effective_from,
            reason=body.reason,
        )
        return _document(approved)


class PolicyRejectionView(ApiView):
    actions = {"POST": "policy.approve"}

    @operation("Reject a policy", returns=PolicyDocument, body=PolicyRejection, problems={409})
    def post(self, caller: Caller, id: UUID, body: PolicyRejection) -> PolicyDocument:
        """A proposal, or an approved version before its moment."""
        policy = policy_for(caller, id, "policy.approve")
        return _document(policy_reject(actor=caller.actor, policy=policy, reason=body.reason))


class PolicyDiffView(ApiView):
    actions = {"GET": "policy.view"}

    @operation(
        "Compare two versions", returns=PolicyDiffDocument, query=PolicyDiffQuery, problems={409}
    )
    def get(self, caller: Caller, id: UUID, query: PolicyDiffQuery) -> PolicyDiffDocument:
        """In plain words, defaults filled in."""
        new = policy_for(caller, id, "policy.view")
        old = policy_for(caller, query.against, "policy.view")
        return PolicyDiffDocument(policy=new.pk, against=old.pk, changes=policy_diff(old, new))
