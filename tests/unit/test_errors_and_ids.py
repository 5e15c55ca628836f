"""The exception tree, the actor, identifiers and the fields whose stored form is exact."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import RFC_4122

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from apps.common import errors
from apps.common.actor import Actor, require_actor
from apps.common.fields import ExactDecimalField, StoredJSONField, stored_json
from apps.common.ids import uuid7
from apps.common.saving import bad_input_from, pointer_to, text_faults


def tree(root: type[errors.PlatformError]) -> Iterator[type[errors.PlatformError]]:
    for cls in root.__subclasses__():
        yield cls
        yield from tree(cls)


def test_every_error_has_a_code_of_its_own_and_a_title() -> None:
    found = [cls for cls in tree(errors.PlatformError) if cls.__module__ == errors.__name__]
    codes = [cls.code for cls in found]
    assert len(found) >= 8
    assert len(set(codes)) == len(codes)
    assert all(cls.title != errors.PlatformError.title for cls in found)


def test_bad_input_names_each_fault_by_its_pointer() -> None:
    fault = errors.BadInput([errors.FieldError("/a", "is wrong"), errors.FieldError("", "too")])
    assert str(fault) == "/a: is wrong; /: too"
    assert [e.pointer for e in fault.errors] == ["/a", ""]


def test_a_refusal_carries_what_was_refused() -> None:
    refusal = errors.NotPermitted("no", action="use_case.edit", use_case="loan")
    assert (refusal.action, refusal.use_case, str(refusal)) == ("use_case.edit", "loan", "no")


def test_django_s_field_errors_become_pointers() -> None:
    fault = bad_input_from(ValidationError({"name": ["too long"], "__all__": ["clash"]}))
    assert {(e.pointer, e.detail) for e in fault.errors} == {("/name", "too long"), ("", "clash")}
    assert [e.pointer for e in bad_input_from(ValidationError("alone")).errors] == [""]


def test_a_pointer_escapes_what_rfc_6901_escapes() -> None:
    # RFC 6901, section 5: "a/b" is /a~1b and "m~n" is /m~0n.
    assert pointer_to("", "a/b") == "/a~1b"
    assert pointer_to("/x", "m~n") == "/x/m~0n"


def test_texts_that_cannot_be_stored_are_found_wherever_they_are() -> None:
    value = {"fine": ["a", "b\x00"], "k\ud800": 1, "deep": [{"x": ["\udfff"]}], "number": 3}
    assert [f.pointer for f in text_faults(value, "/v")] == ["/v/fine/1", "/v", "/v/deep/0/x/0"]


@given(st.text())
def test_text_without_nul_and_halves_of_pairs_can_be_stored(value: str) -> None:
    encodable = value.encode("utf-8", "ignore").decode().replace("\x00", "")
    assert bool(list(text_faults(value, ""))) == (encodable != value)


@pytest.mark.parametrize(
    ("kind", "identity", "name"),
    [("robot", "1", "ann"), ("person", "", "ann"), ("person", "1", ""), ("", "1", "ann")],
)
def test_an_actor_without_kind_id_or_name_is_refused(kind: Any, identity: str, name: str) -> None:
    with pytest.raises(errors.ActorRequired):
        Actor(kind, identity, name)


def test_an_actor_survives_its_journey_in_a_header() -> None:
    actor = Actor("person", "17", "ann")
    assert Actor.from_header(actor.to_header()) == actor


@pytest.mark.parametrize("header", [None, {}, {"kind": "person"}, {"id": "1", "name": "ann"}])
def test_a_header_that_names_nobody_is_refused(header: Any) -> None:
    with pytest.raises(errors.ActorRequired):
        Actor.from_header(header)


@pytest.mark.parametrize("nobody", [None, "ann", {"kind": "person"}, 7])
def test_only_an_actor_is_an_actor(nobody: object) -> None:
    with pytest.raises(errors.ActorRequired, match=type(nobody).__name__):
        require_actor(nobody)


def test_identifiers_are_uuids_of_version_7_with_their_time_in_front() -> None:
    # RFC 9562, appendix A.6: 2022-02-22T19:22:22Z is 0x017F22E279B0 milliseconds.
    value = uuid7(0x017F22E279B0)
    assert (value.version, value.variant) == (7, RFC_4122)
    assert str(value).startswith("017f22e2-79b0-7")


def test_identifiers_of_later_milliseconds_sort_after_earlier_ones() -> None:
    values = [uuid7(ms) for ms in range(1_000, 1_200)]
    assert values == sorted(values)
    assert sorted(map(str, values)) == [str(value) for value in values]


def test_identifiers_of_one_millisecond_differ() -> None:
    assert len({uuid7(5) for _ in range(10_000)}) == 10_000


def test_an_identifier_carries_the_present_time() -> None:
    before = time.time_ns() // 1_000_000
    stamp = uuid7().int >> 80
    assert before <= stamp <= time.time_ns() // 1_000_000


def test_equal_json_is_stored_as_equal_text() -> None:
    assert stored_json({"b": 1, "a": [True, None, "é"]}) == '{"a":[true,null,"é"],"b":1}'
    with pytest.raises(ValueError, match="JSON"):
        stored_json(float("nan"))


def test_a_json_field_refuses_text_that_is_not_json() -> None:
    field = StoredJSONField()
    assert field.to_python("[1]") == [1]
    with pytest.raises(ValidationError, match="not JSON"):
        field.to_python("[1")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("25000.00", 250_000_000),
        ("0.0001", 1),
        (Decimal("-1.5"), -15_000),
        (0.1, 1_000),
        (7, 70_000),
    ],
)
def test_an_exact_decimal_is_stored_in_ten_thousandths(value: Any, stored: int) -> None:
    field = ExactDecimalField()
    assert field.get_prep_value(value) == stored
    assert field.from_db_value(stored, None, None) == Decimal(str(value))


@pytest.mark.parametrize(
    "value",
    [
        "abc",
        "",
        True,
        [],
        {},
        "NaN",
        float("inf"),
        "1e14",
        "-1e14",
        "0.00001",
        "1.0000000000000000000000000000000000001",
        "1e999999",
    ],
)
def test_what_is_no_exact_decimal_is_refused_when_it_is_validated(value: Any) -> None:
    with pytest.raises(ValidationError):
        ExactDecimalField().clean(value, None)


@given(st.integers(min_value=-(10**18) + 1, max_value=10**18 - 1))
def test_every_ten_thousandth_within_the_limit_comes_back_unchanged(stored: int) -> None:
    field = ExactDecimalField()
    assert field.get_prep_value(field.from_db_value(stored, None, None)) == stored
