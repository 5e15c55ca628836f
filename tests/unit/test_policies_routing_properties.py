import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.policies.domain.lanes import Lane, RoutingContext, RoutingPolicy, Rule
from apps.policies.domain.mandates import Mandate
from apps.policies.domain.reasons import encoded_reasons, reasons
from apps.policies.domain.routing import route
from apps.policies.domain.rows import columns_from_decisions
from tests.unit.policies_examples import SEED, condition, decision, routed
from tests.unit.policies_reference import route_one
from tests.unit.policies_strategies import AMOUNTS, NOON, VALUES, contexts, decisions, policies

ALWAYS = condition({"all": []})


def compiled_policy(data):
    # Built directly: random rules may shadow each other, which a document may not.
    rules = tuple(
        Rule(one["name"], condition(one["when"]), one["then"], one.get("rate"))
        for one in data["rules"]
    )
    return RoutingPolicy(
        data["level"],
        data["confidence_threshold"],
        data["label_thresholds"],
        rules,
        frozenset(data["always_review_labels"]),
        data["audit_rate"],
    )


def compiled_context(data, withdrawn):
    mandates = tuple(
        Mandate(str(k), condition(m["scope"]), m["count"], m["amount"], m["from"], m["to"])
        for k, m in enumerate(data["mandates"])
    )
    return RoutingContext(data["lifecycle"], SEED, NOON, mandates, np.array(withdrawn, dtype=bool))


def as_tuples(result):
    """The result in the reference's terms."""

    def lane(number):
        return None if number < 0 else Lane(int(number)).code

    rows = zip(
        map(lane, result.lane),
        map(lane, result.would_be),
        [None if np.isnan(p) else p for p in result.sampling_probability.tolist()],
        [None if m < 0 else m for m in result.mandate.tolist()],
        result.needs_after_review.tolist(),
        strict=True,
    )
    return list(rows)


def leading_code(found):
    return found[1]["code"] if found[0]["code"] == "pilot" else found[0]["code"]


@settings(max_examples=300, deadline=None)
@given(policies(), contexts(), st.lists(st.tuples(decisions(), st.booleans()), max_size=8))
def test_routing_agrees_with_the_slow_reference(policy_data, context_data, rows):
    inputs = [one for one, _ in rows]
    withdrawn = [gone and index % 3 == 0 for index, (_, gone) in enumerate(rows)]
    left = [(mandate["count"], mandate["amount"]) for mandate in context_data["mandates"]]
    expected = [
        route_one(policy_data, context_data, one, gone, left)
        for one, gone in zip(inputs, withdrawn, strict=True)
    ]
    context = compiled_context(context_data, withdrawn)
    result = route(compiled_policy(policy_data), context, columns_from_decisions(inputs))
    assert as_tuples(result) == [row[:5] for row in expected]
    found = [reasons(result, row) for row in range(len(inputs))]
    assert [leading_code(one) for one in found] == [row[5] for row in expected]
    # The same again, and each reason encoded in bulk as made alone.
    again = route(compiled_policy(policy_data), context, columns_from_decisions(inputs))
    assert as_tuples(again) == as_tuples(result)
    assert encoded_reasons(result, json.dumps) == [json.dumps(one) for one in found]


@settings(max_examples=150, deadline=None)
@given(policies(), st.lists(decisions(), min_size=1, max_size=6))
def test_a_decision_alone_goes_where_it_goes_among_others(policy_data, rows):
    routing, context = compiled_policy(policy_data), RoutingContext("live", SEED)
    together = as_tuples(route(routing, context, columns_from_decisions(rows)))
    alone = [as_tuples(route(routing, context, columns_from_decisions([one])))[0] for one in rows]
    assert together == alone


@settings(max_examples=100, deadline=None)
@given(policies(), st.lists(decisions(), min_size=1, max_size=8), VALUES, st.sampled_from([0, 1]))
def test_raising_a_threshold_never_sends_fewer_to_review(policy_data, rows, higher, which):
    def attended(data):
        columns = columns_from_decisions(rows)
        result = route(compiled_policy(data), RoutingContext("live", SEED), columns)
        return (result.lane == Lane.REVIEW) | result.needs_after_review

    raised = dict(policy_data)
    if which:
        floor = policy_data["label_thresholds"].get("deny", policy_data["confidence_threshold"])
        raised["label_thresholds"] = {"deny": max(floor, higher)}
    else:
        raised["confidence_threshold"] = max(policy_data["confidence_threshold"], higher)
    assert np.all(attended(policy_data) <= attended(raised))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(AMOUNTS, max_size=12),
    st.lists(st.tuples(st.integers(0, 4), st.decimals(0, 2000, places=2)), max_size=3),
)
def test_mandates_are_never_used_beyond_their_limits(amounts, limits):
    mandates = [
        Mandate(str(k), ALWAYS, left_count=count, left_amount=amount)
        for k, (count, amount) in enumerate(limits)
    ]
    context = RoutingContext("live", SEED, NOON, tuple(mandates))
    result = routed([decision(amount=amount) for amount in amounts], context, level="HIC")
    for mandate, use in zip(mandates, result.mandate_use(), strict=True):
        assert use.count <= mandate.left_count
        assert use.amount <= mandate.left_amount
