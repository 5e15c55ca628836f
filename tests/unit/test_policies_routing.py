import json
from decimal import Decimal

import numpy as np
import pytest

from apps.policies.domain.lanes import Lane, RoutingContext, RoutingPolicy
from apps.policies.domain.mandates import Mandate, MandateUse, after_use
from apps.policies.domain.novelty import ReferenceProfile
from apps.policies.domain.reasons import encoded_reasons, reasons
from apps.policies.domain.routing import route
from apps.policies.domain.rows import columns_from_decisions
from apps.policies.domain.sampling import draw
from tests.unit.policies_examples import (
    SEED,
    compare,
    condition,
    decision,
    lane_of,
    routed,
    rule,
)
from tests.unit.policies_strategies import HOUR, NOON

ALWAYS = condition({"all": []})


def only_reason(one, context=None, **document):
    (reason,) = reasons(routed([one], context, **document), 0)
    return reason


@pytest.mark.parametrize("lifecycle", ["draft", "suspended", "retired"])
@pytest.mark.parametrize("level", ["HITL", "HOTL", "HIC"])
def test_a_use_case_out_of_service_blocks_every_decision(lifecycle, level):
    context = RoutingContext(lifecycle, SEED)
    assert lane_of(decision(), context, level=level) == "blocked"
    reason = only_reason(decision(), context, level=level)
    assert reason["code"] == "use_case_suspended"
    assert lifecycle in reason["text"]


def test_a_withdrawn_model_blocks_its_own_rows_alone_in_pilot_too():
    context = RoutingContext("pilot", SEED, withdrawn=np.array([True, False]))
    result = routed([decision(), decision()], context)
    assert result.lane.tolist() == [Lane.BLOCKED, Lane.SHADOW]
    assert result.would_be.tolist() == [-1, Lane.AUTOMATIC]
    assert reasons(result, 0) == [
        {
            "code": "model_withdrawn",
            "rule": "model_version",
            "value": "2.3.1",
            "text": "Model version '2.3.1' is withdrawn.",
        }
    ]


@pytest.mark.parametrize("then", ["review", "command", "automatic"])
@pytest.mark.parametrize("level", ["HITL", "HOTL"])
def test_the_first_rule_that_matches_settles_a_decision(then, level):
    rules = [
        rule("other", compare("amount", ">", "500")),
        rule("mine", compare("amount", ">", "50"), then),
        rule("late", compare("amount", ">", "5")),
    ]
    assert lane_of(decision(), level=level, rules=rules, confidence_threshold=1) == then


def test_a_rule_names_itself_the_value_and_the_limit():
    large = rule("large", compare("amount", ">", "50"))
    assert only_reason(decision(), rules=[large]) == {
        "code": "rule",
        "rule": "large",
        "value": "100.00",
        "text": "Rule 'large' sends this to review: the amount (100.00) is above 50.00.",
    }


def test_a_rule_over_several_fields_gives_each_value():
    both = {"all": [compare("amount", ">", "50"), compare("feature.region", "==", "north")]}
    reason = only_reason(decision(), rules=[rule("both", both)])
    assert reason["value"] == {"amount": "100.00", "feature.region": "north"}


def test_a_rule_of_novelty_alone_has_its_own_code_and_names_features():
    profile = ReferenceProfile({"income": (0, 1000)}, {})
    context = RoutingContext("live", SEED, profile=profile)
    asks = rule("odd", compare("novelty", "==", True))
    reason = only_reason(decision(), context, rules=[asks])
    assert (reason["code"], reason["value"]) == ("novelty", ["income"])
    mixed = rule("odd", {"all": [asks["when"], compare("amount", ">", "50")]})
    assert only_reason(decision(), context, rules=[mixed])["code"] == "rule"


def test_a_case_without_output_waits_even_where_a_rule_would_release_it():
    free = rule("free", {"all": []}, "automatic")
    for level in ("HITL", "HOTL"):
        one = decision(output=None)
        assert lane_of(one, level=level, rules=[free]) == "review"
        assert only_reason(one, level=level, rules=[free])["code"] == "no_output"


@pytest.mark.parametrize("then", ["automatic", "sample"])
def test_an_always_review_label_wins_over_a_rule_that_releases_or_samples(then):
    rate = {"rate": 0.0} if then == "sample" else {}
    document = {
        "rules": [rule("free", {"all": []}, then, **rate)],
        "always_review_labels": ["deny"],
    }
    result = routed([decision(label="deny"), decision()], level="HOTL", **document)
    assert result.lane[0] == Lane.REVIEW
    assert result.lane[1] != Lane.REVIEW
    assert np.isnan(result.sampling_probability[0])
    assert reasons(result, 0)[0]["code"] == "always_review_label"


def test_a_rule_that_commands_wins_over_an_always_review_label():
    commanded = rule("up", {"all": []}, "command")
    document = {"rules": [commanded], "always_review_labels": ["deny"]}
    assert lane_of(decision(label="deny"), **document) == "command"


def test_the_threshold_of_a_label_replaces_the_overall_one():
    document = {"confidence_threshold": 0.8, "label_thresholds": {"deny": 0.5}}
    rows = [decision(label="deny", confidence=0.5), decision(label="deny", confidence=0.49)]
    rows += [decision(confidence=0.79), decision(confidence=0.8)]
    result = routed(rows, **document)
    assert result.lane.tolist() == [Lane.AUTOMATIC, Lane.REVIEW, Lane.REVIEW, Lane.AUTOMATIC]


def test_a_threshold_reason_reads_as_a_sentence():
    document = {"confidence_threshold": 0.1, "label_thresholds": {"deny": 0.8}}
    reason = only_reason(decision(label="deny", confidence=0.62), **document)
    assert reason == {
        "code": "confidence_below_threshold",
        "rule": "label_thresholds.deny",
        "value": 0.62,
        "text": "Confidence 0.62 is below 0.80 for 'deny'.",
    }


def test_a_confidence_just_below_its_threshold_is_shown_below_it():
    reason = only_reason(decision(confidence=0.79996), confidence_threshold=0.8)
    assert reason["text"] == "Confidence 0.79996 is below 0.80."


@pytest.mark.parametrize("confidence", [None, float("nan"), float("-inf")])
def test_a_missing_confidence_counts_as_zero(confidence):
    one = decision(confidence=confidence)
    found = reasons(routed([one], confidence_threshold=0.01), 0)
    assert [reason["code"] for reason in found] == [
        "confidence_missing",
        "confidence_below_threshold",
    ]
    assert lane_of(one, confidence_threshold=0) == "automatic"  # 0 is not below 0


def test_every_decision_that_came_to_a_draw_keeps_its_chance():
    rows = [decision(confidence=0.1), decision(), decision(features={"region": "south"})]
    sampled = rule("south", compare("feature.region", "==", "south"), "sample", rate=0.3)
    document = {"confidence_threshold": 0.5, "audit_rate": 0.2, "rules": [sampled]}
    probability = routed(rows, **document).sampling_probability.tolist()
    assert np.isnan(probability[0])
    assert probability[1:] == [0.2, 0.3]


def test_the_audit_picks_exactly_the_draws_below_its_rate():
    rows = [decision(f"case-{k}") for k in range(300)]
    result = routed(rows, audit_rate=0.25)
    picked = [draw(SEED, one["external_id"]) < 0.25 for one in rows]
    assert (result.lane == Lane.REVIEW).tolist() == picked
    assert 0 < sum(picked) < 300
    codes = {reasons(result, row)[0]["code"] for row in range(300) if picked[row]}
    assert codes == {"random_audit"}


def test_draws_made_before_stand_in_for_the_seed():
    context = RoutingContext("live", draws=np.array([0.1, 0.9]))
    result = routed([decision(), decision()], context, audit_rate=0.5)
    assert result.lane.tolist() == [Lane.REVIEW, Lane.AUTOMATIC]


def test_a_sample_rule_sends_its_share_to_review_whatever_the_confidence():
    rows = [decision(f"case-{k}", confidence=0.1) for k in range(200)]
    half = rule("half", {"all": []}, "sample", rate=0.5)
    result = routed(rows, rules=[half], confidence_threshold=0.9)
    picked = [draw(SEED, one["external_id"]) < 0.5 for one in rows]
    assert (result.lane == Lane.REVIEW).tolist() == picked
    assert reasons(result, picked.index(True))[0]["rule"] == "half"
    assert reasons(result, picked.index(False))[0]["code"] == "within_policy"


def test_on_the_loop_thresholds_and_audits_release_and_ask_for_a_review_afterwards():
    rows = [decision(confidence=0.1), decision()]
    result = routed(rows, level="HOTL", confidence_threshold=0.5, audit_rate=0.0)
    assert result.lane.tolist() == [Lane.SUPERVISED] * 2
    assert result.needs_after_review.tolist() == [True, False]
    audited = routed(rows, level="HOTL", audit_rate=1.0)
    assert audited.lane.tolist() == [Lane.SUPERVISED] * 2
    assert audited.needs_after_review.tolist() == [True, True]


def test_pilot_shadows_and_keeps_the_lane_it_would_have_taken():
    context = RoutingContext("pilot", SEED)
    result = routed([decision(confidence=0.1)], context, confidence_threshold=0.5)
    assert (result.lane[0], result.would_be[0]) == (Lane.SHADOW, Lane.REVIEW)
    assert [reason["code"] for reason in reasons(result, 0)] == [
        "pilot",
        "confidence_below_threshold",
    ]


def commanded(rows, *mandates, moment=NOON):
    return routed(rows, RoutingContext("live", SEED, moment, mandates), level="HIC")


def test_in_command_only_a_mandate_releases():
    small = condition(compare("amount", "<=", "100"))
    mandate = Mandate("m-1", small, name="Small loans")
    result = commanded([decision(), decision(amount="100.01"), decision(output=None)], mandate)
    assert result.lane.tolist() == [Lane.AUTOMATIC, Lane.COMMAND, Lane.COMMAND]
    found = [reasons(result, row)[0]["code"] for row in range(3)]
    assert found == ["mandate", "no_mandate", "no_output"]
    assert reasons(result, 0)[0]["text"] == "Mandate 'Small loans' covers this decision."


def test_a_mandate_holds_from_its_start_until_before_its_end():
    mandate = Mandate("m", ALWAYS, valid_from=NOON, valid_to=NOON + HOUR)
    lanes = [
        commanded([decision()], mandate, moment=NOON + shift).lane[0]
        for shift in (-HOUR, 0 * HOUR, HOUR)
    ]
    assert lanes == [Lane.COMMAND, Lane.AUTOMATIC, Lane.COMMAND]


def test_mandates_without_a_moment_are_refused():
    with pytest.raises(ValueError, match="moment"):
        commanded([decision()], Mandate("m", ALWAYS), moment=None)


def test_a_row_too_large_for_what_is_left_does_not_close_the_mandate():
    # 100 - 60 = 40: the 50 does not fit, the 40 does; then nothing is left.
    rows = [decision(amount=amount) for amount in ("60", "50", "40", "0.0001", None)]
    result = commanded(rows, Mandate("m", ALWAYS, left_amount=Decimal(100)))
    assert result.mandate.tolist() == [0, -1, 0, -1, -1]
    assert result.mandate_use() == (MandateUse(2, Decimal(100)),)
    assert result.mandate_use(before=2) == (MandateUse(1, Decimal(60)),)


def test_the_next_mandate_takes_over_when_the_first_is_used_up():
    mandates = [Mandate("a", ALWAYS, left_count=1), Mandate("b", ALWAYS, left_count=2)]
    result = commanded([decision() for _ in range(4)], *mandates)
    assert result.mandate.tolist() == [0, 1, 1, -1]


def test_what_is_left_after_a_use_is_exact():
    mandate = Mandate("m", ALWAYS, left_count=5, left_amount=Decimal("0.3"))
    left = after_use(mandate, MandateUse(2, Decimal("0.1")))
    assert (left.left_count, left.left_amount) == (3, Decimal("0.2"))


def test_amounts_with_many_decimals_use_up_a_mandate_exactly():
    rows = [decision(amount="0.00003") for _ in range(4)]
    result = commanded(rows, Mandate("m", ALWAYS, left_amount=Decimal("0.00009")))
    assert result.mandate.tolist() == [0, 0, 0, -1]
    assert result.mandate_use()[0].amount == Decimal("0.00009")


def test_a_draw_without_external_ids_is_refused():
    columns = columns_from_decisions([decision()])
    columns.external_ids = ()
    with pytest.raises(ValueError, match="external ids"):
        route(RoutingPolicy("HITL", audit_rate=0.5), RoutingContext("live", SEED), columns)


def test_no_decisions_give_an_empty_result():
    result = routed([], audit_rate=0.5, rules=[rule("a", compare("amount", ">", "1"))])
    assert len(result.lane) == 0
    assert encoded_reasons(result, json.dumps) == []


def test_a_case_is_audited_by_the_same_draw_under_every_policy_and_whatever_its_features():
    ids = [f"case-{k}" for k in range(400)]
    plain = routed([decision(one) for one in ids], audit_rate=0.1)
    other_rows = [decision(one, "deny", 0.99, features={"region": "south"}) for one in ids]
    other = routed(other_rows, audit_rate=0.2, confidence_threshold=0.5)
    audited = plain.lane == Lane.REVIEW
    assert np.all((other.lane == Lane.REVIEW)[audited])
    same_rate = routed(other_rows, audit_rate=0.1, level="HOTL")
    assert np.array_equal(same_rate.needs_after_review, audited)
