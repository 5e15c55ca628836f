"""Brier score and expected calibration error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from apps.metrics.domain.calibration import brier, ece
from apps.metrics.domain.estimates import wilson

cases = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def slow_ece(confidence: list[float], right: list[bool], bins: int) -> float:
    """Bin by bin, with a loop: the definition."""
    total = 0.0
    for b in range(bins):
        inside = [
            (c, r)
            for c, r in zip(confidence, right, strict=True)
            if int(c * bins) == b or (b == bins - 1 and c == 1)
        ]
        if inside:
            stated = sum(c for c, _ in inside) / len(inside)
            hit = sum(r for _, r in inside) / len(inside)
            total += len(inside) * abs(hit - stated)
    return total / len(confidence)


def test_the_brier_score_is_worked_out_by_hand() -> None:
    # (0.8 - 1)^2 = 0.04, (0.6 - 0)^2 = 0.36: mean 0.2
    assert brier([0.8, 0.6], [True, False]).value == pytest.approx(0.2)


@pytest.mark.parametrize("seed", range(3))
def test_the_brier_score_is_that_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    confidence = random.random(400)
    right = random.random(400) < confidence
    found = brier(confidence.tolist(), right.tolist())
    assert found.value == pytest.approx(brier_score_loss(right, confidence), abs=1e-12)
    assert found.low < found.value < found.high  # type: ignore[operator]


def test_ece_takes_the_mean_confidence_of_a_bin_and_not_its_middle() -> None:
    # All in the bin [9/15, 10/15), whose middle is 0.6333: mean 0.61, right 1 of 2: gap 0.11
    found = ece([0.60, 0.62], [True, False])
    assert found.value == pytest.approx(0.11)
    (one,) = found.more["bins"]
    assert (one["low"], one["high"], one["n"]) == (9 / 15, 10 / 15, 2)
    assert (one["confidence"], one["accuracy"]) == (pytest.approx(0.61), 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_the_reliability_curve_is_that_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    confidence = random.beta(4, 2, 500)
    right = random.random(500) < confidence**1.5
    right_of_bin, stated = calibration_curve(right, confidence, n_bins=15)
    n = np.histogram(confidence, 15, range=(0, 1))[0]
    expected = float((n[n > 0] * np.abs(right_of_bin - stated)).sum() / 500)
    found = ece(confidence.tolist(), right.tolist())
    assert found.value == pytest.approx(expected, abs=1e-12)


def test_ece_weighs_bins_by_their_cases() -> None:
    # 3 of 4 cases in a bin with gap 0.1, 1 of 4 in one with gap 0.5: 0.075 + 0.125
    found = ece([0.9, 0.9, 0.9, 0.5], [True, True, True, True])
    assert found.value == pytest.approx(0.2)


def test_the_confidences_0_and_1_lie_in_the_first_and_the_last_bin() -> None:
    low, high = ece([0.0, 1.0], [False, True]).more["bins"]
    assert (low["low"], high["high"]) == (0.0, 1.0)


def test_ece_s_interval_is_made_of_the_intervals_of_the_bins() -> None:
    # one bin of 10, all right, at 0.9: Wilson at 95 % is [w, 1]; the gap lies in 0..max(.1, .9 - w)
    found = ece([0.9] * 10, [True] * 10)
    w = wilson(10, 10)[0]
    assert (found.low, found.high) == pytest.approx((0.0, max(0.1, 0.9 - w)))


@given(cases, st.sampled_from([1, 2, 10, 15]))
def test_ece_is_the_definition_s(rows: list[tuple[float, bool]], bins: int) -> None:
    confidence, right = [c for c, _ in rows], [r for _, r in rows]
    found = ece(confidence, right, bins)
    assert found.value == pytest.approx(slow_ece(confidence, right, bins), abs=1e-12)
    assert found.low - 1e-12 <= found.value <= found.high + 1e-12  # type: ignore[operator]
    assert sum(one["n"] for one in found.more["bins"]) == len(rows)


def test_the_interval_of_ece_covers_the_truth_of_a_calibrated_and_of_a_boastful_model() -> None:
    """Confidence uniform in the middles of 15 bins: the true ECE is 0, or 0.1 for the boaster."""
    random = np.random.default_rng(3)
    for boast, truth in ((0.0, 0.0), (0.1, 0.1)):
        covered = 0
        for _ in range(100):
            confidence = (random.integers(8, 15, 400) + 0.5) / 15
            right = random.random(400) < confidence - boast
            found = ece(confidence.tolist(), right.tolist())
            covered += found.low <= truth <= found.high  # type: ignore[operator]
        assert covered >= 95


def test_without_a_case_both_are_null_and_say_why() -> None:
    for found in (brier([], []), ece([], [])):
        assert found.value is None
        assert "no decision has a confidence" in (found.why or "")
    assert ece([], []).more == {"bins": []}
