"""Costs, net value, return and payback, worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from apps.metrics.domain.estimates import wilson
from apps.metrics.domain.money import (
    Amount,
    added,
    cost_model,
    error_cost,
    known,
    lacking,
    less,
    rounded,
)
from apps.metrics.domain.value import Volume, value_report

DOCUMENT = {
    "currency": "USD",
    "ai_cost_per_decision": "0.01",
    "review_cost_per_hour": "40.00",
    "review_minutes_default": "2",
    "human_minutes_per_decision": "6",
    "setup_cost": "1000",
    "fixed_cost_per_month": "100",
    "baseline": "human_only",
    "error_costs": [
        {"true": "high", "given": "low", "cost": "20"},
        {"true": "low", "given": "high", "cost": "5"},
    ],
}
MODEL = cost_model(DOCUMENT)
# 1,000 decisions, 900 automatic; 90 reviews of 100 s and 10 without a time; two months
VOLUME = Volume(1_000, 900, 9_000, 10, Decimal("60.875"))
PAIRS: dict[str, dict[tuple[str, str], int]] = {
    "ai": {("high", "high"): 40, ("high", "low"): 10, ("low", "high"): 5, ("low", "low"): 45},
    "human": {("high", "high"): 40, ("high", "low"): 10, ("low", "high"): 10, ("low", "low"): 40},
    "combined": {("high", "high"): 46, ("high", "low"): 4, ("low", "high"): 2, ("low", "low"): 48},
}


def report(**changes: Any) -> dict[str, Any]:
    found = value_report(
        replace(MODEL, **changes.pop("model", {})),
        replace(VOLUME, **changes.pop("volume", {})),
        PAIRS | changes.pop("pairs", {}),
        "high",
    )
    json.dumps(found, allow_nan=False)
    return found


def value(figure: dict[str, Any]) -> str:
    found: str = figure["value"]
    return found


def test_costs_are_worked_out_by_hand() -> None:
    cost = report()["cost"]
    # AI 1,000 x 0.01; reviews 40 x (9,000 / 3,600 + 10 x 2 / 60) = 113.33
    assert value(cost["actual"]["handling"]) == "123.33"
    # (4 x 20 + 2 x 5) / 100 a decision
    assert value(cost["actual"]["errors"]) == "900.00"
    assert value(cost["actual"]["total"]) == "1023.33"
    # 1,000 x 6 / 60 x 40; (10 x 20 + 10 x 5) / 100
    assert value(cost["human_only"]["handling"]) == "4000.00"
    assert value(cost["human_only"]["total"]) == "6500.00"
    # (10 x 20 + 5 x 5) / 100
    assert value(cost["ai_only"]["total"]) == "2260.00"


def test_value_return_and_payback_are_worked_out_by_hand() -> None:
    found = report()
    # 6500 - 1023.33 - 2 x 100
    assert value(found["net_value"]) == "5276.67"
    assert value(found["net_value_against"]["ai_only"]) == "1036.67"
    assert found["roi"]["value"] == pytest.approx(5276.6667 / 1200, abs=1e-6)
    # 1,000 at 2,638.33 a month
    assert found["payback_months"]["value"] == pytest.approx(1000 / 2638.33333, abs=1e-6)
    assert value(found["cost_per_decision"]) == "1.0233"
    assert found["automation_rate"]["value"] == 0.9
    # (0.15 - 0.06) x 1,000
    assert found["errors_avoided"]["value"] == pytest.approx(90)
    assert value(found["value_of_errors_avoided"]) == "1350.00"
    assert value(found["cost_of_false_alarms"]) == "100.00"


def test_the_other_baseline_is_taken_where_the_model_says_so() -> None:
    assert value(report(model={"baseline": "ai_only"})["net_value"]) == "1036.67"


def test_ranges_come_from_the_intervals_of_the_error_rates() -> None:
    found = error_cost(PAIRS["combined"], MODEL.errors, "")
    # two types of error: each at 97.5 %
    misses, alarms = wilson(4, 100, 0.975), wilson(2, 100, 0.975)
    assert float(found.low or 0) == pytest.approx(20 * misses[0] + 5 * alarms[0])
    assert float(found.high or 0) == pytest.approx(20 * misses[1] + 5 * alarms[1])
    net = report()["net_value"]
    assert Decimal(net["low"]) < Decimal(net["value"]) < Decimal(net["high"])
    months = report()["payback_months"]
    assert months["low"] < months["value"] < months["high"]


def test_the_range_of_error_costs_covers_the_true_cost() -> None:
    random = np.random.default_rng(6)
    shares = [0.04, 0.02, 0.94]
    true, held = 20 * 0.04 + 5 * 0.02, 0
    drawn = random.multinomial(200, shares, size=1_000).tolist()
    for misses, alarms, right in drawn:
        pairs = {("high", "low"): misses, ("low", "high"): alarms, ("low", "low"): right}
        found = error_cost(pairs, MODEL.errors, "")
        assert found.low is not None and found.high is not None
        held += found.low <= Decimal(str(true)) <= found.high
    assert held >= 950


def test_a_loss_is_never_earned_back() -> None:
    found = report(
        model={"review_cost_per_hour": Decimal(0), "fixed_cost_per_month": Decimal(9000)}
    )
    assert Decimal(value(found["net_value"])) < 0
    assert found["payback_months"]["value"] is None
    assert found["payback_months"]["why"].endswith("the setup cost is never earned back")
    assert found["roi"]["value"] < 0


def test_nothing_invested_has_no_return_and_pays_back_at_once() -> None:
    found = report(model={"setup_cost": Decimal(0), "fixed_cost_per_month": Decimal(0)})
    assert found["roi"]["value"] is None
    assert "nothing was invested" in found["roi"]["why"]
    assert found["payback_months"]["value"] == 0


@pytest.mark.parametrize("side", ["ai", "human", "combined"])
def test_what_has_no_outcomes_is_null_and_leaves_the_others(side: str) -> None:
    found = report(pairs={side: {}})
    way = {"ai": "ai_only", "human": "human_only", "combined": "actual"}[side]
    assert found["cost"][way]["total"]["value"] is None
    assert found["cost"][way]["total"]["why"].startswith("not enough data (n = 0): no decision has")
    others = set(found["cost"]) - {way}
    assert all(found["cost"][other]["total"]["value"] for other in others)
    expected = side == "ai"  # the baseline is human_only
    assert (found["net_value"]["value"] is not None) == expected


def test_without_a_price_of_errors_no_outcome_is_needed() -> None:
    none: dict[tuple[str, str], int] = {}
    found = report(model={"errors": {}}, pairs={"ai": none, "human": none, "combined": none})
    assert value(found["cost"]["actual"]["total"]) == "123.33"
    assert found["errors_avoided"]["value"] is None


def test_no_decisions_have_no_value() -> None:
    none: dict[tuple[str, str], int] = {}
    found = report(
        volume={"decisions": 0, "automatic": 0, "review_seconds": 0, "untimed_reviews": 0},
        pairs={"ai": none, "human": none, "combined": none},
    )
    for name in ("net_value", "cost_per_decision", "automation_rate"):
        assert found[name]["value"] is None
        assert found[name]["why"] == "not enough data (n = 0): there are no decisions"


def test_an_empty_cost_model_is_all_zero() -> None:
    model = cost_model({})
    found = value_report(model, VOLUME, PAIRS, "high")
    assert value(found["cost"]["human_only"]["total"]) == "0.00"
    assert found["baseline"] == "human_only"


def test_the_inputs_are_part_of_the_report() -> None:
    found = report()["inputs"]
    assert found["review_cost_per_hour"] == "40.00"
    assert found["error_costs"][0] == {"true": "high", "given": "low", "cost": "20"}
    assert set(DOCUMENT) - {"currency", "baseline"} <= set(found)


def test_amounts_are_added_with_their_ranges_and_keep_their_reasons() -> None:
    one = Amount(Decimal(10), Decimal(8), Decimal(13), 5)
    total, rest = added(one, known(Decimal(2))), less(known(Decimal(20)), one)
    assert (total.low, total.value, total.high, total.n) == (10, 12, 15, 5)
    assert (rest.low, rest.value, rest.high) == (7, 10, 12)
    missing = lacking("no cases", 3)
    assert added(one, missing).why == less(missing, one).why == "not enough data (n = 3): no cases"


def test_money_is_rounded_to_the_even_cent_and_is_never_minus_nothing() -> None:
    assert [rounded(Decimal(x)) for x in ("0.125", "0.135", "-0.001", "1E+3")] == [
        "0.12",
        "0.14",
        "0.00",
        "1000.00",
    ]
