"""Strict JSON: each refusal with its pointer, and agreement with a slow reference."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.common.errors import BadInput
from apps.decisions.domain.strict_json import parse_json, parse_object


def faults(raw, **limits):
    with pytest.raises(BadInput) as caught:
        parse_json(raw, **limits)
    return [(error.pointer, error.detail) for error in caught.value.errors]


def nested(levels):
    return b"[" * levels + b"]" * levels


def test_bytes_that_are_not_utf8_are_refused_with_the_offset():
    ((pointer, detail),) = faults(b'{"a": "\xff"}')
    assert pointer == ""
    assert "0xff at offset 7" in detail


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b'{"a": 1, "a": 1}', "/a"),
        (b'{"a" : 1, "a" : 1}', "/a"),
        (b'{"a": {"b/c": 1, "b/c": 2}}', "/a/b~1c"),
        (b'{"a": [0, {"b": 1, "\\u0062": 2}]}', "/a/1/b"),
        # a text that holds the mark of a name makes up for a name that was dropped
        (b'{"a": "\\":", "b": 1, "b": 2}', "/b"),
    ],
)
def test_a_name_given_twice_is_refused(raw, pointer):
    ((found, detail),) = faults(raw)
    assert found == pointer
    assert "twice" in detail


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_words_for_numbers_that_are_not_finite_are_refused(word):
    ((pointer, detail),) = faults(f'{{"a": [1, {word}]}}'.encode())
    assert pointer == "/a/1"
    assert word in detail


def test_a_number_that_overflows_is_refused():
    ((pointer, detail),) = faults(b'{"a": 1e400}')
    assert pointer == "/a"
    assert "inf" in detail


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**40])
def test_an_integer_beyond_the_exact_ones_is_refused(number):
    ((pointer, detail),) = faults(f'{{"a": {{"b": {number}}}}}'.encode())
    assert pointer == "/a/b"
    assert "9007199254740991" in detail


def test_the_largest_exact_integer_and_a_large_float_pass():
    assert parse_json(b"[9007199254740991, -9007199254740991, 1e300]") == [
        2**53 - 1,
        1 - 2**53,
        1e300,
    ]


def test_an_integer_of_thousands_of_digits_is_refused():
    ((pointer, detail),) = faults(b'{"a": ' + b"9" * 5_000 + b"}")
    assert pointer == ""
    assert "digits" in detail


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00x", "\\ud800\\u0041"])
def test_a_lone_surrogate_is_refused(text):
    ((pointer, detail),) = faults(f'{{"a": "{text}"}}'.encode())
    assert pointer == "/a"
    assert "surrogate" in detail


def test_a_lone_surrogate_in_a_name_is_refused_with_a_pointer_that_can_be_sent():
    pointers = [pointer for pointer, _ in faults(b'{"\\ud800": 1}')]
    assert pointers == ["/\\ud800"]
    assert pointers[0].encode()


def test_a_pair_of_surrogates_is_one_character():
    assert parse_json(b'"\\ud83d\\ude00"'.join([b"[", b"]"])) == ["\U0001f600"]


def test_the_character_nul_is_refused():
    ((pointer, detail),) = faults(b'{"a": "x\\u0000"}')
    assert pointer == "/a"
    assert "U+0000" in detail


def test_32_levels_pass_and_33_are_refused_with_the_place():
    assert parse_json(nested(32)) is not None
    ((pointer, detail),) = faults(nested(33))
    assert pointer == "/0" * 32
    assert "32 levels" in detail


def test_nesting_that_would_exhaust_the_stack_is_refused():
    ((pointer, detail),) = faults(nested(100_000))
    assert pointer == ""
    assert "32 levels" in detail


def test_a_body_over_the_limit_is_refused_with_both_sizes():
    raw = json.dumps({"text": "x" * 2_000_000}).encode()
    ((pointer, detail),) = faults(raw)
    assert pointer == ""
    assert f"{len(raw):,} bytes" in detail
    assert "1,048,576" in detail


def test_a_body_of_exactly_the_limit_passes():
    assert parse_json(b'"abc"', max_bytes=5) == "abc"
    assert faults(b'"abcd"', max_bytes=5)


@pytest.mark.parametrize("raw", [b'{"a": "b', b'{"a": 1', b'{"a":', b"{", b'{"a": [1, 2'])
def test_a_body_cut_in_the_middle_says_that_it_is_cut(raw):
    ((pointer, detail),) = faults(raw)
    assert pointer == ""
    assert "cut off" in detail


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": "\n"}', "not JSON"),
        (b"[1,]", "not JSON"),
    ],
)
def test_what_is_not_json_is_refused_in_words(raw, said):
    ((pointer, detail),) = faults(raw)
    assert pointer == ""
    assert said in detail


def test_all_faults_of_a_body_are_reported_at_once():
    found = faults(b'{"a": NaN, "b": 1, "b": 2, "c": [9007199254740992, "\\ud800"]}')
    assert {pointer for pointer, _ in found} == {"/a", "/b", "/c/0", "/c/1"}


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"a"', b"null", b"true"])
def test_an_object_is_asked_for_where_one_is_needed(raw):
    with pytest.raises(BadInput, match="an object is allowed"):
        parse_object(raw)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_what_the_standard_library_writes_is_read_back_the_same(value, ascii_only, indent):
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert parse_json(raw) == value


def reference_is_sound(raw):
    """Strictness written straight from its rules, slowly: True where a body must be accepted."""

    def pairs(items):
        if len({name for name, _ in items}) != len(items):
            raise ValueError
        return dict(items)

    def sound(value, depth):
        if isinstance(value, dict | list):
            inner = [*value, *value.values()] if isinstance(value, dict) else value
            return depth < 32 and all(sound(item, depth + 1) for item in inner)
        if isinstance(value, str):
            return "\0" not in value and not any(0xD800 <= ord(c) <= 0xDFFF for c in value)
        if isinstance(value, float):
            return abs(value) < float("inf")
        return not isinstance(value, int) or abs(value) < 2**53

    def refuse(word):
        raise ValueError(word)

    try:
        value = json.loads(raw.decode(), object_pairs_hook=pairs, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return sound(value, 0)


PIECES = [
    b"{", b"}", b"[", b"]", b'"a"', b'"b"', b":", b",", b" ", b"1", b"-0", b"1e999", b"NaN",
    b'"\\":"', b'"\\u0061"', b'"\\ud800"', b"\xff", b"null", b"9007199254740992", b'"\\u0000"',
]  # fmt: skip


@settings(max_examples=1_000)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join))
def test_exactly_the_sound_bodies_are_accepted_and_no_other_error_escapes(raw):
    try:
        parse_json(raw)
        accepted = True
    except BadInput as refusal:
        assert refusal.errors
        accepted = False
    assert accepted == reference_is_sound(raw)


MEMBERS = st.lists(
    st.tuples(st.sampled_from(["a", "b", 'q":', "c :"]), st.sampled_from(["1", '"\\":"', "{}"])),
    max_size=6,
)


@given(MEMBERS, st.sampled_from(["", " ", "\n"]))
def test_an_object_is_refused_exactly_when_a_name_repeats(members, blank):
    raw = "{" + ",".join(f"{json.dumps(k)}{blank}:{blank}{v}" for k, v in members) + "}"
    names = [name for name, _ in members]
    if len(set(names)) == len(names):
        assert list(parse_object(raw.encode())) == names
    else:
        assert faults(raw.encode())
