"""Cells of the features: reference profiles, histograms on their edges, and input that is bad."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from apps.common.errors import BadInput
from apps.decisions.models import Decision
from apps.decisions.selectors import part_of
from apps.metrics.cells.features import (
    category_table,
    counts_of,
    edges_of,
    histogram_of,
    levels_of,
    number_table,
    numbers_of,
    reference_table,
    stored_counts,
)
from apps.metrics.cells.profiles import reference_profile_freeze
from apps.metrics.cells.refreshing import cells_refresh
from apps.metrics.cells.window import read_cells
from apps.metrics.domain.histograms import (
    CategoryEdges,
    NumberEdges,
    count_numbers,
    freeze_number,
)
from apps.metrics.domain.tables import labels
from apps.metrics.first_reading import Window
from apps.metrics.models import DirtyDay, ReferenceProfile
from apps.registry.models import UseCase
from apps.registry.services import use_case_update
from tests.metrics.rows import ACTOR, DAY, define, judge, label, send, turn_out
from tests.services.cells import FIRST, counted, day, fill, use_case_with_features

pytestmark = pytest.mark.django_db
REFERENCE = {"reference_from": FIRST.isoformat(), "reference_to": day(3).isoformat()}


@pytest.fixture
def use_case(make_person: Any) -> UseCase:
    made = use_case_with_features(**REFERENCE)
    fill([make_person(f"p{n}") for n in range(3)], made, 3)
    cells_refresh(made)
    return made


def values(use_case: UseCase, name: str, begin: int = 0, end: int = 9) -> list[Any]:
    rows = Decision.objects.filter(use_case=use_case)
    chosen = [one for one in rows if day(begin) <= one.decided_at.date() < day(end)]
    return [(part_of(one, "features") or {}).get(name) for one in chosen]


def profile() -> ReferenceProfile:
    return ReferenceProfile.objects.get()


def test_a_reference_window_with_data_is_frozen_when_cells_are_counted(use_case: UseCase) -> None:
    held = profile()
    assert (held.begin, held.end) == (FIRST, day(3))
    document = held.document
    inside = values(use_case, "income", 0, 3)
    assert (document["rows"], document["days"]) == (len(inside), 3)
    names = {"income", "region", "owner", "since", "sector", "output", "confidence", "outcome"}
    assert document["features"].keys() == names
    edges = freeze_number(numbers_of(inside))
    assert edges is not None
    assert document["features"]["income"]["edges"] == [edges.low, edges.high]
    counts = Counter(values(use_case, "region", 0, 3))
    region = document["features"]["region"]
    found = edges_of(region)
    assert isinstance(found, CategoryEdges)
    assert set(found.levels) == {"north", "south"}
    reference = counts_of([reference_table(region)], found)
    assert reference.tolist() == [*(counts[level] for level in found.levels), 0, counts[None]]


def test_its_accuracy_is_that_of_the_reference(use_case: UseCase) -> None:
    window = Window(DAY.replace(hour=0), DAY.replace(hour=0) + timedelta(days=3))
    right = read_cells(use_case, window).table("outcome")
    n = counted(right, ["right"])
    assert profile().document["accuracy"] == {"n": n[(0,)] + n[(1,)], "right": n[(1,)]}


def test_feature_cells_add_up_to_the_histogram_of_all_days(use_case: UseCase) -> None:
    cells = read_cells(use_case, Window(), ["features"])
    document = profile().document["features"]
    edges = NumberEdges(*document["income"]["edges"])
    found = histogram_of([cells.table("features", "income")])
    wanted = count_numbers(numbers_of(values(use_case, "income")), edges)
    assert found.counts.tolist() == wanted.counts.tolist()
    assert (found.below, found.above) == pytest.approx((wanted.below, wanted.above))
    owner = edges_of(document["owner"])
    assert isinstance(owner, CategoryEdges)
    counts = dict(
        zip(owner.levels, counts_of([cells.table("features", "owner")], owner), strict=False)
    )
    said = Counter(values(use_case, "owner"))
    assert counts == {"true": said[True], "false": said[False]}
    assert set(labels(cells.table("features", ""), "profile")) == {str(profile().pk)}
    assert cells.table("features", "").ints("n").sum() == len(values(use_case, "income"))


def test_the_reference_s_own_days_give_its_own_counts(use_case: UseCase) -> None:
    begin = DAY.replace(hour=0)
    cells = read_cells(use_case, Window(begin, begin + timedelta(days=3)), ["features"])
    for name, entry in profile().document["features"].items():
        edges, table = edges_of(entry), cells.table("features", name)
        own = reference_table(entry)
        if isinstance(edges, CategoryEdges):
            assert counts_of([table], edges).tolist() == counts_of([own], edges).tolist(), name
        else:
            assert histogram_of([table]).counts.tolist() == histogram_of([own]).counts.tolist(), (
                name
            )


def test_a_frozen_window_stays_as_it_is_and_another_one_has_every_day_counted_again(
    use_case: UseCase,
) -> None:
    send(use_case, [label("late", "high", features={"income": 10_000})])
    cells_refresh(use_case)
    assert ReferenceProfile.objects.count() == 1
    moved = use_case_update(actor=ACTOR, slug="loans", reason="later", reference_to=day(4))
    assert cells_refresh(moved) == 5
    assert ReferenceProfile.objects.count() == 2
    newest = ReferenceProfile.objects.order_by("-id").first()
    assert newest is not None
    cells = read_cells(moved, Window(), ["features"])
    assert set(labels(cells.table("features", ""), "profile")) == {str(newest.pk)}


def test_without_a_reference_window_no_feature_cells_are_made(make_person: Any) -> None:
    made = use_case_with_features()
    fill([make_person(f"p{n}") for n in range(3)], made, 3, 20)
    cells = read_cells(made, Window())
    assert cells.names("features") == ()
    assert len(cells.table("features", "income")) == 0
    assert not any(family == "features" for _day, family, _hash in cells.used)


def test_a_reference_window_without_data_or_without_an_end_is_named() -> None:
    made = use_case_with_features()
    with pytest.raises(BadInput, match="reference_from=None"):
        reference_profile_freeze(actor=ACTOR, use_case=made)
    empty = use_case_update(
        actor=ACTOR, slug="loans", reason="later", reference_from=day(90), reference_to=day(99)
    )
    with pytest.raises(BadInput, match="no decision from 2026-05-30 to 2026-06-08"):
        reference_profile_freeze(actor=ACTOR, use_case=empty)
    assert cells_refresh(empty) == 0
    assert not ReferenceProfile.objects.exists()


def test_a_person_can_freeze_it_again_with_what_came_late(use_case: UseCase) -> None:
    send(use_case, [label("late", "high", features={"income": 10_000})])
    again = reference_profile_freeze(actor=ACTOR, use_case=use_case)
    first = ReferenceProfile.objects.order_by("id").first()
    assert first is not None
    assert again.document["rows"] == first.document["rows"] + 1
    assert cells_refresh(use_case) == 5


def test_a_feature_that_changed_its_type_is_missing_on_its_frozen_edges(use_case: UseCase) -> None:
    features = [
        {**one, "type": "category"} if one["name"] == "income" else one for one in use_case.features
    ]
    changed = use_case_update(actor=ACTOR, slug="loans", reason="banded", features=features)
    later = (DAY + timedelta(days=8)).isoformat()
    send(
        changed,
        [label(f"n{n}", "high", features={"income": "10-20"}, decided_at=later) for n in "ab"],
    )
    cells = read_cells(changed, Window(begin=DAY + timedelta(days=7)), ["features"])
    found = histogram_of([cells.table("features", "income")])
    assert (found.counts[-1], found.counts.sum()) == (2, 2)


def test_a_feature_that_the_reference_never_had_is_counted_as_values_and_missing() -> None:
    made = use_case_with_features(**REFERENCE)
    send(made, [label("a", "high")])
    later = (DAY + timedelta(days=8)).isoformat()
    send(made, [label("b", "high", features={"income": 3}, decided_at=later)])
    cells = read_cells(made, Window(), ["features"])
    assert profile().document["features"]["income"]["edges"] is None
    found = histogram_of([cells.table("features", "income")])
    assert (found.counts[-1], found.counts.sum()) == (1, 2)


def test_one_class_and_equal_confidences_make_cells_like_any_other(make_person: Any) -> None:
    made = define()
    send(made, [label(f"c{n}", "high", 0.9) for n in range(5)])
    for n in range(5):
        turn_out(f"c{n}", "high")
        judge(f"c{n}", make_person(f"p{n}"), "high")
    cells = read_cells(made, Window())
    assert counted(cells.table("outcome"), ["given", "true", "right"]) == {("high", "high", 1): 5}
    assert counted(cells.table("confidence"), ["level"]) == {(9000,): 5}
    assert counted(cells.table("people"), ["pattern"]) == {("0,1",): 5}
    assert not DirtyDay.objects.exists()


def test_values_of_any_kind_are_read_as_numbers_or_are_missing() -> None:
    given = [1, 2.5, None, True, "3", "2026-03-01", "2026-03-01T10:00:00Z", [1], 10**400]
    found = numbers_of(given)
    known = [value for value in found.tolist() if not np.isnan(value)]
    assert known == [1.0, 2.5, float(FIRST.toordinal()), float(FIRST.toordinal())]
    assert numbers_of([1, None, 2.5]).tolist()[::2] == [1.0, 2.5]
    assert np.isnan(numbers_of([10**400, 1])[0])


def test_levels_are_texts() -> None:
    assert levels_of(["a", None, True, False, 3]) == ["a", None, "true", "false", "3"]


def test_stored_counts_are_read_back() -> None:
    edges = NumberEdges(0.0, 1.0)
    table = number_table(count_numbers(np.array([-2.0, 0.5, 0.5, 7.0, np.nan]), edges))
    back = histogram_of([reference_table({"counts": stored_counts(table)})])
    assert back.counts.tolist() == histogram_of([table]).counts.tolist()
    assert (back.below, back.above) == (-2.0, 7.0)
    counts = np.array([3, 0, 2, 1])
    assert counts_of([category_table(counts)], CategoryEdges(("a", "b"), True)).tolist() == [
        3,
        0,
        2,
        1,
    ]
