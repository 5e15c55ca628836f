"""Reports from cells: equal to what the rows say, computed here in another way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import fairlearn.metrics as fm
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, brier_score_loss, cohen_kappa_score

from apps.audit.sealing import seal_all
from apps.common.errors import BadInput
from apps.metrics.domain.accuracy import accuracy_report
from apps.metrics.domain.figures import differences, figure_at
from apps.metrics.first_reading import Window, labels_of, read_cases
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.models import Report
from apps.metrics.reports import report_run
from apps.registry.models import UseCase
from apps.registry.services import use_case_update
from tests.metrics.rows import DAY, judge, send, turn_out
from tests.services.figures import ACTOR, Row, body, define, people, population, record

pytestmark = pytest.mark.django_db


def figures(use_case: UseCase, kind: str, window: Window | None = None) -> Any:
    use_case.refresh_from_db()
    return report_run(actor=ACTOR, use_case=use_case, kind=kind, window=window).result


def nulls(found: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every estimate without a value."""
    if isinstance(found, dict):
        if "method" in found and "value" in found and found["value"] is None:
            yield path, found
        for name, one in found.items():
            yield from nulls(one, f"{path}.{name}")
    elif isinstance(found, list):
        for i, one in enumerate(found):
            yield from nulls(one, f"{path}[{i}]")


def all_kinds(use_case: UseCase) -> dict[str, Any]:
    """Every kind of report; each null says why, and nothing in them is no JSON."""
    found = {kind: figures(use_case, kind) for kind in KINDS}
    json.dumps(found, allow_nan=False)
    for path, one in nulls(found):
        assert one.get("why", "").startswith("not enough data (n = "), (path, one)
    return found


def whole_days(rows: list[Row], first: int, last: int) -> Window:
    return Window(DAY + timedelta(days=first), DAY + timedelta(days=last))


# --- Accuracy -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_accuracy_from_cells_is_the_slow_reading_s_figure_by_figure(seed: int) -> None:
    use_case = define(policy={"audit_rate": 0.3})
    rows = [row._replace(confidence=round(row.confidence, 4)) for row in population(160, seed)]
    record(use_case, rows)
    # one window of all, one with whole days, one that ends within days
    windows = [Window(), whole_days(rows, 1, 3), Window(DAY - timedelta(hours=7), DAY)]
    for window in [*windows, Window(DAY, DAY + timedelta(days=2, hours=1))]:
        expected = accuracy_report(read_cases(use_case, window), labels_of(use_case))
        found = figures(use_case, "accuracy", window)
        assert list(differences(expected, {name: found[name] for name in expected})) == []


def test_confidences_of_many_decimals_leave_calibration_exact() -> None:
    use_case = define()
    rows = population(120, 3)
    record(use_case, rows)
    known = [row for row in rows if row.true is not None]
    found = figures(use_case, "accuracy")
    right = [row.given == row.true for row in known]
    expected = brier_score_loss(right, [row.confidence for row in known])
    assert found["brier"]["value"] == pytest.approx(expected, abs=1e-12)
    slow = accuracy_report(read_cases(use_case, Window()), labels_of(use_case))
    assert found["ece"]["value"] == pytest.approx(slow["ece"]["value"], abs=1e-12)
    for end in ("low", "high"):
        assert found["brier"][end] == pytest.approx(slow["brier"][end], abs=1e-12)


def test_segments_and_periods_add_up_to_the_whole() -> None:
    use_case = define()
    rows = population(100, 8)
    record(use_case, rows)
    found = figures(use_case, "accuracy")
    of_sex = found["segments"]["group:sex"]
    assert sum(one["n"] for one in of_sex.values()) == 100
    women = [row for row in rows if row.sex == "F" and row.true is not None]
    assert of_sex["F"]["ai"]["n"] == len(women)
    assert of_sex["F"]["ai"]["value"] == np.mean([row.given == row.true for row in women])
    series = found["over_time"]["periods"]
    assert [one["from"] for one in series] == [f"2026-03-0{day}" for day in range(1, 6)]
    assert sum(one["ai"]["n"] for one in series) == found["ai"]["n"]
    assert found["over_time"]["trend"]["ai"]["periods"] == 5


def test_a_team_that_loses_is_told_so_in_plain_words() -> None:
    """The AI is right in all of 60; people, who saw it, take 30 of the reviewed ones the wrong way."""
    use_case = define(policy={"confidence_threshold": 0.9})
    send(use_case, [body(f"c{i}", "high", 0.7) for i in range(60)])
    (rita,) = people("rita")
    for i in range(60):
        turn_out(f"c{i}", "high")
        judge(f"c{i}", rita, "low" if i < 30 else "high", saw_ai=True)
    found = figures(use_case, "accuracy")
    assert found["combined"]["value"] == 0.5
    assert (found["team_gain"]["value"], found["team_gain"]["against"]) == (-0.5, "ai")
    team = found["team"]
    assert (team["better_alone"], team["beats_the_better"]) == ("ai", False)
    assert team["warning"].startswith("The team does worse than the AI alone: ")
    assert team["against"]["human"]["value"] is None  # nobody judged without sight of the AI


def test_a_team_that_wins_is_not_warned_about() -> None:
    """The AI is right in 30 of 60, people right in every review that took effect."""
    use_case = define(policy={"confidence_threshold": 0.9})
    send(use_case, [body(f"c{i}", "high", 0.7) for i in range(60)])
    (rita,) = people("rita")
    for i in range(60):
        turn_out(f"c{i}", "high" if i < 30 else "low")
        judge(f"c{i}", rita, "high" if i < 30 else "low", saw_ai=True)
    team = figures(use_case, "accuracy")["team"]
    assert (team["beats_the_better"], team["warning"]) == (True, None)


# --- Bias -----------------------------------------------------------------------------------


def test_bias_is_fairlearn_s_on_the_raw_rows() -> None:
    use_case = define()
    rows = population(300, 6)
    record(use_case, rows)
    found = figures(use_case, "bias")
    known = [row for row in rows if row.race is not None and row.true is not None]
    frame = fm.MetricFrame(
        metrics={
            "tpr": fm.true_positive_rate,
            "fpr": fm.false_positive_rate,
            "fnr": fm.false_negative_rate,
            "accuracy": accuracy_score,
        },
        y_true=[int(row.true == "high") for row in known],
        y_pred=[int(row.given == "high") for row in known],
        sensitive_features=pd.DataFrame(
            {"race": [r.race for r in known], "sex": [r.sex for r in known]}
        ),
    )
    shown = found["ai"]["race & sex"]
    for (race, sex), rates in frame.by_group.iterrows():
        for rate, value in rates.items():
            assert shown["groups"][f"{race}, {sex}"][rate]["value"] == value
    everyone = [row for row in rows if row.race is not None]
    selection = fm.MetricFrame(
        metrics=fm.selection_rate,
        y_true=[0] * len(everyone),
        y_pred=[int(row.given == "low") for row in everyone],
        sensitive_features=[row.race for row in everyone],
    )
    by_race = found["ai"]["race"]
    assert by_race["demographic_parity_difference"]["value"] == pytest.approx(
        selection.difference()
    )
    assert by_race["impact_ratio"]["value"] == pytest.approx(selection.ratio())
    assert by_race["unknown"] == sum(row.race is None for row in rows)
    assert found["ai"].keys() == found["final"].keys() == {"race", "sex", "race & sex"}


def test_what_oversight_did_to_the_gap_stands_side_by_side() -> None:
    """Of 40 women the AI gives 10 the favourable label, of 40 men 30; people make it 20 and 30."""
    use_case = define(policy={"confidence_threshold": 0.9})
    cases = [(f"f{i}", "F", i < 10) for i in range(40)] + [
        (f"m{i}", "M", i < 30) for i in range(40)
    ]
    send(use_case, [body(name, "low" if low else "high", 0.7, sex=sex) for name, sex, low in cases])
    (rita,) = people("rita")
    for name, _sex, low in cases:
        turned = name in {f"f{i}" for i in range(10, 20)}
        judge(name, rita, "low" if low or turned else "high", saw_ai=True)
    found = figures(use_case, "bias")
    change = found["change"]["sex"]
    assert change["demographic_parity_difference"] == {"ai": 0.5, "final": 0.25, "change": -0.25}
    assert change["impact_ratio"]["ai"] == pytest.approx(1 / 3)
    assert change["impact_ratio"]["final"] == pytest.approx(2 / 3)
    assert change["groups"]["F"]["selection_rate"]["change"] == 0.25
    assert found["ai"]["sex"]["four_fifths"]["groups"]["F"]["impact_ratio"]["exact"] == "1/3"
    table = found["local_law_144"]["ai"]["sex"]
    assert table["most_selected"] == "M"
    assert table["categories"]["F"]["applicants"] == 40
    drawn = found["bootstrap"]["ai"]["sex"]["difference"]["selection_rate"]
    assert 0.2 < drawn["low"] < 0.5 < drawn["high"] < 0.8
    (row,) = found["by_reviewer"]["reviewers"]
    assert (row["reviewer"], row["n"], row["gaps"]["sex"]["value"]) == ("rita", 80, 0.25)


def test_without_a_protected_attribute_bias_says_that_none_is_named() -> None:
    use_case = define(subject_attributes=[])
    send(use_case, [body("a", "low", 0.9)])
    found = figures(use_case, "bias")
    assert (found["ai"], found["final"]) == ({}, {})
    assert found["why"] == "the use case names no protected attribute"


# --- Reviewers ------------------------------------------------------------------------------


def test_reviewers_figures_are_those_of_the_rows() -> None:
    use_case = define()
    rows = population(200, 12)
    record(use_case, rows)
    found = figures(use_case, "reviewers")
    pairs, told = [], []
    for row in rows:
        for reviewer, final, first, saw, _seconds in row.verdicts:
            said = first if first is not None else (None if saw else final)
            if said is not None:
                pairs.append((row.given, said))
            if saw and first is not None:
                told.append((reviewer, first, final, row.given, row.true))
    ai, said = zip(*pairs, strict=True)
    assert found["kappa"]["value"] == pytest.approx(cohen_kappa_score(ai, said), abs=1e-12)
    assert found["kappa"]["n"] == len(pairs)
    shown = found["reliance"]
    assert shown["n"] == len(told)
    assert shown["disagreements"] == sum(first != given for _, first, _, given, _ in told)
    wrong = [t for t in told if t[1] != t[3] and t[4] is not None and t[3] != t[4]]
    followed = sum(final == given for _, _, final, given, _ in wrong)
    assert shown["followed_when_ai_wrong"]["n"] == len(wrong)
    assert shown["followed_when_ai_wrong"]["value"] == pytest.approx(followed / len(wrong))
    overrides = [t for t in told if t[2] != t[3]]
    assert shown["override_rate"]["value"] == pytest.approx(len(overrides) / len(told))
    stated = [v[4] for row in rows for v in row.verdicts if v[4] is not None]
    assert shown["seconds_per_case"] == pytest.approx(np.mean(stated))
    names = [one["reviewer"] for one in found["by_reviewer"]]
    assert names == ["ray", "rita", "rob", "ruth"]
    own = Counter(v[0] for row in rows for v in row.verdicts)
    assert {one["reviewer"]: one["reviews"] for one in found["by_reviewer"]} == dict(own)
    assert {one["place"]["rank"] for one in found["by_reviewer"]} == {None}


def test_alpha_is_over_the_cases_judged_twice() -> None:
    """Krippendorff by hand: cases hh, hl, ll, ll: D_o = 2/8, D_e = 2*3*5/(8*7); 1 - 7/15."""
    use_case = define()
    send(use_case, [body(name, "high", 0.9) for name in "abcde"])
    rita, rob = people("rita", "rob")
    for name, one, other in [("a", "high", "high"), ("b", "high", "low"), ("c", "low", "low")]:
        judge(name, rita, one)
        judge(name, rob, other)
    judge("d", rita, "low")
    judge("d", rob, "low")
    judge("e", rita, "low")  # alone: not in it
    found = figures(use_case, "reviewers")["alpha"]
    assert found["n"] == 4
    assert found["value"] == pytest.approx(1 - (2 / 8) / (30 / 56))


# --- Operations, compliance, business -------------------------------------------------------


def test_operations_are_counted_by_hand() -> None:
    use_case = define()
    send(use_case, [body("a", "high", 0.9), body("b", "low", 0.5), body("c", "high", 0.5)])
    (rita,) = people("rita")
    judge("b", rita, "high", saw_ai=True, active_seconds=30.0)
    judge("c", rita, "high", saw_ai=True, active_seconds=90.0)
    turn_out("a", "low")
    turn_out("b", "high")
    turn_out("c", "high")
    found = figures(use_case, "operations")
    assert found["automation_rate"]["value"] == pytest.approx(1 / 3)
    assert found["overrides"]["value"] == 0.5  # b was taken otherwise, c as the AI had it
    assert found["decisions_per_reviewer_hour"]["value"] == pytest.approx(2 * 3600 / 120)
    rates = found["error_rates"]
    assert rates["ai"]["value"] == pytest.approx(2 / 3)
    assert rates["combined"]["value"] == pytest.approx(1 / 3)
    assert rates["human"]["value"] is None
    edge = found["edge_cases"]["low_confidence"]
    assert (edge["n"], edge["decided_by_person"]["value"]) == (2, 1.0)
    assert edge["decided_right"]["value"] == 1.0
    assert found["queue"]["open_tasks"] == 0
    assert found["capacity"]["why"].endswith("fewer than 7 days of history")
    assert found["human_minutes_per_decision"] == 10.0


def test_the_load_to_come_is_that_of_the_same_weekdays() -> None:
    """21 days: 2 cases a day for people, 4 on each of the three Mondays."""
    use_case = define()
    cases = []
    for day in range(21):
        monday = (DAY + timedelta(days=day)).weekday() == 0
        cases += [body(f"{day}-{i}", "low", 0.5, day) for i in range(4 if monday else 2)]
    send(use_case, cases)
    (rita,) = people("rita")
    for one in cases:
        judge(one["external_id"], rita, "low", saw_ai=True, active_seconds=900.0)
    found = figures(use_case, "operations")["capacity"]
    assert found["n"] == 21
    assert [one["cases"] for one in found["days"]].count(4.0) == 1
    assert found["cases"] == 16.0
    assert found["hours"] == pytest.approx(4.0)
    assert found["people"] == 1  # an hour's work on the busiest day
    assert all(one["low"] <= one["cases"] <= one["high"] for one in found["days"])


def test_compliance_counts_each_decision_that_was_not_handled_as_demanded() -> None:
    use_case = define()
    send(use_case, [body(f"c{i}", "low", 0.9) for i in range(4)])
    found = figures(use_case, "compliance")
    assert found["handled_as_demanded"]["value"] == 1.0
    assert (found["decisions"], found["total"]) == (4, 0)
    assert found["trail"]["last_verification"] is None
    assert found["routed_again"] == {"same": 4, "other": 0, "cannot_be_told": 0}
    assert found["not_looked_at"] == {}


def test_a_decision_that_waited_too_long_for_its_seal_is_an_exception(monkeypatch: Any) -> None:
    use_case = define()
    send(use_case, [body(f"c{i}", "low", 0.9) for i in range(4)])
    monkeypatch.setattr("apps.metrics.facts.SEALED_WITHIN", timedelta(0))
    found = figures(use_case, "compliance")
    assert found["by_kind"]["unsealed"]["n"] == 4
    assert found["handled_as_demanded"]["value"] == 0.0
    seal_all()
    assert figures(use_case, "compliance")["handled_as_demanded"]["value"] == 1.0


def test_value_is_worked_out_by_hand() -> None:
    """Four decisions on one day. AI: two errors, 50 and 10. What took effect: one, 10."""
    use_case = define()
    given = [("a", "low", "high", 0.5), ("b", "high", "low", 0.9), ("c", "low", "low", 0.9)]
    send(use_case, [body(n, g, c) for n, g, _t, c in [*given, ("d", "high", "high", 0.9)]])
    for name, _given, truth, _confidence in [*given, ("d", "", "high", 0)]:
        turn_out(name, truth)
    rita, rob = people("rita", "rob")
    judge("a", rita, "high", saw_ai=True, active_seconds=600.0)
    judge("b", rob, "low")  # without sight of the AI: no effect, a human verdict, no time stated
    found = figures(use_case, "business")
    # AI 4 x 0.10; review 600 s and one default of 5 minutes at 36 an hour: 6 + 3
    assert found["cost"]["actual"]["handling"]["value"] == "9.40"
    assert found["cost"]["actual"]["errors"]["value"] == "10.00"
    assert found["cost"]["ai_only"]["total"]["value"] == "60.40"
    # people alone: 4 x 10 minutes at 36, and no error in the one verdict there is
    assert found["cost"]["human_only"]["total"]["value"] == "24.00"
    assert found["net_value"]["value"] == "4.60"
    assert found["net_value_against"]["ai_only"]["value"] == "41.00"
    assert found["roi"]["value"] == pytest.approx(0.046)
    assert found["cost_per_decision"]["value"] == "4.8500"
    assert found["errors_avoided"]["value"] == pytest.approx(1.0)
    assert found["value_of_errors_avoided"]["value"] == "50.00"
    assert found["cost_of_false_alarms"]["value"] == "10.00"
    # 100 at 4.60 a day
    months = Decimal(1) / Decimal("30.4375")
    assert found["payback_months"]["value"] == pytest.approx(float(100 * months / Decimal("4.6")))


def test_operations_and_value_of_random_rows_are_those_of_the_cases() -> None:
    use_case = define()
    rows = [row._replace(day=0) for row in population(150, 21)]
    record(use_case, rows)
    cases = list(read_cases(use_case, Window()))
    known = [case for case in cases if case.truth is not None]
    rates = figures(use_case, "operations")["error_rates"]
    assert rates["ai"]["value"] == pytest.approx(np.mean([c.given != c.truth for c in known]))
    combined = [c.in_effect != c.truth for c in known]
    assert rates["combined"]["value"] == pytest.approx(np.mean(combined))
    verdicts = [(c.truth, said) for c in known for said in c.verdicts]
    people_rate = np.mean([said != truth for truth, said in verdicts])
    assert rates["human"]["value"] == pytest.approx(people_rate)

    def cost(pairs: list[Any]) -> float:
        prices = {("high", "low"): 50, ("low", "high"): 10}
        return 150 * sum(prices.get(pair, 0) for pair in pairs) / len(pairs)

    found = figures(use_case, "business")
    stated = [v[4] for row in rows for v in row.verdicts]
    minutes = sum(s / 60 if s is not None else 5 for s in stated)
    actual = 15 + 0.6 * minutes + cost([(c.truth, c.in_effect) for c in known])
    by_hand = 150 * 10 * 0.6 + cost(verdicts)
    shown = {way: float(found["cost"][way]["total"]["value"]) for way in found["cost"]}
    assert shown["actual"] == pytest.approx(actual, abs=0.006)
    assert shown["human_only"] == pytest.approx(by_hand, abs=0.006)
    assert shown["ai_only"] == pytest.approx(
        15 + cost([(c.truth, c.given) for c in known]), abs=0.006
    )
    assert float(found["net_value"]["value"]) == pytest.approx(by_hand - actual, abs=0.006)


# --- Drift ----------------------------------------------------------------------------------


def test_drift_is_that_of_the_raw_values() -> None:
    use_case = define(reference_from="2026-03-01", reference_to="2026-03-03")
    rows = population(600, 4, days=4)
    rows = [r._replace(income=r.income and r.income + 6 * (r.day > 1)) for r in rows]
    record(use_case, rows)
    found = figures(use_case, "drift", Window(DAY + timedelta(hours=36), None))
    then, now = ([r for r in rows if (r.day < 2) == early] for early in (True, False))
    sides = [[r.income for r in side if r.income is not None] for side in (then, now)]
    income = found["features"]["income"]
    tested = stats.ks_2samp(*sides)
    assert income["ks"] == pytest.approx(tested.statistic, abs=income["ks_error"] + 1e-9)
    moved = stats.wasserstein_distance(*sides) / np.std(sides[0])
    assert income["wasserstein"] == pytest.approx(moved, abs=2e-3)
    assert income["drifted"]
    assert income["n_current"] == len(sides[1])
    table = [[sum(r.region == x for r in side) for x in "NESW"] for side in (then, now)]
    region = found["features"]["region"]
    assert region["p_value"] == pytest.approx(
        stats.chi2_contingency(table, correction=False).pvalue
    )
    assert not region["drifted"]
    assert found["own"].keys() == {"output", "confidence", "outcome"}
    assert found["psi_max"] == found["psi"]["max"] >= income["psi"]
    accuracy = found["performance"]
    for side, among in (("reference", then), ("current", now)):
        known = [r.given == r.true for r in among if r.true is not None]
        assert accuracy[side]["value"] == pytest.approx(np.mean(known))
    assert accuracy["change"]["low"] < accuracy["change"]["value"] < accuracy["change"]["high"]


def test_accuracy_without_outcomes_is_an_estimate_by_name() -> None:
    use_case = define(reference_from="2026-03-01", reference_to="2026-03-03")
    rows = population(400, 9, days=4)
    record(use_case, [r._replace(true=None if r.day > 2 else r.true) for r in rows])
    found = figures(use_case, "drift", Window(DAY + timedelta(hours=36), None))
    whole, waiting = found["estimated_accuracy"], found["estimated_without_outcome"]
    assert (whole["method"], whole["truth_used"]) == ("cbpe", False)
    assert whole["low"] < whole["value"] < whole["high"]
    assert whole["n"] == 200
    later = [r for r in rows if r.day > 1]
    assert waiting["n"] == sum(r.true is None or r.day > 2 for r in later)
    check = found["estimate_check"]
    assert check["gap"] == check["estimated"]["value"] - check["observed"]["value"]


# --- Bad input ------------------------------------------------------------------------------


def test_no_decisions_leave_every_figure_without_a_value_and_every_report_made() -> None:
    use_case = define()
    found = all_kinds(use_case)
    assert Report.objects.count() == len(KINDS)
    assert found["accuracy"]["ai"]["why"].startswith("not enough data (n = 0)")
    assert found["business"]["net_value"]["value"] is None


def test_one_class_and_one_group_alone_say_what_cannot_be_told() -> None:
    use_case = define()
    send(use_case, [body(f"c{i}", "low", 0.9, sex="F") for i in range(40)])
    for i in range(40):
        turn_out(f"c{i}", "low")
    found = all_kinds(use_case)
    assert found["accuracy"]["ai"]["value"] == 1.0
    assert found["accuracy"]["per_class"]["high"]["recall"]["value"] is None
    shown = found["bias"]["ai"]["sex"]
    assert shown["groups"]["F"]["tpr"]["why"].endswith("no case of the group is truly 'high'")
    assert "fewer than two groups" in shown["demographic_parity_difference"]["why"]
    assert "fewer than two groups" in shown["four_fifths"]["why"]


def test_all_missing_leaves_a_report() -> None:
    """No outcome, no attribute, no feature, no confidence."""
    use_case = define(reference_from="2026-03-01", reference_to="2026-03-02")
    send(
        use_case,
        [{"external_id": f"c{i}", "kind": "label", "output": {"label": "low"}} for i in range(35)],
    )
    found = all_kinds(use_case)
    income = found["drift"]["features"]["income"]
    assert (income["psi"], income["missing"]["current"]) == (None, 1.0)
    assert income["why"].startswith("not enough data (n = 0)")
    assert found["bias"]["ai"]["sex"]["unknown"] == 35
    assert found["accuracy"]["ece"]["value"] is None


def test_confidences_that_are_all_equal_do_no_harm() -> None:
    use_case = define(reference_from="2026-03-01", reference_to="2026-03-02")
    send(use_case, [body(f"c{i}", "low", 0.75, i // 40, income=5, region="N") for i in range(80)])
    for i in range(80):
        turn_out(f"c{i}", "low" if i % 2 else "high")
    found = all_kinds(use_case)
    assert found["accuracy"]["ece"]["value"] == pytest.approx(0.25)
    assert found["drift"]["own"]["confidence"]["ks"] == 0.0
    assert not found["drift"]["own"]["confidence"]["drifted"]


def test_a_feature_that_changed_its_type_is_found_as_missing_not_as_a_failure() -> None:
    use_case = define(reference_from="2026-03-01", reference_to="2026-03-02")
    send(use_case, [body(f"a{i}", "low", 0.9, income=i) for i in range(40)])
    assert figures(use_case, "drift")["features"]["income"]["n_reference"] == 40
    use_case_update(
        actor=ACTOR,
        slug="loans",
        reason="income comes in bands now",
        features=[{"name": "income", "type": "category"}, {"name": "region", "type": "category"}],
    )
    use_case.refresh_from_db()
    send(use_case, [body(f"b{i}", "low", 0.9, 1, income="high") for i in range(40)])
    found = all_kinds(use_case)
    window = Window(DAY + timedelta(hours=12), None)
    income = figures(use_case, "drift", window)["features"]["income"]
    assert income["missing"]["current"] == 1.0
    assert income["drifted"]
    assert found["drift"]["features"]["income"]["n_current"] == 40


def test_a_reference_window_without_data_names_its_fields() -> None:
    use_case = define(reference_from="2025-01-01", reference_to="2025-02-01")
    send(use_case, [body("a", "low", 0.9)])
    found = figures(use_case, "drift")
    assert found["features"] == {}
    assert found["why"] == (
        "the reference window has no data: reference_from=2025-01-01, reference_to=2025-02-01; "
        "allowed: days with decisions"
    )
    without = define("cards")
    assert "there is no reference window: reference_from=None" in figures(without, "drift")["why"]


def test_a_window_upside_down_and_an_unknown_kind_are_refused_by_name() -> None:
    use_case = define()
    with pytest.raises(
        BadInput, match="2026-03-01T12:00:00Z is not after from=2026-03-01T12:00:00Z"
    ):
        report_run(actor=ACTOR, use_case=use_case, kind="bias", window=Window(DAY, DAY))
    with pytest.raises(BadInput, match="'luck' is not a kind of report; allowed: accuracy, bias"):
        report_run(actor=ACTOR, use_case=use_case, kind="luck")
    assert not Report.objects.exists()


# --- The whole ------------------------------------------------------------------------------


def test_days_of_one_group_each_add_up_to_one_table() -> None:
    use_case = define()
    rows = [body("a", "low", 0.9, 0, sex="F"), body("b", "high", 0.9, 1, sex="M")]
    send(use_case, [*rows, body("c", "high", 0.9, 1, sex="F")])
    groups = figures(use_case, "bias")["ai"]["sex"]["groups"]
    rates = {name: one["selection_rate"]["value"] for name, one in groups.items()}
    assert rates == {"F": 0.5, "M": 0.0}
    assert groups["F"]["n"] == 2


def test_every_figure_can_be_found_by_its_path() -> None:
    use_case = define()
    record(use_case, population(60, 1))
    document = {kind: figures(use_case, kind) for kind in KINDS}
    assert figure_at(document, "accuracy.ai").n == document["accuracy"]["ai"]["n"]
    assert (
        figure_at(document, "accuracy.combined.low").value
        == document["accuracy"]["combined"]["low"]
    )
    assert figure_at(document, "drift.psi.max").value is None
    money = figure_at(document, "business.net_value.value")
    assert money.value == float(document["business"]["net_value"]["value"])
    with pytest.raises(KeyError, match="allowed: "):
        figure_at(document, "accuracy.horoscope")
