"""From cells to the frontier: the sums against a reading case by case, and the audit's rates."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from apps.metrics.domain.audit_rates import audit_points, audited_width, unseen_error
from apps.metrics.domain.audited import Strata, audited_share
from apps.metrics.domain.cell_levels import (
    Answers,
    groups_from,
    levels_from,
    single_human,
    votes_of,
)
from apps.metrics.domain.frontier import Prices, frontier
from apps.metrics.domain.levels import Levels, used_levels
from apps.metrics.domain.tables import Table, table_of
from tests.metrics.what_if import COSTS, LABELS, One, cases, groups_of, levels_of, slow_accuracy

ANSWERS = Answers(LABELS, "low", {pair: Decimal(str(cost)) for pair, cost in COSTS.items()})


def pattern(one: One) -> str | None:
    return ",".join(str(one.verdicts.count(label)) for label in LABELS) if one.verdicts else None


def tables(rows: list[One]) -> tuple[Table, Table, Table]:
    """One cell a case: cells that are alike need not be added up."""
    right = [-1 if one.true is None else int(one.given == one.true) for one in rows]
    level, each = [round(one.confidence * 10_000) for one in rows], [1] * len(rows)
    given, true = [one.given for one in rows], [one.true for one in rows]
    confidence = table_of(
        {"given": given, "true": true}, {"level": level, "right": right, "n": each}
    )
    judged = [one for one in rows if one.verdicts]
    people = table_of(
        {
            "given": [one.given for one in judged],
            "true": [one.true for one in judged],
            "pattern": [pattern(one) for one in judged],
        },
        {"level": [round(one.confidence * 10_000) for one in judged], "n": [1] * len(judged)},
    )
    groups = table_of(
        {
            "attribute": ["group"] * len(rows),
            "group": [one.group for one in rows],
            "given": given,
            "pattern": [pattern(one) for one in rows],
        },
        {"level": [round(one.confidence * 1_000) for one in rows], "n": each},
    )
    return confidence, people, groups


@pytest.mark.parametrize("seed", range(3))
def test_the_sums_are_those_of_a_reading_case_by_case(seed: int) -> None:
    rows = cases(300, seed)
    confidence, people, groups = tables(rows)
    found, slow = used_levels(levels_from(confidence, people, ANSWERS)), levels_of(rows)
    for name in Levels.__slots__:
        assert np.allclose(getattr(found, name), getattr(slow, name), atol=1e-9), name
    one, other = groups_from(groups, ANSWERS)["group"], groups_of(rows)
    assert one.groups == other.groups
    used = one.n.sum(axis=0) > 0
    for name in ("n", "favoured", "judged", "people"):
        assert np.allclose(getattr(one, name)[:, used], getattr(other, name)), name


def test_the_frontier_from_cells_is_the_one_case_by_case() -> None:
    rows = cases(200, 5)
    confidence, people, groups = tables(rows)
    levels = levels_from(confidence, people, ANSWERS)
    found = frontier(levels, Prices(), groups_from(groups, ANSWERS))
    assert len(found.points) == 101
    for share in range(0, 101, 10):
        accuracy, imputed = slow_accuracy(rows, share)
        assert found.points[share]["accuracy_single"] == pytest.approx(accuracy, abs=1e-12)
        assert found.points[share]["imputed"] == imputed


def test_people_are_counted_verdict_by_verdict() -> None:
    rows = [
        One(0.6, "low", "high", ("high", "high", "low")),
        One(0.7, "high", "high", ("low",)),
        One(0.8, "low", None, ("low",)),  # no outcome: not counted
    ]
    _, people, _ = tables(rows)
    human = single_human(people, ANSWERS)
    assert (human.value, human.n) == (2 / 4, 4)


def test_cases_without_an_output_are_left_out_and_a_missing_confidence_counts_as_none() -> None:
    texts: dict[str, Any] = {"given": ["low", None, "high"], "true": ["low", "low", "low"]}
    confidence = table_of(texts, {"level": [-1, -1, 9_000], "right": [1, -1, 0], "n": [1, 5, 2]})
    nobody = table_of({"given": [], "true": [], "pattern": []}, {"level": [], "n": []})
    levels = used_levels(levels_from(confidence, nobody, ANSWERS))
    assert levels.confidence.tolist() == [0.0, 0.9]
    assert levels.n.tolist() == [1, 2]
    assert levels.error_cost.tolist() == [0.0, 2 * COSTS["low", "high"]]


def test_votes_for_a_label_that_has_left_the_set_are_wrong_votes() -> None:
    votes = votes_of(("1,1,2", "2", "2,1"), ANSWERS)
    assert votes.size.tolist() == [4, 2, 3]
    assert votes.share.tolist() == [[0.25, 0.25, 0.0], [1.0, 0.0, 0.0], [2 / 3, 1 / 3, 0.0]]
    assert votes.majority.tolist() == [-1, 0, 0]
    # of 4 votes 6 pairs, one of them equal; of 3 votes 3 pairs, one equal
    assert votes.pairs.tolist() == pytest.approx([1 / 6, 1.0, 1 / 3])


def test_no_cells_give_no_levels() -> None:
    confidence, people, groups = tables([])
    assert int(levels_from(confidence, people, ANSWERS).n.sum()) == 0
    assert groups_from(groups, ANSWERS) == {}
    assert single_human(people, ANSWERS).value is None


# Rates of the random audit


def passed(n: int, known: int, right: int) -> Levels:
    ints = {"n": n, "known": known, "right": right, "judged": 0, "consensus": 0, "peers": 0}
    columns = {
        name: np.array([ints[name]], dtype=np.int64) if name in ints else np.zeros(1)
        for name in Levels.__slots__[1:]
    }
    return Levels(np.array([0.9]), **columns)  # type: ignore[arg-type]


def test_the_points_of_the_audit_are_worked_out_by_hand() -> None:
    # 800 of 1,000 pass the threshold; of 400 outcomes 360 are right: an error of 0.1
    prices = Prices(review_minutes=6.0, reviewers=2)
    points = audit_points(passed(800, 400, 360), 1000, prices, (0.0, 0.25, 1.0))
    none, quarter, every = points
    assert unseen_error(passed(800, 400, 360)).value == pytest.approx(0.1)
    assert none["automatic_share"] == 0.8
    assert none["unseen_errors"] == pytest.approx(80)
    # below the threshold 200, two people of 6 minutes: 40 hours
    assert none["reviewer_hours"] == pytest.approx(40)
    assert none["width"] == 1.0
    assert quarter["audited"] == 200
    assert quarter["automatic_share"] == pytest.approx(0.6)
    assert quarter["unseen_errors"] == pytest.approx(60)
    assert quarter["reviewer_hours"] == pytest.approx(80)
    assert (every["automatic_share"], every["unseen_errors"], every["width"]) == (0.0, 0.0, 0.0)


def test_the_width_is_that_of_the_estimate_which_such_an_audit_gives() -> None:
    n, rate, accuracy = 2000, 0.1, 0.9
    m = int(rate * n)
    strata = Strata(
        *(np.array([one]) for one in (rate, n, m, m, int(accuracy * m))),
    )
    estimate = audited_share(strata)
    assert estimate.low is not None and estimate.high is not None
    assert audited_width(accuracy, n, rate) == pytest.approx(estimate.high - estimate.low, rel=1e-9)


def test_more_audits_leave_less_unseen_and_a_narrower_interval() -> None:
    points = audit_points(passed(5000, 300, 290), 6000, Prices(review_minutes=1.0))
    for name in ("automatic_share", "unseen_errors", "width"):
        each = [point[name] for point in points]
        assert each == sorted(each, reverse=True), name
    assert audit_points(passed(0, 0, 0), 0, Prices()) == []


def test_without_an_outcome_the_error_is_not_known_and_says_why() -> None:
    point = audit_points(passed(10, 0, 0), 10, Prices(), (0.1,))[0]
    assert (point["unseen_errors"], point["width"]) == (None, None)
    assert "no decision has an outcome" in str(unseen_error(passed(10, 0, 0)).why)
