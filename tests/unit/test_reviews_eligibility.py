"""Interest in a case, and skills held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.reviews.domain.eligibility import interest, qualified

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
NOTHING: dict[str, Any] = {
    "submitted_by": None,
    "earlier_reviewers": (),
    "subject_logins": (),
    "decided_before": (),
    "contested": False,
}


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"submitted_by": "7"}, "submitted"),
        ({"subject_logins": ["7"]}, "subject"),
        ({"earlier_reviewers": {"6", "7"}}, "reviewed"),
        ({"decided_before": {"7"}, "contested": True}, "contested"),
    ],
)
def test_each_interest_is_named_and_is_of_this_person_alone(
    facts: dict[str, Any], word: str
) -> None:
    reason = interest("7", **{**NOTHING, **facts})
    assert reason is not None
    assert word in reason
    assert interest("8", **{**NOTHING, **facts}) is None


def test_who_decided_before_may_review_what_is_not_contested() -> None:
    assert interest("7", **{**NOTHING, "decided_before": {"7"}}) is None


def test_skills_are_held_until_their_end_and_not_at_it() -> None:
    held = {"credit": None, "fraud": NOW + timedelta(seconds=1), "kyc": NOW}
    assert qualified(["credit", "fraud"], held, NOW) == []
    assert qualified(["law", "kyc", "credit", "law"], held, NOW) == ["law", "kyc"]
    assert qualified([], {}, NOW) == []
