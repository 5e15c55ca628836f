"""Reviewers: their figures, and no rank where intervals overlap."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from apps.metrics.domain.durations import durations_of
from apps.metrics.domain.estimates import Estimate, share
from apps.metrics.domain.proportions import Part
from apps.metrics.domain.reliance import ReviewCells, streak_of
from apps.metrics.domain.reviewers import Reviewer, places, reviewers_report, usual_share


def reviewer(name: str, code: int, **more: Any) -> Reviewer:
    given: dict[str, Any] = {
        "known_answers": Part(0, 0),
        "peers": (),
        "times": durations_of([]),
        "streak": streak_of([]),
        "hasty": Part(0, 0),
        "favourable": {},
    }
    return Reviewer(name, code, **(given | more))


def cells(rows: list[tuple[int, int, int, int, int]]) -> ReviewCells:
    """(reviewer, first, final, ai, true), each seen once."""
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    one = np.ones(len(rows), dtype=np.int64)
    return ReviewCells(columns[0], one.astype(bool), *columns[1:], one, one * 20, one)


CELLS = cells([(0, 0, 0, 0, 0)] * 8 + [(0, 0, 1, 1, 1)] * 2 + [(1, 0, 0, 1, 0)] * 5)


def of(k: int, n: int) -> Estimate:
    return share(k, n, "")


def test_overlapping_intervals_share_their_places() -> None:
    found = places({"ann": of(95, 100), "ben": of(93, 100), "cat": of(50, 100)})
    assert found["ann"] == {"best": 1, "worst": 2, "rank": None}
    assert found["ben"] == {"best": 1, "worst": 2, "rank": None}
    assert found["cat"] == {"best": 3, "worst": 3, "rank": 3}


def test_intervals_that_lie_apart_are_ranked() -> None:
    found = places({"a": of(990, 1000), "b": of(900, 1000), "c": of(500, 1000)})
    assert [found[name]["rank"] for name in "abc"] == [1, 2, 3]


def test_few_cases_and_none_have_no_place_and_take_none() -> None:
    found = places({"a": of(19, 19), "b": of(0, 0), "c": of(80, 100)})
    assert found["a"] == found["b"] == {"best": None, "worst": None, "rank": None}
    assert found["c"]["rank"] == 1


def test_equal_reviewers_are_hardly_ever_ranked_apart() -> None:
    random = np.random.default_rng(7)
    ranked = 0
    for _ in range(200):
        drawn = random.binomial(60, 0.9, 5).tolist()
        found = places({str(i): of(k, 60) for i, k in enumerate(drawn)})
        ranked += any(one["rank"] is not None for one in found.values())
    assert ranked <= 10


def test_the_report_holds_the_contract_s_keys_and_each_reviewer() -> None:
    people = [
        reviewer("ben", 1, known_answers=Part(30, 40), last_week=3, missing=("credit",)),
        reviewer(
            "ann",
            0,
            known_answers=Part(38, 40),
            peers=((20, 5), (10, 15)),
            times=durations_of([30] * 10),
            streak=streak_of([True] * 10),
            hasty=Part(2, 10),
            favourable={"sex": {"F": Part(10, 20), "M": Part(15, 20)}},
        ),
    ]
    found = reviewers_report(people, CELLS, [[2, 0], [0, 2], [1, 1]], [[20, 5], [10, 15]])
    json.dumps(found, allow_nan=False)
    assert found.keys() == {"alpha", "kappa", "known_answer_accuracy", "reliance", "by_reviewer"}
    assert found["known_answer_accuracy"]["value"] == 68 / 80
    ann, ben = found["by_reviewer"]
    assert (ann["reviewer"], ann["reviews"], ben["reviews"]) == ("ann", 10, 5)
    assert ann["known_answer_accuracy"]["value"] == 38 / 40
    # published: 0.4
    assert ann["kappa"]["value"] == found["kappa"]["value"] == pytest.approx(0.4)
    assert ann["reliance"]["switched_when_ai_right"]["value"] == 1.0
    assert ben["reliance"]["kept_when_ai_wrong"]["value"] == 1.0
    assert ann["verdict_gap"]["sex"]["value"] == pytest.approx(0.25)
    assert ann["rubber_stamping"]["hasty"] == 0.2
    assert ben["practice"] == {"last_week": 3, "missing_qualifications": ["credit"]}
    assert ben["kappa"]["value"] is None


def test_kappa_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(4)
    ai = random.integers(0, 3, 500)
    people = np.where(random.random(500) < 0.6, ai, random.integers(0, 3, 500))
    table = np.zeros((3, 3), dtype=np.int64)
    np.add.at(table, (ai, people), 1)
    found = reviewers_report([], CELLS, [], table.tolist())
    assert found["kappa"]["value"] == pytest.approx(cohen_kappa_score(ai, people), abs=1e-12)


def test_nobody_gives_nulls_that_say_why() -> None:
    empty = ReviewCells(*(np.zeros(0, dtype=bool if i == 1 else np.int64) for i in range(9)))
    found = reviewers_report([], empty, [], [])
    json.dumps(found, allow_nan=False)
    assert found["by_reviewer"] == []
    for name in ("alpha", "kappa", "known_answer_accuracy"):
        assert found[name]["value"] is None
        assert found[name]["why"].startswith("not enough data (n = 0)")


def test_the_usual_share_is_that_of_all_reviews_with_sight_of_the_ai() -> None:
    # 10 of the first reviewer as the AI said, 5 of the second otherwise
    assert usual_share(CELLS) == pytest.approx(10 / 15)
