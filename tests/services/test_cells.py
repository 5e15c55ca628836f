"""Cells: what they hold is what the rows hold, found again one by one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import permutations
from typing import Any

import pytest

from apps.decisions.models import Decision
from apps.decisions.selectors import part_of
from apps.metrics.cells.building import build
from apps.metrics.cells.families import SHAPES
from apps.metrics.cells.window import read_cells
from apps.metrics.domain.packing import pack
from apps.metrics.domain.reliance import streak_of
from apps.metrics.domain.verdicts import first_verdict
from apps.metrics.first_reading import Window, read_cases
from apps.registry.models import UseCase
from apps.reviews.models import Review
from tests.metrics.rows import DAY, define, judge, label, send, turn_out
from tests.services.cells import counted, fill, use_case_with_features

pytestmark = pytest.mark.django_db
SEEDS = range(3)


def right(value: bool | None) -> int:
    return -1 if value is None else int(value)


@pytest.fixture
def people(make_person: Any) -> list[Any]:
    return [make_person(f"p{n}") for n in range(4)]


@pytest.fixture(params=SEEDS)
def use_case(request: Any, people: list[Any]) -> UseCase:
    made = use_case_with_features()
    fill(people, made, request.param)
    return made


def truths(use_case: UseCase) -> dict[Any, str]:
    """Decision -> its newest outcome."""
    found = {}
    for one in Decision.objects.filter(use_case=use_case):
        newest = one.outcomes.order_by("id").last()
        if newest is not None:
            found[one.pk] = newest.label
    return found


def test_outcome_cells_count_what_the_slow_reading_finds(use_case: UseCase) -> None:
    table = read_cells(use_case, Window()).table("outcome")
    names = ["given", "true", "final", "right", "right_final", "drawn", "unseen", "chance"]
    wanted: Counter[Any] = Counter()
    for one in read_cases(use_case, Window()):
        key = (one.given, one.truth, one.in_effect, right(one.right), right(one.right_in_effect))
        wanted[*key, int(one.drawn), int(one.unseen), repr(one.chance)] += 1
    found: Counter[Any] = Counter()
    for (*key, chance), n in counted(table, names).items():
        found[*key, repr(None if math.isnan(chance) else chance)] += n
    assert found == wanted


def test_outcome_cells_are_told_apart_by_version_lane_status_and_group(use_case: UseCase) -> None:
    table = read_cells(use_case, Window()).table("outcome")
    wanted: Counter[Any] = Counter()
    for one in Decision.objects.filter(use_case=use_case):
        sex = ((part_of(one, "subject") or {}).get("attributes") or {}).get("sex")
        sector = (part_of(one, "features") or {}).get("sector")
        wanted[str(one.model_version), one.lane, one.would_be, one.status, sex, sector] += 1
    columns = ["version", "lane", "would_be", "status", "group:sex", "group:sector"]
    assert counted(table, columns) == wanted


def test_confidence_cells_hold_every_level(use_case: UseCase) -> None:
    table = read_cells(use_case, Window()).table("confidence")
    wanted: Counter[Any] = Counter()
    for one in read_cases(use_case, Window()):
        level = round((one.confidence or 0) * 10_000)
        wanted[one.given, one.truth, level, right(one.right)] += 1
    assert counted(table, ["given", "true", "level", "right"]) == wanted


def test_along_their_axis_the_days_of_a_family_are_one_table(use_case: UseCase) -> None:
    cells = read_cells(use_case, Window())
    for family, name in (("confidence", "confidence"), ("groups", "groups"), ("people", "levels")):
        shape = SHAPES[family][name]
        columns = [*shape.texts, *shape.whole]
        found = cells.summed(family, name)
        assert counted(found, columns) == counted(cells.table(family, name), columns)
        assert len(found) == len(counted(found, columns))
    with pytest.raises(ValueError, match="does not count alone along an axis"):
        cells.summed("outcome")


def test_calibration_cells_keep_exact_sums(use_case: UseCase) -> None:
    table = read_cells(use_case, Window()).table("calibration")
    known = [one for one in read_cases(use_case, Window()) if one.right is not None]
    wanted: Counter[Any] = Counter()
    for one in known:
        place = min(int((one.confidence or 0) * 15), 14)
        wanted[one.given, one.truth, place, right(one.right)] += 1
    assert counted(table, ["given", "true", "bin", "right"]) == wanted
    off = [(one.confidence or 0) - bool(one.right) for one in known]
    sums = {
        "sum": sum(one.confidence or 0 for one in known),
        "square": sum(one**2 for one in off),
        "fourth": sum(one**4 for one in off),
    }
    for name, total in sums.items():
        assert table.floats(name).sum() == pytest.approx(total, rel=1e-12)


def test_people_cells_hold_the_first_verdicts_as_patterns(use_case: UseCase) -> None:
    table = read_cells(use_case, Window()).table("people")
    wanted: Counter[Any] = Counter()
    for one in read_cases(use_case, Window()):
        if one.verdicts:
            pattern = f"{one.verdicts.count('low')},{one.verdicts.count('high')}"
            wanted[one.given, one.truth, pattern, right(one.right_in_effect)] += 1
    assert wanted
    assert counted(table, ["given", "true", "pattern", "right_final"]) == wanted


def test_people_s_levels_hold_the_same_by_confidence(use_case: UseCase) -> None:
    table = read_cells(use_case, Window()).table("people", "levels")
    wanted: Counter[Any] = Counter()
    for one in read_cases(use_case, Window()):
        if one.verdicts:
            pattern = f"{one.verdicts.count('low')},{one.verdicts.count('high')}"
            wanted[one.given, one.truth, pattern, round((one.confidence or 0) * 10_000)] += 1
    assert wanted
    assert counted(table, ["given", "true", "pattern", "level"]) == wanted


def test_group_cells_hold_every_decision_once_an_attribute(use_case: UseCase) -> None:
    table = read_cells(use_case, Window()).table("groups")
    wanted: Counter[Any] = Counter()
    for one in Decision.objects.filter(use_case=use_case):
        sex = ((part_of(one, "subject") or {}).get("attributes") or {}).get("sex")
        sector = (part_of(one, "features") or {}).get("sector")
        level = round((one.confidence or 0) * 1_000)
        wanted["sex", sex, one.label, level] += 1
        wanted["sector", sector, one.label, level] += 1
    assert counted(table, ["attribute", "group", "given", "level"]) == wanted


def test_review_cells_hold_every_verdict_of_a_person(use_case: UseCase) -> None:
    cells = read_cells(use_case, Window())
    table, true = cells.table("reviews", "cells"), truths(use_case)
    wanted: Counter[Any] = Counter()
    times: Counter[Any] = Counter()
    for one in Review.objects.filter(use_case=use_case).select_related("decision"):
        seen = one.initial_label is not None if one.saw_ai is None else one.saw_ai
        key = (str(one.reviewer_id), one.initial_label, one.label, one.decision.label)
        wanted[*key, true.get(one.decision_id), int(seen)] += 1
        if one.active_seconds is not None:
            place = math.ceil(20 * math.log2(max(one.active_seconds, 1)))
            times[str(one.reviewer_id), min(place, 560)] += 1
    columns = ["reviewer", "first", "final", "ai", "true", "saw_ai"]
    assert counted(table, columns) == wanted
    assert counted(cells.table("reviews", "times"), ["reviewer", "cell"]) == times
    assert table.ints("timed").sum() == times.total()


def test_peers_are_pairs_of_first_verdicts_on_one_case(use_case: UseCase) -> None:
    firsts: dict[Any, dict[Any, str]] = defaultdict(dict)
    for one in Review.objects.filter(use_case=use_case).order_by("id"):
        said = first_verdict(one.initial_label, one.label, one.saw_ai)
        if said is not None:
            firsts[one.decision_id].setdefault(str(one.reviewer_id), said)
    wanted: Counter[Any] = Counter()
    for said_by in firsts.values():
        for (person, own), (_other, peer) in permutations(said_by.items(), 2):
            wanted[person, own, peer] += 1
    table = read_cells(use_case, Window()).table("reviews", "peers")
    assert wanted
    assert counted(table, ["reviewer", "own", "peer"]) == wanted


def test_streaks_are_runs_of_confirmations_in_the_order_of_time(people: list[Any]) -> None:
    use_case = define()
    send(use_case, [label(f"c{n}", "high") for n in range(6)])
    # given in another order than that of time: confirmed at 0, 1, 3, 4, 5, and not at 2
    for minute in (4, 0, 2, 5, 1, 3):
        at = DAY.replace(minute=minute)
        said = "low" if minute == 2 else "high"
        judge(f"c{minute}", people[0], said, saw_ai=True, reviewed_at=at, active_seconds=minute)
    cells = read_cells(use_case, Window())
    (row,) = counted(
        cells.table("reviews", "streaks"), ["n", "confirmed", "head", "tail", "longest"], "n"
    )
    wanted = streak_of([True, True, False, True, True, True])
    assert row == (6, 5, wanted.head, wanted.tail, 3)
    assert (wanted.head, wanted.tail) == (2, 3)
    # the five confirmations, of 0, 1, 3, 4 and 5 seconds; the change is among neither
    paces = counted(cells.table("reviews", "paces"), ["of", "cell"])
    assert paces == {
        ("confirmed", math.ceil(20 * math.log2(max(second, 1)))): n
        for second, n in ((0, 2), (3, 1), (4, 1), (5, 1))
    }


def test_counted_in_parts_it_is_the_same_as_counted_at_once(
    use_case: UseCase, monkeypatch: Any
) -> None:
    begin, end = DAY.replace(hour=0), DAY.replace(day=9)
    once = build(use_case, begin, end)
    monkeypatch.setattr("apps.metrics.cells.reading.CHUNK", 7)
    parts = build(use_case, begin, end)
    assert (parts.rows, once.rows) == (120, 120)
    for family in once.tables:
        for name, table in once.tables[family].items():
            other = parts.tables[family][name]
            assert len(other) == len(table), (family, name)
            for column, values in table.numbers.items():
                assert other.numbers[column].tolist() == pytest.approx(
                    values.tolist(), rel=1e-12, nan_ok=True
                )
            for column in table.texts:
                assert counted(other, [column], *_count(table)) == counted(
                    table, [column], *_count(table)
                )


def _count(table: Any) -> list[str]:
    return ["n"] if "n" in table.numbers else ["k"]


def test_counted_twice_the_bytes_are_the_same(use_case: UseCase) -> None:
    begin, end = DAY.replace(hour=0), DAY.replace(day=9)
    first, second = build(use_case, begin, end), build(use_case, begin, end)
    assert first.tables.keys() == second.tables.keys() == SHAPES.keys() - {"features"}
    for family in first.tables:
        assert pack(first.tables[family]) == pack(second.tables[family])


def test_verdicts_for_a_label_that_left_are_counted_apart(people: list[Any]) -> None:
    use_case = define()
    send(use_case, [label("a", "high")])
    for person, said in zip(people, ("high", "old", "older"), strict=False):
        judge("a", person, said)
    table = read_cells(use_case, Window()).table("people")
    assert counted(table, ["pattern"]) == {("0,1,2",): 1}


def test_a_case_without_output_or_of_another_kind_has_no_label(people: list[Any]) -> None:
    use_case = define()
    send(use_case, [label("none", None)], past=False)
    text = {"kind": "text", "output": {"text": "hello", "confidence": 0.9}}
    send(use_case, [{"external_id": "text", **text}])
    turn_out("text", None, correct=True)
    cells = read_cells(use_case, Window())
    found = counted(cells.table("outcome"), ["given", "final", "right", "right_final"])
    assert found == {(None, None, -1, -1): 1, (None, None, 1, 1): 1}
    levels = counted(cells.table("confidence"), ["level", "right"])
    assert levels == {(-1, -1): 1, (9000, 1): 1}
