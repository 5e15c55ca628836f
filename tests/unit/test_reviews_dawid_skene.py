"""Dawid-Skene: against the published data, a second implementation and a world whose truth is known."""

from __future__ import annotations

from collections import defaultdict
from math import log, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.reviews.domain.dawid_skene import Model, fit, posterior_of
from tests.unit import dawid_skene_1979

Triples = list[tuple[int, int, int]]


def slow_fit(
    triples: Triples, n_labels: int, smoothing: float, iterations: int
) -> tuple[list[float], dict[int, list[list[float]]], dict[int, list[float]], float]:
    """The paper's equations 2.3 to 2.7 and 3.1 in plain loops, for so many iterations."""
    labels = range(n_labels)
    given_to: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for case, rater, label in triples:
        given_to[case].append((rater, label))
    truth = {
        case: [sum(label == k for _, label in votes) / len(votes) for k in labels]
        for case, votes in given_to.items()
    }
    raters = {rater for _, rater, _ in triples}
    likelihood = 0.0
    for _ in range(iterations):
        prior = [sum(row[k] for row in truth.values()) / len(truth) for k in labels]
        confusion = {}
        for rater in raters:
            matrix = []
            for k in labels:
                row = [
                    smoothing / n_labels
                    + sum(truth[c][k] for c, r, given in triples if r == rater and given == one)
                    for one in labels
                ]
                total = sum(row)
                matrix.append([x / total if total else 1 / n_labels for x in row])
            confusion[rater] = matrix
        likelihood = 0.0
        for case, votes in given_to.items():
            joint = [prior[k] * prod(confusion[r][k][label] for r, label in votes) for k in labels]
            truth[case] = [x / sum(joint) for x in joint]
            likelihood += log(sum(joint))
    return prior, confusion, truth, likelihood


def anaesthetists() -> Model:
    return fit(*dawid_skene_1979.rows(), 4, smoothing=0, tolerance=1e-10)


def test_the_anaesthetists_of_1979_come_out_as_published() -> None:
    model = anaesthetists()
    assert model.converged
    assert model.iterations == pytest.approx(26, abs=2)
    assert model.log_likelihood == pytest.approx(-190.730997, abs=1e-6)
    assert model.class_prior == pytest.approx([0.4000, 0.4216, 0.1118, 0.0667], abs=5e-5)
    best = model.posterior.argmax(axis=1)
    assert np.bincount(best).tolist() == [18, 19, 5, 3]
    unsure = np.flatnonzero(model.posterior.max(axis=1) < 0.99)
    assert unsure.tolist() == [34, 37]  # patients 35 and 38
    assert model.posterior[34, 1] == pytest.approx(0.948, abs=5e-4)
    assert model.posterior[37, 2] == pytest.approx(0.979, abs=5e-4)
    first = [
        [0.907, 0.093, 0, 0],
        [0.070, 0.877, 0.053, 0],
        [0, 0.339, 0.661, 0],
        [0, 0, 0.556, 0.444],
    ]
    assert model.confusion[0] == pytest.approx(np.array(first), abs=5e-4)


def test_three_of_the_patients_differ_from_their_majority() -> None:
    cases, _, labels = dawid_skene_1979.rows()
    counts = np.zeros((45, 4), dtype=int)
    np.add.at(counts, (cases, labels), 1)
    best = anaesthetists().posterior.argmax(axis=1)
    assert int((best != counts.argmax(axis=1)).sum()) == 3


triples = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40
)


@settings(max_examples=60)
@given(triples, st.sampled_from([0.5, 1.0]), st.integers(1, 6))
def test_it_is_what_plain_loops_give(rows: Triples, smoothing: float, iterations: int) -> None:
    prior, confusion, truth, likelihood = slow_fit(rows, 3, smoothing, iterations)
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    model = fit(*columns, 3, smoothing=smoothing, max_iterations=iterations, tolerance=1e-300)
    if model.iterations < iterations:
        assert model.converged  # nothing moved at all: the loops stand still as well
    assert model.class_prior == pytest.approx(prior, abs=1e-9)
    for rater, matrix in confusion.items():
        assert model.confusion[rater] == pytest.approx(np.array(matrix), abs=1e-9)
    for case, shares in truth.items():
        assert model.posterior[case] == pytest.approx(shares, abs=1e-9)
    assert model.log_likelihood == pytest.approx(likelihood, abs=1e-8)


@settings(max_examples=60)
@given(triples, st.permutations(range(40)))
def test_the_order_of_the_rows_does_not_matter(rows: Triples, order: list[int]) -> None:
    mixed = [rows[place] for place in order if place < len(rows)]
    one, other = (fit(*map(np.array, zip(*r, strict=True)), 3) for r in (rows, mixed))
    assert one.posterior == pytest.approx(other.posterior, abs=1e-6)


def world(n: int, seed: int) -> tuple[Any, Any, Any, Any, Any]:
    """5 of 20 raters label each case of 3 classes: truth and each rater's accuracy are known."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, n)
    accuracy = random.uniform(0.4, 0.95, 20)
    cases = np.repeat(np.arange(n), 5)
    raters = random.permuted(np.tile(np.arange(20), (n, 1)), axis=1)[:, :5].ravel()
    right = random.random(5 * n) < accuracy[raters]
    wrong = (truth[cases] + random.integers(1, 3, 5 * n)) % 3
    return cases, raters, np.where(right, truth[cases], wrong), truth, accuracy


def test_it_finds_the_reliable_raters_and_beats_the_majority() -> None:
    cases, raters, labels, truth, accuracy = world(4000, seed=3)
    model = fit(cases, raters, labels, 3)
    counts = np.bincount(cases * 3 + labels, minlength=12000).reshape(-1, 3)
    by_majority = (counts.argmax(axis=1) == truth).mean()
    by_model = (model.posterior.argmax(axis=1) == truth).mean()
    assert by_model > by_majority + 0.02
    # 1,000 labels each: the standard error of an accuracy is at most 0.016
    assert np.abs(model.accuracy() - accuracy).max() < 0.05


def test_a_fixed_prior_is_held() -> None:
    prior = [0.1, 0.2, 0.3, 0.4]
    model = fit(*dawid_skene_1979.rows(), 4, prior=prior)
    assert model.class_prior.tolist() == prior


def test_iterations_that_are_used_up_are_said() -> None:
    model = fit(*dawid_skene_1979.rows(), 4, max_iterations=2)
    assert (model.iterations, model.converged) == (2, False)


def test_without_labels_nothing_is_known() -> None:
    model = fit([], [], [], 3)
    assert model.class_prior.tolist() == [1 / 3] * 3
    assert model.posterior.shape == (0, 3)
    assert model.confusion.shape == (0, 3, 3)


def test_a_case_without_a_label_keeps_the_prior_and_bears_on_nothing() -> None:
    with_gap, without = fit([0, 2], [0, 0], [0, 1], 2), fit([0, 1], [0, 0], [0, 1], 2)
    assert with_gap.posterior[1] == pytest.approx(with_gap.class_prior)
    assert with_gap.confusion == pytest.approx(without.confusion)
    assert with_gap.log_likelihood == pytest.approx(without.log_likelihood)


def test_votes_on_a_new_case_are_weighed_by_the_model() -> None:
    confusion = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.3, 0.7]]])
    model = Model(np.array([0.7, 0.3]), confusion, np.zeros((0, 2)), 0.0, 1, True)
    # rater 0 says 1, rater 1 says 0: 0.7 * 0.1 * 0.6 = 0.042 against 0.3 * 0.8 * 0.3 = 0.072
    expected = [0.042 / 0.114, 0.072 / 0.114]
    assert posterior_of(model, [(0, 1), (1, 0)]) == pytest.approx(expected)
    assert posterior_of(model, []) == pytest.approx([0.7, 0.3])
    # 0.7 * 0.9 + 0.3 * 0.8 = 0.87; 0.7 * 0.6 + 0.3 * 0.7 = 0.63
    assert model.accuracy() == pytest.approx([0.87, 0.63])


def test_votes_that_the_model_calls_impossible_tell_nothing() -> None:
    confusion = np.array([np.eye(2), np.eye(2)])
    model = Model(np.array([0.7, 0.3]), confusion, np.zeros((0, 2)), 0.0, 1, True)
    assert posterior_of(model, [(0, 0), (1, 1)]).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("vote", [(2, 0), (-1, 0), (0, 4), (0, -1)])
def test_a_vote_by_a_rater_or_for_a_label_that_is_not_known_is_refused(
    vote: tuple[int, int],
) -> None:
    model = fit([0, 1], [0, 1], [0, 1], 4)
    with pytest.raises(ValueError, match="there are 2 and 4"):
        posterior_of(model, [vote])


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (([0], [0], [2]), {}, "labels hold 2; 0 to 1"),
        (([-1], [0], [0]), {}, "cases: whole numbers"),
        (([0], [0.5], [0]), {}, "raters: whole numbers"),
        (([0, 1], [0], [0]), {}, "2 cases, 1 raters, 1 labels"),
        (([0], [0], [0]), {"smoothing": -1.0}, "smoothing=-1.0"),
        (([0], [0], [0]), {"tolerance": 0.0}, "tolerance=0.0"),
        (([0], [0], [0]), {"max_iterations": 0}, "max_iterations=0"),
        (([0], [0], [0]), {"prior": [0.5, 0.6]}, "prior=\\[0.5, 0.6\\]"),
        (([0], [0], [0]), {"prior": [1.0]}, "prior=\\[1.0\\]"),
    ],
)
def test_input_out_of_range_is_refused(rows: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(*rows, 2, **more)
