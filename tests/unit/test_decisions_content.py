"""Content as bytes: parts, commitments, digests and pseudonyms."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.decisions.domain.content import (
    commitment,
    content_digest,
    encode_checked,
    encode_content,
    join_output,
    keyed_hash,
    row_content,
    split_parts,
    subject_pseudonym,
)
from apps.decisions.domain.envelope import compile_validator
from apps.decisions.domain.outputs import KINDS
from apps.decisions.domain.schema import DecisionSchema

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
VALIDATOR = compile_validator(
    DecisionSchema(
        "loans", ("no", "yes"), KINDS, unknown_features="keep", unknown_attributes="keep"
    )
)
BODY = {
    "use_case": "loans",
    "external_id": "a-1",
    "model": "m",
    "model_version": "1",
    "kind": "label",
    "output": {"label": "yes", "confidence": 0.75, "scores": {"no": 0.25, "yes": 0.75}},
}


def valid(**members):
    return VALIDATOR.validate({**BODY, **members}, NOW)


def test_content_is_written_with_sorted_keys_and_without_blanks():
    assert encode_content({"b": [1, 0.5, None], "a": "ü"}) == '{"a":"ü","b":[1,0.5,null]}'.encode()


def test_content_that_json_cannot_hold_is_an_error():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_content(float("nan"))
    with pytest.raises(ValueError, match="surrogates"):
        encode_content("\ud800")


CHECKED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(1e-7, 1e-3)
    | st.floats(1e14, 1e18)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(CHECKED)
def test_the_quick_encoder_writes_the_same_bytes(content):
    assert encode_checked(content) == encode_content(content)


@pytest.mark.parametrize(
    "number",
    [1e-5, 9.99e-05, 1e-4, 0.00012, 12.00001, 1e15, 1e16, 1.5e16, 1e300, -1e-9, -0.0, 5e-324],
)
def test_numbers_are_written_as_the_standard_library_writes_them(number):
    assert encode_checked({"n": number}) == b'{"n":%b}' % repr(number).encode()


def test_the_personal_content_of_a_decision_stands_in_its_parts_alone():
    decision = valid(
        features={"note": "secret-1"},
        subject={"ref": "secret-2", "attributes": {"sex": "secret-3"}},
        explanation={"text": "secret-4"},
        evidence=[{"kind": "text", "content": "secret-5"}],
        amount="10.00",
    )
    parts = split_parts(decision)
    assert {name: json.loads(part) for name, part in parts.items()} == {
        "features": {"note": "secret-1"},
        "subject": {"ref": "secret-2", "attributes": {"sex": "secret-3"}},
        "output": {"scores": {"no": 0.25, "yes": 0.75}},
        "explanation": {"text": "secret-4"},
        "evidence": [{"kind": "text", "content": "secret-5"}],
    }
    row = row_content(decision)
    assert "secret" not in str(row)
    assert (row["label"], row["confidence"], row["amount"]) == ("yes", 0.75, "10")


def test_a_part_without_content_is_left_out():
    assert split_parts(valid(output={"label": "yes"})) == {}
    assert split_parts(valid(output=None)) == {}


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("label", BODY["output"]),
        ("label", {"label": "no"}),
        ("label", None),
        ("number", {"value": 2.5, "low": 1, "confidence": 0.5}),
        ("fields", {"fields": {"a": {"value": "x", "confidence": 0.5}}}),
        ("text", {"text": "free"}),
        ("action", {"name": "pay", "arguments": {"to": "x"}}),
        ("text", None),
    ],
)
def test_an_output_is_put_together_again_from_row_and_part(kind, output):
    decision = valid(kind=kind, output=output)
    part = split_parts(decision).get("output")
    assert join_output(kind, decision.label, decision.confidence, part) == output


def test_of_an_erased_output_only_the_label_and_its_confidence_are_left():
    assert join_output("label", "yes", 0.75, None) == {"label": "yes", "confidence": 0.75}
    assert join_output("text", None, 0.75, None) is None


def test_the_digest_is_the_hash_of_row_and_parts_as_one_object():
    decision = valid(features={"b": 1, "a": "x"}, subject={"ref": "r"}, amount=3)
    parts = {name: json.loads(part) for name, part in split_parts(decision).items()}
    whole = encode_content({"parts": parts, "row": row_content(decision)})
    assert content_digest(decision) == hashlib.sha256(whole).hexdigest()
    assert content_digest(decision, split_parts(decision)) == content_digest(decision)


AWKWARD = [
    {"external_id": 'a"\\/ü\U0001f600', "model": "m'", "amount": "0001.500"},
    {"decided_at": "2026-11-02T09:00:00.000001Z", "output": {"label": "no", "confidence": 1}},
    {"output": {"label": "no", "confidence": 1e-7}, "evidence": [{"kind": "text", "content": "x"}]},
    {"kind": "text", "output": {"text": "\x7f\t"}, "explanation": {"text": "why"}},
    {"output": None},
]


@pytest.mark.parametrize("members", AWKWARD)
def test_the_digest_of_awkward_members_is_that_of_the_encoded_whole(members):
    decision = valid(**members)
    parts = {name: json.loads(part) for name, part in split_parts(decision).items()}
    whole = {"parts": parts, "row": row_content(decision)}
    plain = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert content_digest(decision) == hashlib.sha256(plain.encode()).hexdigest()


SAME = [
    ({"amount": "25000"}, {"amount": "25000.00"}),
    ({"amount": 25000}, {"amount": "025000.0"}),
    ({"amount": 0}, {"amount": "0.00"}),
    ({"features": {"a": 1, "b": 2}}, {"features": {"b": 2.0, "a": 1.0, "c": None}}),
    ({"features": {}}, {"features": None}),
    ({"decided_at": "2026-11-02T09:00:00Z"}, {"decided_at": "2026-11-02T11:00:00.000+02:00"}),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_the_same_content_written_in_two_ways_has_one_digest(first, second):
    assert content_digest(valid(**first)) == content_digest(valid(**second))


DIFFERENT = [
    {"external_id": "a-2"},
    {"model": "n"},
    {"model_version": "2"},
    {"amount": 1},
    {"features": {"a": 1}},
    {"features": {"a": "1"}},
    {"features": {"a": True}},
    {"subject": {"ref": "r"}},
    {"subject": {"attributes": {"a": 1}}},
    {"explanation": {"text": "t"}},
    {"evidence": [{"kind": "text", "content": "x"}]},
    {"decided_at": "2026-11-02T09:00:00Z"},
    {"output": None},
    {"output": {"label": "yes"}},
    {"output": {"label": "no", "confidence": 0.75, "scores": {"no": 0.25, "yes": 0.75}}},
    {"output": {"label": "yes", "confidence": 0.5, "scores": {"no": 0.25, "yes": 0.75}}},
    {"kind": "text", "output": {"text": "a"}},
    {"kind": "text", "output": None},
]


def test_every_difference_of_content_gives_another_digest():
    digests = {content_digest(valid(**members)) for members in [{}, *DIFFERENT]}
    assert len(digests) == len(DIFFERENT) + 1


def test_a_commitment_is_the_hash_of_salt_and_content():
    # SHA-256("abc") of FIPS 180-2 appendix B.1 needs a 3-byte message; the salt is 16 bytes, so
    # the value is computed here from the definition
    salt = bytes(range(16))
    assert commitment(salt, b"abc") == hashlib.sha256(salt + b"abc").hexdigest()


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(min_size=16, max_size=16))
def test_a_commitment_binds_its_content(first, second, salt):
    assert (commitment(salt, first) == commitment(salt, second)) == (first == second)


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_salt_of_another_length_is_an_error(length):
    with pytest.raises(ValueError, match="16 are needed"):
        commitment(b"x" * length, b"abc")


def test_a_pseudonym_is_keyed_and_differs_by_use_case():
    key = b"k" * 32
    expected = hmac.new(key, b"loans\x00cust-77", hashlib.sha256).hexdigest()
    assert subject_pseudonym(key, "loans", "cust-77") == expected
    others = {
        subject_pseudonym(key, "fraud", "cust-77"),
        subject_pseudonym(key, "loans", "cust-78"),
        subject_pseudonym(b"j" * 32, "loans", "cust-77"),
        subject_pseudonym(key, "loansc", "ust-77"),
    }
    assert len(others - {expected}) == 4


def test_a_key_that_is_too_short_to_be_secret_is_an_error():
    with pytest.raises(ValueError, match="at least 16"):
        subject_pseudonym(b"short", "loans", "x")
    with pytest.raises(ValueError, match=r"U\+0000"):
        subject_pseudonym(b"k" * 16, "a\0b", "x")


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_a_keyed_hash_is_hmac_sha256_for_keys_below_and_above_a_block(key, message):
    assert keyed_hash(key, message) == hmac.new(key, message, hashlib.sha256).hexdigest()
