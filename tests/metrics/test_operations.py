"""Operations: times from counts, shares, coverage of edge cases, and compliance."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from apps.metrics.domain.compliance import KINDS, SHOWN, Breach, compliance_report
from apps.metrics.domain.durations import (
    durations_of,
    quantile,
    share_within,
    times_report,
    together,
)
from apps.metrics.domain.estimates import wilson
from apps.metrics.domain.operations import (
    EdgeCases,
    Flow,
    Scores,
    error_rates,
    operations_report,
    score_change,
)
from apps.metrics.domain.proportions import Part

NOTHING = durations_of([])


# --- Times ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_are_within_two_per_cent_of_numpy_s(seed: int) -> None:
    random = np.random.default_rng(seed)
    seconds = np.exp(random.normal(5, 1.5, 5_001)) + 1
    times = durations_of(seconds)
    for share in (0.25, 0.5, 0.75, 0.9, 0.95):
        exact = np.quantile(seconds, share, method="inverted_cdf")
        assert quantile(times, share) == pytest.approx(exact, rel=0.018)
    found = times_report(times, "")
    assert found["mean"] == pytest.approx(seconds.mean(), rel=1e-3)
    assert found["n"] == 5_001


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 10**6), max_size=20), max_size=5))
def test_days_add_up_to_the_times_of_all(days: list[list[int]]) -> None:
    added = together(durations_of(day) for day in days)
    whole = durations_of([second for day in days for second in day])
    assert (added.counts.tolist(), added.total) == (whole.counts.tolist(), whole.total)


def test_very_short_and_very_long_times_have_a_place() -> None:
    times = durations_of([0, 0.4, 1, 1e12])
    assert (times.counts[0], times.counts[-1]) == (3, 1)
    assert quantile(times, 0.5) == 1.0


def test_the_share_within_a_limit_is_exact_at_the_edges() -> None:
    times = durations_of([1, 2, 4, 8, 16])
    assert [share_within(times, limit) for limit in (0.5, 1, 2, 4, 100)] == [
        0.2,
        0.2,
        0.4,
        0.6,
        1.0,
    ]
    assert share_within(NOTHING, 5) is None


def test_a_time_below_0_is_refused() -> None:
    with pytest.raises(ValueError, match="below 0"):
        durations_of([3, -1])


def test_without_times_there_are_no_quantiles() -> None:
    found = times_report(NOTHING, "no task was claimed")
    assert (found["median"], found["why"]) == (None, "not enough data (n = 0): no task was claimed")


# --- The report -----------------------------------------------------------------------------


def flow(**changes: Any) -> Flow:
    given = {
        "lanes": {
            ("automatic", "released"): 700,
            ("supervised", "released"): 80,
            ("supervised", "reversed"): 20,
            ("review", "released"): 150,
            ("review", "withheld"): 50,
        },
        "waits": durations_of([60] * 10),
        "handling": durations_of([120] * 30),
        "release": {"automatic": durations_of([1] * 5), "review": durations_of([900] * 5)},
        "due": 180,
        "met": 171,
        "escalated": 10,
        "reviewed": 200,
        "reviews": 250,
        "review_seconds": 25_000,
        "interventions": 20,
        "overridden": 40,
        "open_tasks": 7,
        "edges": {"novel": EdgeCases(50, 40, 30, 27), "low_confidence": EdgeCases(0, 0, 0, 0)},
    }
    return Flow(**{**given, **changes})


def test_shares_are_worked_out_by_hand() -> None:
    found = operations_report(flow(), human_minutes=10)
    json.dumps(found, allow_nan=False)
    assert found["decisions"] == 1_000
    rate = found["automation_rate"]
    assert rate["value"] == 0.8
    assert (rate["low"], rate["high"]) == wilson(800, 1_000)
    assert found["sla_met"]["value"] == 0.95
    assert found["escalations"]["value"] == 0.05
    assert found["overrides"]["value"] == 0.2
    assert found["interventions"]["value"] == 0.02
    # 200 decisions in 25,000 s
    assert found["decisions_per_reviewer_hour"]["value"] == pytest.approx(28.8)
    assert found["lanes"]["review"] == {"released": 150, "withheld": 50}
    # 900 s against 10 minutes: half as long again
    assert found["release"]["review"]["time_saved_share"] == pytest.approx(-0.5)


def test_edge_cases_say_who_decided_and_how_well() -> None:
    found = operations_report(flow(), 10)["edge_cases"]
    assert found["novel"]["decided_by_person"]["value"] == 0.8
    assert found["novel"]["decided_right"]["value"] == 0.9
    assert found["low_confidence"]["decided_by_person"]["why"].endswith("no case is low_confidence")


def test_an_empty_window_is_null_throughout_and_says_why() -> None:
    found = operations_report(Flow({}, NOTHING, NOTHING, {}), human_minutes=0)
    json.dumps(found, allow_nan=False)
    for name in (
        "automation_rate",
        "sla_met",
        "escalations",
        "interventions",
        "decisions_per_reviewer_hour",
    ):
        assert found[name]["value"] is None
        assert found[name]["why"].startswith("not enough data (n = 0)")


def scores(values: np.ndarray) -> Scores:
    return Scores(len(values), float(values.sum()), float((values**2).sum()))


def test_the_change_of_satisfaction_is_that_of_statsmodels() -> None:
    random = np.random.default_rng(2)
    before, after = random.normal(3, 1, 400), random.normal(3.5, 1.2, 300)
    found = score_change(scores(before), scores(after))
    compared = CompareMeans(DescrStatsW(after), DescrStatsW(before))
    expected = compared.zconfint_diff(usevar="unequal")
    assert found.value == pytest.approx(after.mean() - before.mean())
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-6)


def test_one_score_says_nothing_of_a_change() -> None:
    found = score_change(scores(np.array([3.0, 4.0])), scores(np.array([5.0])))
    assert found.why == "not enough data (n = 1): fewer than two scores after"


def test_error_rates_stand_side_by_side() -> None:
    found = error_rates(Part(20, 100), Part(30, 100), Part(10, 100))
    assert found["combined"]["value"] == 0.1
    assert found["combined_less_ai"]["value"] == pytest.approx(-0.1)
    assert found["combined_less_human"]["high"] < 0
    assert error_rates(Part(0, 0), Part(0, 0), Part(0, 0))["combined_less_ai"]["value"] is None


# --- Compliance -----------------------------------------------------------------------------


def test_a_decision_with_several_breaches_counts_once() -> None:
    found = compliance_report(
        100,
        [
            Breach("sla_lapsed", "d1", "due at 10:00, settled at 11:00"),
            Breach("too_few_reviews", "d1", "1 of 2"),
            Breach("sla_lapsed", "d2", "due at 10:00, settled at 12:00"),
            Breach("sla_lapsed", "d2", "due at 10:00, settled at 12:00"),
        ],
    )
    assert found["handled_as_demanded"]["value"] == 0.98
    assert found["decisions_with_breaches"] == 2
    assert (found["by_kind"]["sla_lapsed"]["n"], found["by_kind"]["unsealed"]["n"]) == (2, 0)
    assert [one["decision"] for one in found["breaches"]] == ["d1", "d2", "d1"]
    assert found["total"] == 3


def test_the_order_of_the_breaches_does_not_matter() -> None:
    breaches = [Breach(kind, f"d{i}", "x") for i in range(5) for kind in KINDS]
    assert compliance_report(9, breaches) == compliance_report(9, breaches[::-1])


def test_a_long_list_is_cut_and_says_so() -> None:
    found = compliance_report(5_000, [Breach("unsealed", f"d{i:04}", "") for i in range(SHOWN + 5)])
    assert (found["listed"], found["total"]) == (SHOWN, SHOWN + 5)


def test_no_decisions_have_no_share() -> None:
    found = compliance_report(0, [])
    assert found["handled_as_demanded"]["why"] == "not enough data (n = 0): there are no decisions"
    json.dumps(found)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="'late'"):
        compliance_report(5, [Breach("late", "d", "")])
    with pytest.raises(ValueError, match="2 decisions have breaches, of 1"):
        compliance_report(1, [Breach("unsealed", "a", ""), Breach("unsealed", "b", "")])
