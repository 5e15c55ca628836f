"""Majorities, first verdicts, and the label that took effect."""

from __future__ import annotations

import pytest

from apps.metrics.domain.verdicts import (
    PastVerdict,
    Taken,
    first_verdict,
    label_in_effect,
    plain_majority,
)

LABELS = ("low", "medium", "high")
HIGH_HIGH_LOW = [PastVerdict("high", False), PastVerdict("high", False), PastVerdict("low", False)]


@pytest.mark.parametrize(
    ("verdicts", "favourable", "expected"),
    [
        (["high", "high", "low"], "low", "high"),
        (["high", "low"], "low", "low"),
        (["high", "medium"], "low", "medium"),
        (["high", "medium"], "high", "high"),
        (["high", "medium", "high", "medium", "low"], "low", "medium"),
        (["zulu", "alpha"], "low", "alpha"),
        (["zulu", "high"], "low", "high"),
        (["high", "low"], "", "low"),
        ([], "low", None),
    ],
)
def test_most_votes_win_and_ties_go_to_the_favourable_else_to_the_earliest(
    verdicts: list[str], favourable: str, expected: str | None
) -> None:
    assert plain_majority(verdicts, LABELS, favourable) == expected
    assert plain_majority(verdicts[::-1], LABELS, favourable) == expected


@pytest.mark.parametrize(
    ("initial", "label", "saw_ai", "expected"),
    [
        ("low", "high", True, "low"),
        ("low", None, True, "low"),
        (None, "high", False, "high"),
        (None, "high", True, None),
        (None, "high", None, None),
        (None, None, False, None),
    ],
)
def test_a_first_verdict_is_the_initial_label_or_the_one_given_without_sight_of_the_ai(
    initial: str | None, label: str | None, saw_ai: bool | None, expected: str | None
) -> None:
    assert first_verdict(initial, label, saw_ai) == expected


def test_without_imported_reviews_the_final_label_took_effect() -> None:
    assert label_in_effect(Taken("low", "high", "review", "released"), [], LABELS, "low") == "high"


def test_what_still_waits_has_no_label_in_effect() -> None:
    assert label_in_effect(Taken("low", None, "review", "pending"), [], LABELS, "low") is None


@pytest.mark.parametrize("status", ["withheld", "reversed"])
def test_what_was_withheld_or_reversed_has_its_final_label_alone(status: str) -> None:
    for final in (None, "medium"):
        taken = Taken("low", final, "review", status)
        assert label_in_effect(taken, HIGH_HIGH_LOW, LABELS, "low") == final


def test_imported_verdicts_of_the_review_lane_decide_by_their_majority() -> None:
    taken = Taken("low", "low", "review", "released")
    assert label_in_effect(taken, HIGH_HIGH_LOW, LABELS, "low") == "high"


def test_imported_verdicts_of_people_who_saw_the_ai_decide_in_any_lane() -> None:
    taken = Taken("low", "low", "automatic", "released")
    seen = [*HIGH_HIGH_LOW[:2], PastVerdict("low", True)]
    assert label_in_effect(taken, seen, LABELS, "low") == "high"


def test_imported_verdicts_given_apart_from_the_ai_leave_its_label_in_effect() -> None:
    taken = Taken("low", "low", "automatic", "released")
    assert label_in_effect(taken, HIGH_HIGH_LOW, LABELS, "low") == "low"
    unknown = [PastVerdict("high", None)]
    assert label_in_effect(taken, unknown, LABELS, "low") == "low"
