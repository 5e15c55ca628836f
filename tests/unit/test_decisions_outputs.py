"""Outputs of each kind, final outputs, and when two of them say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import BadInput
from apps.decisions.domain.final_outputs import equal_outputs, final_output, validate_final
from apps.decisions.domain.outputs import (
    KINDS,
    OutputSchema,
    effective_confidence,
    validate_output,
)

SCHEMA = OutputSchema(KINDS, ("approve", "deny", "refer"))


def faults(kind, data, schema=SCHEMA):
    with pytest.raises(BadInput) as caught:
        validate_output(kind, data, schema)
    return {error.pointer: error.detail for error in caught.value.errors}


def test_a_label_output_gives_its_margin_and_keeps_the_senders_confidence():
    output = validate_output(
        "label",
        {"label": "deny", "confidence": 0.9, "scores": {"approve": 0.25, "deny": 0.75}},
        SCHEMA,
    )
    assert output.label == "deny"
    assert output.confidence == 0.9  # need not equal a score
    assert output.margin == 0.5  # 0.75 - 0.25
    assert output.label_not_top is False


def test_the_margin_is_free_of_the_noise_of_binary_fractions():
    scores = {"approve": 0.95, "deny": 0.05}  # as floats their difference is 0.8999999999999999
    assert validate_output("label", {"label": "approve", "scores": scores}, SCHEMA).margin == 0.9


def test_a_label_that_is_not_the_best_scored_is_kept_and_marked():
    output = validate_output(
        "label", {"label": "approve", "scores": {"approve": 0.25, "deny": 0.75}}, SCHEMA
    )
    assert output.label == "approve"
    assert output.label_not_top is True


def test_a_label_without_a_score_of_its_own_is_not_the_best_scored():
    output = validate_output("label", {"label": "deny", "scores": {"approve": 1}}, SCHEMA)
    assert output.label_not_top is True
    assert output.margin is None


def test_a_label_that_ties_for_the_best_score_is_not_marked():
    scores = {"approve": 0.5, "deny": 0.5}
    output = validate_output("label", {"label": "deny", "scores": scores}, SCHEMA)
    assert output.label_not_top is False
    assert output.margin == 0


def test_a_missing_confidence_is_allowed_and_counts_as_zero():
    output = validate_output("label", {"label": "deny"}, SCHEMA)
    assert output.confidence is None
    assert output.data == {"label": "deny"}
    assert effective_confidence(output) == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_null_output_says_that_no_model_has_spoken(kind):
    output = validate_output(kind, None, SCHEMA)
    assert output.data is None
    assert final_output(kind, output.data) is None
    assert effective_confidence(output) == 0.0


def test_a_label_outside_the_set_is_refused_with_the_set():
    found = faults("label", {"label": "maybe"})
    assert set(found) == {"/output/label"}
    assert "'maybe'" in found["/output/label"]
    assert "'approve', 'deny', 'refer'" in found["/output/label"]


@pytest.mark.parametrize("label", [None, 3, ["deny"], {"deny": 1}, True])
def test_a_label_of_another_type_is_refused(label):
    assert set(faults("label", {"label": label})) == {"/output/label"}


@pytest.mark.parametrize(
    "confidence",
    [float("nan"), float("inf"), float("-inf"), 1.0000001, -0.1, True, "0.9", [0.9], 10**400],
)
def test_a_confidence_that_is_no_number_from_0_to_1_is_refused(confidence):
    found = faults("label", {"label": "deny", "confidence": confidence})
    assert set(found) == {"/output/confidence"}
    assert "from 0 to 1" in found["/output/confidence"]


@pytest.mark.parametrize("high", [0.489, 0.511])
def test_scores_that_miss_1_by_more_than_a_hundredth_are_refused(high):
    found = faults("label", {"label": "deny", "scores": {"approve": 0.5, "deny": high}})
    assert set(found) == {"/output/scores"}
    assert f"{0.5 + high:.3f}" in found["/output/scores"]


@pytest.mark.parametrize("high", [0.49, 0.5, 0.51])
def test_scores_that_sum_to_1_within_a_hundredth_pass(high):
    output = validate_output(
        "label", {"label": "deny", "scores": {"approve": 0.5, "deny": high}}, SCHEMA
    )
    assert output.data["scores"] == {"approve": 0.5, "deny": high}


def test_a_score_of_an_unknown_label_is_refused_by_name():
    found = faults("label", {"label": "deny", "scores": {"a/b": 0.5, "deny": 0.5}})
    assert set(found) == {"/output/scores/a~1b"}


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), None, "1", True])
def test_a_score_outside_0_to_1_is_refused(score):
    scores = {"approve": score, "deny": 0.5}
    assert set(faults("label", {"label": "deny", "scores": scores})) == {"/output/scores/approve"}


@pytest.mark.parametrize("scores", [{}, [], "0.5", 1])
def test_scores_that_are_no_object_with_members_are_refused(scores):
    assert set(faults("label", {"label": "deny", "scores": scores})) == {"/output/scores"}


def test_an_unknown_key_of_an_output_is_refused_by_name():
    for kind, data in [
        ("label", {"label": "deny"}),
        ("number", {"value": 1}),
        ("fields", {"fields": {"a": {"value": 1}}}),
        ("text", {"text": "a"}),
        ("action", {"name": "pay"}),
    ]:
        found = faults(kind, {**data, "certainty": 1})
        assert set(found) == {"/output/certainty"}
        assert "'certainty'" in found["/output/certainty"]


def test_a_kind_that_the_use_case_does_not_have_is_refused():
    found = faults("text", {"text": "a"}, OutputSchema(("label",), ("a",)))
    assert set(found) == {"/kind"}
    assert "'text'" in found["/kind"]
    assert "label" in found["/kind"]


def test_an_output_that_is_no_object_is_refused():
    assert set(faults("label", "deny")) == {"/output"}


def test_all_faults_of_an_output_are_reported_at_once():
    found = faults("label", {"label": "x", "confidence": 2, "scores": {"y": 1}, "z": 1})
    assert set(found) == {
        "/output/label",
        "/output/confidence",
        "/output/scores/y",
        "/output/z",
    }


def test_a_number_lies_within_its_interval():
    output = validate_output("number", {"value": 2, "low": 2, "high": 2.5}, SCHEMA)
    assert output.data == {"value": 2, "low": 2, "high": 2.5}
    assert set(faults("number", {"value": 2, "low": 2.1})) == {"/output/low"}
    assert set(faults("number", {"value": 2, "high": 1.9})) == {"/output/high"}


@pytest.mark.parametrize("value", [None, "2", True, float("inf"), float("nan"), 2**53])
def test_a_number_that_is_not_finite_or_not_exact_is_refused(value):
    assert set(faults("number", {"value": value})) == {"/output/value"}


def test_the_lowest_confidence_of_the_fields_counts():
    fields = {"a": {"value": 1, "confidence": 0.9}, "b": {"value": "x", "confidence": 0.3}}
    assert validate_output("fields", {"fields": fields}, SCHEMA).confidence == 0.3


def test_a_field_without_confidence_counts_as_0():
    fields = {"a": {"value": 1, "confidence": 0.9}, "b": {"value": None}}
    assert validate_output("fields", {"fields": fields}, SCHEMA).confidence == 0.0


@pytest.mark.parametrize("fields", [{}, None, [], "a"])
def test_fields_need_at_least_one_field(fields):
    assert set(faults("fields", {"fields": fields})) == {"/output/fields"}


def test_each_fault_of_a_field_has_its_own_pointer():
    fields = {
        "a": 3,
        "b": {"confidence": 1},
        "c": {"value": 1, "confidence": 2, "d": 0},
        "e": {"value": [1, float("nan")]},
    }
    assert set(faults("fields", {"fields": fields})) == {
        "/output/fields/a",
        "/output/fields/b",
        "/output/fields/c/confidence",
        "/output/fields/c/d",
        "/output/fields/e/value/1",
    }


def test_text_up_to_its_limit_passes_and_one_character_more_is_refused():
    assert validate_output("text", {"text": "x" * 262_144}, SCHEMA).data["text"][0] == "x"
    found = faults("text", {"text": "x" * 262_145})
    assert set(found) == {"/output/text"}
    assert "262,145 characters; at most 262,144" in found["/output/text"]


@pytest.mark.parametrize("text", [None, 1, "a\0b", "\ud800"])
def test_text_that_cannot_be_stored_as_text_is_refused(text):
    assert set(faults("text", {"text": text})) == {"/output/text"}


def test_an_action_has_a_name_and_an_object_of_arguments():
    output = validate_output("action", {"name": "pay", "confidence": 1}, SCHEMA)
    assert output.data == {"name": "pay", "arguments": {}, "confidence": 1.0}
    assert set(faults("action", {"name": "", "arguments": [1]})) == {
        "/output/name",
        "/output/arguments",
    }


def test_arguments_nested_too_deep_are_refused():
    nested: object = 1
    for _ in range(40):
        nested = {"a": nested}
    found = faults("action", {"name": "pay", "arguments": {"deep": nested}})
    # body, output, arguments are levels 1 to 3, /deep is the 4th: the 33rd lies 29 further down
    assert set(found) == {"/output/arguments/deep" + "/a" * 29}


FINALS = [
    ("label", {"label": "deny", "confidence": 0.4}, {"label": "deny"}),
    ("number", {"value": 2.5, "low": 1, "confidence": 1}, {"value": 2.5}),
    (
        "fields",
        {"fields": {"a": {"value": 1, "confidence": 0.5}, "b": {"value": None}}},
        {"fields": {"a": 1, "b": None}},
    ),
    ("text", {"text": "yes", "confidence": 0.4}, {"text": "yes"}),
    (
        "action",
        {"name": "pay", "arguments": {"to": "x"}},
        {"name": "pay", "arguments": {"to": "x"}},
    ),
]


@pytest.mark.parametrize(("kind", "output", "final"), FINALS)
def test_what_takes_effect_leaves_out_how_sure_the_ai_is(kind, output, final):
    normal = validate_output(kind, output, SCHEMA).data
    assert final_output(kind, normal) == final
    assert validate_final(kind, final, SCHEMA) == final
    assert equal_outputs(kind, final, final)


def final_faults(kind, data):
    with pytest.raises(BadInput) as caught:
        validate_final(kind, data, SCHEMA)
    return {error.pointer for error in caught.value.errors}


@pytest.mark.parametrize(
    ("kind", "data", "pointers"),
    [
        ("label", {"label": "maybe"}, {"/output/label"}),
        ("label", {"label": "deny", "confidence": 1}, {"/output/confidence"}),
        ("number", {"value": "3"}, {"/output/value"}),
        ("fields", {"fields": {}}, {"/output/fields"}),
        ("fields", {"fields": {"a": float("inf"), "": 1}}, {"/output/fields/a", "/output/fields/"}),
        ("text", {"text": None}, {"/output/text"}),
        ("action", {"arguments": []}, {"/output/name", "/output/arguments"}),
        ("label", None, {"/output"}),
        ("essay", {}, {"/kind"}),
    ],
)
def test_a_final_output_is_held_to_the_same_bounds(kind, data, pointers):
    assert final_faults(kind, data) == pointers


@pytest.mark.parametrize(
    ("first", "second", "tolerance", "equal"),
    [
        (1.0, 1.1, 0.1, True),  # as decimals 0.1; as binary floats 0.10000000000000009
        (1.0, 1.11, 0.1, False),
        (100, 100.0, 0, True),
        (-1, 1, 2, True),
        (0.3, 0.30000000000000004, 0, False),
    ],
)
def test_numbers_are_equal_within_the_tolerance(first, second, tolerance, equal):
    assert equal_outputs("number", {"value": first}, {"value": second}, tolerance) is equal
    assert equal_outputs("number", {"value": second}, {"value": first}, tolerance) is equal


def test_texts_are_equal_after_nfc_and_without_trailing_blanks():
    # e and a combining acute accent against the one character
    assert equal_outputs("text", {"text": "caf\u0065\u0301 \r\nb\n\n"}, {"text": "caf\u00e9\nb"})
    assert not equal_outputs("text", {"text": "a b"}, {"text": "a  b"})
    assert not equal_outputs("text", {"text": "a"}, {"text": "A"})


def test_fields_are_compared_field_by_field():
    first = {"fields": {"total": 10, "name": "Ann "}}
    assert equal_outputs("fields", first, {"fields": {"name": "Ann", "total": 10.4}}, 0.5)
    assert not equal_outputs("fields", first, {"fields": {"name": "Ann", "total": 10.6}}, 0.5)
    assert not equal_outputs("fields", first, {"fields": {"total": 10}})
    assert not equal_outputs("fields", {"fields": {"a": True}}, {"fields": {"a": 1}})


def test_actions_are_equal_whatever_the_order_of_their_arguments():
    first = {"name": "pay", "arguments": {"to": "x", "amount": 3}}
    assert equal_outputs("action", first, {"name": "pay", "arguments": {"amount": 3, "to": "x"}})
    assert not equal_outputs("action", first, {"name": "pay", "arguments": {"to": "x"}})


def test_no_output_equals_only_no_output():
    assert equal_outputs("label", None, None)
    assert not equal_outputs("label", None, {"label": "deny"})


@pytest.mark.parametrize("tolerance", [-0.1, float("nan")])
def test_a_tolerance_that_is_no_distance_is_an_error(tolerance):
    with pytest.raises(ValueError, match="tolerance"):
        equal_outputs("number", {"value": 1}, {"value": 1}, tolerance)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_the_margin_is_the_gap_of_the_two_best_scores(raw):
    total = sum(raw) or 1.0
    scores = dict(zip(SCHEMA.labels, [score / total for score in raw], strict=True))
    if not sum(raw):
        scores["deny"] = 1.0
    output = validate_output("label", {"label": "deny", "scores": scores}, SCHEMA)
    first, second, _ = sorted(scores.values(), reverse=True)
    assert output.margin == pytest.approx(first - second, abs=1e-12)
    assert output.label_not_top == (scores["deny"] != max(scores.values()))
