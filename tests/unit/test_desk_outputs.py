"""Outputs as lines to read and as inputs to change, and back again without a loss."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import BadInput
from apps.web.desk.outputs import (
    filled,
    headline,
    inputs_for,
    lines_of,
    number_from,
    output_from,
    scores_of,
    takes_new_rows,
)

INVOICE = {
    "fields": {
        "total": {"value": 1200.5, "confidence": 0.4},
        "paid": {"value": False, "confidence": 0.9},
        "seller": {"value": {"name": "Nord", "tax/id": None}},
        "lines": {"value": [{"what": "paper", "n": 3}, {"what": "ink", "n": 1}]},
        "notes": {"value": []},
    }
}
FINAL = {name: item["value"] for name, item in INVOICE["fields"].items()}
TRANSFER = {"name": "transfer", "arguments": {"to": "DE12", "amount": 50, "urgent": True}}


def posted(kind: str, output: Any, **changes: str) -> dict[str, str]:
    return {one.name: one.value for one in inputs_for(kind, output)} | changes


@pytest.mark.parametrize(
    ("kind", "output", "said"),
    [
        ("label", {"label": "deny"}, "deny"),
        ("number", {"value": 12.5}, "12.5"),
        ("fields", INVOICE, "5 fields"),
        ("text", {"text": "Dear"}, "Dear"),
        ("action", TRANSFER, "transfer"),
        ("label", None, "No AI output yet"),
    ],
)
def test_an_output_has_a_headline(kind: str, output: Any, said: str) -> None:
    assert headline(kind, output) == said


def test_lines_name_each_leaf_in_words_with_its_confidence() -> None:
    lines = {line.words: (line.value, line.confidence) for line in lines_of("fields", INVOICE)}
    assert lines["Total"] == ("1200.5", 0.4)
    assert lines["Seller: Name"] == ("Nord", None)
    assert lines["Lines: 2: What"] == ("ink", None)
    assert lines["Notes"] == ("–", None)


def test_scores_come_highest_first() -> None:
    scores = scores_of({"scores": {"a": 0.2, "b": 0.7, "c": 0.1}})
    assert [(s.label, s.percent) for s in scores] == [("b", "70%"), ("a", "20%"), ("c", "10%")]


def test_fields_that_nobody_touched_come_back_as_they_were() -> None:
    assert output_from("fields", posted("fields", INVOICE), INVOICE) == {"fields": FINAL}


def test_a_changed_leaf_keeps_the_type_that_it_had() -> None:
    form = posted(
        "fields",
        INVOICE,
        **{
            "at:/fields/total": "1300",
            "at:/fields/paid": "true",
            "at:/fields/seller/tax~1id": "77",
            "at:/fields/lines/1/n": "2",
        },
    )
    made = output_from("fields", form, INVOICE)["fields"]
    assert made["total"] == 1300
    assert made["paid"] is True
    assert made["seller"] == {"name": "Nord", "tax/id": "77"}
    assert made["lines"][1] == {"what": "ink", "n": 2}
    assert INVOICE["fields"]["lines"]["value"][1]["n"] == 1  # type: ignore[index]


def test_a_field_emptied_on_purpose_is_null() -> None:
    form = posted("fields", INVOICE, **{"at:/fields/total": ""})
    assert output_from("fields", form, INVOICE)["fields"]["total"] is None


def test_what_is_no_number_is_named_with_what_is_allowed() -> None:
    form = posted("fields", INVOICE, **{"at:/fields/total": "a lot"})
    with pytest.raises(BadInput) as fault:
        output_from("fields", form, INVOICE)
    (error,) = fault.value.errors
    assert error.pointer == "/output/fields/total"
    assert "'a lot'" in error.detail
    assert "1200.50" in error.detail


def test_an_actions_arguments_are_changed_one_by_one() -> None:
    form = posted("action", TRANSFER, **{"at:/arguments/amount": "45.5"})
    made = output_from("action", form, TRANSFER)
    assert made == {"name": "transfer", "arguments": {"to": "DE12", "amount": 45.5, "urgent": True}}


def test_where_no_model_has_spoken_the_fields_asked_for_are_empty_inputs() -> None:
    names = ["total", {"name": "count", "type": "number"}]
    inputs = inputs_for("fields", None, names)
    assert [(i.name, i.type, i.value) for i in inputs] == [
        ("at:/fields/total", "text", ""),
        ("at:/fields/count", "number", ""),
    ]
    form = {"at:/fields/total": "x", "at:/fields/count": "7"}
    assert output_from("fields", form, None, names) == {"fields": {"total": "x", "count": 7}}


def test_where_nothing_is_named_the_person_names_values() -> None:
    assert takes_new_rows("fields", None)
    assert takes_new_rows("action", None)
    assert not takes_new_rows("fields", None, ["total"])
    assert not takes_new_rows("action", TRANSFER)
    form = {"name": "close", "new-name-1": "why", "new-value-1": "done", "new-name-2": " "}
    assert output_from("action", form, None) == {"name": "close", "arguments": {"why": "done"}}


@pytest.mark.parametrize(
    ("kind", "form", "pointer"),
    [
        ("label", {}, "/output/label"),
        ("number", {"value": " "}, "/output/value"),
        ("number", {"value": "1.2.3"}, "/output/value"),
        ("text", {"text": " \n"}, "/output/text"),
        ("fields", {}, "/output/fields"),
        ("action", {"name": ""}, "/output/name"),
    ],
)
def test_what_is_missing_is_named(kind: str, form: dict[str, str], pointer: str) -> None:
    with pytest.raises(BadInput) as fault:
        output_from(kind, form, None)
    assert [error.pointer for error in fault.value.errors] == [pointer]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        (" -3.5 ", -3.5),
        ("\u22127", -7),
        ("1 200", 1200),
        ("2e3", 2000.0),
        ("1e400", None),
        ("1_000", None),
        ("nan", None),
        ("0x10", None),
        ("\u0664", None),
    ],
)
def test_a_number_is_read_as_people_write_it_and_nothing_else_is(text: str, number: Any) -> None:
    assert number_from(text) == number


def test_a_text_is_edited_with_line_ends_of_one_kind() -> None:
    assert output_from("text", {"text": "a\r\nb"}, {"text": "a"}) == {"text": "a\nb"}


def test_a_draft_fills_the_inputs_again() -> None:
    (value,) = filled(inputs_for("number", {"value": 5}), {"value": "6", "other": "x"})
    assert (value.value, value.type) == ("6", "number")


LEAVES = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("ab~/ 1é", max_size=8)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab~/", min_size=1), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text("xyz~/", min_size=1, max_size=4), TREES, min_size=1, max_size=4))
def test_any_arguments_survive_a_form_that_nobody_touched(arguments: dict[str, Any]) -> None:
    output = {"name": "act", "arguments": arguments}
    assert output_from("action", posted("action", output), output) == output
