"""The what-if: every point against a reading case by case, and known optima."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from apps.metrics.domain.choice import Bounds, best_point
from apps.metrics.domain.frontier import Prices, curve, frontier
from apps.metrics.domain.levels import Levels, blocks_at, threshold_of, used_levels
from apps.metrics.domain.ranking import risk_coverage
from tests.metrics.what_if import One, cases, groups_of, levels_of, slow_accuracy

PRICES = Prices(ai_per_decision=0.01, review_per_hour=30.0, review_minutes=2.0)


@pytest.mark.parametrize("seed", range(3))
def test_every_point_is_what_a_reading_case_by_case_gives(seed: int) -> None:
    rows = cases(150, seed)
    found = frontier(levels_of(rows), PRICES)
    assert [point["review_share"] for point in found.points] == [i / 100 for i in range(101)]
    for share in range(0, 101, 5):
        accuracy, imputed = slow_accuracy(rows, share)
        point = found.points[share]
        assert point["accuracy_single"] == pytest.approx(accuracy, abs=1e-12)
        assert point["imputed"] == imputed


def test_a_small_case_is_worked_out_by_hand() -> None:
    rows = [
        One(0.6, "low", "high", ("high", "high", "low")),  # AI wrong; people 2/3, majority right
        One(0.7, "high", "high", ("low",)),  # AI right, people wrong
        One(0.8, "low", "low", ("low", "low")),
        One(0.9, "high", "low", ()),  # AI wrong, nobody looked
    ]
    found = frontier(levels_of(rows), PRICES)
    none, quarter, half, every = (found.points[i] for i in (0, 25, 50, 100))
    # AI right 2 of 4; cost 0.01 + (20 + 5) / 4
    assert (none["accuracy_single"], none["cost"]) == (0.5, "6.260000")
    # the first reviewed: (2/3 + 1 + 1 + 0) / 4; a review costs 1; errors 20/3 + 5
    assert quarter["accuracy_single"] == pytest.approx((2 / 3 + 2) / 4)
    assert quarter["accuracy_consensus"] == 3 / 4
    assert float(quarter["cost"]) == pytest.approx((1 + 20 / 3 + 5) / 4 + 0.01, abs=1e-6)
    assert (quarter["threshold"], quarter["reviewed"]) == (0.7, 1)
    assert half["accuracy_single"] == pytest.approx((2 / 3 + 0 + 1 + 0) / 4)
    # 2 minutes each, for 500 of 1,000
    assert half["reviewer_hours"] == pytest.approx(500 * 2 / 60)
    # all: the last counts as the mean of all judged, since its bin has none: (2/3 + 0 + 1) / 3
    assert every["accuracy_single"] == pytest.approx((2 / 3 + 0 + 1 + 5 / 9) / 4)
    assert (every["imputed"], every["threshold"]) == (1, 1.0)
    assert (found.ai.value, found.ai.n) == (0.5, 4)
    assert found.human.value == pytest.approx(5 / 9)
    assert found.human_consensus.value == pytest.approx(2 / 3)


def test_equal_confidences_go_together() -> None:
    rows = [One(0.6, "low", "low", ("low",))] * 30 + [One(0.8, "low", "low", ("low",))] * 70
    found = frontier(levels_of(rows), PRICES)
    assert [found.points[i]["reviewed"] for i in (0, 1, 30, 31, 100)] == [0, 30, 30, 100, 100]
    assert found.points[1]["threshold"] == 0.8


def test_a_threshold_reviews_exactly_the_levels_below_it() -> None:
    levels = used_levels(levels_of(cases(300, 7)))
    for block in range(len(levels.confidence) + 1):
        threshold = threshold_of(levels, block)
        assert threshold is not None
        assert int((levels.confidence < threshold).sum()) == block


def test_no_threshold_reviews_a_case_that_is_certain() -> None:
    levels = used_levels(levels_of([One(0.5, "low", "low", ()), One(1.0, "low", "low", ())]))
    assert threshold_of(levels, 2) is None


def test_the_impact_ratio_of_a_point_is_that_of_its_answers() -> None:
    rows = cases(200, 3)
    found = frontier(levels_of(rows), PRICES, {"group": groups_of(rows)})
    ai = {g: [one.given == "low" for one in rows if one.group == g] for g in "ab"}
    shares = [sum(answers) / len(answers) for answers in ai.values()]
    assert found.points[0]["impact_ratio"]["group"]["value"] == min(shares) / max(shares)
    people = {
        g: [
            one.verdicts.count("low") / len(one.verdicts)
            for one in rows
            if one.group == g and one.verdicts
        ]
        for g in "ab"
    }
    shares = [sum(judged) / len(judged) for judged in people.values()]
    last = found.points[100]["impact_ratio"]["group"]
    assert last["value"] == pytest.approx(min(shares) / max(shares))
    assert last["gap"] == pytest.approx(max(shares) - min(shares))
    # half way: automatic as the AI, reviewed as people or as their group's mean
    middle = found.points[50]
    means = dict(zip("ab", (sum(people[g]) / len(people[g]) for g in "ab"), strict=True))
    mixed = {}
    for g in "ab":
        own = [one for one in rows if one.group == g]
        mixed[g] = sum(
            float(one.given == "low")
            if one.confidence >= middle["threshold"]
            else (one.verdicts.count("low") / len(one.verdicts) if one.verdicts else means[g])
            for one in own
        ) / len(own)
    ratio = min(mixed.values()) / max(mixed.values())
    assert middle["impact_ratio"]["group"]["value"] == pytest.approx(ratio)


def test_one_group_has_no_ratio_and_says_why() -> None:
    rows = [One(0.7, "low", "low", ())] * 5
    found = frontier(levels_of(rows), PRICES, {"group": groups_of(rows)})
    ratio = found.points[0]["impact_ratio"]["group"]
    assert (ratio["value"], ratio["why"]) == (
        None,
        "not enough data (n = 5): fewer than two groups have cases",
    )


def test_without_verdicts_only_the_point_without_review_is_known() -> None:
    rows = [One(0.6, "low", "high", ()), One(0.9, "low", "low", ())]
    found = frontier(levels_of(rows), PRICES)
    assert found.points[0]["accuracy_single"] == 0.5
    assert found.points[50]["accuracy_single"] is None
    assert found.points[50]["cost"] is None
    assert (
        found.human.why
        == "not enough data (n = 0): no decision has an outcome and a first verdict of a person"
    )
    json.dumps(found.points, allow_nan=False)


def test_without_outcomes_nothing_is_known_and_it_says_what_was_assumed() -> None:
    rows = cases(60, 1)
    some = frontier(levels_of(rows), PRICES)
    assert some.without_outcome == sum(one.true is None for one in rows)
    assert some.notes[0].startswith(f"{some.without_outcome} of 60 decisions have no outcome")
    none = frontier(levels_of([one._replace(true=None) for one in rows]), PRICES)
    assert none.points[0]["accuracy_single"] is None
    assert none.ai.value is None


def test_no_decisions_give_no_points_and_no_choice() -> None:
    empty = Levels(
        *(np.zeros(0, dtype=float if i in (0, 4, 6, 8, 9, 10, 12) else np.int64) for i in range(13))
    )
    found = frontier(empty, PRICES)
    assert found.points == ()
    assert (
        best_point(found.points, "accuracy")["why"]
        == "not enough data (n = 0): there are no decisions"
    )


def test_all_confidences_equal_leave_two_choices() -> None:
    found = frontier(levels_of([One(0.7, "low", "low", ("low",))] * 9), PRICES)
    assert {point["reviewed"] for point in found.points} == {0, 9}


def test_levels_add_up_whatever_way_the_days_are_cut() -> None:
    rows = cases(120, 4, levels=3)
    whole = levels_of(rows)
    one, other = levels_of(rows[:60]), levels_of(rows[60:])
    assert np.array_equal(one.confidence, other.confidence)
    for name in Levels.__slots__[1:]:
        assert getattr(one, name) + getattr(other, name) == pytest.approx(getattr(whole, name))


# --- The optimum ----------------------------------------------------------------------------

# Calibrated confidence 0.5 + 0.5 Beta(2, 2), errors cost 1, people make none: review below 1 - d
OPTIMA = {0.05: 0.04953, 0.10: 0.09640, 0.20: 0.17440, 0.30: 0.22440}


@pytest.fixture(scope="module")
def million() -> Levels:
    random = np.random.default_rng(11)
    confidence = 0.5 + 0.5 * random.beta(2, 2, 1_000_000)
    wrong = random.random(1_000_000) >= confidence
    place = (confidence * 10_000 + 0.5).astype(np.int64)
    n = np.bincount(place, minlength=10_001)
    errors = np.bincount(place, wrong, minlength=10_001)
    zero = np.zeros(10_001)
    return Levels(
        confidence=np.arange(10_001) / 10_000,
        n=n,
        known=n,
        right=n - errors.astype(np.int64),
        error_cost=errors,
        judged=n,
        people=n.astype(float),
        consensus=n,
        people_cost=zero,
        consensus_cost=zero,
        agree_ai=zero,
        peers=np.zeros(10_001, dtype=np.int64),
        agree_peers=zero,
    )


@pytest.mark.parametrize("price", OPTIMA)
def test_the_cheapest_threshold_costs_what_theory_says(million: Levels, price: float) -> None:
    prices = Prices(review_per_hour=60 * price, review_minutes=1)
    levels = used_levels(million)
    held = curve(levels, prices)
    cheapest = int(np.argmin(held.cost))
    assert held.cost[cheapest] == pytest.approx(OPTIMA[price], abs=2e-4)
    at = threshold_of(levels, cheapest)
    assert at == pytest.approx(1 - price, abs=0.02)  # the curve is flat there
    best = best_point(frontier(million, prices).points, "cost")
    assert float(best["cost"]) == pytest.approx(OPTIMA[price], abs=3e-4)


def test_the_areas_of_a_million_cases_are_known(million: Levels) -> None:
    found = risk_coverage(million.n, million.n - million.right)
    assert found.aurc == pytest.approx(0.150797, abs=2e-5)


def by_level(confidence: list[float], errors: list[int]) -> Any:
    kinds = sorted(set(confidence))
    n = [confidence.count(c) for c in kinds]
    wrong = [sum(e for k, e in zip(confidence, errors, strict=True) if k == c) for c in kinds]
    return risk_coverage(np.array(n), np.array(wrong))


def test_the_areas_of_four_cases_are_worked_out_by_hand() -> None:
    found = by_level([0.9, 0.8, 0.7, 0.6], [0, 1, 0, 0])
    # r = 0, 1/2, 1/3, 1/4; the ideal order has 1/4 at the end alone
    assert found.aurc == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert found.aurc == pytest.approx(0.2708333, abs=5e-8)
    assert found.e_aurc == pytest.approx(0.2083333, abs=5e-8)
    assert found.augrc == pytest.approx((0 + 1 + 1 + 1) / 16)
    tied = by_level([0.9] * 4, [0, 1, 0, 0])
    assert tied.aurc == pytest.approx(0.25)


def test_ties_count_as_the_mean_over_their_orders() -> None:
    random = np.random.default_rng(2)
    confidence = random.integers(0, 4, 12) / 4
    errors = (random.random(12) < 0.4).astype(int)
    areas, general = [], []
    for _ in range(4_000):
        order = random.permutation(12)
        order = order[np.argsort(-confidence[order], kind="stable")]
        bad = np.cumsum(errors[order])
        areas.append((bad / np.arange(1, 13)).mean())
        general.append(bad.mean() / 12)
    found = by_level(confidence.tolist(), errors.tolist())
    assert found.aurc == pytest.approx(np.mean(areas), abs=3e-3)
    assert found.augrc == pytest.approx(np.mean(general), abs=3e-3)


def test_no_cases_have_no_area() -> None:
    found = risk_coverage(np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64))
    assert (found.aurc, found.n) == (None, 0)
    assert found.why is not None


# --- The choice -----------------------------------------------------------------------------


def three_zones() -> list[One]:
    """Doubtful cases where people are better, middling ones where they are worse but agree, and
    sure ones; group b is favoured by the AI in the middle."""
    rows: list[One] = []
    for i in range(300):
        right = ("high", "high") if i % 10 else ("low", "low")
        rows.append(One(0.55, "low" if i % 2 else "high", "high", right, "ab"[i % 2]))
    for i in range(300):
        answer = "low" if i % 2 else "high"
        verdicts = ("low", "low") if i % 3 else ("high", "high")
        rows.append(One(0.75, answer, answer, verdicts, "ab"[i % 2]))
    for i in range(400):
        rows.append(One(0.95, "low", "low", ("low", "low"), "ab"[i % 2]))
    return rows


def test_the_three_goals_choose_three_different_points() -> None:
    rows = three_zones()
    points = frontier(levels_of(rows), PRICES, {"group": groups_of(rows)}).points
    accuracy = best_point(points, "accuracy", Bounds(max_hours=25))
    speed = best_point(points, "speed", Bounds(max_error=0.2))
    consistency = best_point(points, "consistency")
    assert (accuracy["reviewed"], speed["reviewed"], consistency["reviewed"]) == (300, 0, 600)
    assert accuracy["accuracy_single"] > speed["accuracy_single"] > consistency["accuracy_single"]
    assert {one["goal"] for one in (accuracy, speed, consistency)} == {
        "accuracy",
        "speed",
        "consistency",
    }


def test_a_limit_on_the_load_holds_the_choice_back() -> None:
    rows = three_zones()
    points = frontier(levels_of(rows), PRICES, {"group": groups_of(rows)}).points
    # 2 minutes each: 300 of 1,000 reviewed are 10 hours
    assert best_point(points, "accuracy", Bounds(max_hours=5))["reviewed"] == 0
    assert best_point(points, "accuracy", Bounds(max_hours=10))["reviewed"] == 300


def test_where_no_point_keeps_to_the_limits_it_says_what_the_nearest_breaks() -> None:
    rows = three_zones()
    points = frontier(levels_of(rows), PRICES, {"group": groups_of(rows)}).points
    found = best_point(
        points,
        "accuracy",
        Bounds(max_error=0.001, min_impact_ratio=0.99, max_cost=Decimal("0.001")),
    )
    assert (found["review_share"], found["threshold"]) == (None, None)
    assert "no point keeps to all limits" in found["why"]
    assert "is above 0.001" in found["why"]
    json.dumps(found)


def test_a_limit_on_a_figure_that_is_not_known_is_broken() -> None:
    points = frontier(levels_of([One(0.6, "low", "low", ("low",))]), PRICES).points
    found = best_point(points, "accuracy", Bounds(min_impact_ratio=0.8))
    assert "impact ratio None is below 0.8" in found["why"]


def test_blocks_rise_from_none_to_all() -> None:
    levels = used_levels(levels_of(cases(97, 5)))
    at = blocks_at(levels)
    assert (at[0], at[-1]) == (0, len(levels.n))
    assert (np.diff(at) >= 0).all()
