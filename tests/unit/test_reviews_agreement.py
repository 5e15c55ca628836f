"""Kappa and alpha: against published numbers, other implementations, and worlds drawn at random."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from apps.reviews.domain.agreement import alpha, cross_table, kappa, unit_counts
from tests.unit import dawid_skene_1979

# K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), sections A, B and C
BINARY = ["0100000010", "1110010000"]
NOMINAL = ["aabbdcccedda", "babbbccceddd"]
GAPS = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]


def counts_of(observers: list[str]) -> Any:
    """Cases by labels from one text an observer, a point where they gave none."""
    names = sorted({letter for text in observers for letter in text} - {"."})
    rows = [
        (case, names.index(letter))
        for text in observers
        for case, letter in enumerate(text)
        if letter != "."
    ]
    cases, labels = zip(*rows, strict=True)
    return unit_counts(cases, labels, len(names))


@pytest.mark.parametrize(
    ("observers", "expected", "n"),
    [(BINARY, 0.095238, 10), (NOMINAL, 0.691964, 12), (GAPS, 0.743421, 11)],
)
def test_alpha_gives_krippendorffs_examples(observers: list[str], expected: float, n: int) -> None:
    found = alpha(counts_of(observers), seed=1)
    assert found.value == pytest.approx(expected, abs=5e-7)
    assert found.n == n


def test_alpha_of_the_anaesthetists() -> None:
    cases, _, labels = dawid_skene_1979.rows()
    assert alpha(unit_counts(cases, labels, 4), seed=1).value == pytest.approx(0.585756, abs=2e-3)


def alpha_by_pairs(counts: Any) -> float | None:
    """Krippendorff's coincidences, pair of ratings by pair of ratings."""
    coincidences: dict[tuple[int, int], float] = {}
    for row in counts:
        ratings = [label for label, count in enumerate(row) for _ in range(count)]
        for pair in permutations(ratings, 2):
            coincidences[pair] = coincidences.get(pair, 0.0) + 1 / (len(ratings) - 1)
    n = sum(coincidences.values())
    of_label = {
        label: sum(x for (first, _), x in coincidences.items() if first == label)
        for label in range(len(counts[0]))
    }
    chance = sum(of_label[a] * of_label[b] for a in of_label for b in of_label if a != b)
    if chance == 0:
        return None
    return 1 - (n - 1) * sum(x for (a, b), x in coincidences.items() if a != b) / chance


tables = st.integers(1, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 3), min_size=k, max_size=k), min_size=1, max_size=12)
)


@given(tables)
def test_alpha_is_what_the_pairs_give(counts: list[list[int]]) -> None:
    found, expected = alpha(counts, seed=1, resamples=20), alpha_by_pairs(counts)
    assert (found.value is None) == (expected is None) == (found.why is not None)
    if found.value is not None and found.low is not None and found.high is not None:
        assert found.value == pytest.approx(expected, abs=1e-12)
        assert -1 <= found.low <= found.value <= found.high <= 1 or found.value < -1 + 1e-9


def test_alpha_says_why_it_is_undefined() -> None:
    assert alpha([[1, 0], [0, 1]], seed=1).why == "no case was rated twice"
    assert alpha([[2, 0], [3, 0]], seed=1).why == "all ratings are one and the same label"
    assert alpha(np.zeros((0, 3), dtype=int), seed=1)[:4] == (None, None, None, 0)


def test_alpha_is_the_same_for_the_same_seed_and_not_for_another() -> None:
    counts = counts_of(GAPS)
    assert alpha(counts, seed=5) == alpha(counts, seed=5)
    assert alpha(counts, seed=5)[1:3] != alpha(counts, seed=6)[1:3]


def test_full_agreement_in_few_cases_is_not_sure() -> None:
    # 10 cases alike: Wilson's low end is 10/(10 + 3.84146) = 0.722467; 10 + 10 ratings give
    # D_e = (400 - 200)/(20 * 19) = 0.526316; 1 - (1 - 0.722467)/0.526316 = 0.472688
    found = alpha([[2, 0]] * 5 + [[0, 2]] * 5, seed=1)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.472688, abs=1e-5)


def test_many_labels_are_counted_as_few_are() -> None:
    """Past 63 bits a row no longer fits one number; labels that nobody gave change nothing."""
    counts = counts_of(GAPS)
    wide = np.concatenate([counts, np.zeros((len(counts), 70), dtype=int)], axis=1)
    assert alpha(wide, seed=5)[:3] == pytest.approx(alpha(counts, seed=5)[:3], abs=1e-12)


def two_raters(random: np.random.Generator, n: int) -> tuple[Any, Any]:
    truth = random.integers(0, 2, n)
    return tuple(np.where(random.random(n) < 0.85, truth, 1 - truth) for _ in range(2))


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Both raters right with 0.85: they agree with 0.85^2 + 0.15^2 = 0.745, by chance with 0.5.

    kappa and alpha are 0.49; of 300 worlds of 150 cases about 95 % hold it, sd 1.3 points.
    """
    random = np.random.default_rng(11)
    held = {"kappa": 0, "alpha": 0}
    for _ in range(300):
        first, second = two_raters(random, 150)
        by_table = kappa(cross_table(first, second, 2))
        cases = np.tile(np.arange(150), 2)
        by_units = alpha(
            unit_counts(cases, np.concatenate([first, second]), 2), seed=1, resamples=300
        )
        for name, found in (("kappa", by_table), ("alpha", by_units)):
            assert found.low is not None
            assert found.high is not None
            held[name] += found.low <= 0.49 <= found.high
    assert 0.90 <= held["kappa"] / 300 <= 0.99
    assert 0.90 <= held["alpha"] / 300 <= 0.99


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[20, 5], [10, 15]], 0.4000),
        ([[45, 15], [25, 15]], 0.130435),
        ([[25, 35], [5, 35]], 0.259259),
    ],
)
def test_kappa_gives_the_published_values(table: list[list[int]], expected: float) -> None:
    assert kappa(table).value == pytest.approx(expected, abs=5e-7)


def test_kappas_interval_is_that_of_its_standard_error() -> None:
    # SE 0.1270 for [[20, 5], [10, 15]] (METRICS.md); 0.4 -+ 1.96 * 0.1270
    found = kappa([[20, 5], [10, 15]])
    assert found.low == pytest.approx(0.4 - 1.959964 * 0.1270, abs=2e-4)
    assert found.high == pytest.approx(0.4 + 1.959964 * 0.1270, abs=2e-4)


square = st.integers(2, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 20), min_size=k, max_size=k), min_size=k, max_size=k)
)


@given(square)
@settings(max_examples=80)
def test_kappa_and_its_error_are_those_of_statsmodels(rows: list[list[int]]) -> None:
    table, found = np.array(rows), kappa(rows)
    if found.value is None:
        assert found.why is not None
        return
    with np.errstate(all="ignore"):
        other = cohens_kappa(table.astype(float))
    assert found.value == pytest.approx(float(other.kappa), abs=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high
    if 0 < np.trace(table) < table.sum() and other.var_kappa > 1e-12:
        half = 1.959963984540054 * float(other.std_kappa)
        assert found.low == pytest.approx(max(-1, found.value - half), abs=1e-9)
        assert found.high == pytest.approx(min(1, found.value + half), abs=1e-9)


def test_kappa_of_labels_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(2)
    first = random.integers(0, 4, 500)
    second = np.where(random.random(500) < 0.6, first, random.integers(0, 4, 500))
    expected = cohen_kappa_score(first, second)
    assert kappa(cross_table(first, second, 4)).value == pytest.approx(expected, abs=1e-12)


def test_kappa_says_why_it_is_undefined() -> None:
    assert kappa([[0, 0], [0, 0]]).why == "no case was rated by both"
    assert kappa([[7, 0], [0, 0]])[3:] == (7, "both gave one label to every case")


def test_full_agreement_of_two_in_few_cases_is_not_sure() -> None:
    # p_e = 0.5; Wilson's low end for 10 of 10 is 0.72247: (0.72247 - 0.5)/0.5 = 0.44494
    found = kappa([[5, 0], [0, 5]])
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.44494, abs=1e-5)


@pytest.mark.parametrize("table", [[[1, 2]], [1, 2], [[1, -1], [0, 1]]])
def test_what_is_no_table_is_refused(table: Any) -> None:
    with pytest.raises(ValueError, match="counts >= 0"):
        kappa(table)


def test_labels_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="second hold 2; 0 to 1"):
        cross_table([0, 1], [0, 2], 2)
    with pytest.raises(ValueError, match="1 labels by the first rater and 2"):
        cross_table([0], [0, 1], 2)
    with pytest.raises(ValueError, match="cases: whole numbers"):
        unit_counts([-1], [0], 2)
    with pytest.raises(ValueError, match="2 cases and 1 labels"):
        unit_counts([0, 1], [0], 2)
    with pytest.raises(ValueError, match="resamples=0"):
        alpha([[2, 0]], seed=1, resamples=0)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 4), min_size=3, max_size=3), st.integers(0, 6)),
        max_size=12,
    )
)
def test_alpha_of_counted_rows_is_that_of_the_rows_written_out(rows: list[Any]) -> None:
    counts = np.array([row for row, _ in rows], dtype=np.int64).reshape(len(rows), 3)
    copies = np.array([n for _, n in rows], dtype=np.int64)
    written = np.repeat(counts, copies, axis=0)
    found = alpha(counts, seed=3, resamples=50, copies=copies)
    assert found == alpha(written, seed=3, resamples=50)
