"""Stored reports: made again from their cells and from the rows."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.callers import caller_of_command
from apps.audit import ledger
from apps.audit.sealing import seal_all
from apps.metrics.first_reading import Window
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.models import CellBlob, Report
from apps.metrics.recomputing import report_recompute, report_recompute_from_rows
from apps.metrics.reports import report_run, run_reports
from apps.registry.models import UseCase
from tests.metrics.rows import DAY, turn_out
from tests.services.figures import ACTOR, define, population, record

pytestmark = pytest.mark.django_db
CALLER = caller_of_command("suite")


@pytest.fixture
def filled() -> UseCase:
    """120 decisions of five days, the first two of them the reference."""
    use_case = define(reference_from="2026-03-01", reference_to="2026-03-03")
    record(use_case, population(120, 2))
    return use_case


def run(use_case: UseCase, kind: str, window: Window | None = None) -> Report:
    made = report_run(actor=ACTOR, use_case=use_case, kind=kind, window=window)
    return Report.objects.get(pk=made.pk)


# --- Made again -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_made_again_from_its_cells_is_the_same_to_the_byte(
    filled: UseCase, kind: str
) -> None:
    within = Window(DAY + timedelta(hours=2), DAY + timedelta(days=2, hours=3))
    for window in (Window(), within):
        report = run(filled, kind, window)
        turn_out("case-0003", "high")  # what comes later changes nothing of it
        turn_out("case-0040", "low")
        again = report_recompute(report)
        assert again.same
        assert (again.differs, again.code_version) == ([], report.code_version)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_give_the_same_figures_as_long_as_they_are_the_same(
    filled: UseCase, kind: str
) -> None:
    for window in (Window(), Window(DAY - timedelta(hours=1), DAY + timedelta(days=3))):
        again = report_recompute_from_rows(run(filled, kind, window))
        assert (again.same, again.differs, again.days) == (True, [], [])


def test_rows_that_changed_since_are_said_to_have(filled: UseCase) -> None:
    seal_all()
    report = run(filled, "accuracy")
    wrong = {"low": "high", "high": "low"}
    row = next(row for row in population(120, 2) if row.true is not None)
    turn_out(row.external_id, wrong[row.true or ""])
    seal_all()
    again = report_recompute_from_rows(report)
    assert not again.same
    assert "ai.value" in again.differs
    assert ["2026-03-01", "outcome"] in again.days
    assert {day for day, _family in again.days} == {"2026-03-01"}
    assert again.records_since == 1
    assert report_recompute(report).same


def test_a_report_says_what_it_rests_on(filled: UseCase) -> None:
    seal_all()
    head = ledger.checked_head()
    report = run(filled, "accuracy", Window(DAY - timedelta(hours=12), None))
    assert (report.tree_size, report.root_hash) == (head.tree_size, head.root_hash.hex())
    assert report.code_version.startswith("0.1.0+")
    assert report.parameters["libraries"]["fairlearn"]
    assert report.parameters["facts"]["labels"] == ["low", "high"]
    assert {family for _day, family, _hash in report.cells} == set(KINDS["accuracy"].families)
    assert len({day for day, _family, _hash in report.cells}) == 5
    used = {key for _day, _family, key in report.cells}
    assert CellBlob.objects.filter(hash__in=used).count() == len(used)
    assert report.history.count() == 1  # type: ignore[attr-defined]


def test_a_report_that_was_tampered_with_does_not_come_out_the_same(filled: UseCase) -> None:
    report = run(filled, "accuracy")
    report.result["ai"]["value"] = 0.999
    again = report_recompute(report)
    assert not again.same
    assert again.differs == ["ai.value"]


def test_an_auditor_makes_a_report_again_by_command(filled: UseCase) -> None:
    report = run(filled, "bias")

    def again(*options: str) -> str:
        out = StringIO()
        call_command("recompute_report", str(report.pk), *options, stdout=out, stderr=StringIO())
        return out.getvalue()

    assert again() == "bias of loans: the same\n"
    document = json.loads(again("--from-rows", "--json"))
    assert (document["same"], document["differs"], document["days"]) == (True, [], [])
    turned = next(row for row in population(120, 2) if row.true == "low" and row.race)
    turn_out(turned.external_id, "high")
    with pytest.raises(SystemExit) as ended:
        again("--from-rows")
    assert ended.value.code == 1
    assert again() == "bias of loans: the same\n"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("seven", "'seven' is not the id of a report: a UUID"),
        ("00000000-0000-7000-8000-000000000000", "there is no report"),
    ],
)
def test_a_report_that_there_is_not_cannot_be_made_again(key: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("recompute_report", key, stdout=StringIO())


def test_run_reports_stores_each_kind_and_prints_the_same(filled: UseCase) -> None:
    (document,) = run_reports(caller=CALLER, use_case="loans")
    assert document.keys() == {"use_case", "from", "to", *KINDS}
    stored = {report.kind: report.result for report in Report.objects.all()}
    assert stored == {kind: document[kind] for kind in KINDS}


def test_a_report_whose_cells_are_not_there_says_why_it_cannot_be_made_again(
    filled: UseCase,
) -> None:
    report = run(filled, "accuracy")
    gone = "0" * 64
    cells = [[day, family, gone] for day, family, _key in report.cells]
    made = Report(  # one of its own: a stored report is never changed
        use_case=filled,
        kind=report.kind,
        parameters=report.parameters,
        code_version="0.0.9+old",
        cells=cells,
        tree_size=report.tree_size,
        root_hash=report.root_hash,
        result=report.result,
        created_at=report.created_at,
    )
    made.save(actor=ACTOR, reason="as if from a restored backup without its cells")
    said = f"made by 0.0.9.old, cannot be made again by .*these cells are not stored: {gone}"
    with pytest.raises(CommandError, match=said):
        call_command("recompute_report", str(made.pk), stdout=StringIO(), stderr=StringIO())
