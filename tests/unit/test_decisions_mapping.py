"""Mappings: sources, their validation, and the files they turn into records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import BadInput
from apps.decisions.domain.envelope import compile_validator
from apps.decisions.domain.mapping import (
    RowMapper,
    mapped_rows,
    mapping_from_header,
    mapping_from_tables,
    mapping_from_toml,
)
from apps.decisions.domain.readers.rows import SourceRow
from apps.decisions.domain.schema import DecisionSchema, FieldSpec

HEAD = """
records = "decisions"
external_id = "id"
model = {constant = "m"}
model_version = {constant = "1"}
kind = {constant = "label"}
"""
OUTPUT = """
[output]
label = "label"
"""


def body_of(text, row, schema=None):
    return RowMapper(mapping_from_toml(text), row, schema)(row)


def member(source, cell, **row):
    """What a source makes of a cell, as the reviewer of a review."""
    text = f'records = "reviews"\nexternal_id = "id"\nlabel = "id"\nreviewer = {source}'
    return body_of(text, {"id": "1", "c": cell, **row}).get("reviewer")


def faults(text):
    with pytest.raises(BadInput) as caught:
        mapping_from_toml(text)
    return {error.pointer: error.detail for error in caught.value.errors}


@pytest.mark.parametrize(
    ("source", "cell", "value"),
    [
        ('"c"', "x", "x"),
        ('{column = "c"}', "x", "x"),
        ('{column = "c"}', "", None),
        ('{column = "c", default = "d"}', "", "d"),
        ('{column = "c", prefix = "resp-"}', "7", "resp-7"),
        ('{column = "c", prefix = "resp-"}', 7, "resp-7"),
        ('{column = "c", prefix = "resp-"}', "", None),
        ('{column = "c", values = {"1" = "one", "2" = "two"}}', "2", "two"),
        ('{column = "c", values = {"1" = "one"}}', 1.0, "one"),
        ('{column = "c", above = 4, then = "high", else = "low"}', "5", "high"),
        ('{column = "c", above = 4, then = "high", else = "low"}', "4", "low"),
        ('{column = "c", at_least = 4, then = "high", else = "low"}', "4.0", "high"),
        ('{column = "c", below = 4, then = "high", else = "low"}', 3.9, "high"),
        ('{column = "c", at_most = 4, then = "high", else = "low"}', "4.1", "low"),
        ('{column = "c", offset = -0.5, scale = 0.1, cast = "number"}', "5", 0.45),
        ('{column = "c", scale = 100, cast = "number"}', "0.07", 7),
        ('{column = "c", cast = "number"}', " 12 ", 12),
        ('{column = "c", cast = "number"}', "-1.5e2", -150.0),
        ('{column = "c", cast = "number"}', "nan", "nan"),
        ('{column = "c", cast = "boolean"}', "Yes", True),
        ('{column = "c", cast = "boolean"}', 0, False),
        ('{column = "c", cast = "boolean"}', "perhaps", "perhaps"),
        ('{column = "c", cast = "date"}', "2026-01-02T00:00:00", "2026-01-02"),
        ('{column = "c", zone = "UTC"}', "2026-01-02 03:04:05", "2026-01-02 03:04:05Z"),
        ('{column = "c", zone = "+02:00"}', "2026-01-02", "2026-01-02T00:00:00+02:00"),
        ('{column = "c", zone = "UTC"}', "2026-01-02T03:04:05-01:00", "2026-01-02T03:04:05-01:00"),
        ("{constant = true}", "x", True),
        ("{constant = 0.5}", "x", 0.5),
    ],
)
def test_a_source_makes_a_value_of_a_cell(source, cell, value):
    assert member(source, cell) == value


@pytest.mark.parametrize(
    ("source", "cell", "said"),
    [
        ('{column = "c", values = {"1" = "a"}}', "2", "column c is '2'; the mapping knows: '1'"),
        ('{column = "c", above = 4, then = "a", else = "b"}', "x", "a number is needed"),
        ('{column = "c", scale = 2}', "inf", "a number is needed"),
    ],
)
def test_a_cell_that_its_source_cannot_use_is_a_fault_of_the_row(source, cell, said):
    with pytest.raises(BadInput) as caught:
        member(source, cell)
    (error,) = caught.value.errors
    assert error.pointer == "/reviewer"
    assert said in error.detail


def test_scores_and_confidence_are_exact_decimals():
    text = (
        HEAD
        + """
[output]
label = {column = "decile", above = 4, then = "high", else = "low"}
confidence = {max_of = "scores"}
[output.scores]
high = {column = "decile", offset = -0.5, scale = 0.1}
low = {one_minus = "high"}
"""
    )
    for decile, label, high in [(1, "low", 0.05), (5, "high", 0.45), (10, "high", 0.95)]:
        # as decimals (10 - 0.5) x 0.1 is 0.95; as binary floats 0.9500000000000001
        low = {0.05: 0.95, 0.45: 0.55, 0.95: 0.05}[high]
        assert body_of(text, {"id": "a", "decile": str(decile)})["output"] == {
            "label": label,
            "confidence": max(high, low),
            "scores": {"high": high, "low": low},
        }
    assert body_of(text, {"id": "a", "decile": ""})["output"] == {}


def test_features_are_chosen_renamed_and_cast_to_the_types_of_the_use_case():
    schema = DecisionSchema(
        "s",
        ("x",),
        features=(
            FieldSpec("age", "number"),
            FieldSpec("zip", "category"),
            FieldSpec("ok", "boolean"),
        ),
    )
    text = (
        HEAD
        + OUTPUT
        + """
[features]
columns = ["age", "ok", "free"]
rename = {zip = "postcode"}
types = {free = "number"}
more = {old = {column = "age", above = 60, then = true, else = false}}
"""
    )
    row = {"id": "a", "label": "x", "age": "61", "ok": "no", "free": "1.5", "postcode": 8001}
    assert body_of(text, row, schema)["features"] == {
        "age": 61,
        "ok": False,
        "free": 1.5,
        "zip": "8001",
        "old": True,
    }


def test_others_takes_every_column_that_nothing_else_uses():
    text = (
        HEAD
        + OUTPUT
        + """
[features]
columns = "others"
[subject]
ref = "who"
[subject.attributes]
columns = ["sex"]
"""
    )
    row = {"id": "a", "label": "x", "who": "p", "sex": "F", "f1": "1", "f2": ""}
    body = body_of(text, row)
    assert body["features"] == {"f1": "1"}
    assert body["subject"] == {"ref": "p", "attributes": {"sex": "F"}}


def test_others_needs_a_header():
    mapping = mapping_from_toml(HEAD + OUTPUT + '[features]\ncolumns = "others"')
    with pytest.raises(BadInput, match="header"):
        RowMapper(mapping, None)


def test_one_record_for_each_key_and_later_rows_are_counted_as_repeats():
    mapping = mapping_from_toml('once = {key = "id"}\n' + HEAD + OUTPUT)
    mapper = RowMapper(mapping, ["id", "label"])
    rows = [
        SourceRow(n, {"id": i, "label": "x"}) for n, i in [(2, "a"), (3, "a"), (4, "b"), (5, "a")]
    ]
    assert [row.line for row in mapped_rows(rows, mapper)] == [2, 4]
    assert mapper.repeats == 2
    assert mapper.skips_repeats


def test_a_resumed_file_still_knows_the_keys_seen_before():
    mapper = RowMapper(mapping_from_toml('once = {key = "id"}\n' + HEAD + OUTPUT), ["id", "label"])
    rows = [SourceRow(n, {"id": i, "label": "x"}) for n, i in [(2, "a"), (3, "a"), (4, "b")]]
    assert [row.line for row in mapped_rows(rows, mapper, resume_from=3)] == [4]


def test_bad_rows_pass_through_and_json_lines_are_mapped_too():
    mapper = RowMapper(mapping_from_toml(HEAD + OUTPUT), None)
    fault = BadInput("line 2 is broken")
    rows = [
        SourceRow(2, fault),
        SourceRow(3, b'{"id": "a", "label": "x"}'),
        SourceRow(4, b'{"id": '),
    ]
    first, second, third = mapped_rows(rows, mapper)
    assert first.body is fault
    assert second.body["external_id"] == "a"
    assert isinstance(third.body, BadInput)


def test_texts_that_mean_missing_leave_their_member_out():
    text = 'missing = ["NA"]\n' + HEAD + OUTPUT + '[features]\ncolumns = ["f", "g"]'
    row = {"id": "a", "label": "x", "f": "NA", "g": "1"}
    assert body_of(text, row)["features"] == {"g": "1"}


def test_nested_members_and_lists_of_evidence_are_built():
    text = (
        HEAD.replace('"label"', '"action"')
        + """
[output]
name = {constant = "pay"}
[output.arguments]
to = "who"
[[evidence]]
kind = {constant = "text"}
content = "letter"
"""
    )
    body = body_of(text, {"id": "a", "who": "x", "letter": "Dear"})
    assert body["output"] == {"name": "pay", "arguments": {"to": "x"}}
    assert body["evidence"] == [{"kind": "text", "content": "Dear"}]


def test_output_false_says_that_no_model_has_spoken():
    assert body_of(HEAD + "output = false", {"id": "a"})["output"] is None


def test_a_column_that_the_file_lacks_is_named():
    with pytest.raises(BadInput, match="no column 'label'; it has: id"):
        RowMapper(mapping_from_toml(HEAD + OUTPUT), ["id"])


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("records = ", ""),
        ('records = "people"', "/records"),
        (HEAD + "output = false\ncolour = 'c'", "/colour"),
        (HEAD, "/output"),
        (HEAD + "output = false\namount = 5", "/amount"),
        (HEAD + "output = false\namount = {column = 5}", "/amount/column"),
        (HEAD + "output = false\namount = {column = ''}", "/amount/column"),
        (HEAD + "output = false\namount = {column = 'a', colour = 1}", "/amount/colour"),
        (HEAD + "output = false\namount = {column = 'a', cast = 'money'}", "/amount/cast"),
        (HEAD + "output = false\namount = {column = 'a', zone = 'CET'}", "/amount/zone"),
        (
            HEAD + "output = false\namount = {column = 'a', above = 'x', then = 1, else = 2}",
            "/amount/above",
        ),
        (HEAD + "output = false\namount = {column = 'a', above = 1, then = 1}", "/amount"),
        (HEAD + "output = false\namount = {column = 'a', then = 1, else = 2}", "/amount"),
        (HEAD + "output = false\namount = {column = 'a', scale = nan}", "/amount/scale"),
        (HEAD + "output = false\namount = {column = 'a', values = {}}", "/amount/values"),
        (HEAD + "output = false\namount = {column = 'a', values = {x = [1]}}", "/amount/values/x"),
        (HEAD + "output = false\namount = {column = 'a', values = {x = 1}, scale = 2}", "/amount"),
        (HEAD + "output = false\namount = {column = 'a', prefix = 1}", "/amount/prefix"),
        (HEAD + "output = false\namount = {constant = [1]}", "/amount/constant"),
        (HEAD + "output = false\namount = {constant = 1, cast = 'number'}", "/amount/cast"),
        (HEAD + "output = false\namount = {one_minus = 'x'}", "/amount/one_minus"),
        (HEAD + "output = false\namount = {max_of = 'scores'}", "/amount/max_of"),
        (HEAD + OUTPUT + "confidence = {max_of = 'scores'}", "/output/confidence/max_of"),
        (HEAD + OUTPUT + "[output.scores]\na = {one_minus = 'b'}", "/output/scores/a/one_minus"),
        (HEAD + OUTPUT + "[features]\ncolumns = 'all'", "/features/columns"),
        (HEAD + OUTPUT + "[features]\ncolour = 'all'", "/features/colour"),
        (HEAD + OUTPUT + "[features.types]\na = 'colour'", "/features/types/a"),
        (HEAD + OUTPUT + "[features.rename]\na = 1", "/features/rename/a"),
        (HEAD + OUTPUT + "[features.more]\na = {one_minus = 'x'}", "/features/more/a"),
        (HEAD + OUTPUT + "[subject]\nattributes = 'sex'", "/subject/attributes"),
        ("missing = 'NA'\n" + HEAD + OUTPUT, "/missing"),
        ("once = 'id'\n" + HEAD + OUTPUT, "/once"),
        ("once = {}\n" + HEAD + OUTPUT, "/once/key"),
        ("once = {key = 'id', by = 1}\n" + HEAD + OUTPUT, "/once/by"),
    ],
)
def test_a_fault_of_a_mapping_is_named_with_key_and_value(text, pointer):
    found = faults(text)
    assert set(found) == {pointer}
    assert found[pointer]


def test_a_table_with_the_names_of_the_members_needs_no_mapping():
    columns = {
        "external_id": "a",
        "model": "m",
        "model_version": "1",
        "kind": "label",
        "amount": "12.50",
        "label": "yes",
        "confidence": "0.75",
        "score.yes": "0.75",
        "score.no": "0.25",
        "feature.income": "41000",
        "feature.region": "",
        "subject.ref": "p",
        "subject.sex": "F",
        "decided_at": "2026-01-02T03:04:05Z",
    }
    schema = DecisionSchema(
        "s",
        ("yes", "no"),
        features=(FieldSpec("income", "number"), FieldSpec("region", "category")),
        subject_attributes=(FieldSpec("sex", "category"),),
    )
    body = RowMapper(mapping_from_header("decisions", columns), columns, schema)(columns)
    valid = compile_validator(schema).validate(
        {**body, "use_case": "s"}, datetime(2026, 11, 2, tzinfo=UTC)
    )
    assert (valid.label, valid.confidence, valid.margin) == ("yes", 0.75, 0.5)
    assert valid.features == {"income": 41000}
    assert (valid.subject_ref, valid.subject_attributes) == ("p", {"sex": "F"})
    assert str(valid.amount) == "12.50"


def test_a_column_that_is_no_member_is_refused_by_name():
    for records, columns in [
        ("decisions", ["external_id", "model", "model_version", "kind", "label", "income"]),
        ("reviews", ["external_id", "reviewer", "label", "income"]),
        ("outcomes", ["external_id", "label", "income"]),
    ]:
        with pytest.raises(BadInput) as caught:
            mapping_from_header(records, columns)
        assert [error.pointer for error in caught.value.errors] == ["/income"]


def test_reviews_and_outcomes_take_their_types_from_their_members():
    row = {
        "external_id": "1",
        "reviewer": "r",
        "label": "x",
        "saw_ai": "false",
        "active_seconds": "9",
    }
    body = RowMapper(mapping_from_header("reviews", row), row)(row)
    assert body == {**row, "saw_ai": False, "active_seconds": 9}


TABLES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(
        st.sampled_from(
            ["column", "constant", "above", "then", "else", "values", "scores", "more", "max_of",
             "one_minus", "columns", "types", "attributes", "label", "key", "cast", "zone", "scale"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(
            ["once", "missing", "external_id", "model", "output", "features", "subject", "evidence"]
        ),
        TABLES,
    )
)
def test_any_mapping_is_valid_or_bad_input_and_a_valid_one_maps_any_row(tables):
    base = {"records": "decisions", "external_id": "id", "model": "id", "model_version": "id"}
    try:
        mapping = mapping_from_tables({**base, "kind": "id", "output": False, **tables})
    except BadInput as refusal:
        assert refusal.errors
        return
    try:
        body = RowMapper(mapping, [*mapping.named_columns(), "id"])({"id": "1", "x": None})
    except BadInput as refusal:
        assert refusal.errors
    else:
        assert body is not None
