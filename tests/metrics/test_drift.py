"""The drift report: what it calls drift, what it does not, and what it says without data."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportions_chisquare

from apps.metrics.domain.drift import (
    CategoryFeature,
    Limits,
    NumberFeature,
    accuracy_over_time,
    drift_report,
)
from apps.metrics.domain.histograms import (
    CategoryEdges,
    count_categories,
    count_numbers,
    freeze_number,
)

LEVELS = CategoryEdges(("a", "b", "c"), complete=True)
FIGURES = {"psi", "ks", "js", "wasserstein", "p_value", "drifted"}


def number(one: Any, other: Any) -> NumberFeature:
    reference, current = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    edges = freeze_number(reference)
    held = edges or freeze_number(np.zeros(1))
    assert held is not None
    return NumberFeature(edges, count_numbers(reference, held), count_numbers(current, held))


def category(one: dict[str | None, int], other: dict[str | None, int]) -> CategoryFeature:
    sides = [
        count_categories([level for level, n in side.items() for _ in range(n)], LEVELS)
        for side in (one, other)
    ]
    return CategoryFeature(LEVELS, *sides)


def only(feature: NumberFeature | CategoryFeature, limits: Limits | None = None) -> dict[str, Any]:
    report = drift_report({"x": feature}, limits)
    json.dumps(report, allow_nan=False)
    found: dict[str, Any] = report["features"]["x"]
    assert found.keys() >= FIGURES
    return found


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


def test_a_shift_of_half_a_deviation_is_drift(random: np.random.Generator) -> None:
    one, other = random.standard_normal((2, 5_000))
    found = only(number(one, other + 0.5))
    assert found["drifted"]
    assert found["wasserstein"] == pytest.approx(0.5, abs=0.05)
    assert found["p_value"] < 1e-50
    assert any(reason.startswith("psi") for reason in found["reasons"])


def test_the_same_distribution_is_not_drift(random: np.random.Generator) -> None:
    one, other = random.standard_normal((2, 5_000))
    found = only(number(one, other))
    assert (found["drifted"], found["reasons"]) == (False, [])
    assert found["psi"] < 2 * found["psi_null_95"]


def test_a_change_that_is_certain_but_tiny_is_not_drift(random: np.random.Generator) -> None:
    one, other = random.standard_normal((2, 100_000))
    found = only(number(one, other + 0.05))
    assert found["p_value"] < 1e-10
    assert not found["drifted"]


def test_a_large_psi_of_a_small_sample_is_not_drift() -> None:
    """60 levels and 300 cases a side: PSI is about 0.4 without any drift."""
    random = np.random.default_rng(5)
    levels = CategoryEdges(tuple(str(i) for i in range(60)), complete=True)
    p, q = random.multinomial(300, [1 / 60] * 60, size=2)
    feature = CategoryFeature(levels, np.append(p, [0, 0]), np.append(q, [0, 0]))
    found = only(feature)
    assert found["psi"] > 0.25
    assert not found["drifted"]


def test_levels_that_changed_their_shares_are_drift() -> None:
    found = only(category({"a": 500, "b": 300, "c": 200}, {"a": 300, "b": 300, "c": 400}))
    # chi-squared: 2 (100^2 / 400 + 100^2 / 300) = 116.67
    assert found["p_value"] == pytest.approx(stats.chi2.sf(350 / 3, 2))
    assert found["effect"] == pytest.approx((350 / 3 / 2000) ** 0.5)
    assert (found["ks"], found["wasserstein"], found["drifted"]) == (None, None, True)


def test_levels_the_reference_did_not_have_are_drift() -> None:
    found = only(category({"a": 500, "b": 500}, {"a": 492, "b": 493, "new": 15}))
    assert found["unseen"] == 0.015
    assert found["reasons"] == ["1.50% are of levels that the reference does not have"]


def test_where_the_reference_had_more_levels_than_are_kept_nothing_is_said_of_new_ones() -> None:
    some = CategoryEdges(("a",), complete=False)
    counts = np.array([50, 50, 0])
    assert only(CategoryFeature(some, counts, counts))["unseen"] is None


def test_values_that_went_missing_are_drift(random: np.random.Generator) -> None:
    one, other = random.standard_normal((2, 2_000))
    other[:300] = np.nan
    found = only(number(one, other))
    assert found["missing"]["current"] == 0.15
    assert found["missing"]["low"] > 0.1
    assert found["reasons"] == ["missing values went from 0.00% to 15.00%"]


def test_false_discoveries_are_held_over_all_features() -> None:
    random = np.random.default_rng(3)
    features = {f"f{i}": number(*random.standard_normal((2, 500))) for i in range(40)}
    strict = Limits(psi=0.0, js=0.0, wasserstein=0.0)
    report = drift_report(features, strict)
    p_values = [one["p_value"] for one in report["features"].values()]
    assert min(p_values) < 0.05  # one alone would have been called
    assert report["drifted"] == 0
    assert all(one["q_value"] >= one["p_value"] for one in report["features"].values())


def test_a_reference_of_one_value_has_no_deviation_and_still_shows_a_change() -> None:
    found = only(number([7.0] * 500, [7.0] * 200 + [9.0] * 300))
    assert found["wasserstein"] is None
    assert found["ks"] == pytest.approx(0.6)
    assert found["drifted"]


@pytest.mark.parametrize(
    ("feature", "why"),
    [
        (number([], []), "not enough data (n = 0): the window has fewer than 30 values"),
        (number([1.0] * 50, []), "not enough data (n = 0): the window has fewer than 30 values"),
        (
            number([np.nan] * 50, [1.0] * 50),
            "not enough data (n = 0): the reference has fewer than 30 values",
        ),
        (
            category({None: 40}, {"a": 40}),
            "not enough data (n = 0): the reference has fewer than 30 values",
        ),
        (
            category({"a": 40}, {"a": 7}),
            "not enough data (n = 7): the window has fewer than 30 values",
        ),
    ],
)
def test_without_enough_values_the_figures_are_null_and_say_why(feature: Any, why: str) -> None:
    found = only(feature)
    assert found["why"] == why
    assert found["psi"] is found["p_value"] is found["q_value"] is None


def test_one_feature_without_data_keeps_no_other_from_being_made() -> None:
    random = np.random.default_rng(1)
    report = drift_report({"empty": number([], []), "full": number(*random.random((2, 100)))})
    assert report["features"]["full"]["psi"] is not None
    assert report["psi_max"] == report["features"]["full"]["psi"]
    assert set(report["definitions"]) >= {"psi", "ks", "js", "wasserstein"}


def test_no_features_give_an_empty_report() -> None:
    report = drift_report({})
    assert (report["features"], report["drifted"], report["psi_max"]) == ({}, 0, None)


# --- Performance over time ------------------------------------------------------------------


def test_the_test_over_periods_is_that_of_statsmodels() -> None:
    right, n = np.array([90, 80, 85, 60]), np.array([100, 95, 100, 90])
    found = accuracy_over_time(right, n)
    assert found["p_value"] == pytest.approx(proportions_chisquare(right, n)[1])


def test_the_slope_is_the_weighted_regression_s() -> None:
    right, n = np.array([9, 16, 7]), np.array([10, 20, 10])
    # shares .9 .8 .7: a tenth less each period; z = -0.1 / sqrt(.8 .2 / 20) = -1.118
    found = accuracy_over_time(right, n)
    assert found["slope"] == pytest.approx(-0.1)
    assert found["p_trend"] == pytest.approx(2 * stats.norm.cdf(-0.1 / (0.16 / 20) ** 0.5))


def test_empty_periods_keep_their_place_in_time() -> None:
    one = accuracy_over_time(np.array([9, 0, 7]), np.array([10, 0, 10]))
    assert one["slope"] == pytest.approx(-0.1)  # 0.2 over two periods
    assert one["periods"] == 2


@pytest.mark.parametrize(
    ("right", "n", "why"),
    [
        ([], [], "not enough data (n = 0): fewer than two periods have outcomes"),
        ([3, 0], [5, 0], "not enough data (n = 5): fewer than two periods have outcomes"),
        ([5, 5], [5, 5], "not enough data (n = 10): all cases are alike"),
    ],
)
def test_without_two_periods_there_is_no_trend(right: list[int], n: list[int], why: str) -> None:
    found = accuracy_over_time(np.array(right, dtype=np.int64), np.array(n, dtype=np.int64))
    assert (found["why"], found["p_value"]) == (why, None)
