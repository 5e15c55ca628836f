import hashlib
import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.policies.domain.conditions import evaluate
from apps.policies.domain.diff import diff_in_plain_words
from apps.policies.domain.plain_words import describe
from apps.policies.domain.rows import columns_from_decisions
from apps.policies.domain.satisfiability import can_match
from apps.policies.domain.validation import content_hash, validate_policy
from tests.unit.policies_examples import (
    LOANS,
    compare,
    condition,
    faults,
    policy,
    rule,
)
from tests.unit.policies_strategies import CONDITIONS, decisions

HIGH = replace(LOANS, risk_tier="high")
MINIMAL = replace(LOANS, risk_tier="minimal")


def policy_faults(schema=LOANS, **document):
    return faults(validate_policy, {"level": "HITL"} | document, schema)


def test_only_the_level_is_needed_and_defaults_are_filled():
    assert policy().document == {
        "level": "HITL",
        "confidence_threshold": 0,
        "label_thresholds": {},
        "rules": [],
        "unreviewed_release": None,
        "always_review_labels": [],
        "audit_rate": 0,
        "reviews_required": 1,
        "combination": "single",
        "blind": False,
        "known_answer_rate": 0,
        "known_answer_floor": None,
        "skills": [],
        "sla_minutes": None,
        "escalation": [],
        "fallback": "withhold",
        "intervention_minutes": None,
        "tripwires": [],
        "min_weekly_cases": 0,
        "senior_sees_verdicts": True,
        "reviews_max": None,
        "posterior_level": None,
        "feedback": False,
        "show_protected": False,
        "lease_minutes": 15,
        "ask_limit_minutes": 1_440,
        "daily_limit": None,
        "streak_limit": None,
        "practice_days": None,
    }


FULL = {
    "use_case": "loan-approval",
    "level": "HOTL",
    "confidence_threshold": 0.8,
    "label_thresholds": {"deny": 0.95},
    "rules": [
        rule("large", {"all": [compare("amount", ">", "50000")]}),
        rule("tenth", compare("feature.region", "==", "north"), "sample", rate=0.1),
    ],
    "unreviewed_release": {"justification": "Small sums do little harm."},
    "always_review_labels": ["deny"],
    "audit_rate": 0.05,
    "reviews_required": 2,
    "combination": "two_person",
    "blind": True,
    "known_answer_rate": 0.02,
    "known_answer_floor": 0.7,
    "skills": ["credit"],
    "sla_minutes": 240,
    "escalation": ["senior_reviewer", "risk_lead"],
    "fallback": "withhold",
    "intervention_minutes": 60,
    "tripwires": [{"metric": "drift.psi.max", "op": ">", "value": 0.25, "action": "to_hitl"}],
    "min_weekly_cases": 5,
    "reviews_max": 5,
    "posterior_level": 0.95,
    "feedback": True,
    "show_protected": True,
    "lease_minutes": 30,
    "ask_limit_minutes": 60,
    "daily_limit": 80,
    "streak_limit": 1,
    "practice_days": 90,
}


def test_a_full_policy_is_accepted_and_its_normal_form_is_a_fixed_point():
    once = validate_policy(FULL, LOANS)
    again = validate_policy(dict(once.document), LOANS)
    assert again == once
    assert once.document["rules"][0]["when"]["all"][0]["value"] == "50000.00"
    assert once.routing.label_thresholds == {"deny": 0.95}


def tripwire(metric, op, value, action):
    return {"tripwires": [{"metric": metric, "op": op, "value": value, "action": action}]}


@pytest.mark.parametrize(
    ("pointer", "document"),
    [
        ("/level", {"level": "HUMAN"}),
        ("/confidence_threshold", {"confidence_threshold": 1.01}),
        ("/confidence_threshold", {"confidence_threshold": math.nan}),
        ("/confidence_threshold", {"confidence_threshold": True}),
        ("/confidence_threshold", {"confidence_threshold": "0.8"}),
        ("/label_thresholds/maybe", {"label_thresholds": {"maybe": 0.5}}),
        ("/label_thresholds/deny", {"label_thresholds": {"deny": -0.1}}),
        ("/label_thresholds", {"label_thresholds": []}),
        ("/always_review_labels/0", {"always_review_labels": ["maybe"]}),
        ("/always_review_labels/1", {"always_review_labels": ["deny", "deny"]}),
        ("/audit_rate", {"audit_rate": 1.5}),
        ("/reviews_required", {"reviews_required": 0}),
        ("/reviews_required", {"reviews_required": 1.0}),
        ("/reviews_required", {"combination": "two_person"}),
        ("/combination", {"combination": "dice"}),
        ("/blind", {"blind": 1}),
        ("/skills/0", {"skills": [" "]}),
        ("/sla_minutes", {"sla_minutes": 0}),
        ("/intervention_minutes", {"intervention_minutes": -5}),
        ("/escalation/0", {"escalation": ["integration"]}),
        ("/escalation/0", {"escalation": ["auditor"]}),
        ("/escalation/0", {"escalation": ["executive"]}),
        ("/lease_minutes", {"lease_minutes": 0}),
        ("/lease_minutes", {"lease_minutes": None}),
        ("/daily_limit", {"daily_limit": 0}),
        ("/practice_days", {"practice_days": 1.5}),
        ("/escalation/0", {"escalation": ["manager"]}),
        ("/fallback", {"fallback": "release"}),
        ("/fallback", {"fallback": "shrug"}),
        ("/reviews_max", {"reviews_required": 3, "reviews_max": 2, "posterior_level": 0.9}),
        ("/posterior_level", {"reviews_max": 3}),
        ("/reviews_max", {"posterior_level": 0.9}),
        ("/posterior_level", {"reviews_max": 3, "posterior_level": 0.5}),
        ("/unreviewed_release/justification", {"unreviewed_release": {"justification": " "}}),
        ("/threshold", {"threshold": 0.5}),
        (
            "/tripwires/0/op",
            tripwire("m", "=", 1, "alert"),
        ),
        (
            "/tripwires/0/value",
            tripwire("m", ">", math.inf, "alert"),
        ),
        (
            "/tripwires/0/action",
            tripwire("m", ">", 1, "stop"),
        ),
        (
            "/tripwires/0/metric",
            tripwire(3, ">", 1, "alert"),
        ),
    ],
)
def test_a_single_fault_is_found_at_its_place(pointer, document):
    assert list(policy_faults(**document)) == [pointer]


def test_a_policy_without_a_level_or_that_is_no_object_is_refused():
    assert list(faults(validate_policy, {}, LOANS)) == ["/level"]
    assert list(faults(validate_policy, [], LOANS)) == [""]


def test_all_faults_are_reported_together():
    found = policy_faults(audit_rate=2, blind="no", rules=[rule("a", compare("x", ">", 1))])
    assert set(found) == {"/audit_rate", "/blind", "/rules/0/when/field"}


@pytest.mark.parametrize(
    ("pointer", "one"),
    [
        ("/rules/0/then", rule("a", compare("amount", ">", "1"), "release")),
        ("/rules/0/rate", rule("a", compare("amount", ">", "1"), "sample")),
        ("/rules/0/rate", rule("a", compare("amount", ">", "1"), "sample", rate=1.1)),
        ("/rules/0/rate", rule("a", compare("amount", ">", "1"), "review", rate=0.1)),
        ("/rules/0/name", rule("", compare("amount", ">", "1"))),
        ("/rules/0/note", rule("a", compare("amount", ">", "1"), note="x")),
        ("/rules/0", "review all"),
    ],
)
def test_a_fault_of_a_rule_is_found_at_its_place(pointer, one):
    assert list(policy_faults(rules=[one])) == [pointer]


def test_two_rules_of_one_name_are_refused():
    rules = [rule("a", compare("amount", ">", "5")), rule("a", compare("amount", "<", "2"))]
    assert list(policy_faults(rules=rules)) == ["/rules/1/name"]


def both(*parts):
    return {"all": list(parts)}


@pytest.mark.parametrize(
    "when",
    [
        compare("confidence", ">", 1),
        compare("confidence", "<", 0),
        compare("amount", "<", "0"),
        compare("amount", "==", "-5"),
        compare("margin", "<", 0),
        {"all": [compare("feature.income", ">", 5), compare("feature.income", "<", 3)]},
        {"all": [compare("feature.income", ">", 5), compare("feature.income", "<=", 5)]},
        {"all": [compare("feature.income", "==", 5), compare("feature.income", "!=", 5)]},
        {"all": [compare("feature.income", "is_missing"), compare("feature.income", ">", 0)]},
        {"all": [compare("label", "==", "deny"), compare("label", "==", "approve")]},
        compare("label", "matches", "^z"),
        compare("feature.region", "==", "east"),
        {"all": [compare("feature.note", "in", ["a", "b"]), compare("feature.note", "==", "c")]},
        {"all": [compare("feature.note", "==", "a"), compare("feature.note", "matches", "b")]},
        {
            "all": [
                compare("feature.since", ">", "2026-01-01"),
                compare("feature.since", "<", "2025-01-01"),
            ]
        },
        {
            "all": [
                compare("feature.employed", "!=", True),
                compare("feature.employed", "!=", False),
            ]
        },
        {"not": {"all": []}},
        {"not": {"any": [compare("amount", "is_missing"), compare("amount", ">=", "0")]}},
        {"not": compare("confidence", "between", [0, 1])},
    ],
)
def test_a_rule_that_can_never_match_is_refused(when):
    assert list(policy_faults(rules=[rule("a", when)])) == ["/rules/0/when"]


@pytest.mark.parametrize(
    "when",
    [
        compare("confidence", ">=", 1),
        compare("amount", "<=", "0"),
        {"not": compare("amount", ">=", "0")},  # a missing amount
        {"all": [compare("feature.income", ">=", 5), compare("feature.income", "<=", 5)]},
        {"all": [compare("confidence", "is_missing"), compare("confidence", "<", 0.5)]},
        compare("feature.region", "not_in", ["north", "south"]),  # a level not seen before
    ],
)
def test_a_rule_that_can_match_is_accepted(when):
    assert policy_faults(rules=[rule("a", when)]) == {}


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, CONDITIONS, st.lists(decisions(), min_size=1, max_size=6))
def test_a_condition_that_some_decision_meets_is_never_called_unmatchable(data, other, rows):
    wanted, unlike = condition(data), condition(other)
    # Only decisions with an output reach the rules.
    columns = columns_from_decisions([one for one in rows if one["output"]])
    met = evaluate(wanted, columns)
    if met.any():
        assert can_match(wanted, LOANS)
    if (met & ~evaluate(unlike, columns)).any():
        assert can_match(wanted, LOANS, [unlike])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (compare("amount", ">", "5"), compare("amount", ">", "5.00")),
        (compare("amount", ">", "5"), compare("amount", ">", "50")),
        ({"all": []}, compare("label", "==", "deny")),
        (compare("feature.note", "matches", "a"), compare("feature.note", "matches", "a")),
        (
            {"any": [compare("label", "==", "deny"), compare("amount", ">", "5")]},
            {"all": [compare("label", "==", "deny"), compare("margin", "<", 0.1)]},
        ),
    ],
)
def test_a_rule_shadowed_by_an_earlier_one_is_refused(first, second):
    found = policy_faults(rules=[rule("a", first), rule("b", second)])
    assert list(found) == ["/rules/1/when"]
    assert "'a'" in found["/rules/1/when"]


def test_a_rule_shadowed_by_two_earlier_ones_together_is_refused():
    halves = [
        rule("low", compare("confidence", "<", 0.5)),
        rule("x", compare("confidence", ">=", 0.5)),
    ]
    found = policy_faults(rules=[*halves, rule("late", compare("amount", ">", "5"))])
    assert list(found) == ["/rules/2/when"]


def test_a_rule_that_an_earlier_one_takes_only_in_part_is_accepted():
    rules = [rule("a", compare("amount", ">", "50")), rule("b", compare("amount", ">", "5"))]
    assert policy_faults(rules=rules) == {}


def test_a_high_tier_rule_that_releases_needs_a_justification():
    rules = [rule("free", compare("amount", "<", "5"), "automatic")]
    assert list(policy_faults(HIGH, rules=rules)) == ["/unreviewed_release/justification"]
    reason = {"justification": "Sums below five do no harm."}
    assert policy_faults(HIGH, rules=rules, unreviewed_release=reason) == {}
    assert policy_faults(rules=rules) == {}
    assert policy_faults(HIGH, confidence_threshold=0.2) == {}


def test_the_fallback_release_is_for_minimal_risk_alone():
    assert policy_faults(MINIMAL, fallback="release") == {}
    assert list(policy_faults(HIGH, fallback="release")) == ["/fallback"]


def test_unanimous_and_majority_are_allowed_with_one_reviewer():
    assert policy_faults(combination="unanimous") == {}
    assert policy_faults(combination="majority") == {}


def test_equal_policies_have_equal_hashes_and_other_policies_other_ones():
    plain = content_hash(policy().document)
    assert plain == content_hash(policy(use_case="x", confidence_threshold=0, rules=[]).document)
    assert plain != content_hash(policy(confidence_threshold=0.1).document)
    # RFC 8785 writes sorted keys without spaces, and 0.0 as 0.
    whole = {key: 0 if value == 0 else value for key, value in policy().document.items()}
    whole |= {key: False for key, value in policy().document.items() if value is False}
    expected = json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()
    assert plain == hashlib.sha256(expected).hexdigest()


def test_each_change_is_one_plain_sentence():
    old = policy(
        label_thresholds={"deny": 0.9},
        audit_rate=0.05,
        skills=["credit"],
        rules=[rule("large", compare("amount", ">", "5"))],
    )
    new = policy(
        level="HOTL",
        label_thresholds={"deny": 0.95, "approve": 0.5},
        audit_rate=0.025,
        blind=True,
        sla_minutes=60,
        escalation=["risk_lead"],
        tripwires=[{"metric": "accuracy", "op": "<", "value": 0.9, "action": "suspend"}],
        rules=[
            rule("large", compare("amount", ">", "7")),
            rule("odd", compare("margin", "<", 0.1)),
        ],
        unreviewed_release={"justification": "Tested."},
    )
    assert diff_in_plain_words(old, new) == [
        "The oversight level changes from HITL to HOTL.",
        "The confidence threshold for 'approve' is set to 0.50.",
        "The confidence threshold for 'deny' rises from 0.90 to 0.95.",
        "Changed: Rule 'large': if the amount is above 5.00, the decision is reviewed. "
        "Now: Rule 'large': if the amount is above 7.00, the decision is reviewed.",
        "Added: Rule 'odd': if the margin is below 0.1, the decision is reviewed.",
        "Release without review is now justified so: Tested.",
        "The skill 'credit' is removed.",
        "The random audit rate falls from 5 % to 2.5 %.",
        "The blind first answer is turned on.",
        "The time limit of a review in minutes is set to 60.",
        "Lapsed cases go to 'risk_lead' in this order, before to none.",
        "Tripwire added: If accuracy < 0.9, an alert is raised and the use case is suspended.",
    ]


def test_equal_policies_do_not_differ_and_order_of_rules_is_a_difference():
    rules = [rule("a", compare("amount", ">", "5")), rule("b", compare("margin", "<", 0.1))]
    assert diff_in_plain_words(policy(rules=rules), policy(rules=rules)) == []
    assert diff_in_plain_words(policy(rules=rules), policy(rules=rules[::-1])) == [
        "The order of the rules is now 'b', 'a'."
    ]


@pytest.mark.parametrize("key", sorted(set(FULL) - {"use_case", "level"}))
def test_every_key_of_a_policy_shows_in_a_difference(key):
    changed = FULL[key]
    base = {"level": "HITL"}
    if key == "combination":
        base["reviews_required"] = 2
    other = base | {key: changed}
    if key in ("reviews_max", "posterior_level"):
        other |= {"reviews_max": 5, "posterior_level": 0.95}
    if key == "fallback":
        base["fallback"] = "release"
    old, new = validate_policy(base, MINIMAL), validate_policy(other, MINIMAL)
    assert diff_in_plain_words(old, new)


def test_a_policy_reads_in_plain_words():
    assert describe(validate_policy(FULL, LOANS)) == [
        "The oversight level is human on the loop: outputs are released at once and people watch "
        "and step in.",
        "Rule 'large': if the amount is above 50000.00, the decision is reviewed.",
        "Rule 'tenth': if feature 'region' is 'north', 10 % are drawn for review, the rest "
        "released.",
        "Release without review is justified so: Small sums do little harm.",
        "Decisions for 'deny' are always reviewed.",
        "Confidence below 0.80 is released and reviewed after.",
        "For 'deny', confidence below 0.95 is released and reviewed after.",
        "Of what would be released, 5 % is drawn at random for audit.",
        "A case takes 2 reviews; two different people must each confirm.",
        "Reviews are added, up to 5, until the answer is at least 95 % sure.",
        "Reviewers answer before they see the AI's output.",
        "2 % of cases have a known answer.",
        "A reviewer below 70 % right on known answers loses the qualification.",
        "Reviewers are told how they did on known answers.",
        "Reviewers need the skills 'credit'.",
        "A qualified reviewer gets at least 5 cases a week.",
        "A senior who adjudicates sees the verdicts before.",
        "Reviewers see protected attributes.",
        "A reviewer holds a case for 30 minutes without a sign.",
        "A question stops the clock for at most 60 minutes.",
        "A reviewer gets at most 80 cases a day.",
        "A pause is suggested after 1 case in a row.",
        "A qualification lapses after 90 days without a case.",
        "A release can be undone for 60 minutes.",
        "A case is due 240 minutes after it arrives; it goes to the senior reviewer then risk "
        "lead; at the end it is withheld.",
        "If drift.psi.max > 0.25, an alert is raised and the use case moves to human in the loop.",
    ]


def test_in_command_the_words_say_that_mandates_alone_release():
    words = describe(policy(level="HIC", audit_rate=0.5))
    assert words[1] == "Mandates alone release; rules, thresholds and audits do not apply."
    assert not any("random audit" in sentence for sentence in words)
