"""Reports on real input: 1,000 people, 19,720 judgements of 966 reviewers, from cells.

The figures were computed from the file apart from this code, and stand in the file's README.
"""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.metrics.domain.accuracy import accuracy_report
from apps.metrics.domain.figures import differences
from apps.metrics.first_reading import Window, labels_of, read_cases
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.models import Report
from apps.metrics.recomputing import report_recompute
from apps.registry.models import UseCase

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/recidivism"
SLUG = "recidivism-risk"
RACES = {
    "African-American": (0.636, 0.4275, 0.2941, 0.56),
    "Caucasian": (0.642, 0.2129, 0.5190, 0.34),
}


def run(*arguments: object) -> Any:
    out = StringIO()
    try:
        call_command(*map(str, arguments), "--json", stdout=out, stderr=StringIO())
    except SystemExit as ended:
        assert ended.code == 1  # some rows repeat, and are rejected
    return json.loads(out.getvalue())


@pytest.fixture
def loaded(committed_db: Any, shared: Path, tmp_path: Path) -> UseCase:
    file = Path(shutil.copy(shared / "data" / "recidivism-judgements.csv", tmp_path))
    run("load_use_case", EXAMPLE / "use_case.json")
    for command, mapping, *more in (
        ("ingest", "decisions.toml", "--past"),
        ("import_reviews", "reviews.toml"),
        ("import_outcomes", "outcomes.toml"),
    ):
        run(command, file, "--use-case", SLUG, "--map", EXAMPLE / mapping, *more)
    found: UseCase = UseCase.objects.get(slug=SLUG)
    return found


def rounded(estimate: dict[str, Any], places: int = 4) -> float:
    return round(estimate["value"], places)


def check_accuracy(found: dict[str, Any], use_case: UseCase) -> None:
    slow = accuracy_report(read_cases(use_case, Window()), labels_of(use_case))
    assert list(differences(slow, {name: found[name] for name in slow})) == []
    confusion = found["confusion"]
    assert (found["ai"]["value"], found["ai"]["n"]) == (0.639, 1000)
    assert (rounded(confusion["ai"]["fpr"]), rounded(confusion["ai"]["fnr"])) == (0.32, 0.4063)
    assert (rounded(found["human"]), found["human"]["n"]) == (0.584, 19_720)
    assert rounded(confusion["human"]["fpr"]) == 0.5329
    assert rounded(confusion["human"]["fnr"]) == 0.2866
    assert found["human_consensus"]["value"] == 0.607
    assert found["team"]["beats_the_better"] is False


def check_bias(found: dict[str, Any]) -> None:
    groups = found["ai"]["def_race"]["groups"]
    for race, (accuracy, fpr, fnr, high) in RACES.items():
        one = groups[race]
        assert one["n"] == 500
        shown = [rounded(one[name]) for name in ("accuracy", "fpr", "fnr")]
        assert shown == [accuracy, fpr, fnr]
        assert round(1 - one["selection_rate"]["value"], 4) == high
    # 0.44 of African-Americans rated low against 0.66 of Caucasians: two thirds
    assert found["ai"]["def_race"]["impact_ratio"]["exact"] == "2/3"
    assert found["ai"]["def_race"]["four_fifths"]["below"] == ["African-American"]


@pytest.mark.real_data
def test_the_published_figures_are_found_again_from_cells(loaded: UseCase) -> None:
    document = run("run_reports", "--use-case", SLUG)
    assert document.keys() == {"use_case", "from", "to", *KINDS}
    check_accuracy(document["accuracy"], loaded)
    check_bias(document["bias"])
    reviewers = document["reviewers"]
    assert len(reviewers["by_reviewer"]) == reviewers["reviewers"] == 966
    assert reviewers["alpha"]["n"] == 1000
    assert {one["place"]["rank"] for one in reviewers["by_reviewer"]} == {None}
    assert document["compliance"]["decisions"] == 1000
    assert document["business"]["decisions"] == 1000
    for report in Report.objects.all():
        assert report_recompute(report).same, report.kind
