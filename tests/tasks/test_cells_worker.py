"""Cells counted by a real worker on Redis: killed half-way, it is as if it had not been."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db import connection

from apps.metrics.cells.checking import cells_check
from apps.metrics.cells.marking import days_mark
from apps.metrics.cells.refreshing import cells_refresh
from apps.metrics.cells.sweeping import sweep
from apps.metrics.models import DayCells, DirtyDay
from apps.registry.models import UseCase
from tests.services.cells import day, fill, hashes, use_case_with_features
from tests.tasks.workers import need_server, until, worker

BROKER = "redis://127.0.0.1:6379/0"
DAYS = 5


@pytest.fixture
def queue() -> str:
    return f"hitl-suite-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def nudge(queue: str) -> Iterator[Callable[[str, str], Any]]:
    """What the sweep sends, to a queue of the test's own."""
    need_server("Redis", 6379)
    app = Celery("sender", broker=BROKER, set_as_current=False)

    def send(slug: str, date: str) -> Any:
        return app.send_task("apps.metrics.tasks.build_day", (slug, date), queue=queue)

    yield send
    with app.connection_for_write() as opened, opened.channel() as channel:
        channel.queue_delete(queue)
        channel.client.delete(f"_kombu.binding.{queue}", f"_kombu.binding_permanent.{queue}")
    app.close()


@pytest.fixture
def marked(committed_db: Any, make_person: Any) -> tuple[UseCase, dict[Any, str]]:
    """A use case whose days wait to be counted, and the hashes that they will have."""
    reference = {"reference_from": day(0).isoformat(), "reference_to": day(2).isoformat()}
    use_case = use_case_with_features(**reference)
    fill([make_person(f"p{n}") for n in range(3)], use_case, 7, 90)
    cells_refresh(use_case)
    wanted = hashes(use_case)
    DayCells.objects.all().delete()
    days_mark(use_case.slug, {day(n) for n in range(DAYS)})
    return use_case, wanted


def left() -> int:
    connection.close()  # a fresh look, as another process would have it
    return DirtyDay.objects.count()


def test_a_worker_counts_what_the_sweep_sends(
    marked: tuple[UseCase, dict[Any, str]], nudge: Any, queue: str, tmp_path: Path
) -> None:
    use_case, wanted = marked
    with worker(tmp_path, BROKER, "-Q", queue):
        assert sweep(nudge) == DAYS
        until(lambda: left() == 0, "every day counted")
    assert hashes(use_case) == wanted


def test_killed_half_way_through_a_build_it_is_done_again_with_the_same_hashes(
    marked: tuple[UseCase, dict[Any, str]], nudge: Any, queue: str, tmp_path: Path
) -> None:
    use_case, wanted = marked
    with worker(tmp_path, BROKER, "-Q", queue, "-I", "tests.tasks.halting_builder") as running:
        assert sweep(nudge) == DAYS
        until(lambda: (tmp_path / "halted").exists(), "a worker in the middle of a day")
        running.kill()
    assert left() == DAYS - 2, "the day it was at is still to be done"
    done = hashes(use_case)
    assert 0 < len(done) < len(wanted)
    assert done.items() <= wanted.items()
    assert sweep(nudge) == DAYS - 2
    with worker(tmp_path, BROKER, "-Q", queue):
        until(lambda: left() == 0, "every day counted")
    assert hashes(use_case) == wanted
    assert cells_check(use_case) == []
