"""The stop button, interventions and the commander's rulings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from pydantic import Field, WithJsonSchema

from apps.accounts.callers import Caller
from apps.api.bodies import Body, Document, Flag, ModelName, Moment, Name, Reason, Slug
from apps.api.operations import ApiView, operation
from apps.api.v1.lookups import found_or_404, use_case_for
from apps.api.v1.use_cases import UseCaseDocument, use_case_document
from apps.decisions.models import Decision
from apps.decisions.selectors import final_of
from apps.registry.access import require_right
from apps.supervision.interventions import decision_intervene, interventions_bulk
from apps.supervision.rulings import decision_rule
from apps.supervision.selectors import InterventionFilter
from apps.supervision.stops import resume, stop
from apps.workflow.rerouting import reroute_blocked

LaneName = Literal["automatic", "supervised", "review", "command", "blocked", "shadow"]
Output = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [{"type": "object"}, {"type": "null"}],
            "description": "The output that takes effect, in the form of the decision's kind.",
        }
    ),
]


class Suspension(Body):
    reason: Reason


class Resumption(Body):
    reason: Reason
    withheld: Literal["leave", "reroute"] = Field(
        "leave", description="What becomes of the decisions that the stop blocked."
    )


class InterventionBody(Body):
    action: Literal["reverse", "change"]
    output: Output = None
    reason: Reason


class FilterBody(Body):
    """Times are of creation, from `from` to before `to`."""

    use_case: Slug
    lane: LaneName | None = Field(None, description="`supervised`: no other can be intervened in.")
    label: Name | None = Field(None, description="The label that the AI gave.")
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")
    model_version: ModelName | None = None


class BulkInterventionBody(InterventionBody):
    filter: FilterBody
    dry_run: Flag = Field(False, description="Count what matches and check the output, no more.")


class RulingBody(Body):
    verdict: Literal["approve", "change", "withhold"]
    output: Output = None
    reason: Reason


class HumanStepDocument(Document):
    """What a person did to the decision."""

    id: UUID
    act: Literal["reverse", "change", "approve", "withhold"]
    made_at: datetime
    within_window: bool | None = Field(
        description="Inside a window that the policy set; null for a ruling."
    )


class MovedDecisionDocument(Document):
    """The decision after the step."""

    id: UUID
    use_case: str
    external_id: str
    lane: LaneName
    status: Literal["pending", "released", "withheld", "reversed"]
    final_output: dict[str, Any] | None
    step: HumanStepDocument


class BulkDocument(Document):
    matched: int
    done: int
    skipped: int = Field(description="Moved by somebody else meanwhile, or out of their window.")
    dry_run: bool


class UseCaseSuspensionView(ApiView):
    actions = {"POST": "use_case.stop"}

    @operation("Suspend a use case", returns=UseCaseDocument, body=Suspension, problems={409})
    def post(self, caller: Caller, slug: str, body: Suspension) -> UseCaseDocument:
        """The very next decision is blocked. To resume takes another person."""
        use_case = use_case_for(caller, slug, "use_case.stop")
        stop(actor=caller.actor, use_case=use_case, reason=body.reason)
        return use_case_document(slug)


class UseCaseResumptionView(ApiView):
    actions = {"POST": "use_case.resume"}

    @operation("Resume a use case", returns=UseCaseDocument, body=Resumption, problems={409})
    def post(self, caller: Caller, slug: str, body: Resumption) -> UseCaseDocument:
        """By another person than the one who stopped it. With `reroute` the decisions that the
        stop blocked are routed again, each as a new step."""
        use_case = use_case_for(caller, slug, "use_case.resume")
        resume(actor=caller.actor, use_case=use_case, reason=body.reason, withheld=body.withheld)
        if body.withheld == "reroute":
            reroute_blocked(caller.actor, use_case, body.reason)
        return use_case_document(slug)


class InterventionView(ApiView):
    actions = {"POST": "decision.intervene"}

    @operation(
        "Reverse or change a decision",
        returns=MovedDecisionDocument,
        body=InterventionBody,
        problems={409},
    )
    def post(self, caller: Caller, id: UUID, body: InterventionBody) -> MovedDecisionDocument:
        """A supervised decision, while its intervention window is open. Both end in `reversed`:
        a reversal leaves no output, a change leaves the new one."""
        _decision_for(caller, id, "decision.intervene")
        made = decision_intervene(
            actor=caller.actor,
            decision_id=id,
            action=body.action,
            output=body.output,
            reason=body.reason,
        )
        return _moved(made.decision, made.pk, made.action, made.made_at, made.within_window)


class BulkInterventionView(ApiView):
    actions = {"POST": "decision.intervene"}

    @operation(
        "Reverse or change many decisions",
        returns=BulkDocument,
        body=BulkInterventionBody,
        problems={404, 409},
    )
    def post(self, caller: Caller, body: BulkInterventionBody) -> BulkDocument:
        """All that match and are open to intervention, at most 10,000; first with `dry_run`."""
        use_case_for(caller, body.filter.use_case, "decision.intervene")
        result = interventions_bulk(
            actor=caller.actor,
            filters=InterventionFilter(**body.filter.model_dump()),
            action=body.action,
            output=body.output,
            reason=body.reason,
            dry_run=body.dry_run,
        )
        return BulkDocument(**result._asdict(), dry_run=body.dry_run)


class RulingView(ApiView):
    actions = {"POST": "decision.command"}

    @operation("Rule on a decision", returns=MovedDecisionDocument, body=RulingBody, problems={409})
    def post(self, caller: Caller, id: UUID, body: RulingBody) -> MovedDecisionDocument:
        """What waits in the lane `command` is released as it is, released changed, or withheld."""
        _decision_for(caller, id, "decision.command")
        made = decision_rule(
            actor=caller.actor,
            decision_id=id,
            verdict=body.verdict,
            output=body.output,
            reason=body.reason,
        )
        return _moved(made.decision, made.pk, made.verdict, made.made_at, None)


def _decision_for(caller: Caller, key: UUID, action: str) -> Decision:
    """NotFound where the caller may not see it, NotPermitted where they may only see it."""
    slugs = caller.visible("decision.view")
    found: QuerySet[Decision] = Decision.objects.all()
    visible = found if slugs is None else found.filter(use_case_id__in=slugs)
    decision: Decision = found_or_404(visible, f"decision {key}", pk=key)
    require_right(caller, action, decision.use_case_id)
    return decision


def _moved(
    decision: Decision, step: UUID, act: str, made_at: datetime, within: bool | None
) -> MovedDecisionDocument:
    return MovedDecisionDocument.model_validate(
        {
            "id": decision.pk,
            "use_case": decision.use_case_id,
            "external_id": decision.external_id,
            "lane": decision.lane,
            "status": decision.status,
            "final_output": final_of(decision),
            "step": {"id": step, "act": act, "made_at": made_at, "within_window": within},
        }
    )
