"""``use-cases/``: what is overseen, its definition and its history."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from django.urls import reverse
from pydantic import Field, StrictInt

from apps.accounts.callers import Caller
from apps.api.bodies import (
    Body,
    Day,
    DecimalOut,
    DecimalText,
    Document,
    Flag,
    Line,
    ListQuery,
    LoginOut,
    Name,
    Prose,
    Reason,
    Slug,
    Text,
    optional,
)
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.history import ChangeDocument, change_documents
from apps.api.v1.lookups import person_named, use_case_for, visible_use_cases
from apps.registry.models import UseCase
from apps.registry.services import use_case_create, use_case_move, use_case_update

LifecycleName = Literal["draft", "pilot", "live", "suspended", "retired"]
RiskTierName = Literal["minimal", "limited", "high"]
GoalName = Literal["accuracy", "speed", "consistency"]
OutputKind = Literal["label", "number", "fields", "text", "action"]
FeatureType = Literal["number", "category", "boolean", "text", "date"]
Money = Annotated[str, Text(40, shortest=1)]
Industry = Annotated[str, Text(80)]
ReasonCode = Annotated[str, Text(80, shortest=1)]


class Feature(Body):
    name: Name
    type: FeatureType
    protected: Flag = False
    description: Annotated[str, Text(2_000)] = ""


class ErrorCost(Body):
    """What it costs to give one label where another is true."""

    true: Name
    given: Name
    cost: Money


class CostModel(Body):
    currency: Annotated[str, Text(3, shortest=3)] = "EUR"
    ai_cost_per_decision: Money = "0"
    review_cost_per_hour: Money = "0"
    review_minutes_default: Money = "0"
    human_minutes_per_decision: Money = "0"
    setup_cost: Money = "0"
    fixed_cost_per_month: Money = "0"
    baseline: Literal["human_only", "ai_only"] = "human_only"
    error_costs: list[ErrorCost] = Field(default_factory=list, max_length=10_000)


class Calendar(Body):
    """When people work: service levels run in these hours alone."""

    timezone: Name = Field(description="An IANA name, such as Europe/Paris.")
    hours: dict[str, list[list[str]]] = Field(
        description='By weekday, "0" Monday to "6" Sunday: pairs such as ["09:00", "17:00"].'
    )
    holidays: list[str] = Field(default_factory=list, max_length=1_000)


class LeftOut(Body):
    """A group that a bias audit leaves out of its ratios: it must be below 2 % of the people."""

    attribute: Name = Field(description="Of an intersection: `race & sex`, as reports name it.")
    group: Name
    reason: Reason


class UseCaseFields(Body):
    """The definition. A key that is left out keeps its value, or takes its default in a new one."""

    name: Name = optional()
    description: Prose = optional()
    industry: Industry = optional()
    risk_tier: RiskTierName = optional()
    goal: GoalName = optional()
    owner: Name | None = Field(None, description="Login of the person who answers for it.")
    kinds: list[OutputKind] = optional(min_length=1, max_length=5)
    labels: list[Name] = optional(max_length=500)
    favourable_label: Line = optional("The label that is good for the subject.")
    positive_label: Line = optional("The label that the AI looks for.")
    features: list[Feature] = optional(max_length=2_000)
    subject_attributes: list[Feature] = optional(max_length=2_000)
    unknown_features: Literal["refuse", "keep"] = optional()
    models: Literal["open", "declared"] = optional(
        "open: a model version is registered at first sight; declared: it is refused."
    )
    tolerance: DecimalText = optional("A number within this of the truth is right.")
    cost_model: CostModel = optional()
    reason_codes: list[ReasonCode] = optional(
        "What a verdict may be given for; empty: any.", max_length=200
    )
    calendar: Calendar | None = Field(None, description="Null: round the clock.")
    left_out: list[LeftOut] = optional(
        "Groups left out of the ratios of Local Law 144, and why.", max_length=1_000
    )
    hasty_seconds: StrictInt | None = Field(
        None,
        ge=1,
        le=3_600,
        description="A confirmation below it is hasty; null: from the blind reviews' times.",
    )
    reference_from: Day | None = None
    reference_to: Day | None = None
    retention_days: int = optional(strict=True, ge=1, le=36_500)

    def data(self) -> dict[str, Any]:
        """As the services take it: the model's own names, people instead of logins."""
        data = self.sent()
        if "models" in data:
            data["models_mode"] = data.pop("models")
        if data.get("owner") is not None:
            data["owner"] = person_named(data["owner"], "/owner")
        return data


class UseCaseCreate(UseCaseFields):
    slug: Slug
    lifecycle: Literal["draft", "pilot", "live"] = optional()
    reason: Reason


class UseCaseUpdate(UseCaseFields):
    reason: Reason


class LifecycleMove(Body):
    """Suspension and resumption are not here: they are the stop button's."""

    to: Literal["draft", "pilot", "live", "retired"]
    reason: Reason


class UseCaseDocument(Document):
    slug: str
    name: str
    description: str
    industry: str
    risk_tier: RiskTierName
    lifecycle: LifecycleName
    goal: GoalName
    owner: LoginOut | None
    kinds: list[OutputKind]
    labels: list[str]
    favourable_label: str
    positive_label: str
    features: list[dict[str, Any]]
    subject_attributes: list[dict[str, Any]]
    unknown_features: Literal["refuse", "keep"]
    models: Literal["open", "declared"] = Field(validation_alias="models_mode")
    tolerance: DecimalOut
    cost_model: dict[str, Any]
    reason_codes: list[str]
    calendar: dict[str, Any] | None
    left_out: list[LeftOut]
    hasty_seconds: int | None
    reference_from: date | None
    reference_to: date | None
    retention_days: int


class UseCaseQuery(ListQuery):
    lifecycle: LifecycleName | None = None
    industry: Industry | None = None
    risk_tier: RiskTierName | None = None


def use_case_document(slug: str) -> UseCaseDocument:
    return UseCaseDocument.model_validate(UseCase.objects.select_related("owner").get(slug=slug))


class UseCasesView(ApiView):
    actions = {"GET": "use_case.view", "POST": "use_case.create"}
    ordering = "slug"

    @operation("List use cases", returns=UseCaseDocument, listed=True, query=UseCaseQuery)
    def get(self, caller: Caller, query: UseCaseQuery) -> Any:
        """Those that the caller may see, by slug."""
        wanted = query.model_dump(include={"lifecycle", "industry", "risk_tier"}, exclude_none=True)
        return self.page(visible_use_cases(caller).filter(**wanted), UseCaseDocument.model_validate)

    @operation(
        "Create a use case", returns=UseCaseDocument, status=201, body=UseCaseCreate, problems={409}
    )
    def post(self, caller: Caller, body: UseCaseCreate) -> Created:
        use_case = use_case_create(actor=caller.actor, reason=body.reason, **body.data())
        location = reverse("api:use-case", kwargs={"slug": use_case.slug})
        return Created(use_case_document(use_case.slug), location)


class UseCaseView(ApiView):
    actions = {"GET": "use_case.view", "PATCH": "use_case.edit"}

    @operation("Read a use case", returns=UseCaseDocument)
    def get(self, caller: Caller, slug: str) -> UseCaseDocument:
        return UseCaseDocument.model_validate(use_case_for(caller, slug, "use_case.view"))

    @operation("Change a use case", returns=UseCaseDocument, body=UseCaseUpdate)
    def patch(self, caller: Caller, slug: str, body: UseCaseUpdate) -> UseCaseDocument:
        """Keys that are left out stay as they are; slug and lifecycle do not change here."""
        use_case_for(caller, slug, "use_case.edit")
        use_case_update(actor=caller.actor, slug=slug, reason=body.reason, **body.data())
        return use_case_document(slug)


class UseCaseLifecycleView(ApiView):
    actions = {"POST": "use_case.edit"}

    @operation(
        "Move through the lifecycle", returns=UseCaseDocument, body=LifecycleMove, problems={409}
    )
    def post(self, caller: Caller, slug: str, body: LifecycleMove) -> UseCaseDocument:
        use_case_for(caller, slug, "use_case.edit")
        use_case_move(actor=caller.actor, slug=slug, to=body.to, reason=body.reason)
        return use_case_document(slug)


class UseCaseHistoryView(ApiView):
    actions = {"GET": "use_case.view"}
    ordering = "-history_id"

    @operation("Read a use case's history", returns=ChangeDocument, listed=True, query=ListQuery)
    def get(self, caller: Caller, slug: str, query: ListQuery) -> Any:
        """Newest first: who changed what, when and why."""
        use_case_for(caller, slug, "use_case.view")
        return self.page_of(UseCase.history.filter(slug=slug), change_documents)
