"""The posterior of a value given reviewers of known reliability."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.reviews.domain.dawid_skene import Model, posterior_of
from apps.reviews.domain.weighting import LEAST, UNKNOWN_ACCURACY, posterior

TWO = ("no", "yes")


def test_one_voter_makes_a_value_as_sure_as_the_voter_is_right() -> None:
    assert posterior([("a", "yes")], {"a": 0.9}, TWO) == pytest.approx({"no": 0.1, "yes": 0.9})


def test_a_voter_who_is_not_known_counts_by_default() -> None:
    assert posterior([("a", "yes")], {}, TWO)["yes"] == pytest.approx(UNKNOWN_ACCURACY)


def test_a_prior_is_weighed_in() -> None:
    # 0.2 * 0.9 / (0.2 * 0.9 + 0.8 * 0.1) = 18/26
    found = posterior([("a", "yes")], {"a": 0.9}, TWO, {"no": 0.8, "yes": 0.2})
    assert found["yes"] == pytest.approx(18 / 26)


def test_nobody_is_taken_as_infallible() -> None:
    found = posterior([("a", "yes"), ("b", "no")], {"a": 1.0, "b": 1.0}, TWO)
    assert found == pytest.approx({"no": 0.5, "yes": 0.5})
    assert posterior([("a", "yes")], {"a": 1.0}, TWO)["yes"] == pytest.approx(1 / (1 + LEAST))


def test_open_values_leave_room_for_one_that_nobody_named() -> None:
    # candidates: "text" and another: 0.9 against 0.1
    assert posterior([("a", "text")], {"a": 0.9}) == pytest.approx({"text": 0.9})


def test_a_withhold_is_a_candidate_beside_the_labels() -> None:
    # three candidates, misses of 0.1 each: yes 0.8 * 0.1, withhold 0.1 * 0.8, no 0.1 * 0.1
    found = posterior([("a", "yes"), ("b", None)], {"a": 0.8, "b": 0.8}, TWO)
    assert found == pytest.approx({"no": 1 / 17, "yes": 8 / 17, None: 8 / 17})


MATRIX = [[0.6, 0.4], [0.1, 0.9]]


def test_a_confusion_matrix_tells_the_kinds_of_errors_apart() -> None:
    # "no" is given to 0.6 of the true no and 0.1 of the true yes: 6/7; "yes" to 0.4 and 0.9: 9/13
    assert posterior([("a", "no")], {"a": MATRIX}, TWO)["no"] == pytest.approx(6 / 7)
    assert posterior([("a", "yes")], {"a": MATRIX}, TWO)["yes"] == pytest.approx(9 / 13)


def test_beside_a_withhold_each_row_of_a_matrix_still_sums_to_1() -> None:
    # a = 0.75: miss = 0.125 of each other candidate; labels share the remaining 0.875
    found = posterior([("a", "no"), ("b", None)], {"a": MATRIX, "b": 0.5}, TWO)
    scores = {"no": 0.6 * 0.875 * 0.25, "yes": 0.1 * 0.875 * 0.25, None: 0.125 * 0.5}
    total = sum(scores.values())
    assert found == pytest.approx({name: score / total for name, score in scores.items()})


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=6),
    st.lists(st.floats(0.05, 1), min_size=27, max_size=27),
    st.lists(st.floats(0.05, 1), min_size=3, max_size=3),
)
def test_matrices_give_the_posterior_of_the_model_that_they_come_from(
    votes: list[tuple[int, int]], numbers: list[float], shares: list[float]
) -> None:
    confusion = np.array(numbers).reshape(3, 3, 3)
    confusion /= confusion.sum(axis=2, keepdims=True)
    prior = np.array(shares) / sum(shares)
    model = Model(prior, confusion, np.zeros((0, 3)), 0.0, 1, True)
    names = ("x", "y", "z")
    found = posterior(
        [(str(rater), names[label]) for rater, label in votes],
        {str(rater): confusion[rater].tolist() for rater in range(3)},
        names,
        dict(zip(names, prior.tolist(), strict=True)),
    )
    assert [found[name] for name in names] == pytest.approx(posterior_of(model, votes).tolist())


@pytest.mark.parametrize("bad", [1.5, -0.1, float("nan"), [[1.0]], [[0.5, 0.5]]])
def test_a_reliability_that_cannot_be_is_refused(bad: float | list[list[float]]) -> None:
    with pytest.raises(ValueError, match="'a'"):
        posterior([("a", "yes")], {"a": bad}, TWO)
