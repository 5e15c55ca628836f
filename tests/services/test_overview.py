"""Sums by month for what shows all processes: the figures of the cells themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.decisions.models import Decision
from apps.metrics.cells.refreshing import cells_refresh
from apps.metrics.cells.window import read_cells
from apps.metrics.facts import facts_of
from apps.metrics.first_reading import Window
from apps.metrics.kinds.reading import judged_of, label_set
from apps.metrics.kinds.sides import ai_share, combined_share, human_share
from apps.metrics.kinds.team import team
from apps.metrics.models import CellBlob, RunningCells
from apps.metrics.overview import FAMILIES, overviews
from apps.metrics.reports import figures_of
from apps.registry.models import UseCase
from tests.metrics.rows import ACTOR, DAY, turn_out
from tests.services.figures import body, define, population, record, send

pytestmark = pytest.mark.django_db
WINDOWS = [(None, None), (0, 70), (10, 11), (17, 52), (29, None), (None, 44), (500, 600)]


@pytest.fixture
def use_case() -> UseCase:
    """Decisions of three months, with verdicts and outcomes; of two days, a release behind the
    desk's back."""
    made = define()
    record(made, population(n=210, days=70))
    send(made, [body(f"unseen-{day}", "high", 0.2, day=day) for day in (20, 50)], past=False)
    for held in Decision.objects.filter(external_id__startswith="unseen"):
        held.status, held.final_label, held.settled_at = "released", "high", timezone.now()
        held.save(actor=ACTOR, reason="behind the desk's back")
    cells_refresh(made)
    return made


def window_of(begin: int | None, end: int | None) -> Window:
    first = DAY.replace(hour=0)
    return Window(*(None if at is None else first + timedelta(days=at) for at in (begin, end)))


def figures(cells: Any, use_case: UseCase, window: Window) -> dict[str, Any]:
    facts = facts_of("compliance", use_case, window, cells, timezone.now())
    facts |= facts_of("business", use_case, window, cells, timezone.now())
    outcome, people = cells.table("outcome"), judged_of(cells.table("people"), label_set(facts))
    ai, human = ai_share(outcome), human_share(people)
    found: dict[str, Any] = {
        kind: figures_of(kind, cells, facts, None, shown=True)
        for kind in ("business", "compliance")
    }
    found["sides"] = [one.document() for one in (ai, human, combined_share(outcome))]
    found["team"] = team(outcome, people, ai, human)
    found["decisions"] = cells.decisions
    return found


def read(use_case: UseCase, window: Window) -> Any:
    return overviews([use_case], window)[use_case.slug]


@pytest.mark.parametrize("ends", WINDOWS)
def test_every_window_gives_the_figures_of_its_cells(use_case: UseCase, ends: Any) -> None:
    window = window_of(*ends)
    daily = read_cells(use_case, window, FAMILIES, refresh=False)
    for _made_and_kept in range(2):
        sums = read(use_case, window)
        assert figures(sums, use_case, window) == figures(daily, use_case, window)
        assert sums.days == daily.days
        volumes = {
            day: (int(table.ints("n").sum()), int(table.ints("n")[table.ints("unseen") == 1].sum()))
            for day, table in daily.each_day("outcome")
        }
        assert sums.volumes() == volumes
    if ends == (None, None):
        assert figures(sums, use_case, window)["compliance"]["decisions_with_breaches"] == 2


def test_what_is_kept_is_read_again_without_a_day(use_case: UseCase) -> None:
    window = window_of(17, 52)
    read(use_case, window)
    assert RunningCells.objects.count() == 2  # of two months
    with CaptureQueriesContext(connection) as queries:
        read(use_case, window)
    assert not any(CellBlob._meta.db_table in one["sql"] for one in queries)


def test_a_day_that_was_counted_again_is_in_the_sum_at_once(use_case: UseCase) -> None:
    window = window_of(0, 70)
    before = read(use_case, window)
    send(use_case, [body("one-more", "high", 0.9, day=3)])
    turn_out("one-more", "high")
    cells_refresh(use_case)
    after = read(use_case, window)
    assert after.decisions == before.decisions + 1
    daily = read_cells(use_case, window, FAMILIES, refresh=False)
    assert figures(after, use_case, window) == figures(daily, use_case, window)


def test_a_sum_of_other_days_is_not_believed(use_case: UseCase) -> None:
    window = window_of(0, 70)
    wanted = figures(read(use_case, window), use_case, window)
    RunningCells.objects.update(of="0" * 64, data=b"spoiled")
    assert figures(read(use_case, window), use_case, window) == wanted
    assert not RunningCells.objects.filter(of="0" * 64).exists()


def test_queries_grow_neither_with_days_nor_with_use_cases(use_case: UseCase) -> None:
    second = define("claims")
    send(second, [body(f"claim-{n}", "low", 0.9, day=n) for n in range(40)])
    cells_refresh(second)
    counts = []
    for cases, ends in (([use_case], (0, 3)), ([use_case, second], (0, 70))):
        with CaptureQueriesContext(connection) as queries:
            found = overviews(cases, window_of(*ends))
        counts.append(len(queries))
        assert all(one.decisions for one in found.values())
    assert counts[0] == counts[1]
