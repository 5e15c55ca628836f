"""Whatever comes in, every report is made: a figure that cannot be had is null and says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from apps.metrics.first_reading import Window
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.models import Report
from apps.metrics.reports import report_run
from apps.registry.models import UseCase
from tests.metrics.rows import DAY, send, turn_out
from tests.services.figures import ACTOR, body, define, population, record

pytestmark = pytest.mark.django_db
REFERENCE = {"reference_from": "2026-03-01", "reference_to": "2026-03-03"}
EARLY = Window(DAY - timedelta(days=900), DAY - timedelta(days=800))


def nothing() -> UseCase:
    return define(**REFERENCE)


def no_outcome() -> UseCase:
    use_case = define(**REFERENCE)
    rows = [row._replace(true=None, verdicts=()) for row in population(60, 1)]
    record(use_case, rows)
    return use_case


def one_class() -> UseCase:
    use_case = define(**REFERENCE)
    rows = [row._replace(given="low", true="low", verdicts=()) for row in population(60, 1)]
    record(use_case, rows)
    return use_case


def one_group() -> UseCase:
    use_case = define(**REFERENCE)
    record(use_case, [row._replace(race="A", sex="F") for row in population(60, 1)])
    return use_case


def all_missing() -> UseCase:
    use_case = define(**REFERENCE)
    bare = [{"external_id": f"c{i}", "kind": "label", "output": None} for i in range(40)]
    send(use_case, bare)
    return use_case


def equal_confidences() -> UseCase:
    use_case = define(**REFERENCE)
    record(use_case, [row._replace(confidence=0.75) for row in population(60, 1)])
    return use_case


def no_reference() -> UseCase:
    use_case = define()
    record(use_case, population(60, 1))
    return use_case


def empty_reference() -> UseCase:
    use_case = define(reference_from="2020-01-01", reference_to="2020-02-01")
    record(use_case, population(60, 1))
    return use_case


MAKERS: list[Callable[[], UseCase]] = [
    nothing,
    no_outcome,
    one_class,
    one_group,
    all_missing,
    equal_confidences,
    no_reference,
    empty_reference,
]


def estimates(found: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every estimate of a document, by its path."""
    if isinstance(found, list):
        for at, one in enumerate(found):
            yield from estimates(one, f"{path}/{at}")
    if isinstance(found, dict):
        if {"value", "n"} <= found.keys():
            yield path, found
        for name, one in found.items():
            yield from estimates(one, f"{path}/{name}")


def unexplained(found: Any) -> list[tuple[str, Any]]:
    """The estimates without a value that do not say how few cases there are, and why it takes more."""
    return [
        (path, one.get("why"))
        for path, one in estimates(found)
        if one["value"] is None
        and not (one.get("why") or "").startswith(f"not enough data (n = {one['n']}): ")
    ]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_every_report_is_made_and_each_figure_that_is_not_there_says_why(
    make: Callable[[], UseCase],
) -> None:
    use_case = make()
    for kind in KINDS:
        report = report_run(actor=ACTOR, use_case=use_case, kind=kind)
        assert unexplained(report.result) == [], kind
    assert Report.objects.count() == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_before_any_decision_gives_a_report_that_says_so(kind: str) -> None:
    use_case = define(**REFERENCE)
    record(use_case, population(60, 1))
    report = report_run(actor=ACTOR, use_case=use_case, kind=kind, window=EARLY)
    assert unexplained(report.result) == []


def test_outcomes_for_unknown_decisions_are_refused_and_change_no_figure(tmp_path: Any) -> None:
    use_case = define()
    record(use_case, population(60, 1))
    before = report_run(actor=ACTOR, use_case=use_case, kind="accuracy").result
    path = tmp_path / "outcomes.csv"
    path.write_text("external_id,label\nnobody,low\ncase-0000x,high\n")
    with pytest.raises(SystemExit):
        call_command("import_outcomes", str(path), use_case=use_case.slug, stdout=StringIO())
    assert report_run(actor=ACTOR, use_case=use_case, kind="accuracy").result == before


def test_one_decision_alone_is_enough_for_every_report() -> None:
    use_case = define(**REFERENCE)
    send(use_case, [body("only", "low", 0.9, sex="F", income=5, region="N")])
    turn_out("only", "low")
    for kind in KINDS:
        assert unexplained(report_run(actor=ACTOR, use_case=use_case, kind=kind).result) == [], kind


def test_the_walk_finds_what_is_unexplained() -> None:
    """The check of the tests above can fail."""
    fine = {"value": None, "n": 3, "why": "not enough data (n = 3): too few"}
    bad = {"value": None, "n": 3, "why": None}
    assert unexplained({"a": [fine, bad], "b": {"value": 1.0, "n": 3}}) == [("/a/1", None)]
