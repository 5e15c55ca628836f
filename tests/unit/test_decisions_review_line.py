"""Lines of past verdicts and of outcomes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import BadInput
from apps.decisions.domain.review_line import (
    ValidOutcome,
    ValidReview,
    validate_outcome,
    validate_review,
)

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
LABELS = ("low", "high")
REVIEW = {"external_id": "a-1", "reviewer": "resp-1", "label": "high"}
OUTCOME = {"external_id": "a-1", "label": "high"}


def faults(check, body):
    with pytest.raises(BadInput) as caught:
        check(body, LABELS, NOW)
    return {error.pointer for error in caught.value.errors}


def test_a_review_with_every_member_is_read():
    body = {
        **REVIEW,
        "reviewed_at": "2026-11-01T10:00:00+01:00",
        "active_seconds": 12.5,
        "initial_label": "low",
        "saw_ai": True,
        "confidence": 1,
    }
    assert validate_review(body, LABELS, NOW) == ValidReview(
        "a-1", "resp-1", "high", datetime(2026, 11, 1, 9, tzinfo=UTC), 12.5, "low", True, 1.0
    )


def test_what_a_review_leaves_out_is_not_known():
    assert validate_review(REVIEW, LABELS, NOW)[3:] == (None,) * 5


@pytest.mark.parametrize(
    ("member", "pointer"),
    [
        ({"external_id": None}, "/external_id"),
        ({"external_id": "a\tb"}, "/external_id"),
        ({"reviewer": ""}, "/reviewer"),
        ({"label": "medium"}, "/label"),
        ({"label": None}, "/label"),
        ({"reviewed_at": "2026-11-02T13:00:00Z"}, "/reviewed_at"),
        ({"reviewed_at": "2026-11-02"}, "/reviewed_at"),
        ({"active_seconds": -1}, "/active_seconds"),
        ({"active_seconds": 604_801}, "/active_seconds"),
        ({"active_seconds": "12"}, "/active_seconds"),
        ({"initial_label": "medium"}, "/initial_label"),
        ({"saw_ai": 0}, "/saw_ai"),
        ({"confidence": 1.5}, "/confidence"),
        ({"verdict": "high"}, "/verdict"),
        ({"saw_ai": False, "initial_label": "low"}, "/initial_label"),
    ],
)
def test_each_fault_of_a_review_has_its_pointer(member, pointer):
    assert faults(validate_review, {**REVIEW, **member}) == {pointer}


def test_a_first_answer_equal_to_the_last_needs_no_sight_of_the_ai():
    body = {**REVIEW, "saw_ai": False, "initial_label": "high"}
    assert validate_review(body, LABELS, NOW).initial_label == "high"


def test_all_faults_of_a_line_are_reported_at_once():
    assert faults(validate_review, {"label": 3, "x": 1}) == {
        "/external_id",
        "/reviewer",
        "/label",
        "/x",
    }


def test_an_outcome_is_observed_unless_it_says_otherwise():
    assert validate_outcome(OUTCOME, LABELS, NOW) == ValidOutcome(
        "a-1", "high", None, "observed", None
    )
    full = {**OUTCOME, "observed_at": "2026-01-01T00:00:00Z", "source": "appeal", "satisfaction": 1}
    assert validate_outcome(full, LABELS, NOW) == ValidOutcome(
        "a-1", "high", datetime(2026, 1, 1, tzinfo=UTC), "appeal", 1.0
    )


@pytest.mark.parametrize(
    ("member", "pointer"),
    [
        ({"label": "x"}, "/label"),
        ({"external_id": 7}, "/external_id"),
        ({"source": "guess"}, "/source"),
        ({"source": 1}, "/source"),
        ({"satisfaction": -0.1}, "/satisfaction"),
        ({"observed_at": "1969-01-01T00:00:00Z"}, "/observed_at"),
        ({"reviewer": "x"}, "/reviewer"),
    ],
)
def test_each_fault_of_an_outcome_has_its_pointer(member, pointer):
    assert faults(validate_outcome, {**OUTCOME, **member}) == {pointer}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["external_id", "reviewer", "label", "saw_ai", "source", "\ud800"]),
            inner,
        )
    ),
    max_leaves=6,
)


@given(ANYTHING)
def test_anything_is_a_valid_line_or_bad_input_and_nothing_else(body):
    for check in (validate_review, validate_outcome):
        try:
            assert check(body, LABELS, NOW).label in LABELS
        except BadInput as refusal:
            assert all(error.detail.encode() for error in refusal.errors)
