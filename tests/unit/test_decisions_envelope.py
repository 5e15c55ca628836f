"""A whole decision: what passes, and each refusal with its exact pointer."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.common.errors import BadInput
from apps.decisions.domain.content import content_digest, split_parts
from apps.decisions.domain.envelope import compile_validator
from apps.decisions.domain.outputs import KINDS
from apps.decisions.domain.schema import DecisionSchema, FieldSpec, schema_from_document

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
SCHEMA = DecisionSchema(
    "loan-approval",
    ("approve", "deny"),
    features=(
        FieldSpec("income", "number"),
        FieldSpec("region", "category"),
        FieldSpec("employed", "boolean"),
        FieldSpec("note", "text"),
        FieldSpec("opened", "date"),
    ),
    subject_attributes=(FieldSpec("sex", "category"), FieldSpec("age", "number")),
)
VALIDATOR = compile_validator(SCHEMA)
BODY = {
    "use_case": "loan-approval",
    "external_id": "app-1029",
    "model": "credit-scorer",
    "model_version": "2.3.1",
    "kind": "label",
    "output": {"label": "deny", "confidence": 0.62, "scores": {"approve": 0.38, "deny": 0.62}},
    "amount": "25000.00",
    "features": {"income": 41000, "region": "north", "employed": True, "opened": "2020-02-29"},
    "subject": {"ref": "cust-77", "attributes": {"sex": "F", "age": 31}},
    "explanation": {"text": "t", "top_features": [{"name": "income", "weight": -0.41}]},
    "evidence": [
        {"kind": "text", "title": "Letter", "content": "Dear", "regions": [{"from": 0}]},
        {"kind": "table", "content": [[1, 2], ["a", None]]},
        {"kind": "url", "content": "https://example.org/a?b=1"},
    ],
    "decided_at": "2026-11-02T09:30:00Z",
}
REQUIRED = ("use_case", "external_id", "model", "model_version", "kind", "output")


def changed(**members):
    return {**copy.deepcopy(BODY), **members}


def faults(body, validator=VALIDATOR):
    with pytest.raises(BadInput) as caught:
        validator.validate(body, NOW)
    return {error.pointer: error.detail for error in caught.value.errors}


def test_a_full_decision_is_brought_to_its_normal_form():
    valid = VALIDATOR.read(json.dumps(BODY).encode(), NOW)
    assert (valid.external_id, valid.model, valid.model_version) == (
        "app-1029", "credit-scorer", "2.3.1"
    )  # fmt: skip
    assert (valid.label, valid.confidence, valid.label_not_top) == ("deny", 0.62, False)
    assert valid.margin == 0.24  # 0.62 - 0.38
    assert valid.amount == Decimal("25000.00")
    assert valid.features == BODY["features"]
    assert (valid.subject_ref, valid.subject_attributes) == ("cust-77", {"sex": "F", "age": 31})
    assert valid.explanation == BODY["explanation"]
    assert valid.evidence == BODY["evidence"]
    assert valid.decided_at == datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def test_only_six_members_are_required_and_each_is_named_when_missing():
    bare = {name: BODY[name] for name in REQUIRED}
    valid = VALIDATOR.validate(bare, NOW)
    assert (valid.amount, valid.features, valid.subject_ref, valid.evidence) == (
        None,
        {},
        None,
        None,
    )
    for name in REQUIRED:
        rest = {key: value for key, value in bare.items() if key != name}
        assert f"/{name}" in faults(rest)
    assert {f"/{name}" for name in REQUIRED} <= set(faults({}))


def test_a_fault_is_reported_once():
    with pytest.raises(BadInput) as caught:
        VALIDATOR.validate({}, NOW)
    assert sorted(error.pointer for error in caught.value.errors) == sorted(
        f"/{name}" for name in REQUIRED
    )


def test_an_optional_member_that_is_null_counts_as_not_given():
    bare = {name: BODY[name] for name in REQUIRED}
    nulls = dict.fromkeys(set(BODY) - set(REQUIRED))
    assert VALIDATOR.validate({**bare, **nulls}, NOW) == VALIDATOR.validate(bare, NOW)


def test_a_null_output_passes_without_label_or_confidence():
    valid = VALIDATOR.validate(changed(output=None), NOW)
    assert (valid.output, valid.label, valid.confidence, valid.margin) == (None, None, None, None)


def test_an_unknown_key_is_refused_by_name():
    found = faults(changed(confidense=1))
    assert set(found) == {"/confidense"}
    assert "'confidense' is not known" in found["/confidense"]


def test_a_decision_of_another_use_case_is_refused():
    found = faults(changed(use_case="fraud"))
    assert set(found) == {"/use_case"}
    assert "'fraud'" in found["/use_case"]


@pytest.mark.parametrize("name", ["external_id", "model", "model_version"])
@pytest.mark.parametrize(
    "value", ["", "  ", "x" * 201, "a\nb", "a\x7f", "a\u2028b", "\ud800", 7, True, ["a"], None]
)
def test_a_name_that_is_empty_too_long_or_holds_control_characters_is_refused(name, value):
    assert set(faults(changed(**{name: value}))) == {f"/{name}"}


def test_an_external_id_of_200_characters_in_any_script_passes():
    for external_id in ("x" * 200, "Größe 12", "案件-7", "a\u00a0b"):
        assert VALIDATOR.validate(changed(external_id=external_id), NOW).external_id == external_id


@pytest.mark.parametrize("kind", ["number", "essay", None, 3, ["label"], {}])
def test_a_kind_that_the_use_case_does_not_have_is_refused(kind):
    found = faults(changed(kind=kind))
    assert set(found) == {"/kind"}
    assert "label" in found["/kind"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("income", "41000"),
        ("income", True),
        ("income", float("nan")),
        ("income", float("inf")),
        ("income", 2**53),
        ("income", [1]),
        ("region", 5),
        ("region", "x" * 201),
        ("employed", "true"),
        ("employed", 1),
        ("note", 3),
        ("note", "a\0"),
        ("opened", "2021-02-29"),
        ("opened", "29.02.2020"),
        ("opened", "2020-W01-1"),
        ("opened", 20200229),
    ],
)
def test_a_feature_of_the_wrong_type_is_refused_with_name_and_value(name, value):
    found = faults(changed(features={name: value}))
    assert set(found) == {f"/features/{name}"}
    assert f"feature '{name}'" in found[f"/features/{name}"]


def test_a_feature_that_is_null_is_missing():
    assert VALIDATOR.validate(changed(features={"income": None}), NOW).features == {}


def test_a_whole_float_is_the_same_feature_value_as_the_integer():
    value = VALIDATOR.validate(changed(features={"income": 41000.0}), NOW).features["income"]
    assert (value, type(value)) == (41000, int)


def test_an_unknown_feature_is_refused_by_name_where_the_schema_refuses_it():
    found = faults(changed(features={"a/b": 1}))
    assert set(found) == {"/features/a~1b"}
    assert "income" in found["/features/a~1b"]


def test_an_unknown_feature_is_kept_where_the_schema_keeps_it():
    keeping = compile_validator(
        DecisionSchema("loan-approval", ("approve", "deny"), unknown_features="keep")
    )
    body = {name: BODY[name] for name in REQUIRED} | {"features": {"x": "y", "z": 1.5, "b": False}}
    assert keeping.validate(body, NOW).features == {"x": "y", "z": 1.5, "b": False}
    body["features"] = {"x": [1], "": 1}
    assert set(faults(body, keeping)) == {"/features/x", "/features/"}


@pytest.mark.parametrize("features", [[], "a", 1])
def test_features_that_are_no_object_are_refused(features):
    assert set(faults(changed(features=features))) == {"/features"}


@pytest.mark.parametrize(
    ("subject", "pointer"),
    [
        ("cust-77", "/subject"),
        ({"ref": ""}, "/subject/ref"),
        ({"ref": 77}, "/subject/ref"),
        ({"id": "x"}, "/subject/id"),
        ({"attributes": []}, "/subject/attributes"),
        ({"attributes": {"age": "31"}}, "/subject/attributes/age"),
        ({"attributes": {"race": "x"}}, "/subject/attributes/race"),
    ],
)
def test_a_subject_that_does_not_fit_is_refused(subject, pointer):
    assert set(faults(changed(subject=subject))) == {pointer}


@pytest.mark.parametrize(
    ("amount", "normal"),
    [("0", "0"), (0, "0"), (25000, "25000"), ("99999999999999.9999", "99999999999999.9999")],
)
def test_an_amount_is_a_decimal_string_or_a_whole_number(amount, normal):
    assert VALIDATOR.validate(changed(amount=amount), NOW).amount == Decimal(normal)


@pytest.mark.parametrize(
    "amount",
    [
        "-1",
        -1,
        "1e3",
        "1,5",
        "",
        "NaN",
        "1.00001",
        "1234567890123456",
        10**14,
        "100000000000000",
        "100000000000000.0000",
        True,
        [],
        " 1",
        "1.",
    ],
)
def test_an_amount_that_is_negative_or_out_of_form_is_refused(amount):
    found = faults(changed(amount=amount))
    assert set(found) == {"/amount"}
    assert "14 digits before the point and 4 after" in found["/amount"]


def test_an_amount_with_a_binary_fraction_is_refused_with_the_way_to_write_it():
    found = faults(changed(amount=25000.1))
    assert set(found) == {"/amount"}
    assert 'as text, such as "25000.00"' in found["/amount"]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-02T09:30:00+02:00", datetime(2026, 11, 2, 7, 30, tzinfo=UTC)),
        ("2026-11-02 09:30:00.25Z", datetime(2026, 11, 2, 9, 30, 0, 250_000, tzinfo=UTC)),
        ("2026-11-02t09:30:00z", datetime(2026, 11, 2, 9, 30, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2026-11-02T12:05:00Z", NOW + timedelta(minutes=5)),
    ],
)
def test_a_time_with_its_zone_is_read_as_utc(text, utc):
    assert VALIDATOR.validate(changed(decided_at=text), NOW).decided_at == utc


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2026-11-02T12:05:01Z", "in the future"),
        ("9999-12-31T23:59:59-12:00", "not a time that exists"),
        ("1969-12-31T23:59:59Z", "from 1970 on"),
        ("0001-01-01T00:00:00+12:00", "not a time that exists"),
        ("2026-11-02T09:30:00", "with its zone"),
        ("2026-11-02", "with its zone"),
        ("2026-02-30T09:30:00Z", "not a time that exists"),
        ("2026-11-02T24:00:00Z", "not a time that exists"),
        (1762075800, "with its zone"),
        (True, "with its zone"),
    ],
)
def test_a_time_in_the_future_before_1970_or_without_zone_is_refused(value, said):
    found = faults(changed(decided_at=value))
    assert set(found) == {"/decided_at"}
    assert said in found["/decided_at"]


@pytest.mark.parametrize(
    ("explanation", "pointer"),
    [
        ("because", "/explanation"),
        ({"why": "x"}, "/explanation/why"),
        ({"text": 3}, "/explanation/text"),
        ({"top_features": {}}, "/explanation/top_features"),
        ({"top_features": [3]}, "/explanation/top_features/0"),
        ({"top_features": [{"name": "a"}]}, "/explanation/top_features/0/weight"),
        ({"top_features": [{"weight": 1}]}, "/explanation/top_features/0/name"),
        ({"top_features": [{"name": "a", "weight": 1, "x": 1}]}, "/explanation/top_features/0/x"),
        ({"top_features": [{"name": "a", "weight": 1}] * 201}, "/explanation/top_features"),
    ],
)
def test_an_explanation_that_does_not_fit_is_refused(explanation, pointer):
    assert set(faults(changed(explanation=explanation))) == {pointer}


@pytest.mark.parametrize(
    ("piece", "pointer"),
    [
        ("x", "/evidence/0"),
        ({"kind": "video", "content": "x"}, "/evidence/0/kind"),
        ({"kind": ["text"], "content": "x"}, "/evidence/0/kind"),
        ({"kind": "text"}, "/evidence/0/content"),
        ({"kind": "text", "content": ["x"]}, "/evidence/0/content"),
        ({"kind": "text", "content": "x", "title": "t" * 301}, "/evidence/0/title"),
        ({"kind": "text", "content": "x", "by": 1}, "/evidence/0/by"),
        ({"kind": "text", "content": "x", "regions": [1]}, "/evidence/0/regions/0"),
        ({"kind": "text", "content": "x", "regions": "all"}, "/evidence/0/regions"),
        ({"kind": "url", "content": "javascript:alert(1)"}, "/evidence/0/content"),
        ({"kind": "url", "content": "https://a b"}, "/evidence/0/content"),
        ({"kind": "table", "content": [[float("nan")]]}, "/evidence/0/content/0/0"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(piece, pointer):
    assert set(faults(changed(evidence=[piece]))) == {pointer}


def test_evidence_has_a_largest_count():
    piece = {"kind": "text", "content": "x"}
    assert len(VALIDATOR.validate(changed(evidence=[piece] * 50), NOW).evidence) == 50
    found = faults(changed(evidence=[piece] * 51))
    assert set(found) == {"/evidence"}
    assert "51 items; a list of at most 50" in found["/evidence"]


def test_all_faults_of_a_body_are_reported_at_once():
    found = faults(
        changed(
            external_id="",
            output={"label": "maybe", "confidence": 3},
            features={"income": "x", "colour": "red"},
            amount=-1,
            decided_at="yesterday",
            extra=1,
        )
    )
    assert set(found) == {
        "/external_id",
        "/output/label",
        "/output/confidence",
        "/features/income",
        "/features/colour",
        "/amount",
        "/decided_at",
        "/extra",
    }


def test_two_megabytes_of_text_are_refused_with_a_clear_error():
    body = changed(evidence=[{"kind": "text", "content": "x" * 2_000_000}])
    with pytest.raises(BadInput, match="bytes; at most 1,048,576 are allowed"):
        VALIDATOR.read(json.dumps(body).encode(), NOW)
    assert set(faults(body)) == {"/evidence/0/content"}


def test_a_schema_is_read_from_the_document_of_a_use_case():
    schema = schema_from_document(
        {"slug": "s", "labels": ["a"], "features": [{"name": "x", "type": "date"}]}
    )
    assert schema == DecisionSchema(
        "s", ("a",), features=(FieldSpec("x", "date"),), unknown_attributes="keep"
    )


@pytest.mark.parametrize(
    ("member", "pointer"),
    [
        ({"features": [{"name": "x", "type": "colour"}]}, "/features/0"),
        ({"features": [{"name": "x", "type": "date"}] * 2}, "/features/1"),
        ({"features": "x"}, "/features"),
        ({"subject_attributes": [1]}, "/subject_attributes/0"),
        ({"labels": [1]}, "/labels"),
        ({"slug": ""}, "/slug"),
        ({"unknown_features": "drop"}, "/unknown_features"),
        ({"kinds": ["essay"]}, ""),
    ],
)
def test_a_schema_that_does_not_fit_is_refused(member, pointer):
    with pytest.raises(BadInput) as caught:
        schema_from_document({"slug": "s", "labels": ["a"], **member})
    assert [error.pointer for error in caught.value.errors] == [pointer]


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["label", "number", "deny", "2026-01-01T00:00:00Z", "x" * 300])
    | st.just(5_000).map(lambda digits: 10**digits),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*BODY, "label", "value", "fields", "scores", "text", "name", "\ud800"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, child in items:
        yield from places(child, (*path, key))


WIDE = compile_validator(
    DecisionSchema(
        "loan-approval",
        ("approve", "deny"),
        KINDS,
        SCHEMA.features,
        SCHEMA.subject_attributes,
        "keep",
        "keep",
    )
)


@settings(max_examples=600)
@given(st.data())
def test_a_body_with_anything_put_anywhere_is_valid_or_bad_input_and_nothing_else(data):
    body = copy.deepcopy(BODY)
    body["kind"] = data.draw(st.sampled_from([*KINDS, None]))
    path = data.draw(st.sampled_from([p for p in places(body) if p]))
    target = body
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = data.draw(ODD)
    if data.draw(st.booleans()):
        body["output"] = data.draw(ODD)
    try:
        valid = WIDE.validate(body, NOW)
    except BadInput as refusal:
        assert refusal.errors
        for error in refusal.errors:
            assert error.detail.encode()
            assert error.pointer.encode() == b"" or error.pointer.startswith("/")
    else:
        assert len(content_digest(valid, split_parts(valid))) == 64


@settings(max_examples=400)
@given(st.data())
def test_bytes_with_anything_put_anywhere_are_valid_or_bad_input_and_nothing_else(data):
    raw = bytearray(json.dumps(BODY).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        width = data.draw(st.integers(0, 3))
        raw[at : at + width] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"\\ud800", b"NaN", b"1e999", b'"', b"[[["])
        )
    try:
        valid = WIDE.read(bytes(raw), NOW)
    except BadInput as refusal:
        assert all(error.detail.encode() for error in refusal.errors)
    else:
        assert valid.use_case == "loan-approval"
