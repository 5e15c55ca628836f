"""Random decisions, conditions, policies and contexts of the loan use case."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from tests.unit.policies_examples import SEED, compare, decision, rule

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
VALUES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
AMOUNTS = st.sampled_from([None, "0", "10.00", "10.5", "99.9999", "1000"])
MAYBE_CONFIDENCE = st.one_of(VALUES, st.sampled_from([None, float("nan")]))


@st.composite
def decisions(draw_from):
    output = {
        "label": draw_from(st.sampled_from(["approve", "deny"])),
        "confidence": draw_from(MAYBE_CONFIDENCE),
        "scores": draw_from(st.dictionaries(st.sampled_from("ab"), VALUES)),
    }
    features = {
        "income": st.sampled_from([-1, 0, 2.5, 1000]),
        "region": st.sampled_from(["north", "south", "new"]),
        "employed": st.booleans(),
        "since": st.sampled_from(["2024-02-29", "2026-01-01"]),
    }
    return decision(
        external_id=draw_from(st.text("abc", max_size=3)),
        model_version=draw_from(st.sampled_from(["1", "2"])),
        output=draw_from(st.sampled_from([output, output, output, None])),
        amount=draw_from(AMOUNTS),
        features=draw_from(st.fixed_dictionaries({}, optional=features)),
        subject={"attributes": draw_from(st.sampled_from([{}, {"sex": "F"}, {"sex": "M"}]))},
    )


def listed(field, values):
    ops = st.sampled_from(["in", "not_in"])
    return st.builds(compare, st.just(field), ops, st.lists(values, min_size=1, max_size=3))


def between(field, values):
    pairs = st.tuples(values, values).map(lambda pair: sorted(pair, key=float))
    return st.builds(compare, st.just(field), st.just("between"), pairs)


def numeric(field, values):
    ops = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    return st.one_of(
        st.builds(compare, st.just(field), ops, values),
        listed(field, values),
        between(field, values),
        st.builds(compare, st.just(field), st.just("is_missing"), st.booleans()),
    )


def named(field, levels):
    values = st.sampled_from(levels)
    patterns = st.sampled_from(["o", "^a", "n.*h$"])
    return st.one_of(
        st.builds(compare, st.just(field), st.sampled_from(["==", "!="]), values),
        listed(field, values),
        st.builds(compare, st.just(field), st.just("matches"), patterns),
        st.builds(compare, st.just(field), st.just("is_missing"), st.booleans()),
    )


LEAVES = st.one_of(
    numeric("confidence", VALUES),
    numeric("margin", VALUES),
    numeric("feature.income", st.sampled_from([-1, 0, 2.5])),
    numeric("amount", st.sampled_from(["10", "10.5", "99.9999"])),
    named("label", ["approve", "deny"]),
    named("feature.region", ["north", "south"]),
    named("subject.sex", ["F", "M"]),
    named("model_version", ["1", "2"]),
    st.builds(compare, st.just("feature.employed"), st.sampled_from(["==", "!="]), st.booleans()),
    st.builds(
        compare, st.just("feature.since"), st.sampled_from(["<", ">="]), st.just("2025-01-01")
    ),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=5,
)


@st.composite
def policies(draw_from):
    rules = []
    for index, when in enumerate(draw_from(st.lists(CONDITIONS, max_size=4))):
        then = draw_from(st.sampled_from(["review", "command", "automatic", "sample"]))
        rate = {"rate": draw_from(VALUES)} if then == "sample" else {}
        rules.append(rule(f"r{index}", when, then, **rate))
    return {
        "level": draw_from(st.sampled_from(["HITL", "HOTL", "HIC"])),
        "confidence_threshold": draw_from(VALUES),
        "label_thresholds": draw_from(st.dictionaries(st.just("deny"), VALUES)),
        "rules": rules,
        "always_review_labels": draw_from(st.lists(st.just("deny"), max_size=1)),
        "audit_rate": draw_from(VALUES),
    }


@st.composite
def contexts(draw_from):
    mandates = [
        {
            "scope": draw_from(CONDITIONS),
            "count": draw_from(st.sampled_from([None, 0, 1, 3])),
            "amount": draw_from(st.sampled_from([None, Decimal("10.5"), Decimal(1010)])),
            "from": draw_from(st.sampled_from([NOON, NOON + HOUR])),
            "to": NOON + 2 * HOUR,
        }
        for _ in range(draw_from(st.integers(0, 3)))
    ]
    lifecycle = draw_from(st.sampled_from(["live", "live", "live", "pilot", "suspended", "draft"]))
    return {"lifecycle": lifecycle, "seed": SEED, "moment": NOON, "mandates": mandates}
