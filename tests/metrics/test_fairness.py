"""Fairness by group: fairlearn's own bits, published tables, and what is undefined."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import fairlearn.metrics as fm
import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from apps.metrics.domain.bias import bias_report, fairness_of
from apps.metrics.domain.fairness import (
    RATES,
    equalized_odds,
    gap,
    parts_of,
    ratio,
)
from apps.metrics.domain.groups import UNKNOWN, answered, counts_of, group_by, subsets
from apps.metrics.domain.metric_frame import metric_frame
from apps.metrics.domain.proportions import Part
from tests.metrics.population import RACES, SEXES, Rows, cells, cells_of, rows

# Fairlearn's user guide, 18 rows: true negatives, false positives, false negatives, true positives
USER_GUIDE = {"a": (0, 2, 1, 1), "b": (1, 0, 2, 3), "c": (1, 2, 3, 2)}


def raw_frame(one: Rows, features: dict[str, np.ndarray]) -> fm.MetricFrame:
    """MetricFrame as fairlearn's users call it, on the rows; ``low`` is favourable."""
    metrics = {
        "selection_rate": lambda t, p: fm.selection_rate(t, p, pos_label=0),
        "tpr": fm.true_positive_rate,
        "fpr": fm.false_positive_rate,
        "fnr": fm.false_negative_rate,
        "accuracy": accuracy_score,
    }
    return fm.MetricFrame(
        metrics=metrics, y_true=one.true, y_pred=one.given, sensitive_features=features
    )


@pytest.mark.parametrize("seed", range(4))
def test_rates_are_the_bits_that_fairlearn_gives_on_the_rows(seed: int) -> None:
    one = rows(3_000, seed)
    features = {"sex": np.array(SEXES)[one.sex], "race": np.array(RACES)[one.race]}
    report = bias_report(cells_of(one), "low", "high")
    assert report == bias_report(cells_of(one), "low", "high", judged=False)
    assert set(report) == {"sex", "race", "sex & race"}
    for chosen in (["sex"], ["race"], ["sex", "race"]):
        frame = raw_frame(one, {name: features[name] for name in chosen})
        groups = report[" & ".join(chosen)]["groups"]
        assert len(groups) == len(frame.by_group)
        for index, expected in frame.by_group.iterrows():
            name = ", ".join(index) if isinstance(index, tuple) else index
            assert {rate: groups[name][rate]["value"] for rate in RATES} == expected.to_dict()


@pytest.mark.parametrize("seed", range(4))
def test_gaps_and_ratios_are_fairlearn_s(seed: int) -> None:
    one = rows(3_000, seed)
    found = bias_report(cells_of(one), "low", "high")["sex & race"]
    crossed = [f"{s}{r}" for s, r in zip(one.sex, one.race, strict=True)]
    given = 1 - one.given  # low, the favourable label, as 1
    for name in ("demographic_parity_difference", "demographic_parity_ratio"):
        expected = getattr(fm, name)(one.true, given, sensitive_features=crossed)
        assert found[name]["value"] == pytest.approx(expected, abs=1e-15)
    expected = fm.equalized_odds_difference(one.true, one.given, sensitive_features=crossed)
    assert found["equalized_odds_difference"]["value"] == pytest.approx(expected, abs=1e-15)


def test_overall_of_the_frame_is_that_of_the_rows() -> None:
    one = rows(2_000, 9)
    table = cells_of(one)
    frame = metric_frame(table, group_by(table, ["sex"]), "low", "high")
    raw = raw_frame(one, {"sex": one.sex})
    assert frame.overall.to_dict() == raw.overall.to_dict()
    assert frame.difference().to_dict() == raw.difference().to_dict()
    assert frame.ratio(method="to_overall").to_dict() == raw.ratio(method="to_overall").to_dict()


def test_the_user_guide_s_table_is_found_again() -> None:
    # selection rate of "high": 3/4, 3/6, 4/8
    found = fairness_of(cells(USER_GUIDE), ("group",), "high", "high")
    values = {
        name: {rate: group[rate]["value"] for rate in ("tpr", "fpr", "selection_rate")}
        for name, group in found["groups"].items()
    }
    assert values["a"] == {"tpr": 0.5, "fpr": 1.0, "selection_rate": 0.75}
    assert values["b"] == {"tpr": 0.6, "fpr": 0.0, "selection_rate": 0.5}
    assert values["c"] == {"tpr": 0.4, "fpr": pytest.approx(2 / 3), "selection_rate": 0.5}
    assert found["demographic_parity_difference"]["value"] == 0.25
    assert found["demographic_parity_ratio"]["exact"] == "2/3"
    assert found["equalized_odds_difference"]["value"] == 1.0
    assert found["equalized_odds_difference"]["rate"] == "fpr"


def test_a_rate_without_a_denominator_is_null_where_fairlearn_says_0() -> None:
    # b has no positives: its tpr and fnr do not exist
    table = cells({"a": (40, 10, 10, 40), "b": (45, 5, 0, 0), "c": (30, 20, 20, 30)})
    found = fairness_of(table, ("group",), "low", "high")
    assert (
        metric_frame(table, group_by(table, ["group"]), "low", "high").by_group["tpr"].iat[1] == 0
    )
    for rate in ("tpr", "fnr"):
        figure = found["groups"]["b"][rate]
        assert (figure["value"], figure["low"]) == (None, None)
        assert figure["why"] == "not enough data (n = 0): no case of the group is truly 'high'"
    # tpr 0.8 and 0.6 of the two others; fpr 0.2, 0.1, 0.4
    odds = found["equalized_odds_difference"]
    assert (odds["value"], odds["rate"]) == (pytest.approx(0.3), "fpr")
    parts = parts_of(counts_of(table, group_by(table, ["group"]), "low", "high"), ("a", "b", "c"))
    tpr = gap(parts["tpr"])
    assert (tpr.value, tpr.more["undefined"]) == (pytest.approx(0.2), ["b"])


def test_one_group_has_no_gap_and_says_so() -> None:
    found = fairness_of(cells({"a": (4, 1, 1, 4)}), ("group",), "low", "high")
    for name in (
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equalized_odds_difference",
        "impact_ratio",
    ):
        assert found[name]["value"] is None
        assert found[name]["why"].startswith("not enough data (n = ")
    assert found["four_fifths"]["why"].endswith("fewer than two groups have cases")


def test_no_decisions_give_an_empty_table_and_nulls() -> None:
    table = cells({"a": (0, 0, 0, 0), "b": (0, 0, 0, 0)})
    found = bias_report(table, "low", "high")["group"]
    assert found["groups"] == {}
    assert found["impact_ratio"]["value"] is None
    json.dumps(found, allow_nan=False)


def test_no_outcome_leaves_the_selection_rate_alone() -> None:
    table = cells({"a": (30, 20, 0, 0), "b": (10, 40, 0, 0)})
    table = replace(table, true=np.full_like(table.true, UNKNOWN))
    found = fairness_of(table, ("group",), "low", "high")
    assert found["demographic_parity_difference"]["value"] == pytest.approx(0.4)
    assert found["groups"]["a"]["with_outcome"] == 0
    for rate in ("tpr", "fpr", "fnr", "accuracy"):
        assert found["groups"]["a"][rate]["value"] is None
    assert found["equalized_odds_difference"]["value"] is None


def test_decisions_without_a_label_or_with_an_unknown_group_are_left_out_and_counted() -> None:
    table = cells({"a": (30, 20, 5, 5), "b": (10, 40, 5, 5)})
    given = table.given.copy()
    given[0] = UNKNOWN  # 30 of a without a label in effect
    groups = table.groups.copy()
    groups[4] = UNKNOWN  # 10 decisions whose group is not known
    found = bias_report(replace(table, given=given, groups=groups), "low", "high")["group"]
    assert (found["groups"]["a"]["n"], found["groups"]["b"]["n"], found["unknown"]) == (30, 50, 10)


def test_a_group_below_the_minimum_says_so() -> None:
    found = fairness_of(
        cells({"a": (40, 10, 10, 40), "b": (2, 1, 1, 3)}), ("group",), "low", "high"
    )
    assert found["groups"]["b"]["too_small"] == "n = 7 is below the minimum of 30"
    assert "too_small" not in found["groups"]["a"]
    assert found["four_fifths"]["groups"]["b" if "b" in found["four_fifths"]["groups"] else "a"][
        "small"
    ]


def test_with_more_than_two_labels_the_positive_one_is_the_event() -> None:
    # labels low, high and none of three: given none and truly none counts as right, and negative
    table = cells({"a": (4, 1, 2, 3), "b": (5, 0, 1, 4)})
    more = replace(
        table,
        labels=("low", "high", "none"),
        groups=np.vstack([table.groups, [[0]]]),
        given=np.append(table.given, 2),
        true=np.append(table.true, 2),
        n=np.append(table.n, 6),
    )
    found = fairness_of(more, ("group",), "none", "high")["groups"]["a"]
    # 16 of a: none given to 6; negatives 5 + 6, of them called high 1; right 4 + 3 + 6
    assert found["selection_rate"]["value"] == 6 / 16
    assert found["fpr"]["value"] == 1 / 11
    assert found["accuracy"]["value"] == 13 / 16


def test_many_group_tuples_are_crossed_by_two_alone() -> None:
    one = cells_of(rows(500, 1))
    names = ("x", "y", "z")
    levels = tuple(tuple(str(i) for i in range(9)) for _ in names)
    codes = np.array([(i, j, k) for i in range(9) for j in range(9) for k in range(3)])
    size = len(codes)
    column = np.zeros(size, dtype=np.int64)
    wide = replace(
        one, attributes=names, levels=levels, groups=codes, given=column, true=column, n=column + 5
    )
    assert max(len(chosen) for chosen in subsets(wide)) == 2
    few = replace(wide, groups=codes % 2)
    assert max(len(chosen) for chosen in subsets(few)) == 3


def test_the_impact_ratio_is_an_exact_fraction() -> None:
    # 12/20 over 15/20 is 4/5; in floats it is 0.7999999999999999
    found = ratio({"a": Part(12, 20), "b": Part(15, 20)})
    assert Fraction(found.more["exact"]) == Fraction(4, 5)
    assert found.value == 0.8


def test_a_rate_of_0_everywhere_has_no_ratio() -> None:
    found = ratio({"a": Part(0, 20), "b": Part(0, 15)})
    assert (found.value, found.why) == (
        None,
        "not enough data (n = 35): the rate is 0 in every group",
    )


def coverage_of_no_gap(groups: int, n: int = 200, draws: int = 400) -> float:
    """How often the gap's interval holds 0 where all groups have one rate."""
    random = np.random.default_rng(groups)
    held = 0
    for drawn in random.binomial(n, 0.3, (draws, groups)).tolist():
        found = gap({str(i): Part(k, n) for i, k in enumerate(drawn)})
        assert found.low is not None
        held += found.low <= 0
    return held / draws


@pytest.mark.parametrize("groups", [2, 5])
def test_the_gap_s_interval_covers_no_gap_where_the_rates_are_the_same(groups: int) -> None:
    # The Monte-Carlo error of a coverage of 0.95 in 400 draws is 0.011.
    assert coverage_of_no_gap(groups) > 0.92


def test_equalized_odds_takes_the_larger_gap() -> None:
    parts: Any = {
        "tpr": {"a": Part(40, 50), "b": Part(20, 50)},
        "fpr": {"a": Part(10, 50), "b": Part(15, 50)},
    }
    found = equalized_odds(parts)
    assert (found.value, found.more["rate"]) == (pytest.approx(0.4), "tpr")
    assert found.more["level"] == pytest.approx(0.975)


def test_answered_keeps_what_has_a_label() -> None:
    table = cells({"a": (4, 0, 2, 3)})
    assert answered(table).n.tolist() == [4, 2, 3]
