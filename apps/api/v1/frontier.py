"""``policies/{id}/frontier/`` and ``/simulate/``: what a policy would have done, and which to take."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StrictInt, WithJsonSchema

from apps.accounts.callers import Caller
from apps.api.bodies import Body, Document, Moment, Query
from apps.api.operations import ApiView, operation
from apps.api.v1.policies import policy_for
from apps.metrics.domain.choice import Bounds
from apps.metrics.first_reading import Window
from apps.metrics.reports import checked_window
from apps.metrics.whatif.basis import policy_looked
from apps.metrics.whatif.frontiers import frontier_of
from apps.metrics.whatif.simulating import simulate

NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,308})(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
MOST = 200_000
USUAL = 50_000


def _of_zero(most: float | None = None) -> Any:
    """A number in a query string, 0 or more."""

    def read(value: object) -> float:
        if isinstance(value, str) and NUMBER.fullmatch(value):
            number = float(value)
            if 0 <= number < float("inf") and (most is None or number <= most):
                return number
        raise ValueError(f"not a number of 0 {'or more' if most is None else f'to {most:g}'}")

    return BeforeValidator(read)


UpToOne = Annotated[
    float, _of_zero(1), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})
]
Positive = Annotated[
    float, _of_zero(), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1e300})
]
GoalName = Literal["accuracy", "speed", "consistency", "cost"]


class FrontierQuery(Query):
    begin: Moment | None = Field(None, alias="from", description="Decided at this time or later.")
    end: Moment | None = Field(None, alias="to", description="Decided before this time.")
    goal: GoalName | None = Field(None, description="Left out: the use case's own.")
    max_error: UpToOne | None = None
    max_reviewer_hours: Positive | None = Field(None, description="Per 1,000 decisions.")
    min_impact_ratio: UpToOne | None = Field(None, description="Of every protected attribute.")
    max_cost: Positive | None = Field(None, description="Per decision.")

    def bounds(self) -> Bounds:
        cost = None if self.max_cost is None else Decimal(str(self.max_cost))
        return Bounds(self.max_error, self.max_reviewer_hours, self.min_impact_ratio, cost)


class FrontierDocument(Document):
    use_case: str
    begin: str | None = Field(serialization_alias="from")
    end: str | None = Field(serialization_alias="to")
    policy: dict[str, Any] | None
    n: int = Field(description="Decisions with an output.")
    points: list[dict[str, Any]] = Field(
        description="At review shares 0, 0.01, ... 1 from the least confident; cost per decision, "
        "reviewer hours per 1,000 decisions."
    )
    best: dict[str, Any] = Field(description="The point to take for the goal, under the limits.")
    recommended: dict[str, dict[str, Any]] = Field(
        description="For each goal the point to take, and this policy's document changed to it."
    )
    ai: dict[str, Any]
    human: dict[str, Any]
    human_consensus: dict[str, Any]
    by_label: dict[str, dict[str, Any]] = Field(description="For the outputs of each label alone.")
    audit: dict[str, Any] = Field(description="For each rate of the random audit.")
    inputs: dict[str, Any]
    assumed: list[str]


class SimulationRequest(Body):
    begin: Moment | None = Field(None, alias="from", description="Decided at this time or later.")
    end: Moment | None = Field(None, alias="to", description="Decided before this time.")
    most: Annotated[StrictInt, Field(ge=1, le=MOST)] = Field(
        USUAL, description="Of more decisions only the newest so many are routed."
    )


class SimulationDocument(Document):
    use_case: str
    begin: str | None = Field(serialization_alias="from")
    end: str | None = Field(serialization_alias="to")
    policy: dict[str, Any]
    decisions: int = Field(description="In the window.")
    routed: int
    erased: int = Field(description="Left out, since their content was erased.")
    lanes: dict[str, dict[str, Any]] = Field(description="`now` and `then`: lane, n and share.")
    changes: dict[str, Any] = Field(
        description="How many would go another way, and the first 100 of them with the reasons."
    )
    now: dict[str, Any]
    then: dict[str, Any]
    inputs: dict[str, Any]
    assumed: list[str]


class PolicyFrontierView(ApiView):
    actions = {"GET": "policy.simulate"}

    @operation(
        "Read the frontier", returns=FrontierDocument, query=FrontierQuery, problems={404, 409}
    )
    def get(self, caller: Caller, id: UUID, query: FrontierQuery) -> FrontierDocument:
        """Every threshold at once, over the stored decisions of the policy's use case. It says
        what it assumed where outcomes or verdicts are missing."""
        policy = policy_for(caller, id, "policy.simulate")
        window = checked_window(Window(query.begin, query.end))
        found = frontier_of(
            policy.use_case,
            window,
            policy_looked(policy),
            goal=query.goal,
            bounds=query.bounds(),
        )
        return FrontierDocument(begin=found.pop("from"), end=found.pop("to"), **found)


class PolicySimulationView(ApiView):
    actions = {"POST": "policy.simulate"}

    @operation(
        "Simulate a policy",
        returns=SimulationDocument,
        body=SimulationRequest,
        problems={404, 409},
    )
    def post(self, caller: Caller, id: UUID, body: SimulationRequest) -> SimulationDocument:
        """Routes the stored decisions of its use case under this version, in whatever status it
        is, and writes nothing."""
        policy = policy_for(caller, id, "policy.simulate")
        window = checked_window(Window(body.begin, body.end))
        found = simulate(policy.use_case, policy_looked(policy), window, most=body.most)
        return SimulationDocument(begin=found.pop("from"), end=found.pop("to"), **found)
