"""Accuracy from reviews of known chance: the reference window, and two thousand simulated ones."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.isotonic import IsotonicRegression

from apps.metrics.domain.audited import (
    ESTIMATORS,
    Strata,
    audit_weighted,
    audited_share,
    effective_number,
    hajek,
)
from apps.metrics.domain.estimates import wilson_of_share, z_of

CHANCES = (1.0, 0.05, 0.02)


def right_of(confidence: np.ndarray, drift: bool) -> np.ndarray:
    """How often an output of this confidence is right; under drift 10 points less above 0.9."""
    logit = np.log(confidence / (1 - confidence))
    return 1 / (1 + np.exp(-(0.7 * logit + 0.2))) - 0.10 * (drift & (confidence >= 0.90))


class Window(NamedTuple):
    confidence: np.ndarray
    right: np.ndarray
    chance: np.ndarray
    reviewed: np.ndarray


def window(drift: bool, seed: tuple[int, int] = (2024, 0), n: int = 20_000) -> Window:
    """Decisions reviewed for certain below 0.75 or in a tenth of all, else by chance."""
    random = np.random.default_rng(seed)
    confidence = np.minimum(0.5 + 0.5 * random.beta(5, 2, n), 1 - 1e-9)
    right = random.random(n) < right_of(confidence, drift)
    forced = (confidence < 0.75) | (random.random(n) < 0.10)
    chance = np.where(forced, 1.0, np.where(confidence < 0.90, 0.05, 0.02))
    return Window(confidence, right, chance, random.random(n) < chance)


def strata(one: Window, expected: np.ndarray | None = None) -> Strata:
    """A stratum for each chance, or for each chance and what the model expects."""
    model = np.zeros(len(one.chance)) if expected is None else expected
    kinds, which = np.unique(np.column_stack([one.chance, model]), axis=0, return_inverse=True)
    which = which.reshape(-1)

    def count(mask: np.ndarray) -> np.ndarray:
        return np.bincount(which[mask], minlength=len(kinds)).astype(np.int64)

    drawn = count(one.reviewed)
    right = count(one.reviewed & one.right)
    everything = count(np.ones(len(which), dtype=bool))
    held = None if expected is None else kinds[:, 1]
    return Strata(kinds[:, 0], everything, drawn, drawn, right, held)


@pytest.fixture(scope="module")
def calibrated() -> IsotonicRegression:
    one = window(False, (1, 10**6), 50_000)
    return IsotonicRegression(out_of_bounds="clip").fit(one.confidence, one.right.astype(float))


REFERENCE = {
    (False, "all", "audit_weighted"): (0.827255, 0.011850),
    (False, "all", "post_stratified"): (0.827324, 0.011681),
    (False, "all", "difference"): (0.827262, 0.010953),
    (False, "automatic", "audit_weighted"): (0.847424, 0.014871),
    (False, "automatic", "post_stratified"): (0.846425, 0.014599),
    (False, "automatic", "difference"): (0.846347, 0.013690),
    (True, "all", "audit_weighted"): (0.792246, 0.013902),
    (True, "all", "post_stratified"): (0.792767, 0.013991),
    (True, "all", "difference"): (0.793762, 0.013374),
}


@pytest.mark.parametrize(("drift", "part", "method"), REFERENCE)
def test_one_window_gives_the_reference_s_estimates_to_six_digits(
    drift: bool, part: str, method: str, calibrated: IsotonicRegression
) -> None:
    one = window(drift)
    assert int(one.reviewed.sum()) == 4_578
    if part == "automatic":
        one = Window(*(column[one.chance < 1] for column in one))
    expected = calibrated.predict(one.confidence) if method == "difference" else None
    table = strata(one, expected)
    value, error = REFERENCE[drift, part, method]
    found = ESTIMATORS[method](table)
    assert (found.value, sqrt(found.variance)) == pytest.approx((value, error), abs=1e-6)
    estimate = audited_share(table, method)
    assert estimate.low < one.right.mean() < estimate.high  # type: ignore[operator]
    assert (estimate.method, estimate.more["lane"]) == (method, len(one.right))


def law(drift: bool) -> np.ndarray:
    """The chance of each cell (forced or not, zone of confidence) by right or wrong, (3, 2)."""

    def mass(low: float, high: float) -> tuple[float, float]:
        def density(c: float) -> float:
            return float(2 * stats.beta.pdf((c - 0.5) * 2, 5, 2))

        def hits(c: float) -> float:
            return density(c) * float(right_of(np.array(c), drift))

        return integrate.quad(hits, low, high)[0], integrate.quad(density, low, high)[0]

    zones = [mass(0.5, 0.75), mass(0.75, 0.90), mass(0.90, 1.0)]
    cells = np.array([(right, whole - right) for right, whole in zones])
    forced = cells[0] + 0.1 * (cells[1] + cells[2])
    return np.array([forced, 0.9 * cells[1], 0.9 * cells[2]])


class Simulated(NamedTuple):
    truth: np.ndarray
    automatic: np.ndarray
    size: np.ndarray
    known: np.ndarray
    right: np.ndarray


def simulate(drift: bool, windows: int = 2_000, n: int = 20_000) -> Simulated:
    """Windows as counts: the cells of n independent decisions are multinomial, the reviewed ones of
    a cell binomial, so that no decision has to be drawn by itself."""
    random = np.random.default_rng(2024 + drift)
    chances = law(drift)
    cells = random.multinomial(n, chances.reshape(-1), size=windows).reshape(windows, 3, 2)
    seen = random.binomial(cells, np.array(CHANCES)[None, :, None])
    truth = cells[:, :, 0].sum(axis=1) / n
    automatic = cells[:, 1:, 0].sum(axis=1) / cells[:, 1:].sum(axis=(1, 2))
    return Simulated(truth, automatic, cells.sum(axis=2), seen.sum(axis=2), seen[:, :, 0])


def test_the_law_of_the_simulation_is_that_of_the_reference() -> None:
    # Expected accuracy by quadrature, stable and under drift
    assert law(False).sum(axis=0)[0] == pytest.approx(0.81747, abs=6e-6)
    assert law(True).sum(axis=0)[0] == pytest.approx(0.78301, abs=6e-6)


@pytest.mark.parametrize("drift", [False, True])
@pytest.mark.parametrize("part", ["all", "automatic"])
@pytest.mark.parametrize("method", ["audit_weighted", "post_stratified", "difference"])
def test_over_two_thousand_windows_the_estimate_is_right_and_its_interval_covers(
    drift: bool, part: str, method: str
) -> None:
    one = simulate(drift)
    held = slice(1, None) if part == "automatic" else slice(None)
    chance = np.array(CHANCES)[held]
    # What a model of the stable world expects of each stratum: wrong where the world has drifted
    expected = (law(False)[:, 0] / law(False).sum(axis=1))[held]
    errors, covered = [], 0
    for i in range(len(one.truth)):
        size, known, right = (side[i, held] for side in (one.size, one.known, one.right))
        found = audited_share(Strata(chance, size, known, known, right, expected), method)
        assert found.value is not None and found.low is not None and found.high is not None
        truth = one.truth[i] if part == "all" else one.automatic[i]
        errors.append(found.value - truth)
        covered += found.low <= truth <= found.high
    bias = float(np.mean(errors))
    assert abs(bias) < 0.001
    assert 0.935 <= covered / len(errors) <= 0.965


@pytest.mark.parametrize(("drift", "bias"), [(False, -0.0546), (True, -0.0379)])
def test_the_naive_share_of_reviewed_ones_is_wrong_and_never_covers(
    drift: bool, bias: float
) -> None:
    one = simulate(drift)
    n = one.known.sum(axis=1)
    naive = one.right.sum(axis=1) / n
    half = z_of(0.95) * np.sqrt(naive * (1 - naive) / n)
    assert (naive - one.truth).mean() == pytest.approx(bias, abs=1e-3)
    assert (np.abs(naive - one.truth) <= half).mean() == 0.0


def test_the_audits_of_the_automatic_part_pooled_without_weights_cover_too_rarely() -> None:
    one = simulate(False)
    n, right = one.known[:, 1:].sum(axis=1), one.right[:, 1:].sum(axis=1)
    pooled = right / n
    half = z_of(0.95) * np.sqrt(pooled * (1 - pooled) / n)
    assert (pooled - one.automatic).mean() == pytest.approx(-0.0186, abs=1.5e-3)
    assert (np.abs(pooled - one.automatic) <= half).mean() < 0.85


@pytest.mark.parametrize("error", [0.05, 0.01, 0.0025])
def test_rare_errors_are_covered_by_wilson_where_the_normal_interval_fails(error: float) -> None:
    """400 audited of 20,000, 20,000 times."""
    random = np.random.default_rng(5)
    right = random.binomial(20_000, 1 - error, 20_000)
    drawn = random.hypergeometric(right, 20_000 - right, 400)
    ends = {
        x: audited_share(
            Strata(np.array([0.02]), *(np.array([k]) for k in (20_000, 400, 400, x))),
            "post_stratified",
        )
        for x in set(drawn.tolist())
    }
    low = np.array([ends[x].low for x in drawn.tolist()])
    high = np.array([ends[x].high for x in drawn.tolist()])
    truth = right / 20_000
    assert ((low <= truth) & (truth <= high)).mean() >= 0.94
    if error == 0.0025:
        share = drawn / 400
        half = z_of(0.95) * np.sqrt(0.98 * share * (1 - share) / 399)
        assert (np.abs(share - truth) <= half).mean() < 0.7


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.02, 0.05, 0.3, 1.0]), st.booleans(), st.booleans()),
        min_size=1,
        max_size=60,
    )
)
def test_strata_give_what_the_rows_give(rows: list[tuple[float, bool, bool]]) -> None:
    """(chance, has an outcome, right) of drawn decisions."""
    answered = [(chance, right) for chance, known, right in rows if known]
    expected = audit_weighted(
        [chance for chance, _ in answered], [right for _, right in answered], len(rows), 500
    )
    levels = sorted({chance for chance, _, _ in rows})
    table = [
        (
            chance,
            sum(1 for c, _, _ in rows if c == chance),
            sum(1 for c, _ in answered if c == chance),
            sum(right for c, right in answered if c == chance),
        )
        for chance in levels
    ]
    chance, drawn, known, right = (np.array(column) for column in zip(*table, strict=True))
    size = drawn.copy()
    size[0] += 500 - size.sum()
    found = audited_share(Strata(chance, size, drawn, known, right))
    assert (found.n, found.why) == (expected.n, expected.why)
    if expected.value is not None:
        assert (found.value, found.low, found.high) == pytest.approx(
            (expected.value, expected.low, expected.high), abs=1e-9
        )


def test_post_stratification_is_worked_out_by_hand() -> None:
    # 60 of 100 decisions known whole (45 right), 4 of 40 audited (3 right)
    table = Strata(
        np.array([1.0, 0.1]), *(np.array(x) for x in ([60, 40], [60, 4], [60, 4], [45, 3]))
    )
    found = audited_share(table, "post_stratified")
    # 0.6 x 0.75 + 0.4 x 0.75; V = 0.4^2 (1 - 0.1) (0.75 x 0.25 x 4/3) / 4 = 0.009
    assert found.value == pytest.approx(0.75)
    assert found.more["n_eff"] == pytest.approx(0.75 * 0.25 / 0.009)


def test_a_stratum_without_an_answer_has_no_post_stratified_estimate_and_says_so() -> None:
    table = Strata(
        np.array([1.0, 0.1]), *(np.array(x) for x in ([60, 40], [60, 4], [60, 0], [45, 0]))
    )
    found = audited_share(table, "post_stratified")
    assert found.value is None
    assert (
        found.why
        == "not enough data (n = 60): 0 of 40 decisions with a chance of 0.1 have an outcome"
    )
    assert audited_share(table).value is not None


def test_what_is_reviewed_whole_is_known_exactly() -> None:
    table = Strata(np.array([1.0]), *(np.array([x]) for x in (50, 50, 50, 40)))
    for method in ("audit_weighted", "post_stratified"):
        found = audited_share(table, method)
        assert (found.value, found.low, found.high, found.more["n_eff"]) == (0.8, 0.8, 0.8, None)


@pytest.mark.parametrize("method", ["audit_weighted", "post_stratified"])
def test_answers_that_all_agree_still_leave_an_interval(method: str) -> None:
    table = Strata(np.array([0.1]), *(np.array([x]) for x in (1_000, 100, 100, 100)))
    found = audited_share(table, method)
    # 100 of 1,000: the finite window leaves 90 % of the variance: n_eff = 100 / 0.9
    assert found.more["n_eff"] == pytest.approx(100 / 0.9)
    assert (found.low, found.high) == pytest.approx(wilson_of_share(1.0, 100 / 0.9))


@pytest.mark.parametrize(
    ("drawn", "size", "why"),
    [
        (0, 0, "nothing was audited: no decision had a chance of being drawn"),
        (0, 9, "nothing was audited: none of 9 decisions was drawn"),
        (3, 9, "none of the 3 decisions drawn for audit has an outcome"),
    ],
)
def test_without_an_answer_there_is_no_estimate(drawn: int, size: int, why: str) -> None:
    zero = np.array([0])
    table = Strata(np.array([0.1]), np.array([size]), np.array([drawn]), zero, zero)
    found = audited_share(table)
    assert (found.value, found.why) == (None, f"not enough data (n = 0): {why}")


def test_the_effective_number_is_that_of_independent_answers() -> None:
    table = Strata(np.array([0.01]), *(np.array([x]) for x in (10_000, 100, 100, 80)))
    # V = 0.99 x 100^2 (80 x 0.2^2 + 20 x 0.8^2) / (100 x 100)^2: 0.16 x 0.99 / 100
    assert effective_number(hajek(table)) == pytest.approx(100 / 0.99)
