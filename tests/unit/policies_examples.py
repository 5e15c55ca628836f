"""A loan use case, and short ways to write decisions, conditions and policies about it."""

from apps.policies.domain.condition_parser import parse_condition
from apps.policies.domain.lanes import Lane, RoutingContext
from apps.policies.domain.routing import route
from apps.policies.domain.rows import columns_from_decisions
from apps.policies.domain.schema import Feature, InvalidDocumentError, UseCaseSchema
from apps.policies.domain.validation import validate_policy

SEED = b"a secret seed of thirty-two bytes"
LOANS = UseCaseSchema(
    labels=("approve", "deny"),
    favourable_label="approve",
    features=(
        Feature("income", "number"),
        Feature("region", "category", levels=("north", "south")),
        Feature("employed", "boolean"),
        Feature("since", "date"),
        Feature("note", "text"),
    ),
    subject_attributes=(Feature("sex", "category", protected=True),),
)


def decision(external_id="app-1", label="approve", confidence=0.9, **changes):
    made = {
        "external_id": external_id,
        "model_version": "2.3.1",
        "kind": "label",
        "output": {"label": label, "confidence": confidence, "scores": {}},
        "amount": "100.00",
        "features": {"income": 41000, "region": "north"},
        "subject": {"ref": "cust-1", "attributes": {"sex": "F"}},
    }
    return made | changes


def compare(field, op, value=True):
    return {"field": field, "op": op, "value": value}


def rule(name, when, then="review", **more):
    return {"name": name, "when": when, "then": then, **more}


def condition(data, schema=LOANS):
    return parse_condition(data, schema)


def policy(schema=LOANS, **document):
    return validate_policy({"level": "HITL"} | document, schema)


def routed(decisions, context=None, schema=LOANS, **document):
    context = context or RoutingContext("live", SEED)
    return route(policy(schema, **document).routing, context, columns_from_decisions(decisions))


def lane_of(one, context=None, **document):
    return Lane(int(routed([one], context, **document).lane[0])).code


def faults(call, *args, **kwargs):
    """The faults that a call finds, as a dict of pointer to detail."""
    try:
        call(*args, **kwargs)
    except InvalidDocumentError as error:
        return dict(error.problems)
    return {}
