"""Accuracy without outcomes, against the definition on rows, and its blind spot."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from apps.metrics.domain.audited import Strata, audited_share
from apps.metrics.domain.estimates import Estimate
from apps.metrics.domain.unlabelled import (
    accuracy_of_confidence,
    accuracy_of_scores,
    calibration,
    gap_to_audits,
)

LEVELS = np.arange(10_001) / 10_000


def count(values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    place = np.round((values if mask is None else values[mask]) * 10_000).astype(np.int64)
    return np.bincount(place, minlength=10_001)


def sample(seed: int, n: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores at 4 decimals, and truths that they overstate."""
    random = np.random.default_rng(seed)
    score = np.round(random.beta(2 + shift, 2, n), 4)
    return score, random.random(n) < 0.15 + 0.7 * score


@pytest.mark.parametrize("seed", range(3))
def test_scores_give_what_the_definition_gives_on_the_rows(seed: int) -> None:
    """NannyML's definition: an isotonic calibrator of the reference's rows, q for a positive and
    1 - q for a negative prediction, and their mean."""
    score, truth = sample(seed, 8_000)
    window, _ = sample(seed + 50, 5_000, shift=1.0)
    model = IsotonicRegression(out_of_bounds="clip", increasing=True).fit(score, truth)
    q, given = model.predict(window), window >= 0.5
    expected = np.where(given, q, 1 - q).mean()
    found = accuracy_of_scores(
        LEVELS, count(score), count(score, truth), count(window, given), count(window, ~given)
    )
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert (found.method, found.n, found.more["truth_used"]) == ("cbpe", 5_000, False)


def test_scores_give_nannyml_s_own_number() -> None:
    """nannyml 0.13.1 on the same rows: CBPE(metrics=["accuracy"], chunk_number=1), which found that
    the scores need calibration, gave 0.631534672238905."""
    score, truth = sample(7, 8_000)
    window, _ = sample(57, 5_000, shift=1.0)
    given = window >= 0.5
    found = accuracy_of_scores(
        LEVELS, count(score), count(score, truth), count(window, given), count(window, ~given)
    )
    assert found.value == pytest.approx(0.631534672238905, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_confidences_give_what_the_definition_gives_on_the_rows(seed: int) -> None:
    confidence, right = sample(seed, 8_000)
    window, _ = sample(seed + 9, 4_000)
    model = IsotonicRegression(out_of_bounds="clip").fit(confidence, right)
    found = accuracy_of_confidence(
        LEVELS, count(confidence), count(confidence, right), count(window)
    )
    assert found.value == pytest.approx(model.predict(window).mean(), abs=1e-9)


def test_a_small_calibration_is_worked_out_by_hand() -> None:
    # 0.6: 1 of 4, 0.7: 3 of 4, 0.8: 1 of 2: the last two pooled to 4 of 6
    levels = np.array([0.6, 0.65, 0.7, 0.8])
    q = calibration(levels, np.array([4, 0, 4, 2]), np.array([1, 0, 3, 1]))
    assert q is not None
    # 0.65 lies half way between 1/4 and 2/3
    assert q.tolist() == pytest.approx([1 / 4, (1 / 4 + 2 / 3) / 2, 2 / 3, 2 / 3])


def test_its_interval_covers_the_accuracy_of_a_window_while_the_calibration_holds() -> None:
    confidence, right = sample(1, 400_000)
    n, hits = count(confidence), count(confidence, right)
    held = 0
    for seed in range(60):
        window, truth = sample(100 + seed, 2_000, shift=0.5)
        found = accuracy_of_confidence(LEVELS, n, hits, count(window))
        assert found.low is not None and found.high is not None
        held += found.low <= truth.mean() <= found.high
    assert held >= 53  # 57 expected of 60


def test_a_change_of_what_is_true_does_not_show_until_the_audits_speak() -> None:
    confidence, right = sample(1, 50_000)
    window, _ = sample(2, 20_000)
    estimated = accuracy_of_confidence(
        LEVELS, count(confidence), count(confidence, right), count(window)
    )
    drawn = np.random.default_rng(3).random(20_000) < 0.05
    size, n = np.array([20_000]), np.array([int(drawn.sum())])
    same = np.random.default_rng(4).random(20_000) < 0.15 + 0.7 * window
    worse = same & (
        np.random.default_rng(5).random(20_000) < 0.8
    )  # a fifth of the right ones is not
    for truth, alarm in ((same, False), (worse, True)):
        hits = np.array([int((truth & drawn).sum())])
        audited = audited_share(Strata(np.array([0.05]), size, n, n, hits))
        found = gap_to_audits(estimated, audited)
        assert found["alarm"] is alarm
        assert estimated.value is not None and audited.value is not None
        assert found["gap"] == pytest.approx(estimated.value - audited.value)


def test_without_a_reference_or_a_window_there_is_no_estimate() -> None:
    zero = np.zeros(10_001, dtype=np.int64)
    some = count(np.full(100, 0.7))
    assert calibration(LEVELS, zero, zero) is None
    found = accuracy_of_confidence(LEVELS, zero, zero, some)
    assert (
        found.why
        == "not enough data (n = 100): the reference has 0 cases with an outcome, fewer than 30"
    )
    found = accuracy_of_confidence(LEVELS, some, some, zero)
    assert found.why == "not enough data (n = 0): no decision of the window has a confidence"


def test_confidences_that_are_all_equal_give_the_reference_s_share() -> None:
    some = count(np.full(100, 0.7))
    found = accuracy_of_confidence(
        LEVELS, some, (some * 0.6).astype(np.int64), count(np.full(9, 0.9))
    )
    assert found.value == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("audited", "why"),
    [
        (Estimate(None, None, None, 0, "x", "nothing was audited"), "nothing was audited"),
        (
            Estimate(1.0, 0.9, 1.0, 40, "x", more={"n_eff": 40}),
            "not enough data (n = 40): the audited figure has no standard error",
        ),
        (
            Estimate(0.8, 0.8, 0.8, 40, "x", more={"n_eff": None}),
            "not enough data (n = 40): the audited figure has no standard error",
        ),
    ],
)
def test_without_a_standard_error_there_is_no_alarm(audited: Estimate, why: str) -> None:
    found = gap_to_audits(Estimate(0.8, 0.7, 0.9, 50, "cbpe"), audited)
    assert (found["alarm"], found["why"]) == (False, why)


def test_the_reference_window_gives_the_reference_s_figure() -> None:
    """The over-confident model of the audit simulation, calibrated on 50,000 cases with outcomes."""

    def decisions(seed: tuple[int, int], n: int) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(seed)
        confidence = np.minimum(0.5 + 0.5 * random.beta(5, 2, n), 1 - 1e-9)
        logit = np.log(confidence / (1 - confidence))
        return confidence, random.random(n) < 1 / (1 + np.exp(-(0.7 * logit + 0.2)))

    confidence, right = decisions((1, 10**6), 50_000)
    window, _ = decisions((2024, 0), 20_000)
    levels, place = np.unique(np.concatenate([confidence, window]), return_inverse=True)
    reference, current = place[:50_000], place[50_000:]
    n, hits, now = (
        np.bincount(part, minlength=len(levels)) for part in (reference, reference[right], current)
    )
    assert accuracy_of_confidence(levels, n, hits, now).value == pytest.approx(0.816595, abs=1e-6)
