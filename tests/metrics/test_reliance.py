"""Reliance on the AI: published and hand-worked tables, and runs of confirmations."""

from __future__ import annotations

import json
from functools import reduce
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.metrics.domain.estimates import wilson
from apps.metrics.domain.reliance import (
    ReviewCells,
    Streak,
    appropriate_reliance,
    joined,
    of_reviewer,
    over_reliance,
    reliance,
    rubber_stamping,
    seconds_per_case,
    streak_of,
)

LOW, HIGH, OTHER, NONE = 0, 1, 2, -1
Row = tuple[int, bool, int, int, int, int, int]  # reviewer, saw the AI, first, final, ai, true, n


def cells(rows: list[Row]) -> ReviewCells:
    reviewer, saw, first, final, ai, true, n = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    return ReviewCells(reviewer, saw.astype(bool), first, final, ai, true, n, n * 30, n)


def by_hand() -> ReviewCells:
    return cells(
        [
            (0, True, LOW, LOW, LOW, LOW, 50),  # never differed
            (0, True, LOW, HIGH, HIGH, HIGH, 6),  # switched to a right AI
            (0, True, LOW, LOW, HIGH, HIGH, 4),  # stayed against a right AI
            (1, True, LOW, HIGH, HIGH, LOW, 3),  # followed a wrong AI
            (1, True, LOW, LOW, HIGH, LOW, 9),  # stayed against a wrong AI
            (1, True, HIGH, LOW, HIGH, LOW, 2),  # agreed with a wrong AI, then overrode it
            (1, True, LOW, LOW, HIGH, NONE, 5),  # overrode, no outcome
            (1, False, LOW, LOW, HIGH, HIGH, 100),  # never saw the AI
            (1, True, NONE, HIGH, HIGH, LOW, 7),  # no first answer
        ]
    )


def test_the_contract_s_figures_are_worked_out_by_hand() -> None:
    found = reliance(by_hand())
    assert found["n"] == 50 + 6 + 4 + 3 + 9 + 2 + 5
    assert found["disagreements"] == 6 + 4 + 3 + 9 + 5
    values = {name: one["value"] for name, one in found.items() if isinstance(one, dict)}
    assert values["switched_when_ai_right"] == 6 / 10
    assert values["kept_when_ai_wrong"] == 9 / 12
    assert values["followed_when_ai_wrong"] == 3 / 12
    assert values["override_rate"] == (4 + 9 + 2 + 5) / 79
    assert values["override_precision"] == (9 + 2) / (4 + 9 + 2)
    assert found["kept_when_ai_wrong"]["few"] is True
    assert "few" not in found["override_rate"]
    ends = found["override_rate"]["low"], found["override_rate"]["high"]
    assert ends == wilson(20, 79)


def test_over_and_under_reliance_need_no_first_answer() -> None:
    found = over_reliance(by_hand())
    # wrong AI, seen: 3 + 9 + 2 + 7, of which its answer was taken in 3 + 7
    assert found["over_reliance"]["value"] == 10 / 21
    # right AI, seen: 50 + 6 + 4, of which 4 differed
    assert found["under_reliance"]["value"] == 4 / 60


def test_appropriate_reliance_is_worked_out_by_hand() -> None:
    found = appropriate_reliance(by_hand())
    # wrong first, right AI: 6 + 4, right in the end 6; right first, wrong AI: 3 + 9, right 9
    assert (found["rair"]["value"], found["rsr"]["value"]) == (6 / 10, 9 / 12)


def test_the_published_study_of_prescribing_is_found_again() -> None:
    """K. Goddard et al. 2014: 26 doctors, 20 cases: right in 50.38 % before and 58.27 % after the
    advice, better in 13.1 %, hence worse in 5.2 %, another answer in 22.5 %."""
    found = reliance(
        cells(
            [
                (0, True, HIGH, HIGH, HIGH, HIGH, 235),
                (0, True, LOW, HIGH, HIGH, HIGH, 68),  # wrong, then right
                (0, True, HIGH, LOW, LOW, HIGH, 27),  # right, then wrong
                (0, True, LOW, OTHER, OTHER, HIGH, 22),  # wrong, then wrong otherwise
                (0, True, LOW, LOW, HIGH, HIGH, 168),
            ]
        )
    )
    expected = {
        "before": 0.5038,
        "after": 0.5827,
        "improved": 0.131,
        "worsened": 0.052,
        "switched": 0.225,
    }
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, abs=6e-4)
        assert found[name]["n"] == 520


def test_without_wrong_answers_of_the_ai_there_is_no_figure_of_following_them() -> None:
    found = reliance(cells([(0, True, LOW, HIGH, HIGH, HIGH, 30)]))
    assert found["followed_when_ai_wrong"]["value"] is None
    assert found["followed_when_ai_wrong"]["why"].endswith("never differed where the AI was wrong")
    assert found["switched_when_ai_right"]["value"] == 1.0
    assert (
        over_reliance(cells([(0, True, LOW, LOW, LOW, LOW, 5)]))["over_reliance"]["value"] is None
    )


def test_no_reviews_give_nulls() -> None:
    empty = of_reviewer(by_hand(), 99)
    found = reliance(empty)
    assert (found["n"], found["override_rate"]["value"]) == (0, None)
    assert seconds_per_case(empty) is None
    json.dumps(found | appropriate_reliance(empty) | over_reliance(empty), allow_nan=False)


def test_a_reviewer_s_cells_are_their_own() -> None:
    assert reliance(of_reviewer(by_hand(), 0))["n"] == 60
    assert seconds_per_case(of_reviewer(by_hand(), 0)) == 30


# --- Streaks --------------------------------------------------------------------------------

runs = st.lists(st.booleans(), max_size=30)


def test_runs_are_counted() -> None:
    found = streak_of([True, True, False, True, True, True, False, True])
    assert found == Streak(n=8, confirmed=6, head=2, tail=1, longest=3)
    assert streak_of([]) == Streak()
    assert streak_of([True] * 4) == Streak(4, 4, 4, 4, 4)
    assert streak_of([False]) == Streak(1, 0, 0, 0, 0)


@settings(deadline=None)
@given(st.lists(runs, max_size=6))
def test_days_join_to_the_runs_of_all_reviews(days: list[list[bool]]) -> None:
    whole = streak_of([one for day in days for one in day])
    assert reduce(joined, map(streak_of, days), Streak()) == whole


def test_a_run_that_chance_explains_raises_nothing() -> None:
    # 1,000 reviews, 90 % confirmed: 101 runs start, one of 44 or more is expected
    found = rubber_stamping(Streak(1_000, 900, 0, 3, 44), usual=0.9)
    assert found["expected"] == pytest.approx(log(101) / -log(0.9))
    assert found["expected"] == pytest.approx(43.8, abs=0.05)
    assert (found["raised"], found["current"]) == (False, 3)
    # 101 x 0.9^88 = 0.0095
    assert rubber_stamping(Streak(1_000, 900, 0, 3, 88), usual=0.9)["raised"]


def test_the_alert_is_rare_for_those_who_look() -> None:
    random = np.random.default_rng(3)
    raised = [
        rubber_stamping(streak_of((random.random(300) < 0.8).tolist()), usual=0.8)["raised"]
        for _ in range(1_000)
    ]
    assert sum(raised) <= 20  # 1 % expected


@pytest.mark.parametrize(("n", "usual"), [(0, 0.9), (5, 1.0), (5, 0.0)])
def test_where_nothing_can_be_said_of_a_run_it_says_why(n: int, usual: float) -> None:
    found = rubber_stamping(Streak(n, n, n, n, n), usual)
    assert (found["chance"], found["raised"]) == (None, False)
    assert found["why"].startswith(f"not enough data (n = {n})")
