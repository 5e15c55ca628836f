"""Accuracy from random audits: the weighted estimate and its interval."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.domain.audited import audit_weighted
from apps.metrics.domain.estimates import wilson

audits = st.lists(st.tuples(st.floats(0.01, 1.0), st.booleans()), min_size=1, max_size=60)


def window(n: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Decisions of an over-confident model: (right, forced to review, chance, reviewed).

    Confidence 0.5 + 0.5 Beta(5, 2), right with the chance sigmoid(0.7 logit(c) + 0.2); reviewed for
    certain below 0.75 and in a tenth of all, else with a chance of 0.05 below 0.90 and 0.02 above.
    """
    random = np.random.default_rng([2024, 0])
    confidence = np.minimum(0.5 + 0.5 * random.beta(5, 2, n), 1 - 1e-9)
    logit = np.log(confidence / (1 - confidence))
    right = random.random(n) < 1 / (1 + np.exp(-(0.7 * logit + 0.2)))
    forced = (confidence < 0.75) | (random.random(n) < 0.10)
    chance = np.where(forced, 1.0, np.where(confidence < 0.90, 0.05, 0.02))
    return right, forced, chance, random.random(n) < chance


def test_one_window_gives_the_reference_s_estimate_to_six_digits() -> None:
    right, forced, chance, reviewed = window()
    audited = reviewed & ~forced
    drawn = int(audited.sum())
    found = audit_weighted(
        chance[audited].tolist(), right[audited].tolist(), drawn, int((~forced).sum())
    )
    assert drawn == 580
    # 0.847424 with a standard error of 0.014871; the truth of the window is 0.833708
    assert found.value == pytest.approx(0.847424, abs=1e-6)
    error = sqrt(found.value * (1 - found.value) / found.more["n_eff"])
    assert error == pytest.approx(0.014871, abs=1e-6)
    assert found.low < 0.833708 < found.high  # type: ignore[operator]
    assert (found.n, found.more["drawn"], found.method) == (580, 580, "audit_weighted")


def test_weights_are_worked_out_by_hand() -> None:
    # weights 2, 10, 10; right, wrong, right: 12/22
    # V = (0.5 x 4 x (10/22)^2 + 0.9 x 100 x (12/22)^2 + 0.9 x 100 x (10/22)^2) / 22^2
    found = audit_weighted([0.5, 0.1, 0.1], [True, False, True], 3, 22)
    spread = (2 * (10 / 22) ** 2 + 90 * (12 / 22) ** 2 + 90 * (10 / 22) ** 2) / 22**2
    assert found.value == pytest.approx(12 / 22)
    assert found.more["n_eff"] == pytest.approx(12 / 22 * 10 / 22 / spread)


def test_one_rate_gives_the_plain_share_and_the_correction_for_a_finite_lane() -> None:
    found = audit_weighted([0.02] * 400, [True] * 396 + [False] * 4, 400, 20_000)
    assert found.value == pytest.approx(0.99)
    assert found.more["n_eff"] == pytest.approx(400 / 0.98)


def test_where_every_audit_was_right_the_interval_still_has_a_width() -> None:
    found = audit_weighted([0.05] * 20, [True] * 20, 20, 400)
    assert found.value == 1.0
    assert (found.low, found.high) == pytest.approx(wilson(20 / 0.95, 20 / 0.95))


def test_a_lane_that_was_audited_whole_is_known_exactly() -> None:
    found = audit_weighted([1.0] * 4, [True, True, True, False], 4, 4)
    assert (found.value, found.low, found.high, found.more["n_eff"]) == (0.75, 0.75, 0.75, None)


def test_draws_that_wait_for_their_outcome_widen_the_interval_and_leave_the_value() -> None:
    right = [True] * 30 + [False] * 10
    whole = audit_weighted([1.0] * 40, right, 40, 40)
    half = audit_weighted([1.0] * 40, right, 80, 80)
    assert half.value == whole.value == 0.75
    assert half.more["n_eff"] == pytest.approx(40 / 0.5)
    assert half.high - half.low > whole.high - whole.low  # type: ignore[operator]


@pytest.mark.parametrize(
    ("drawn", "lane", "why"),
    [
        (0, 0, "no decision had a chance of being drawn"),
        (0, 50, "none of 50 decisions was drawn"),
        (3, 50, "none of the 3 decisions drawn for audit has an outcome"),
    ],
)
def test_without_an_audited_case_it_is_null_and_says_why(drawn: int, lane: int, why: str) -> None:
    found = audit_weighted([], [], drawn, lane)
    assert found.value is None
    assert why in (found.why or "")


@given(audits, st.integers(0, 50))
def test_the_estimate_lies_within_its_interval_and_within_0_and_1(
    rows: list[tuple[float, bool]], waiting: int
) -> None:
    chance, right = [c for c, _ in rows], [r for _, r in rows]
    found = audit_weighted(chance, right, len(rows) + waiting, 10_000)
    assert 0 <= found.low <= found.value <= found.high <= 1  # type: ignore[operator]


def test_rare_errors_are_covered() -> None:
    """1,000 audits of 400 in 20,000 at 1 % errors: 95 % is 950, with a deviation of 7."""
    random = np.random.default_rng(5)
    wrong = random.hypergeometric(200, 19_800, 400, 1_000)
    covered = 0
    for errors in wrong.tolist():
        found = audit_weighted(
            [0.02] * 400, [False] * errors + [True] * (400 - errors), 400, 20_000
        )
        covered += found.low <= 0.99 <= found.high  # type: ignore[operator]
    assert covered >= 929
