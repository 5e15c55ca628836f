"""What a dashboard is given of a report is a part of it, to the bit."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.metrics.cells.window import read_cells
from apps.metrics.facts import facts_of
from apps.metrics.first_reading import Window
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.reports import figures_of, reference_cells
from apps.metrics.whatif.basis import policy_standing
from apps.metrics.whatif.frontiers import frontier_of
from dashboards.parts import folded
from tests.dashboards.test_links_to_decisions import decided_by_two_versions

pytestmark = pytest.mark.django_db
EVER = Window(None, None)
LEFT_OUT = {"bias": {"bootstrap"}, "compliance": {"breaches", "listed"}}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_shown_of_a_report_is_what_the_report_says(kind: str) -> None:
    use_case = decided_by_two_versions()
    cells = read_cells(use_case, EVER, KINDS[kind].families)
    facts: dict[str, Any] = facts_of(kind, use_case, EVER, cells, timezone.now())
    reference = reference_cells(use_case, kind, facts)
    whole = figures_of(kind, cells, facts, reference)
    left_out = LEFT_OUT.get(kind, set())
    assert left_out <= whole.keys()
    wanted = {name: one for name, one in whole.items() if name not in left_out}
    shown = figures_of(kind, cells, facts, reference, shown=True)
    assert {name: one for name, one in shown.items() if name not in left_out} == wanted


def test_exceptions_are_counted_alike_whether_they_are_listed_or_not() -> None:
    use_case = decided_by_two_versions()
    cells = read_cells(use_case, EVER, KINDS["compliance"].families)
    facts = facts_of("compliance", use_case, EVER, cells, timezone.now())
    late = {"n": 2, "first": [["a", "late"], ["b", "late"]]}
    for unsealed in ({"n": 0, "first": []}, late):
        known = {**facts, "unsealed": unsealed}
        whole, shown = (
            figures_of("compliance", cells, known, None, shown=short) for short in (False, True)
        )
        assert shown["decisions_with_breaches"] == whole["decisions_with_breaches"]
        assert shown["by_kind"] == whole["by_kind"]
        assert whole["decisions_with_breaches"] >= unsealed["n"]


def test_the_frontier_without_its_parts_is_the_same_frontier() -> None:
    use_case = decided_by_two_versions()
    policy = policy_standing(use_case)
    whole = frontier_of(use_case, EVER, policy)
    short = frontier_of(use_case, EVER, policy, whole=False)
    assert whole.keys() - short.keys() == {"by_label", "audit"}
    assert {name: whole[name] for name in short} == short


def test_a_folded_table_holds_every_row_and_no_row_needs_none() -> None:
    """Closed on the screen, opened by charts.js on paper."""
    rows = [(f"group {n}", "1.000") for n in range(80)]
    shown = str(folded("Four-fifths rule", ("Group", "Ratio"), rows, "a note").to_plotly_json())
    assert "is-folded" in shown
    assert all(f"group {n}" in shown for n in (0, 49, 50, 79))
    assert "a note" in shown
    nothing = str(
        folded("Four-fifths rule", ("Group",), [], empty="Fewer than two.").to_plotly_json()
    )
    assert "Fewer than two." in nothing
    assert "is-folded" not in nothing
