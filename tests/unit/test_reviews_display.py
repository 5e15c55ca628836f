"""What was shown: its hash, what changed since, and what a blind reviewer sees."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.reviews.domain.display import (
    ABSENT,
    BLIND,
    MAX_SHOWN,
    blind_case,
    difference,
    shown_hash,
)

SECRET = "SECRET-OF-THE-AI"
CASE: dict[str, Any] = {
    "use_case": "loans",
    "kind": "label",
    "question": "Should app-1 be granted?",
    "labels": ["approve", "deny"],
    "features": {"income": 41000, "region": "north"},
    "subject": {"ref": "c-7", "attributes": {"age_band": "25-34"}, "risk_flag": SECRET},
    "evidence": [
        {"kind": "text", "title": "letter", "content": "...", "regions": [SECRET], "by": SECRET},
        SECRET,
    ],
    "reasons": [{"code": "rule", "rule": SECRET, "value": SECRET, "text": SECRET}],
    "output": {"label": SECRET},
    "model": SECRET,
    "model_version": SECRET,
    "scores": {SECRET: 0.9},
    "confidence": SECRET,
    "explanation": {"text": SECRET},
    "rank": SECRET,
    "verdicts": [SECRET],
    "similar": [SECRET],
    "added_next_year": SECRET,
}
names = st.sampled_from(["a", "b/c", "d~e", ""])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
cases = st.dictionaries(names, values, max_size=4)


def test_the_hash_is_that_of_the_sorted_compact_json() -> None:
    # for this case Python's own encoder writes the canonical form
    text = json.dumps(CASE, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert shown_hash(CASE) == hashlib.sha256(text.encode()).hexdigest()


def test_the_hash_knows_no_order_of_members_but_every_value() -> None:
    assert shown_hash({"a": 1, "b": 2}) == shown_hash({"b": 2, "a": 1})
    assert shown_hash({"a": 1}) != shown_hash({"a": 2})


@given(cases, cases)
def test_there_is_a_difference_exactly_when_the_hashes_differ(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert bool(difference(old, new)) == (shown_hash(old) != shown_hash(new))
    assert difference(old, old) == []


def test_a_difference_names_its_place_and_both_sides() -> None:
    new = {**CASE, "labels": ["approve", "deny", "refer"], "features": {"income": 40000}}
    assert difference(CASE, new) == [
        {"pointer": "/features/income", "was": 41000, "is": 40000},
        {"pointer": "/features/region", "was": "north", "is": ABSENT},
        {"pointer": "/labels/2", "was": ABSENT, "is": "refer"},
    ]


def test_pointers_escape_as_their_standard_asks() -> None:
    assert difference({"a/b": {"~": 1}}, {"a/b": {"~": 2}})[0]["pointer"] == "/a~1b/~0"


def test_null_absent_true_and_1_are_four_things() -> None:
    assert difference({"a": None}, {}) == [{"pointer": "/a", "was": None, "is": ABSENT}]
    assert difference({"a": True}, {"a": 1}) == [{"pointer": "/a", "was": True, "is": 1}]


def test_a_difference_is_bounded_in_number_and_length() -> None:
    old = {f"f{place:03}": "x" for place in range(120)}
    new = dict.fromkeys(old, "y" * 10000)
    found = difference(old, new)
    assert len(found) == 51
    assert found[-1] == {"pointer": "", "was": None, "is": "70 more differ"}
    assert all(len(item["is"]) <= MAX_SHOWN for item in found)
    assert found[0]["is"].endswith("y…")


def test_a_structure_that_came_or_went_is_shown_as_its_json() -> None:
    assert difference({}, {"a": {"c": 1, "b": [True]}}) == [
        {"pointer": "/a", "was": ABSENT, "is": '{"b":[true],"c":1}'}
    ]


def test_a_blind_case_holds_no_trace_of_the_ai() -> None:
    blind = blind_case(CASE)
    assert SECRET not in json.dumps(blind)
    assert blind["reasons"] == [{"code": "selected", "text": "This case was selected for review."}]


def test_a_blind_case_keeps_what_is_judged() -> None:
    blind = blind_case(CASE)
    for name in ("use_case", "kind", "question", "labels", "features"):
        assert blind[name] == CASE[name]
    assert blind["subject"] == {"ref": "c-7", "attributes": {"age_band": "25-34"}}
    assert blind["evidence"] == [{"kind": "text", "title": "letter", "content": "..."}]


def test_a_blind_case_invents_nothing_and_leaves_the_case_alone() -> None:
    before = shown_hash(CASE)
    assert blind_case({}) == {}
    blind_case(CASE)["reasons"].append("x")  # type: ignore[attr-defined]
    assert shown_hash(CASE) == before
    assert len(blind_case(CASE)["reasons"]) == 1  # type: ignore[arg-type]


@given(st.dictionaries(st.sampled_from([*CASE, *"xyz"]), values))
def test_a_blind_case_has_listed_members_alone(case: dict[str, Any]) -> None:
    assert set(blind_case(case)) <= set(BLIND)


@pytest.mark.parametrize("member", ["output", "model", "model_version", "scores", "explanation"])
def test_the_list_does_not_name_what_steers(member: str) -> None:
    assert member not in BLIND
