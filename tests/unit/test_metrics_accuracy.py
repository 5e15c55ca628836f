"""The accuracy report and the team's gain, from cases."""

from __future__ import annotations

import json
from math import sqrt
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from apps.metrics.domain.accuracy import Case, Labels, accuracy_report
from apps.metrics.domain.gain import team_gain

LABELS = Labels(("low", "high"), favourable="low", positive="high")
FIGURES = {
    "ai",
    "human",
    "human_consensus",
    "combined",
    "automatic_lane",
    "team_gain",
    "ece",
    "brier",
}


def case(given: str | None, truth: str | None, in_effect: str | None = None, **more: Any) -> Case:
    in_effect = in_effect or given
    known = truth is not None
    return Case(
        given=given,
        truth=truth,
        in_effect=in_effect,
        right=given == truth if known and given else None,
        right_in_effect=in_effect == truth if known and in_effect else None,
        **more,
    )


# --- The team's gain ------------------------------------------------------------------------


def test_the_gain_over_the_ai_is_the_difference_of_the_paired_shares() -> None:
    # both right 5, combined alone 3, AI alone 1, neither 1: 8/10 - 6/10
    combined = [True] * 5 + [True] * 3 + [False] * 2
    alone = [1] * 5 + [0] * 3 + [1, 0]
    found = team_gain(combined, alone, [1] * 10, "ai")
    assert found.value == pytest.approx(0.2)
    assert (found.n, found.more) == (10, {"against": "ai"})
    # With z^2/2 differences of +1 and of -1 added: mean (3 - 1) / (10 + z^2), and its deviation.
    z2 = 1.959963984540054**2
    mean = 2 / (10 + z2)
    half = sqrt(z2 * ((4 + z2) / (10 + z2) - mean**2) / (10 + z2))
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half))


def test_the_gain_over_people_is_the_difference_of_the_figures_shown() -> None:
    # combined 2/3; people 1 of 4, 3 of 3, 0 of 1: 4/8
    found = team_gain([True, True, False], [1, 3, 0], [4, 3, 1], "human")
    assert found.value == pytest.approx(2 / 3 - 4 / 8)
    assert found.low < found.value < found.high  # type: ignore[operator]


def test_without_a_difference_the_gain_is_0_and_not_known_exactly() -> None:
    found = team_gain([True, False], [1, 0], [1, 1], "ai")
    assert found.value == 0.0
    assert found.low < -0.2 and found.high > 0.2  # type: ignore[operator]


def test_the_interval_of_the_gain_covers() -> None:
    """500 windows of 200 cases; the AI right in 70 %, the team mends a fifth, spoils a twentieth."""
    random = np.random.default_rng(11)
    truth = 0.3 * 0.2 - 0.7 * 0.05
    covered = 0
    for _ in range(500):
        ai = random.random(200) < 0.7
        team = np.where(ai, random.random(200) >= 0.05, random.random(200) < 0.2)
        found = team_gain(team.tolist(), ai.astype(int).tolist(), [1] * 200, "ai")
        covered += found.low <= truth <= found.high  # type: ignore[operator]
    # 95 % of 500 is 475 with a deviation of 4.9
    assert covered >= 461


def test_without_a_pair_there_is_no_gain() -> None:
    found = team_gain([], [], [], None)
    assert (found.value, found.more["against"]) == (None, None)


# --- The report -----------------------------------------------------------------------------


def test_without_a_case_every_figure_is_null_and_says_why() -> None:
    report = accuracy_report([], LABELS)
    assert report.keys() >= FIGURES
    for name in FIGURES:
        assert report[name]["value"] is None
        assert report[name]["why"].startswith("not enough data (n = 0): ")
    assert report["decisions"] == {"n": 0, "with_outcome": 0}
    assert report["combined"]["left_out"] == {"n": 0, "share": None}
    json.dumps(report, allow_nan=False)


def test_a_use_case_without_labels_has_a_report_too() -> None:
    report = accuracy_report([Case(right=True, right_in_effect=True), Case()], Labels(()))
    assert (report["ai"]["value"], report["combined"]["value"]) == (1.0, 1.0)
    assert report["human"]["value"] is None
    assert report["confusion"]["positive"] is None
    assert report["per_class"] == {}


def test_people_and_their_majority_are_counted_as_they_are_defined() -> None:
    # case 1 (high): two of three right, majority right; case 2 (low): a tie, which goes to low
    report = accuracy_report(
        [
            case("high", "high", verdicts=("high", "high", "low")),
            case("high", "low", verdicts=("high", "low")),
            case("low", "low"),
            case("low", None, verdicts=("high",)),
        ],
        LABELS,
    )
    assert (report["human"]["value"], report["human"]["n"]) == (3 / 5, 5)
    assert (report["human_consensus"]["value"], report["human_consensus"]["n"]) == (1.0, 2)
    assert (report["ai"]["value"], report["ai"]["n"]) == (pytest.approx(2 / 3), 3)
    human = report["confusion"]["human"]
    assert human["counts"] == [[1, 1], [1, 2]]
    assert (human["fpr"]["value"], human["fnr"]["value"]) == (1 / 2, pytest.approx(1 / 3))
    assert report["decisions"] == {"n": 4, "with_outcome": 3}


def test_cases_in_which_no_label_took_effect_are_left_out_and_counted() -> None:
    withheld = Case(given="low", truth="high", right=False)
    report = accuracy_report([case("low", "low"), case("low", "low"), withheld], LABELS)
    assert (report["combined"]["value"], report["combined"]["n"]) == (1.0, 2)
    assert report["combined"]["left_out"] == {"n": 1, "share": pytest.approx(1 / 3)}


def test_a_case_that_no_model_answered_counts_for_people_alone() -> None:
    report = accuracy_report([case(None, "high", verdicts=("high",), confidence=None)], LABELS)
    assert report["ai"]["value"] is None
    assert report["human"]["value"] == 1.0
    assert report["brier"]["value"] is None


@pytest.mark.parametrize(
    ("verdicts", "against"), [(("high", "high"), "human"), (("low",), "ai"), ((), "ai")]
)
def test_the_team_is_set_against_the_better_side(verdicts: tuple[str, ...], against: str) -> None:
    cases = [case("low", "high", "high", verdicts=verdicts), case("low", "low")]
    assert accuracy_report(cases, LABELS)["team_gain"]["against"] == against


def test_the_gain_is_the_difference_of_the_combined_and_the_better_figure() -> None:
    cases = [
        case("high", "low", "low", verdicts=("low", "high")),
        case("low", "low", "low", verdicts=("low", "low", "low")),
        case("low", "high", "low", verdicts=("high",)),
    ]
    report = accuracy_report(cases, LABELS)
    gain = report["combined"]["value"] - report["human"]["value"]
    assert report["team_gain"]["against"] == "human"
    assert report["team_gain"]["value"] == pytest.approx(gain)


def test_the_automatic_lane_rests_on_drawn_cases_alone() -> None:
    drawn = [
        case("low", "low", chance=0.1, drawn=True),
        case("low", "high", chance=0.5, drawn=True),
    ]
    others = [
        case("low", "low", chance=0.1, unseen=True),  # known otherwise: its chance is not known
        case("low", None, chance=0.1, unseen=True),
        case("low", "low", chance=0.0, unseen=True),  # a rate of 0 samples nothing
        case("low", "low", unseen=True),  # released by a rule
        case("low", "high"),  # sent to review by a threshold
    ]
    lane = accuracy_report(drawn + others, LABELS)["automatic_lane"]
    # weights 10 and 2: 10/12
    assert lane["value"] == pytest.approx(10 / 12)
    assert (lane["n"], lane["drawn"], lane["lane"], lane["never_sampled"]) == (2, 2, 4, 2)
    assert lane["method"] == "audit_weighted"


def test_confidence_is_judged_where_it_is_given() -> None:
    report = accuracy_report(
        [case("low", "low", confidence=0.8), case("low", "high", confidence=None)], LABELS
    )
    assert (report["brier"]["value"], report["brier"]["n"]) == (pytest.approx(0.04), 1)
    assert (report["ece"]["value"], len(report["ece"]["bins"])) == (pytest.approx(0.2), 1)


@pytest.mark.parametrize("seed", range(3))
def test_figures_of_the_ai_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.choice(["low", "high"], 300).tolist()
    given = random.choice(["low", "high"], 300, p=[0.7, 0.3]).tolist()
    report = accuracy_report(map(case, given, truth), LABELS)
    assert report["ai"]["value"] == pytest.approx(accuracy_score(truth, given), abs=1e-15)
    matrix = confusion_matrix(truth, given, labels=["low", "high"])
    assert report["confusion"]["ai"]["counts"] == matrix.tolist()
    (tn, fp), (fn, tp) = matrix.tolist()
    assert report["confusion"]["ai"]["fpr"]["value"] == pytest.approx(fp / (fp + tn))
    assert report["confusion"]["ai"]["fnr"]["value"] == pytest.approx(fn / (fn + tp))


def test_where_no_positive_label_is_named_the_favourable_one_is_it() -> None:
    report = accuracy_report([case("low", "high")], Labels(("low", "high"), favourable="low"))
    assert report["confusion"]["positive"] == "low"
    assert report["confusion"]["ai"]["fpr"]["value"] == 1.0
