"""Confusion, error rates and figures by class, against scikit-learn and by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from apps.metrics.domain.classes import (
    Confusion,
    accuracy,
    confusion_of,
    error_rates,
    per_class,
)
from apps.metrics.domain.estimates import wilson

# 10 cases truly low (7 called so), 5 truly high (3 called so)
BY_HAND = Confusion(("low", "high"), ((7, 3), (2, 3)))


def test_accuracy_is_the_share_on_the_diagonal() -> None:
    assert accuracy(BY_HAND, "").value == pytest.approx(10 / 15)


def test_error_rates_are_shares_of_the_negative_and_of_the_positive_cases() -> None:
    rates = error_rates(BY_HAND, "high")
    assert (rates["fpr"].value, rates["fpr"].n) == (0.3, 10)
    assert (rates["fnr"].value, rates["fnr"].n) == (0.4, 5)


def test_with_the_other_label_as_positive_the_rates_change_places() -> None:
    rates = error_rates(BY_HAND, "low")
    assert (rates["fpr"].value, rates["fnr"].value) == (0.4, 0.3)


def test_precision_recall_and_f1_are_worked_out_by_hand() -> None:
    found = per_class(BY_HAND)["high"]
    assert found["precision"].value == 3 / 6
    assert found["recall"].value == 3 / 5
    assert found["f1"].value == pytest.approx(2 * 3 / (6 + 5))
    assert (found["true"], found["given"]) == (5, 6)


def test_the_interval_of_f1_is_that_of_the_share_it_is_made_of() -> None:
    # f = 3 / (6 + 5 - 3) = 3/8; F1 = 2 f / (1 + f)
    low, high = wilson(3, 8)
    found = per_class(BY_HAND)["high"]["f1"]
    assert (found.low, found.high) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))
    assert found.n == 8


@pytest.mark.parametrize("seed", range(5))
def test_all_figures_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = ["a", "b", "c", "d"]
    true = random.choice(labels, 500, p=[0.5, 0.3, 0.15, 0.05]).tolist()
    given = [t if random.random() < 0.6 else str(random.choice(labels)) for t in true]
    found = confusion_of(Counter(zip(true, given, strict=True)), labels)
    assert found.counts == tuple(map(tuple, confusion_matrix(true, given, labels=labels).tolist()))
    assert accuracy(found, "").value == pytest.approx(accuracy_score(true, given), abs=1e-15)
    theirs = precision_recall_fscore_support(true, given, labels=labels)
    ours = per_class(found)
    for name, column in zip(("precision", "recall", "f1"), theirs, strict=False):
        values = [ours[label][name].value for label in labels]
        assert values == pytest.approx(column.tolist(), abs=1e-12)


def test_a_label_that_left_the_set_still_has_its_row_and_column() -> None:
    found = confusion_of({("old", "low"): 2, ("low", "low"): 1}, ["low", "high"])
    assert found.labels == ("low", "high", "old")
    assert found.counts == ((1, 0, 0), (0, 0, 0), (2, 0, 0))


def test_figures_of_a_label_that_never_occurs_are_null_and_say_why() -> None:
    found = per_class(confusion_of({}, ["low", "high"]))["high"]
    assert [found[name].value for name in ("precision", "recall", "f1")] == [None, None, None]
    assert "'high' was given to no case" in found["precision"].why
    assert "no case is truly 'high'" in found["recall"].why


def test_an_error_rate_without_cases_is_null_and_says_why() -> None:
    rates = error_rates(confusion_of({("high", "high"): 3}, ["low", "high"]), "high")
    assert rates["fpr"].value is None
    assert "other than 'high'" in (rates["fpr"].why or "")
    assert rates["fnr"].value == 0.0
