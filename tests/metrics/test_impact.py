"""Adverse impact: the four-fifths rule and Local Law 144, by their published tables."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.metrics.domain.impact import below_four_fifths, four_fifths, local_law_144
from apps.metrics.domain.proportions import Part

# 6 RCNY 5-301, the rule's own examples: selected, applicants, printed ratio
SEX = {"Male": (667, 1390, 1.0), "Female": (555, 1181, 0.979)}
RACE = {
    "Hispanic or Latino": (204, 408, 0.97),
    "White": (412, 797, 1.0),
    "Black": (170, 390, 0.84),
    "Native Hawaiian or Pacific Islander": (52, 119, 0.85),
    "Asian": (302, 616, 0.95),
    "Native American or Alaska Native": (18, 41, 0.85),
    "Two or more": (96, 213, 0.87),
}
CROSSED = {
    "W/M": (215, 412, 1.0),
    "H/M": (90, 205, 0.841),
    "H/F": (82, 190, 0.827),
    "B/M": (95, 226, 0.806),
    "N/M": (37, 87, 0.815),
    "A/M": (167, 321, 0.997),
    "AI/M": (11, 24, 0.878),
    "2+/M": (52, 115, 0.866),
    "W/F": (197, 385, 0.981),
    "B/F": (75, 164, 0.876),
    "N/F": (15, 32, 0.898),
    "A/F": (135, 295, 0.877),
    "AI/F": (7, 17, 0.789),
    "2+/F": (44, 98, 0.860),
}


def parts(table: dict[str, tuple[int, int, float]]) -> dict[str, Part]:
    return {name: Part(k, n) for name, (k, n, _) in table.items()}


@pytest.mark.parametrize(("table", "digits"), [(SEX, 3), (RACE, 2), (CROSSED, 3)])
def test_the_rule_s_printed_ratios_are_found(
    table: dict[str, tuple[int, int, float]], digits: int
) -> None:
    found = local_law_144(parts(table))
    for name, (_, _, printed) in table.items():
        ratio = found["categories"][name]["impact_ratio"]["value"]
        assert round(ratio, digits) == printed


def test_a_small_category_is_left_out_of_the_ratios_with_its_reason_and_stays_in_the_table() -> (
    None
):
    name = "Native American or Alaska Native"  # 41 of 2 834 with the unknown ones: 1.4 %
    found = local_law_144(parts(RACE), unknown=250, left_out={name: "41 people say too little"})
    row = found["categories"][name]
    assert (row["applicants"], row["selected"], row["left_out"]) == (
        41,
        18,
        "41 people say too little",
    )
    assert "impact_ratio" not in row
    assert row["selection_rate"] == 18 / 41
    assert (found["unknown"], found["refused"]) == (250, {})


def test_what_is_left_out_is_never_the_denominator() -> None:
    table = {"few": Part(5, 5), "a": Part(200, 400), "b": Part(150, 400)}
    assert local_law_144(table)["most_selected"] == "few"
    found = local_law_144(table, left_out={"few": "5 of 805"})
    assert found["most_selected"] == "a"
    assert found["categories"]["b"]["impact_ratio"]["exact"] == "3/4"


@pytest.mark.parametrize(
    ("name", "reason", "why"),
    [
        ("a", "it looks bad", "400 of 805 is not less than 2 %"),
        ("few", " ", "a reason is needed to leave a category out"),
        ("other", "none", "'other' is not one of the categories a, b, few"),
    ],
)
def test_what_may_not_be_left_out_stays_in(name: str, reason: str, why: str) -> None:
    table = {"few": Part(5, 5), "a": Part(200, 400), "b": Part(150, 400)}
    found = local_law_144(table, left_out={name: reason})
    assert found["refused"] == {name: why}
    assert all("left_out" not in row for row in found["categories"].values())


def test_the_agencies_example_has_impact_for_the_first_group_alone() -> None:
    # UGESP Questions and Answers: 60, 45, 48 and 51 %: 0.75, 0.80 and 0.85 of the first
    table = {
        "White": Part(60, 100),
        "American Indian": Part(45, 100),
        "Hispanic": Part(48, 100),
        "Black": Part(51, 100),
    }
    found = four_fifths(table, smallest=30)
    assert (found["reference"], found["below"]) == ("White", ["American Indian"])
    assert found["groups"]["Hispanic"]["impact_ratio"]["exact"] == "4/5"
    assert found["groups"]["Black"]["impact_ratio"]["exact"] == "17/20"


def test_exactly_four_fifths_is_not_below_it() -> None:
    exact = [
        (Part(4 * k * n1 // (5 * n2), n1), Part(k, n2))
        for n1 in range(20, 101, 5)
        for n2 in range(20, 101, 5)
        for k in range(1, n2 + 1)
        if 4 * k * n1 % (5 * n2) == 0
    ]
    assert len(exact) > 500
    assert not any(below_four_fifths(*pair) for pair in exact)
    wrong = [one for one, best in exact if one.rate / best.rate < 0.8]
    assert wrong  # floats call some of them below


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500), st.integers(0, 500))
def test_below_is_the_ratio_of_fractions(n1: int, n2: int, k2: int, k1: int) -> None:
    one, best = Part(min(k1, n1), n1), Part(min(k2, n2), n2)
    expected = Fraction(*one) / Fraction(*best) < Fraction(4, 5)
    assert below_four_fifths(one, best) == expected


def test_ratio_test_and_number_stand_side_by_side() -> None:
    found = four_fifths({"a": Part(12, 40), "b": Part(48, 80)}, smallest=50)["groups"]["a"]
    assert found["impact_ratio"]["exact"] == "1/2"
    assert found["p_value"] == pytest.approx(0.001946, abs=5e-7)
    assert (found["below_and_significant"], found["n"], found["n_reference"]) == (True, 40, 80)
    assert found["small"]


def test_a_low_ratio_of_few_people_is_not_significant() -> None:
    # 3/10 against 5/10: ratio 0.6, Fisher p = 0.65
    found = four_fifths({"a": Part(3, 10), "b": Part(5, 10)}, smallest=5)["groups"]["a"]
    assert (found["below_four_fifths"], found["significant"]) == (True, False)
    assert found["p_value"] == pytest.approx(0.6499, abs=5e-4)


def test_nobody_selected_has_no_ratio() -> None:
    found = four_fifths({"a": Part(0, 10), "b": Part(0, 10)}, smallest=5)
    assert (found["reference"], found["why"]) == (
        None,
        "not enough data (n = 20): no one was selected",
    )
    rows = local_law_144({"a": Part(0, 10), "b": Part(0, 0)})["categories"]
    assert rows["a"]["impact_ratio"]["value"] is None
    assert rows["b"]["selection_rate"] is None
