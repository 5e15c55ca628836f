"""Several who count or mark the same day at one moment, each on a connection of their own."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection

from apps.audit.sealing import seal_all
from apps.metrics.cells import refreshing
from apps.metrics.cells.marking import cells_mark_dirty, days_mark
from apps.metrics.cells.refreshing import cells_refresh, day_build
from apps.metrics.cells.window import read_cells
from apps.metrics.first_reading import Window
from apps.metrics.models import CellBlob, DayCells, DirtyDay
from apps.registry.models import UseCase
from tests.metrics.rows import turn_out
from tests.services.cells import day, fill, hashes, use_case_with_features
from tests.services.oversight import at_once

DAYS = range(5)


def one_writer() -> bool:
    """SQLite has one writer at a time: there is no race to be had."""
    return connection.vendor == "sqlite"


@pytest.fixture
def use_case(committed_db: Any, make_person: Any) -> UseCase:
    made = use_case_with_features()
    fill([make_person(f"p{n}") for n in range(3)], made, 2, 80)
    seal_all()
    cells_refresh(made)
    return made


@pytest.mark.parametrize("wait", [True, False])
def test_of_several_who_count_a_day_at_once_one_does(use_case: UseCase, wait: bool) -> None:
    wanted = hashes(use_case)
    DayCells.objects.all().delete()
    days_mark(use_case.slug, {day(n) for n in DAYS})

    def count_all(_number: int) -> int:
        return sum(day_build(use_case, day(n), wait=wait) for n in DAYS)

    assert sum(at_once(1 if one_writer() else 4, count_all)) == len(DAYS)
    assert hashes(use_case) == wanted
    assert not DirtyDay.objects.exists()


def test_several_who_store_the_same_content_at_once_store_it_once(use_case: UseCase) -> None:
    """Days of equal content share their blobs: here those without an exception."""
    shared = set(DayCells.objects.filter(family="breaches").values_list("blob_id", flat=True))
    assert len(shared) == 1
    assert CellBlob.objects.filter(pk__in=shared).count() == 1


def test_what_changes_while_a_day_is_counted_is_not_lost(
    use_case: UseCase, monkeypatch: Any
) -> None:
    """The count has read its rows when an outcome comes and is marked: it is counted next time."""
    if one_writer():
        return
    read, go_on = Event(), Event()
    store = refreshing.day_store

    def halt(*args: Any) -> bool:
        read.set()
        assert go_on.wait(30)
        return store(*args)

    monkeypatch.setattr(refreshing, "day_store", halt)
    days_mark(use_case.slug, {day(n) for n in DAYS})
    before = known(use_case)

    def count() -> None:
        try:
            for number in DAYS:
                day_build(use_case, day(number))
        finally:
            connection.close()

    def mark() -> None:
        try:
            cells_mark_dirty()
        finally:
            connection.close()

    counting = Thread(target=count)
    counting.start()
    assert read.wait(30)
    names = [f"2-{n}" for n in range(80)]
    for name in names:
        turn_out(name, "high")
    marking = Thread(target=mark)
    marking.start()
    marking.join(0.5)
    assert marking.is_alive(), "it waits for who is counting"
    go_on.set()
    counting.join(30)
    marking.join(30)
    assert not marking.is_alive()
    assert DirtyDay.objects.filter(day=day(0)).exists()
    cells_refresh(use_case)
    assert known(use_case) == len(names) > before


def known(use_case: UseCase) -> int:
    table = read_cells(use_case, Window(), ["outcome"], refresh=False).table("outcome")
    high = table.texts["true"]
    if "high" not in high.names:
        return 0
    return int(table.ints("n")[high.codes == high.names.index("high")].sum())
