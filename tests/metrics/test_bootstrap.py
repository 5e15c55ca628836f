"""Bootstrap by cells: the law of a bootstrap by rows, and fairlearn's own intervals."""

from __future__ import annotations

import warnings

import fairlearn.metrics as fm
import numpy as np
import pytest

from apps.metrics.domain.bootstrap import bootstrap_report, drawn_counts, drawn_rates
from apps.metrics.domain.groups import answered, group_by
from tests.metrics.population import cells, cells_of, rows


def test_draws_have_the_mean_and_spread_of_rows_drawn_with_replacement() -> None:
    table = cells({"a": (40, 10, 20, 30), "b": (100, 20, 30, 50)})
    drawn = drawn_counts(table, group_by(table, ["group"]), "low", "high", draws=20_000, seed=3)
    # group a holds 100 of 300: Binomial(300, 1/3) has the mean 100 and the variance 66.7
    assert drawn.n[:, 0].mean() == pytest.approx(100, abs=0.3)
    assert drawn.n[:, 0].var() == pytest.approx(300 / 3 * 2 / 3, rel=0.04)
    assert (drawn.n.sum(axis=1) == 300).all()
    assert drawn.selected[:, 0].mean() == pytest.approx(60, abs=0.3)
    assert (drawn.hits <= drawn.positives).all()
    assert (drawn.known == drawn.positives + drawn.negatives).all()


def test_the_intervals_are_those_of_fairlearn_on_the_rows() -> None:
    one = rows(500, 5)
    table = cells_of(one)
    frame = fm.MetricFrame(
        metrics=fm.selection_rate,
        y_true=one.true,
        y_pred=1 - one.given,
        sensitive_features=one.sex,
        n_boot=60,
        ci_quantiles=[0.025, 0.975],
        random_state=1,
    )
    found = bootstrap_report(table, group_by(table, ["sex"]), "low", "high", draws=4_000)
    low, high = frame.by_group_ci
    for code, name in enumerate(("F", "M")):
        ends = found["rates"]["selection_rate"][name]
        # the ends of 60 resamples have a spread of their own: about 0.008
        assert ends["low"] == pytest.approx(low[code], abs=0.035)
        assert ends["high"] == pytest.approx(high[code], abs=0.035)


def test_the_same_seed_gives_the_same_intervals_however_the_cells_are_cut() -> None:
    table = cells_of(rows(500, 2))
    grouping = group_by(table, ["sex", "race"])
    found = bootstrap_report(table, grouping, "low", "high", draws=200, seed=7)
    assert found == bootstrap_report(table, grouping, "low", "high", draws=200, seed=7)
    assert found != bootstrap_report(table, grouping, "low", "high", draws=200, seed=8)


def test_the_gap_is_signed_and_can_cover_none() -> None:
    table = cells({"a": (50, 50, 50, 50), "b": (51, 49, 50, 50)})
    found = bootstrap_report(table, group_by(table, ["group"]), "low", "high", draws=500)
    ends = found["difference"]["selection_rate"]
    assert (ends["low_group"], ends["high_group"]) == ("a", "b")
    assert ends["low"] < 0 < ends["high"]


def test_a_rate_that_most_draws_leave_undefined_is_null() -> None:
    table = cells({"a": (50, 50, 50, 50), "b": (50, 49, 1, 0)})  # b: one positive
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = bootstrap_report(table, group_by(table, ["group"]), "low", "high", draws=300)
    assert found["rates"]["tpr"]["b"] == {"low": None, "high": None}
    assert found["difference"]["tpr"]["low"] is None
    assert found["rates"]["tpr"]["a"]["low"] is not None


def test_rates_of_draws_are_shares_of_their_counts() -> None:
    table = cells_of(rows(400, 3))
    drawn = drawn_counts(table, group_by(table, ["sex"]), "low", "high", draws=50)
    rates = drawn_rates(drawn)
    assert np.allclose(rates["tpr"] + rates["fnr"], 1)
    assert np.array_equal(rates["accuracy"], drawn.right / drawn.known)


def test_no_groups_give_no_intervals() -> None:
    table = cells({"a": (0, 0, 0, 0)})
    empty = group_by(table, ["group"])
    assert empty.names == ("a",)
    table = answered(table)
    found = bootstrap_report(table, group_by(table, ["group"]), "low", "high")
    assert found["rates"] == {}
