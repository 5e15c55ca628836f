"""Names that the cells use themselves are names of features, groups and labels like any other."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from apps.metrics.cells.families import SHAPES
from apps.metrics.cells.window import read_cells
from apps.metrics.first_reading import Window
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.reports import report_run
from tests.metrics.rows import ACTOR, DAY, label, send, turn_out
from tests.services.cells import counted, use_case_with_features

pytestmark = pytest.mark.django_db
COLUMNS = {
    name
    for tables in SHAPES.values()
    for shape in tables.values()
    for name in (*shape.texts, *shape.numbers)
}
NAMES = sorted({*COLUMNS, "profile", "count", "day", "total", "__total__", "group:sex", "sex"})
LABELS = ["n", "profile", "None", "high"]


def row(at: int) -> dict[str, Any]:
    """Every feature is the number ``at`` + its place in NAMES; the group is called after a column."""
    features = {name: float(at + place) for place, name in enumerate(NAMES)}
    subject = {"ref": f"s{at}", "attributes": {"sex": "n" if at % 2 else "__total__"}}
    decided = DAY.replace(day=1 + at % 4).isoformat()
    given = LABELS[at % len(LABELS)]
    return label(f"c{at}", given, 0.9, decided_at=decided, features=features, subject=subject)


@pytest.fixture
def use_case() -> Any:
    made = use_case_with_features(
        labels=LABELS,
        positive_label="profile",
        features=[{"name": name, "type": "number"} for name in NAMES],
        reference_from="2026-03-01",
        reference_to="2026-03-03",
    )
    send(made, [row(at) for at in range(80)])
    for at in range(80):
        turn_out(f"c{at}", LABELS[at % 3])
    return made


def test_each_feature_is_counted_under_its_own_name(use_case: Any) -> None:
    report = report_run(actor=ACTOR, use_case=use_case, kind="drift").result
    assert report["features"].keys() == set(NAMES)
    for name in NAMES:
        assert report["features"][name]["n_current"] == 80, name
    cells = read_cells(use_case, Window())
    for name in NAMES:
        assert cells.table("features", name).ints("n").sum() == 80, name


def test_groups_and_labels_of_such_names_are_counted_as_they_are(use_case: Any) -> None:
    table = read_cells(use_case, Window()).table("outcome")
    assert counted(table, ["given"]) == {(name,): 20 for name in LABELS}
    assert counted(table, ["group:sex"]) == {("n",): 40, ("__total__",): 40}
    groups = report_run(actor=ACTOR, use_case=use_case, kind="bias").result["ai"]["sex"]["groups"]
    assert {name: one["n"] for name, one in groups.items()} == {"n": 40, "__total__": 40}


def test_every_report_is_made_and_the_cells_are_what_the_rows_say(use_case: Any) -> None:
    for kind in KINDS:
        report_run(actor=ACTOR, use_case=use_case, kind=kind)
    call_command("check_cells", stdout=StringIO())  # ends with an error where they differ
