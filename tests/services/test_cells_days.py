"""Days of cells: what changes is marked, what is marked is counted again, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.sealing import seal_all
from apps.metrics import tasks
from apps.metrics.cells.checking import cells_check
from apps.metrics.cells.marking import cells_mark_dirty, days_mark
from apps.metrics.cells.refreshing import cells_refresh, day_build
from apps.metrics.cells.window import WindowCells, cells_keep, cells_of, read_cells
from apps.metrics.domain.tables import Table
from apps.metrics.first_reading import Window, read_cases
from apps.metrics.models import CellBlob, CellsWatermark, DayCells, DirtyDay
from apps.registry.models import UseCase
from apps.registry.services import use_case_update
from tests.metrics.rows import ACTOR, DAY, define, judge, label, send, turn_out
from tests.services.cells import FIRST, counted, day, fill, hashes, use_case_with_features

pytestmark = pytest.mark.django_db


@pytest.fixture
def use_case(make_person: Any) -> UseCase:
    made = use_case_with_features()
    fill([make_person(f"p{n}") for n in range(3)], made, 1, 60)
    assert cells_refresh(made) == 5
    # What waits for its leaf now was counted: from here on only what is new is marked.
    cells_mark_dirty()
    assert not DirtyDay.objects.exists()
    return made


def on(number: int, name: str = "new", **more: Any) -> dict[str, Any]:
    at = DAY + timedelta(days=number)
    return label(name, "high", decided_at=at.isoformat(), **more)


def marked() -> set[Any]:
    return set(DirtyDay.objects.values_list("day", flat=True))


def test_a_new_decision_marks_its_own_day_alone(use_case: UseCase) -> None:
    seal_all()
    cells_refresh(use_case)
    send(use_case, [on(9)])
    cells_mark_dirty()
    assert marked() == {day(9)}


def test_a_decision_belongs_to_the_day_it_was_made_on_in_utc(use_case: UseCase) -> None:
    seal_all()
    cells_refresh(use_case)
    late = datetime(2026, 3, 20, 23, 59, 59, 999_999, tzinfo=UTC)
    send(use_case, [label("late", "high", decided_at=late.isoformat())])
    send(use_case, [label("zone", "high", decided_at="2026-03-22T01:30:00+02:00")])
    cells_mark_dirty()
    assert marked() == {day(19), day(20)}


@pytest.mark.parametrize("sealed", [False, True])
def test_late_corrected_and_conflicting_outcomes_mark_their_days(
    use_case: UseCase, sealed: bool
) -> None:
    send(use_case, [on(7, "late"), on(8, "corrected"), on(9, "conflicting")])
    for name in ("corrected", "conflicting"):
        turn_out(name, "high")
    seal_all()
    cells_refresh(use_case)
    turn_out("late", "low")
    turn_out("corrected", "low")
    turn_out("conflicting", "low", source="appeal")
    if sealed:
        seal_all()
    cells_mark_dirty(pending=not sealed)
    assert marked() == {day(7), day(8), day(9)}
    table = read_cells(use_case, Window(begin=DAY + timedelta(days=6))).table("outcome")
    assert counted(table, ["true", "right"]) == {("low", 0): 3}


def test_a_verdict_marks_the_day_of_its_decision(use_case: UseCase, make_person: Any) -> None:
    send(use_case, [on(7)])
    seal_all()
    cells_refresh(use_case)
    judge("new", make_person("late"), "low")
    cells_mark_dirty()
    assert marked() == {day(7)}


def test_what_was_marked_is_not_marked_again_before_something_new_comes(use_case: UseCase) -> None:
    send(use_case, [on(7)])
    assert cells_refresh(use_case) >= 1
    assert cells_refresh(use_case) == 0
    turn_out("new", "low")
    assert cells_refresh(use_case) >= 1


def test_the_watermark_moves_over_all_leaves(use_case: UseCase, monkeypatch: Any) -> None:
    seal_all()
    monkeypatch.setattr("apps.metrics.cells.marking.BATCH", 7)
    CellsWatermark.objects.update(leaf_index=0)
    cells_mark_dirty(pending=False)
    assert marked() == {day(n) for n in range(5)}
    DirtyDay.objects.all().delete()
    cells_mark_dirty(pending=False)
    assert marked() == set()


def test_one_more_day_costs_one_day(use_case: UseCase) -> None:
    seal_all()
    cells_refresh(use_case)
    before = hashes(use_case)
    send(use_case, [on(9, f"more-{n}") for n in range(12)])
    seal_all()
    cells_mark_dirty()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert day_build(use_case, day(9))
    assert not DirtyDay.objects.exists()
    after = hashes(use_case)
    assert {key: after[key] for key in before} == before
    assert {made for made, _family in after.keys() - before.keys()} == {day(9)}
    first = len(queries)
    send(use_case, [on(9, f"again-{n}") for n in range(60)])
    cells_mark_dirty()
    with CaptureQueriesContext(connection) as queries:
        assert day_build(use_case, day(9))
    assert len(queries) <= first  # however many decisions it has


def test_counted_again_without_a_change_every_hash_is_the_same(use_case: UseCase) -> None:
    before = hashes(use_case)
    built = dict(DayCells.objects.values_list("pk", "built_at"))
    blobs = CellBlob.objects.count()
    days_mark(use_case.slug, {day(n) for n in range(5)})
    assert cells_refresh(use_case) == 5
    assert hashes(use_case) == before
    assert dict(DayCells.objects.values_list("pk", "built_at")) == built
    assert CellBlob.objects.count() == blobs


def test_a_day_without_a_mark_is_not_counted(use_case: UseCase) -> None:
    assert not day_build(use_case, day(0))
    assert not day_build(use_case, day(0), wait=False)


def test_other_labels_have_every_day_counted_again(use_case: UseCase) -> None:
    assert cells_refresh(use_case) == 0
    labels = ["low", "middle", "high"]
    changed = use_case_update(actor=ACTOR, slug="loans", reason="a third", labels=labels)
    assert cells_refresh(changed) == 5
    patterns = read_cells(changed, Window()).table("people").texts["pattern"].names
    assert patterns
    assert {pattern.count(",") for pattern in patterns} == {2}


def test_other_protected_attributes_have_every_day_counted_again(use_case: UseCase) -> None:
    features = [{**one, "protected": False} for one in use_case.features]
    changed = use_case_update(actor=ACTOR, slug="loans", reason="not that", features=features)
    old = read_cells(changed, Window(), ["outcome"], refresh=False).table("outcome")
    assert "group:sector" not in old.texts
    assert cells_refresh(changed) == 5
    new = read_cells(changed, Window()).table("outcome")
    assert new.texts.keys() == old.texts.keys()


def test_a_new_protected_attribute_is_unknown_in_older_cells(use_case: UseCase) -> None:
    more = [*use_case.subject_attributes, {"name": "age", "type": "category", "protected": True}]
    changed = use_case_update(actor=ACTOR, slug="loans", reason="age", subject_attributes=more)
    table = read_cells(changed, Window(), ["outcome"], refresh=False).table("outcome")
    assert set(table.texts["group:age"].codes.tolist()) == {-1}


# --- Cells of an earlier version ------------------------------------------------------------


def earlier_cells(cells: WindowCells, family: str, change: Any) -> WindowCells:
    """The same window with each day's tables of a family as an earlier version had them."""
    days = {day: change(dict(tables)) for day, tables in cells.whole[family].items()}
    return replace(cells, whole={**cells.whole, family: days})


def test_cells_that_hold_more_columns_than_today_are_read(use_case: UseCase) -> None:
    def with_bin(tables: dict[str, Table]) -> dict[str, Table]:
        (name, table), *_ = tables.items()
        zeros = np.zeros(len(table), dtype=np.int64)
        return {name: Table(table.texts, {**table.numbers, "bin": zeros}, len(table))}

    cells = read_cells(use_case, Window(), ["confidence"])
    older = earlier_cells(cells, "confidence", with_bin)
    columns = ["given", "true", "right", "level"]
    assert counted(older.table("confidence"), columns) == counted(
        cells.table("confidence"), columns
    )
    assert "bin" not in older.table("confidence").numbers


def test_people_s_levels_are_read_from_the_table_that_had_them(use_case: UseCase) -> None:
    cells = read_cells(use_case, Window(), ["people"])
    older = earlier_cells(cells, "people", lambda tables: {"people": tables["levels"]})
    columns = ["given", "true", "pattern", "level"]
    wanted = counted(cells.table("people", "levels"), columns)
    assert wanted
    assert counted(older.table("people", "levels"), columns) == wanted


def test_a_column_that_earlier_cells_lack_is_named(use_case: UseCase) -> None:
    def without_right(tables: dict[str, Table]) -> dict[str, Table]:
        (name, table), *_ = tables.items()
        numbers = {key: one for key, one in table.numbers.items() if key != "right"}
        return {name: Table(table.texts, numbers, len(table))}

    older = earlier_cells(read_cells(use_case, Window(), ["outcome"]), "outcome", without_right)
    with pytest.raises(ValueError, match="no column 'right': they were counted by an earlier"):
        older.table("outcome")


# --- Windows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (None, None),
        (DAY.replace(hour=0), None),
        (DAY.replace(hour=7, minute=13), None),
        (None, DAY.replace(day=4, hour=5)),
        (DAY.replace(hour=7), DAY.replace(day=4, hour=5)),
        (DAY.replace(day=2, hour=0), DAY.replace(day=3, hour=0)),
        (DAY.replace(day=2, hour=3), DAY.replace(day=2, hour=20)),
        (DAY.replace(day=20), DAY.replace(day=25)),
    ],
)
def test_a_window_holds_the_decisions_made_in_it(
    use_case: UseCase, begin: datetime | None, end: datetime | None
) -> None:
    window = Window(begin, end)
    cells = read_cells(use_case, window)
    wanted = Counter((one.given, one.truth, one.in_effect) for one in read_cases(use_case, window))
    table = cells.table("outcome")
    assert counted(table, ["given", "true", "final"]) == wanted
    assert cells.decisions == wanted.total()
    assert sum(int(t.ints("n").sum()) for t in cells.per_day("outcome").values()) == len(
        list(read_cases(use_case, window))
    )
    assert tuple(cells.per_day("outcome")) == cells.days


def test_cells_are_read_again_by_what_was_used(use_case: UseCase) -> None:
    window = Window(DAY.replace(hour=7), DAY.replace(day=4, hour=5))
    cells = read_cells(use_case, window, ["outcome", "reviews"])
    with pytest.raises(ValueError, match="not stored"):
        cells_of(use_case, cells.used)
    cells_keep(cells)
    cells_keep(cells)
    turn_out("1-0", "low")
    turn_out("1-0", "high")
    cells_refresh(use_case)
    again = cells_of(use_case, cells.used)
    assert (again.used, again.days) == (cells.used, cells.days)
    for family, name in (("outcome", None), ("reviews", "cells")):
        columns = list(cells.table(family, name).texts)
        assert counted(again.table(family, name), columns) == counted(
            cells.table(family, name), columns
        )


def test_a_family_that_was_not_read_or_does_not_exist_is_named(use_case: UseCase) -> None:
    cells = read_cells(use_case, Window(), ["flow"])
    with pytest.raises(ValueError, match="family='outcome' was not read"):
        cells.table("outcome")
    with pytest.raises(ValueError, match="table='oops'.*counts, times"):
        cells.table("flow", "oops")
    with pytest.raises(ValueError, match="family='all'.*outcome"):
        read_cells(use_case, Window(), ["all"])


def test_without_a_decision_every_table_is_empty_and_has_its_columns() -> None:
    use_case = define("empty")
    cells = read_cells(use_case, Window())
    assert (cells.days, cells.decisions, cells.used) == ((), 0, [])
    for family in ("outcome", "confidence", "groups", "people", "breaches"):
        assert len(cells.table(family)) == 0
    assert len(cells.table("reviews", "cells")) == len(cells.table("flow", "times")) == 0
    assert cells.table("outcome").texts.keys() >= {"given", "true", "final", "rule"}


# --- The check and the tasks ----------------------------------------------------------------


def test_the_check_names_the_days_that_differ_and_has_them_counted_again(use_case: UseCase) -> None:
    seal_all()
    cells_refresh(use_case)
    assert cells_check(use_case) == []
    wrong = DayCells.objects.get(day=day(1), family="outcome")
    mine = wrong.rows
    other = DayCells.objects.filter(family="outcome").exclude(rows=mine).first()
    assert other is not None
    wrong.blob_id, wrong.rows = other.blob_id, other.rows
    wrong.save()
    DayCells.objects.filter(day=day(3)).delete()
    found = cells_check(use_case)
    assert [one["day"] for one in found] == [day(1).isoformat(), day(3).isoformat()]
    assert (found[0]["decisions"], found[0]["cells"]) == (mine, other.rows)
    assert found[1]["cells"] == 0
    assert marked() == {day(1), day(3)}
    DayCells.objects.filter(day=day(1), family="outcome").delete()
    cells_refresh(use_case)
    assert cells_check(use_case) == []


def test_the_command_says_which_days_differ(use_case: UseCase, capsys: Any) -> None:
    seal_all()
    cells_refresh(use_case)
    call_command("check_cells", use_case="loans")
    assert "agree" in capsys.readouterr().out
    DayCells.objects.filter(day=day(3)).delete()
    with pytest.raises(SystemExit) as ended:
        call_command("check_cells")
    assert ended.value.code == 1
    assert "loans 2026-03-04" in capsys.readouterr().out


def test_the_daily_check_has_differing_days_counted_again(use_case: UseCase) -> None:
    seal_all()
    cells_refresh(use_case)
    assert tasks.check_cells() == 0
    DayCells.objects.filter(day=day(3)).delete()
    assert tasks.check_cells() == 1
    assert marked() == {day(3)}


def test_the_sweep_sends_each_marked_day_and_the_tasks_count_them(use_case: UseCase) -> None:
    seal_all()
    cells_refresh(use_case)
    send(use_case, [on(7, "x"), on(8, "y")])
    seal_all()
    assert tasks.sweep_cells() == 2  # the suite's tasks run where they are sent
    assert not DirtyDay.objects.exists()
    assert {made for made, _ in hashes(use_case)} >= {day(7), day(8)}
    assert tasks.sweep_cells() == 0


def test_a_task_that_comes_twice_or_for_a_use_case_that_is_gone_does_nothing(
    use_case: UseCase,
) -> None:
    days_mark("loans", {day(0)})
    assert tasks.build_day("loans", FIRST.isoformat())
    assert not tasks.build_day("loans", FIRST.isoformat())
    assert not tasks.build_day("gone", FIRST.isoformat())


def test_random_changes_leave_the_cells_as_a_fresh_count_would(use_case: UseCase) -> None:
    draw = Random(5)
    for _ in range(6):
        for name in draw.sample([f"1-{n}" for n in range(60)], 3):
            turn_out(name, draw.choice(["low", "high"]))
        if draw.random() < 0.5:
            seal_all()
        cells_refresh(use_case)
    kept = hashes(use_case)
    days_mark("loans", {day(n) for n in range(5)})
    cells_refresh(use_case)
    assert hashes(use_case) == kept
