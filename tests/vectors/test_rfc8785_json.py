"""RFC 8785's own examples, and the fast encoder against the full one."""

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit.domain.canonical import MAX_SAFE_INTEGER, FlatRecordEncoder, Scalar, canonical_json

# RFC 8785 appendix B: IEEE 754 bits and their text.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


def double(bits: str) -> float:
    value: float = struct.unpack(">d", bytes.fromhex(bits))[0]
    return value


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_are_written_as_in_appendix_b(bits: str, text: str) -> None:
    assert canonical_json(double(bits)) == text.encode()


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_numbers_that_appendix_b_calls_errors_are_refused(bits: str) -> None:
    with pytest.raises(ValueError, match="no form for"):
        canonical_json({"x": [double(bits)]})


def test_the_example_of_section_3_2_2_has_the_bytes_of_section_3_2_4() -> None:
    text = r"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    expected = (
        "7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c "
        "22 6e 75 6d 62 65 72 73 22 3a 5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31 "
        "65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 2c 31 65 2d 32 37 5d 2c 22 73 74 72 69 6e 67 22 "
        "3a 22 e2 82 ac 24 5c 75 30 30 30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d"
    )
    assert canonical_json(json.loads(text)) == bytes.fromhex(expected)


def test_keys_are_sorted_by_utf_16_code_units_as_in_section_3_2_3() -> None:
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = json.loads(canonical_json(dict.fromkeys(names, 0)))
    # U+1F600 is D83D DE00 in UTF-16 and so comes before U+FB33.
    assert list(written) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_control_characters_have_their_shortest_escapes_and_nothing_else_is_escaped() -> None:
    text = '\x00\x08\t\n\x0b\x0c\r\x1f "/\\\x7f\u2028é'
    expected = '"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f \\"/\\\\\x7f\u2028é"'
    assert canonical_json(text) == expected.encode()


def test_empty_containers_have_nothing_between_their_brackets() -> None:
    assert canonical_json([{}, [], ()]) == b"[{},[],[]]"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (MAX_SAFE_INTEGER + 1, "beyond"),
        (-MAX_SAFE_INTEGER - 1, "beyond"),
        pytest.param(10**5000, "beyond", id="five thousand digits"),
        ("\ud800", "U\\+D800"),
        ({"\udfff": 1}, "U\\+DFFF"),
        ({1: 2}, "member name 1"),
        (b"bytes", "bytes"),
        ({"x": {1, 2}}, "set"),
        ([object], "type"),
    ],
)
def test_what_has_no_canonical_form_is_refused_and_named(value: object, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        canonical_json(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="too deeply"):
        canonical_json(endless)


def test_the_largest_safe_integers_are_written() -> None:
    assert canonical_json([2**53 - 1, 1 - 2**53]) == b"[9007199254740991,-9007199254740991]"


texts = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
scalars = st.none() | st.booleans() | integers | texts
values: st.SearchStrategy[Any] = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)


def plain(value: Any) -> Any:
    """What a double-based reader sees: -0 is 0, and whole doubles are numbers like any other."""
    return json.loads(json.dumps(value), parse_float=float, parse_int=float)


@given(values)
def test_canonical_json_reads_back_as_the_same_value(value: Any) -> None:
    assert json.loads(canonical_json(value), parse_int=float) == plain(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_reads_back_exactly(value: float) -> None:
    assert float(canonical_json(value)) == value


@given(st.dictionaries(st.text(st.characters(max_codepoint=127)), scalars))
def test_the_flat_encoder_writes_what_the_full_one_writes(record: dict[str, Scalar]) -> None:
    encoder = FlatRecordEncoder(list(record))
    assert encoder.encode(list(record.values())) == canonical_json(record)


def test_a_percent_sign_in_a_key_is_only_a_character() -> None:
    assert FlatRecordEncoder(["%s", "%%"]).encode(["a", 1]) == b'{"%%":1,"%s":"a"}'


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ([1], "1 values for 2 keys"),
        ([1.5, "x"], "1.5 of type float"),
        ([["x"], "x"], "list"),
        ([2**53, "x"], "beyond"),
        (["\udc00", "x"], "U\\+DC00"),
    ],
)
def test_the_flat_encoder_refuses_other_values(values: list[Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        FlatRecordEncoder(["b", "a"]).encode(values)


@pytest.mark.parametrize(("keys", "named"), [(["é"], "ASCII"), (["a", "a"], "twice"), ([1], "1")])
def test_the_flat_encoder_refuses_other_keys(keys: list[Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        FlatRecordEncoder(keys)
