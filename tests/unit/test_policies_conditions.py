import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.policies.domain.columns import AmountColumn, LevelColumn
from apps.policies.domain.condition_words import condition_words
from apps.policies.domain.conditions import condition_data, evaluate
from apps.policies.domain.novelty import ReferenceProfile, with_novelty
from apps.policies.domain.patterns import SafePattern, UnsafePatternError
from apps.policies.domain.rows import columns_from_decisions
from apps.policies.domain.schema import Feature, UseCaseSchema
from tests.unit.policies_examples import LOANS, compare, condition, decision, faults


def met(data, *decisions, schema=LOANS):
    return evaluate(condition(data, schema), columns_from_decisions(decisions)).tolist()


WITHOUT = decision(features={}, amount=None, subject=None)


@pytest.mark.parametrize(
    ("op", "value"),
    [("==", 1), ("!=", 1), ("<", 1), ("<=", 1), (">", 1), (">=", 1), ("in", [1]), ("not_in", [1])],
)
def test_a_missing_feature_makes_a_comparison_false(op, value):
    assert met(compare("feature.income", op, value), WITHOUT) == [False]


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("amount", "!=", "1"),
        ("amount", "<", "1"),
        ("amount", "not_in", ["1"]),
        ("feature.region", "!=", "north"),
        ("feature.region", "not_in", ["north"]),
        ("feature.since", "<", "2030-01-01"),
        ("feature.employed", "!=", True),
        ("subject.sex", "!=", "F"),
        ("novelty", "==", False),
    ],
)
def test_what_is_missing_fails_every_comparison_and_meets_is_missing(field, op, value):
    assert met(compare(field, op, value), WITHOUT) == [False]
    assert met(compare(field, "is_missing"), WITHOUT) == [True]
    assert met(compare(field, "is_missing", False), WITHOUT) == [False]


def test_not_turns_the_false_comparison_of_a_missing_value_into_true():
    assert met({"not": compare("feature.income", ">", 5)}, WITHOUT) == [True]


def test_a_missing_confidence_is_compared_as_zero_and_is_still_missing():
    for confidence in (None, float("nan"), float("inf")):
        one = decision(confidence=confidence)
        assert met(compare("confidence", "<", 0.1), one) == [True]
        assert met(compare("confidence", "is_missing"), one) == [True]


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("==", 2, [False, True, False]),
        ("!=", 2, [True, False, True]),
        ("<", 2, [True, False, False]),
        ("<=", 2, [True, True, False]),
        (">", 2, [False, False, True]),
        (">=", 2, [False, True, True]),
        ("in", [1, 3], [True, False, True]),
        ("in", [*range(3, 40)], [False, False, True]),
        ("not_in", [1, 3], [False, True, False]),
        ("between", [1.5, 2], [False, True, False]),
    ],
)
def test_each_operator_over_numbers(op, value, expected):
    rows = [decision(features={"income": income}) for income in (1, 2, 3)]
    assert met(compare("feature.income", op, value), *rows) == expected


def test_amounts_are_compared_exactly_where_doubles_are_not():
    # 0.1 + 0.2 > 0.3 in doubles; 2^53 + 1 is no double.
    rows = [decision(amount="0.3"), decision(amount="0.3001"), decision(amount="0.30")]
    assert met(compare("amount", ">", "0.3"), *rows) == [False, True, False]
    large = decision(amount="90071992547409.93")
    assert met(compare("amount", "==", "90071992547409.92"), large) == [False]


def test_an_amount_too_fine_or_too_large_for_scaled_integers_is_still_exact():
    rows = [decision(amount="0.30001"), decision(amount="1" + "0" * 20), decision(amount=None)]
    assert met(compare("amount", ">", "0.3"), *rows) == [True, True, False]
    column = columns_from_decisions(rows).get(("amount", "amount"))
    assert isinstance(column, LevelColumn)
    plain = columns_from_decisions([decision()]).get(("amount", "amount"))
    assert isinstance(plain, AmountColumn)
    assert plain.exact() == [1_000_000]  # 100.00 in 1/10,000


def test_an_absurd_exponent_counts_as_no_amount():
    assert met(compare("amount", "is_missing"), decision(amount="1e999999999")) == [True]


def test_margin_is_the_difference_of_the_two_largest_scores():
    scores = {"a": 0.25, "b": 0.5, "c": 0.25}
    one = decision(output={"label": "approve", "confidence": 0.5, "scores": scores})
    assert met(compare("margin", "==", 0.25), one, decision()) == [True, False]


def test_the_confidence_of_named_fields_is_the_lowest_and_missing_when_one_is():
    schema = UseCaseSchema(labels=(), kinds=("fields",))
    total = {"value": 12.5, "confidence": 0.9}
    both = {"fields": {"total": total, "name": {"value": "Ann", "confidence": 0.7}}}
    less = {"fields": {"total": total, "name": {"value": "Ann"}}}
    rows = [decision(kind="fields", output=output) for output in (both, less)]
    assert met(compare("confidence", "==", 0.7), *rows, schema=schema) == [True, False]
    assert met(compare("confidence", "is_missing"), *rows, schema=schema) == [False, True]
    assert met(compare("output.total", ">", 12), *rows, schema=schema) == [True, True]
    assert met(compare("output.name", "==", "Ann"), *rows, schema=schema) == [True, True]
    assert met(compare("output.name", ">", 12), *rows, schema=schema) == [False, False]
    assert met(compare("output.other", "is_missing"), *rows, schema=schema) == [True, True]


def test_an_action_is_tested_by_its_name_and_its_arguments():
    schema = UseCaseSchema(labels=(), kinds=("action",))
    output = {"name": "pay", "arguments": {"sum": 5, "urgent": True}, "confidence": 0.9}
    one = decision(kind="action", output=output)
    assert met(compare("output.name", "==", "pay"), one, schema=schema) == [True]
    assert met(compare("output.sum", ">=", 5), one, schema=schema) == [True]
    assert met(compare("output.urgent", "==", True), one, schema=schema) == [True]
    # True is not the number 1.
    assert met(compare("output.urgent", "==", 1), one, schema=schema) == [False]


def test_dates_are_compared_by_day():
    rows = [decision(features={"since": since}) for since in ("2026-01-31T23:59:00Z", "x")]
    assert met(compare("feature.since", "<=", "2026-01-31"), *rows) == [True, False]


def test_novelty_names_what_lies_outside_the_reference():
    profile = ReferenceProfile({"income": (0, 50000)}, {"region": frozenset({"south"})})
    rows = [decision(), decision(features={"income": 50001, "region": "south"}), WITHOUT]
    columns = with_novelty(columns_from_decisions(rows), profile)
    novel = condition(compare("novelty", "==", True))
    assert evaluate(novel, columns).tolist() == [True, True, False]
    column = columns.get(("novelty", "boolean"))
    assert [column.value(row) for row in range(3)] == [["region"], ["income"], []]


def test_every_fault_is_found_with_its_place():
    data = {
        "all": [
            compare("feature.salary", "==", 1),
            compare("feature.region", "<", "north"),
            {"any": [compare("confidence", "between", [0.9, 0.1]), compare("amount", ">", 5.0)]},
            {"not": compare("feature.income", "==", "many")},
            compare("label", "in", ["approve", "dney"]),
            compare("feature.region", "in", []),
            compare("feature.since", ">", "2026-02-30"),
            compare("feature.employed", "is_missing", "yes"),
            compare("feature.income", ">", float("nan")),
            compare("feature.income", ">", True),
            {"field": "margin", "op": ">", "value": 1, "x/y": 2},
            {"field": "margin", "op": ">"},
            [],
        ]
    }
    found = faults(condition, data)
    assert set(found) == {
        "/all/0/field",
        "/all/1/op",
        "/all/2/any/0/value",
        "/all/2/any/1/value",
        "/all/3/not/value",
        "/all/4/value",
        "/all/5/value",
        "/all/6/value",
        "/all/7/value",
        "/all/8/value",
        "/all/9/value",
        "/all/10/x~1y",
        "/all/11/value",
        "/all/12",
    }
    assert "'feature.salary'" in found["/all/0/field"]
    assert "feature.income" in found["/all/0/field"]
    assert "==, !=, in, not_in, is_missing, matches" in found["/all/1/op"]
    assert "decimal string" in found["/all/2/any/1/value"]
    assert "'dney'" in found["/all/4/value"]


def test_depth_is_limited_and_says_so():
    data = compare("confidence", ">", 0.5)
    for _ in range(63):
        data = {"not": data}
    assert faults(condition, data) == {}
    assert list(faults(condition, {"not": data}).values()) == [
        "conditions nest deeper than 64 levels"
    ]


def test_an_empty_all_always_holds_and_an_empty_any_is_refused():
    assert met({"all": []}, decision(), WITHOUT) == [True, True]
    assert "/any" in faults(condition, {"any": []})


def test_a_condition_survives_its_normal_form():
    data = {
        "any": [
            {"not": {"field": "feature.income", "op": "is_missing"}},
            compare("amount", ">", "5"),
            compare("feature.note", "matches", "^a+$"),
            compare("feature.income", "between", [1, 2.5]),
        ]
    }
    read = condition(data)
    assert condition(condition_data(read)) == read
    assert condition_data(read)["any"][1]["value"] == "5.00"
    assert condition_data(read)["any"][0]["not"]["value"] is True


def test_a_condition_reads_as_a_phrase():
    data = {"all": [compare("amount", ">", "5"), {"not": compare("label", "==", "deny")}]}
    assert condition_words(condition(data)) == (
        "the amount is above 5.00 and (it is not so that the label is 'deny')"
    )


@pytest.mark.parametrize(
    "pattern",
    [r"(a)\1", r"(?=a)b", r"(?P<x>a)", "(?i)a", "a**", "a*?", "a++", "(", ")", "[", "a{3,2}",
     "a{101}", r"\b", "*a", "[z-a]", "a{x}", "^*", "x" * 201, "(((a{100}){100}){100})", "[[a]"],
)  # fmt: skip
def test_a_pattern_outside_the_safe_subset_is_refused(pattern):
    with pytest.raises(UnsafePatternError):
        SafePattern(pattern)
    assert "/value" in faults(condition, compare("feature.note", "matches", pattern))


def test_a_pattern_that_blows_up_elsewhere_takes_linear_time():
    # A backtracking matcher tries 2^5000 ways.
    assert not SafePattern("^(a+)+$").search("a" * 5000 + "b")


PARTS = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\.", "[a-c-]", "^", "$"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(PARTS, st.text("ab1.c", max_size=6))
def test_a_safe_pattern_finds_what_re_finds(pattern, text):
    # re's own `$` also allows a newline at the end; these texts have none.
    assert SafePattern(pattern).search(text) == (re.search(pattern, text) is not None)


def test_matches_searches_anywhere_in_the_value():
    rows = [decision(features={"note": note}) for note in ("a late payer", "prompt")]
    assert met(compare("feature.note", "matches", "late"), *rows) == [True, False]


def test_categories_coded_as_numbers_or_booleans_are_read_by_their_text():
    schema = UseCaseSchema(labels=("a",), features=(Feature("code", "category"),))
    rows = [decision(features={"code": code}) for code in (3, "3", True, 3.5)]
    assert met(compare("feature.code", "==", "3"), *rows, schema=schema) == [
        True, True, False, False
    ]  # fmt: skip


def test_columns_of_one_level_answer_like_columns_of_many():
    column = columns_from_decisions([decision()] * 3).get(("feature.region", "category"))
    assert column.uniform
    assert column.test("==", "north").tolist() == [True] * 3
    assert np.array_equal(column.test("in", ("south",)), [False] * 3)
