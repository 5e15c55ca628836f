"""Sums of a month's days: the same as day by day, to the bit, over any window."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.metrics.cells.profiles import newest_profile
from apps.metrics.cells.refreshing import cells_refresh
from apps.metrics.cells.window import WindowCells, read_cells
from apps.metrics.domain.drift import Feature, NumberFeature
from apps.metrics.first_reading import Window
from apps.metrics.kinds.drift import features_of
from apps.metrics.models import CellBlob, RunningCells
from apps.metrics.recomputing import report_recompute
from apps.metrics.reports import report_run
from apps.registry.models import UseCase
from tests.metrics.rows import ACTOR, DAY, label, send
from tests.services.cells import FIRST, day, use_case_with_features

pytestmark = pytest.mark.django_db
DAYS = 70  # of three months or four
REFERENCE = {"reference_from": FIRST.isoformat(), "reference_to": day(4).isoformat()}
WINDOWS = [
    (None, None),
    (0, 70),
    (3, 3.25),
    (1, 30),
    (17.5, 52.75),
    (29, 61),
    (31, None),
    (None, 44),
    (500, 600),
]


def sent(number: int, at: float, income: float | None) -> dict[str, Any]:
    features = {"region": ["north", "south", "east"][number % 3]}
    if income is not None:
        features["income"] = income  # type: ignore[assignment]
    moment = (DAY.replace(hour=0) + timedelta(days=at)).isoformat()
    return label(f"d{number}", "high", 0.8, decided_at=moment, features=features)


@pytest.fixture
def use_case() -> UseCase:
    """Incomes within the reference's range, and on many days some far beyond it."""
    draw, made = Random(5), use_case_with_features(**REFERENCE)
    few = [sent(n, draw.random() * 4, draw.gauss(10, 3)) for n in range(60)]
    beyond = [1e9 / 7, -1e8 / 3, 0.1, 10.0, None, -1e8 / 3 + 0.7]
    many = [sent(n, 4 + draw.random() * (DAYS - 4), draw.choice(beyond)) for n in range(60, 420)]
    send(made, few + many)
    cells_refresh(made)
    return made


def window_of(begin: float | None, end: float | None) -> Window:
    first = DAY.replace(hour=0)
    ends = (None if at is None else first + timedelta(days=at) for at in (begin, end))
    return Window(*ends)


def both(use_case: UseCase, window: Window) -> tuple[WindowCells, WindowCells]:
    rolled = read_cells(use_case, window, ["features"], refresh=False, rolled=["features"])
    return rolled, read_cells(use_case, window, ["features"], refresh=False)


def found_of(use_case: UseCase, cells: WindowCells) -> dict[str, Any]:
    profile = newest_profile(use_case)
    assert profile is not None
    return {name: plain(one) for name, one in features_of(cells, profile.document).items()}


def plain(feature: Feature) -> Any:
    now = feature.current
    if isinstance(feature, NumberFeature):
        return now.counts.tolist(), now.below.hex(), now.above.hex()  # type: ignore[union-attr]
    return now.tolist()  # type: ignore[union-attr]


def test_every_window_gives_the_figures_of_its_days_and_names_the_same_cells(
    use_case: UseCase,
) -> None:
    tails = set()
    for begin, end in WINDOWS:
        rolled, daily = both(use_case, window_of(begin, end))
        assert rolled.used == daily.used, (begin, end)
        assert found_of(use_case, rolled) == found_of(use_case, daily), (begin, end)
        tails.add(found_of(use_case, daily)["income"][1:])
    assert len(tails) > 5  # sums of floats that differ, or the comparison would show nothing


def test_what_is_kept_is_read_again_without_a_day(use_case: UseCase) -> None:
    window = window_of(17, 52)  # whole days
    first = found_of(use_case, both(use_case, window)[0])
    assert 3 <= RunningCells.objects.count() <= 4
    with CaptureQueriesContext(connection) as queries:
        again = read_cells(use_case, window, ["features"], refresh=False, rolled=["features"])
    assert not any(CellBlob._meta.db_table in one["sql"] for one in queries)
    assert found_of(use_case, again) == first


def test_a_day_that_was_counted_again_is_in_the_sum_at_once(use_case: UseCase) -> None:
    window = window_of(1, 40)
    before = found_of(use_case, both(use_case, window)[0])
    send(use_case, [sent(900, 5.5, 11.0)])
    cells_refresh(use_case)
    rolled, daily = both(use_case, window)
    assert found_of(use_case, rolled) == found_of(use_case, daily) != before


def test_a_sum_of_other_days_is_not_believed(use_case: UseCase) -> None:
    window = window_of(None, 50)
    wanted = found_of(use_case, both(use_case, window)[0])
    RunningCells.objects.update(of="0" * 64, data=b"spoiled")
    assert found_of(use_case, both(use_case, window)[0]) == wanted
    assert not RunningCells.objects.filter(of="0" * 64, day__lt=day(50)).exists()


def test_a_report_from_sums_is_made_again_from_the_days(use_case: UseCase) -> None:
    report = report_run(actor=ACTOR, use_case=use_case, kind="drift", window=window_of(4.5, 66))
    assert RunningCells.objects.exists()
    assert report.result["features"]["income"]["psi"] is not None
    assert report_recompute(report).same
