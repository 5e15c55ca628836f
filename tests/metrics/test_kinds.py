"""The kinds of report from tables made by hand, without a database."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from apps.metrics.cells.families import SHAPES, empty
from apps.metrics.cells.window import WindowCells
from apps.metrics.domain.accuracy import Labels
from apps.metrics.domain.capacity import forecast
from apps.metrics.domain.estimates import Estimate
from apps.metrics.domain.figures import differences, figure_at
from apps.metrics.domain.reliance import Streak
from apps.metrics.domain.tables import Table, table_of
from apps.metrics.kinds.automatic_lane import strata_of
from apps.metrics.kinds.bias import changes, group_cells
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.kinds.reading import OTHER, judged_of, pairs, periods
from apps.metrics.kinds.reviewers import ai_by_people, peers_of, streaks_of
from apps.metrics.kinds.team import warning_of

MONDAY = date(2026, 3, 2)
LABELS = Labels(("low", "high"), "low", "high")


def cells(days: dict[date, dict[str, dict[str, Table]]]) -> WindowCells:
    """A window of days: day -> family -> table name -> table."""
    families = {family for tables in days.values() for family in tables} | SHAPES.keys()
    whole = {
        family: {day: tables[family] for day, tables in days.items() if family in tables}
        for family in families
    }
    return WindowCells(None, (), [], whole)  # type: ignore[arg-type]


def people_table(rows: list[tuple[str | None, str | None, str, int]]) -> Table:
    """(AI's label, true label, pattern, cases)."""
    given, true, pattern, n = zip(*rows, strict=True)
    return table_of(
        {"version": ["m 1"] * len(rows), "given": given, "true": true, "pattern": pattern},
        {"level": [9_000] * len(rows), "right_final": [-1] * len(rows), "n": n},
    )


# --- Reading --------------------------------------------------------------------------------


def test_patterns_are_read_as_verdicts_and_their_majority() -> None:
    found = judged_of(people_table([("low", "high", "1,2", 5), ("high", "low", "1,1", 2)]), LABELS)
    assert found.names == ("low", "high", OTHER)
    by_n = {int(n): i for i, n in enumerate(found.n)}
    first, tied = by_n[5], by_n[2]
    assert found.verdicts[first].tolist() == [1, 2, 0]
    assert (int(found.hits[first]), int(found.sizes[first])) == (2, 3)
    assert found.names[found.consensus[first]] == "high"
    assert found.names[found.consensus[tied]] == "low"  # a tie goes to the favourable label
    # 5 cases: AI low, one verdict low and two high each; 2 cases: AI high, one of each
    assert ai_by_people(found).tolist() == [[5, 10, 0], [2, 2, 0], [0, 0, 0]]


def test_verdicts_for_labels_that_left_the_set_are_wrong_and_counted() -> None:
    found = judged_of(people_table([("low", "high", "1,1,2", 1), (None, "gone", "0,1", 1)]), LABELS)
    assert found.names == ("low", "high", OTHER, "gone")
    assert sorted(found.sizes.tolist()) == [1, 4]
    assert sorted(found.hits.tolist()) == [0, 1]
    assert OTHER in {found.names[code] for code in found.consensus}


def test_pairs_count_what_has_both_labels() -> None:
    table = table_of(
        {"true": ["a", "a", None, "b"], "given": ["a", "b", "a", None]}, {"n": [3, 4, 5, 6]}
    )
    assert pairs(table, "given") == {("a", "a"): 3, ("a", "b"): 4}
    assert pairs(table, "given", table.ints("n") > 3) == {("a", "b"): 4}
    assert pairs(table_of({"true": [], "given": []}, {"n": []}), "given") == {}


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, 0),
        (1, 1),
        (31, 31),  # days
        (32, 5),  # weeks: from a Monday, four whole ones and four days
        (217, 31),
        (218, 8),  # months: March to October
    ],
)
def test_a_series_is_of_days_then_weeks_then_months(days: int, expected: int) -> None:
    found = periods(MONDAY + timedelta(days=i) for i in range(days))
    assert len(found) == expected
    assert sum(len(among) for _first, _last, among in found) == days
    assert all(first <= min(among) and max(among) <= last for first, last, among in found)


def test_strata_hold_those_that_came_to_the_draw_by_their_chance() -> None:
    rows = [  # chance, drawn, right, n
        (0.1, 0, -1, 90),
        (0.1, 1, 1, 7),
        (0.1, 1, 0, 1),
        (0.1, 1, -1, 2),
        (0.5, 1, 1, 3),
        (0.0, 0, 1, 50),
        (np.nan, 0, 1, 60),
    ]
    chance, drawn, right, n = zip(*rows, strict=True)
    table = table_of({}, {"drawn": drawn, "right": right, "n": n}, {"chance": chance})
    found = strata_of(table)
    assert found.chance.tolist() == [0.1, 0.5]
    assert (found.size.tolist(), found.drawn.tolist()) == ([100, 3], [10, 3])
    assert (found.known.tolist(), found.right.tolist()) == ([8, 3], [7, 3])


def test_streaks_of_days_are_joined_over_midnight() -> None:
    def day(**numbers: int) -> dict[str, dict[str, Table]]:
        table = table_of({"reviewer": ["r"]}, {name: [n] for name, n in numbers.items()})
        return {"reviews": {"streaks": table}}

    window = cells(
        {
            MONDAY + timedelta(days=1): day(n=4, confirmed=4, head=4, tail=4, longest=4),
            MONDAY: day(n=5, confirmed=3, head=1, tail=2, longest=2),
            MONDAY + timedelta(days=2): day(n=3, confirmed=2, head=2, tail=0, longest=2),
        }
    )
    # c n n c c | c c c c | c c n
    assert streaks_of(window) == {"r": Streak(12, 9, 1, 0, 8)}


def test_peers_are_a_table_of_own_by_others_verdicts() -> None:
    table = table_of(
        {
            "reviewer": ["a", "a", "b"],
            "own": ["low", "high", "low"],
            "peer": ["low", "low", "high"],
        },
        {"n": [3, 2, 1]},
    )
    assert peers_of(table, ("low", "high")) == {"a": ((3, 0), (2, 0)), "b": ((0, 1), (0, 0))}


def test_group_cells_merge_what_is_alike() -> None:
    table = table_of(
        {
            "group:sex": ["F", "F", "M", None],
            "given": ["low", "low", "high", "low"],
            "true": ["low", "low", "gone", None],
            "lane": ["a", "b", "a", "a"],
        },
        {"n": [1, 2, 3, 4]},
    )
    found = group_cells(table, "given", ("low", "high"))
    assert (found.attributes, found.labels) == (("sex",), ("low", "high", "gone"))
    rows = zip(found.groups[:, 0].tolist(), found.given, found.true, found.n, strict=True)
    assert sorted(tuple(map(int, row)) for row in rows) == [
        (-1, 0, -1, 4),
        (0, 0, 0, 3),
        (1, 1, 2, 3),
    ]


def test_a_change_of_what_is_not_known_is_not_known() -> None:
    gap = {name: {"value": 0.25} for name in ("demographic_parity_ratio", "impact_ratio")}
    gap |= {
        "demographic_parity_difference": {"value": 0.5},
        "equalized_odds_difference": {"value": None},
    }
    rates = ("selection_rate", "tpr", "fpr", "fnr", "accuracy")
    one: dict[str, Any] = {**gap, "groups": {"F": {rate: {"value": None} for rate in rates}}}
    found = changes({"sex": one}, {"sex": {**one, "impact_ratio": {"value": 0.5}}})["sex"]
    assert found["impact_ratio"] == {"ai": 0.25, "final": 0.5, "change": 0.25}
    assert found["equalized_odds_difference"]["change"] is None
    assert found["groups"]["F"]["tpr"] == {"ai": None, "final": None, "change": None}


@pytest.mark.parametrize(
    ("ends", "said"),
    [((0.01, 0.09), None), ((-0.02, 0.09), "It is not shown"), ((-0.3, -0.1), "does worse than")],
)
def test_the_warning_follows_the_whole_interval(ends: tuple[float, float], said: Any) -> None:
    low, high = ends
    found = warning_of(Estimate((low + high) / 2, low, high, 900, "x"), "human")
    assert found is None if said is None else said in (found or "")


@pytest.mark.parametrize("kind", KINDS)
def test_empty_tables_give_a_document_that_is_json(kind: str) -> None:
    nothing = {
        family: {name: empty(shape, ()) for name, shape in tables.items()}
        for family, tables in SHAPES.items()
    }
    facts = {
        "labels": [],
        "favourable": "",
        "positive": "",
        "begin": None,
        "end": None,
        "smallest": 30,
        "seed": 0,
        "draws": 10,
        "left_out": {},
        "people": {},
        "practice": {},
        "cost_model": {},
        "queue": {"open_tasks": 0},
        "sla_minutes": None,
        "trail": {},
        "unsealed": {"n": 0, "first": []},
        "reference_from": None,
        "reference_to": None,
        "profile": None,
    }
    for window in (cells({}), cells({MONDAY: nothing})):
        found = KINDS[kind].report(window, facts)
        json.dumps(found, allow_nan=False)
        assert list(differences(found, json.loads(json.dumps(found)))) == []


def test_exceptions_are_counted_once_a_decision_and_listed() -> None:
    table = table_of(
        {
            "kind": ["sla_lapsed", "too_few_reviews", "sla_lapsed"],
            "decision": ["d1", "d1", "d2"],
            "detail": ["5 s late", "1 of 2", "9 s late"],
        },
        {"n": [1, 1, 1]},
    )
    lanes = table_of(
        {"name": ["lane"], "a": ["review"], "b": ["released"]},
        {"n": [8]},
        {"total": [0.0], "squares": [0.0]},
    )
    window = cells({MONDAY: {"breaches": {"breaches": table}, "flow": {"counts": lanes}}})
    late = {"n": 1, "first": [["d3", "late"]]}
    found = KINDS["compliance"].report(window, {"trail": {}, "unsealed": late})
    assert found["handled_as_demanded"]["value"] == 5 / 8
    assert (found["by_kind"]["sla_lapsed"]["n"], found["by_kind"]["unsealed"]["n"]) == (2, 1)
    assert [one["decision"] for one in found["breaches"]] == ["d1", "d2", "d1", "d3"]


# --- Capacity -------------------------------------------------------------------------------


def test_a_forecast_is_the_mean_of_the_same_weekday_with_its_range() -> None:
    """Two weeks: Mondays 4 and 8, all other days 2."""
    arrivals = {MONDAY + timedelta(days=i): 2 for i in range(14)}
    arrivals |= {MONDAY: 4, MONDAY + timedelta(days=7): 8}
    found = forecast(arrivals, MONDAY + timedelta(days=13), 1800.0, None)
    monday = found["days"][0]
    assert (monday["date"], monday["cases"]) == ("2026-03-16", 6.0)
    # variance (4-6)^2 + (8-6)^2 = 8, above the mean: 6 +- 1.96 sqrt(8 x 1.5)
    assert monday["high"] == pytest.approx(6 + 1.959963984540054 * 12**0.5)
    assert monday["low"] == 0.0
    # 2 a day without spread: the variance is the mean
    assert found["days"][1]["high"] == pytest.approx(2 + 1.959963984540054 * 3**0.5)
    assert (found["cases"], found["hours"]) == (18.0, 9.0)
    assert found["people"] == 1  # three hours on Monday


def test_a_time_limit_takes_more_people_than_the_work_alone() -> None:
    arrivals = {MONDAY + timedelta(days=i): 160 for i in range(14)}
    last = MONDAY + timedelta(days=13)
    # 20 an hour at 6 minutes are two people's work
    assert forecast(arrivals, last, 360.0, None)["people"] == 2
    assert forecast(arrivals, last, 360.0, 10.0)["people"] > 2
    late = forecast(arrivals, last, 360.0, 5.0)
    assert late["people"] is None
    assert "a case takes 6 minutes" in late["why_no_people"]


def test_a_week_is_needed_to_look_a_week_ahead() -> None:
    found = forecast({MONDAY: 5}, MONDAY, 60.0, None)
    assert (found["cases"], found["n"]) == (None, 1)
    assert found["why"] == "not enough data (n = 1): fewer than 7 days of history"
    without = forecast(
        {MONDAY + timedelta(days=i): 1 for i in range(7)}, MONDAY + timedelta(days=6), None, 9
    )
    assert (without["cases"], without["hours"]) == (7.0, None)


# --- Paths ----------------------------------------------------------------------------------

DOCUMENT = {
    "drift": {
        "psi_max": 0.3,
        "psi": {"max": 0.3, "n": 70},
        "features": {"a.b": {"psi": 0.1, "n": 50}, "a": {"b": {"psi": 0.2}}},
    },
    "accuracy": {"ai": {"value": 0.9, "low": 0.8, "high": 1.0, "n": 10, "method": "wilson"}},
    "business": {"net": {"value": "12.50", "n": 3}, "roi": {"value": None, "n": 0, "why": "so"}},
}


@pytest.mark.parametrize(
    ("path", "value", "n"),
    [
        ("accuracy.ai", 0.9, 10),
        ("accuracy.ai.value", 0.9, 10),
        ("accuracy.ai.low", 0.8, 10),
        ("drift.psi.max", 0.3, 70),
        ("drift.psi_max", 0.3, None),
        ("drift.features.a.b.psi", 0.1, 50),
        ("business.net", 12.5, 3),
        ("business.roi.value", None, 0),
    ],
)
def test_a_figure_is_found_by_its_path(path: str, value: float | None, n: int | None) -> None:
    found = figure_at(DOCUMENT, path)
    assert (found.value, found.n) == (value, n)


@pytest.mark.parametrize(
    "path", ["accuracy", "accuracy.aix", "accuracy.ai.method", "x", "accuracy.ai.n.m"]
)
def test_a_path_that_leads_to_no_figure_is_refused(path: str) -> None:
    with pytest.raises(KeyError):
        figure_at(DOCUMENT, path)


def test_differences_are_named_by_their_paths() -> None:
    one = {"a": [1, {"b": 0.1}], "c": None, "d": "x", "e": 1.0}
    assert list(differences(one, json.loads(json.dumps(one)))) == []
    assert list(differences(one, {**one, "e": 1.0 + 1e-14})) == []
    other = {"a": [1, {"b": 0.1001}], "c": 0.0, "d": "y"}
    assert list(differences(one, other)) == ["a[1].b", "c", "d", "e"]
    assert list(differences({"a": [1]}, {"a": [1, 2]})) == ["a"]
    assert list(differences({"a": True}, {"a": 1.0})) == ["a"]
