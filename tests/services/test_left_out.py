"""Groups left out of a bias audit's ratios: said in the use case, with a reason, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from apps.common.actor import Actor
from apps.common.errors import BadInput
from apps.metrics.reports import report_run
from apps.registry.models import UseCase
from apps.registry.services import use_case_create, use_case_update
from dashboards.fairness.law import local_law
from tests.metrics.rows import label, send
from tests.services.figures import define

pytestmark = pytest.mark.django_db
ROOT = Actor.command("root")
SUBJECT = [
    {"name": "sex", "type": "category", "protected": True},
    {"name": "age", "type": "category", "protected": True},
    {"name": "region", "type": "category"},
]
WHY = "4 of 404 people: their rate would be chance"


def row(**more: Any) -> dict[str, Any]:
    return {"attribute": "sex", "group": "X", "reason": WHY, **more}


def create(*rows: Any) -> UseCase:
    return use_case_create(
        actor=ROOT,
        reason="r",
        slug="loan",
        labels=["approve", "deny"],
        subject_attributes=SUBJECT,
        left_out=list(rows),
    )


@pytest.mark.parametrize("attribute", ["sex", "age", "age & sex"])
def test_a_group_of_a_protected_attribute_or_of_several_can_be_left_out(attribute: str) -> None:
    create(row(attribute=attribute), row(attribute=attribute, group="Y"))
    assert UseCase.objects.get().left_out[0] == row(attribute=attribute)


@pytest.mark.parametrize(
    ("rows", "pointer", "said"),
    [
        ([None], "/left_out/0", "not an object of attribute, group and reason"),
        ([{"group": "X"}], "/left_out/0", "not an object"),
        ([row(note="x")], "/left_out/0", "not an object"),
        ([row(attribute="region")], "/left_out/0/attribute", "allowed: age, sex"),
        ([row(attribute="sex & age")], "/left_out/0/attribute", "order of the alphabet"),
        ([row(attribute="sex & sex")], "/left_out/0/attribute", "not a protected"),
        ([row(attribute=["sex"])], "/left_out/0/attribute", "not a protected"),
        ([row(group=" ")], "/left_out/0/group", "not a group"),
        ([row(group=7)], "/left_out/0/group", "not a group"),
        ([row(reason=" ")], "/left_out/0/reason", "not a reason"),
        ([row(reason=None)], "/left_out/0/reason", "not a reason"),
        ([row(reason="x" * 2_001)], "/left_out/0/reason", "1 to 2000 characters"),
        ([row(), row(reason="again")], "/left_out/1", "is there twice"),
        ([row(group=f"g{n}") for n in range(1_001)], "/left_out", "at most 1000"),
    ],
    ids=lambda value: str(value)[:24] if isinstance(value, str) else None,
)
def test_what_cannot_be_left_out_is_refused_by_its_field(
    rows: list[Any], pointer: str, said: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        create(*rows)
    (error,) = refusal.value.errors
    assert (error.pointer, said in error.detail) == (pointer, True)
    assert not UseCase.objects.exists()


def test_an_attribute_that_is_protected_no_more_must_be_taken_off_the_list_too() -> None:
    create(row())
    with pytest.raises(BadInput, match="not a protected attribute"):
        use_case_update(actor=ROOT, slug="loan", reason="r", subject_attributes=[])
    use_case_update(actor=ROOT, slug="loan", reason="r", subject_attributes=[], left_out=[])


def people(sex: str, n: int, favoured: int) -> list[dict[str, Any]]:
    return [
        label(f"{sex}{i}", "low" if i < favoured else "high", 0.9)
        | {"subject": {"attributes": {"sex": sex}}}
        for i in range(n)
    ]


def test_the_report_and_the_dashboard_leave_it_out_with_the_reason_and_never_compare_with_it() -> (
    None
):
    """X: 4 of 4 favoured, but left out; the others are compared with F, 120/200 against 90/200."""
    use_case = define(
        left_out=[row(), row(group="M", reason="too few"), row(group="Z", reason="nobody")]
    )
    send(use_case, [*people("F", 200, 120), *people("M", 200, 90), *people("X", 4, 4)])
    report = report_run(actor=ROOT, use_case=use_case, kind="bias")
    table = report.result["local_law_144"]["ai"]["sex"]
    assert table["most_selected"] == "F"
    small = table["categories"]["X"]
    assert (small["left_out"], small["applicants"], small["selection_rate"]) == (WHY, 4, 1.0)
    assert "impact_ratio" not in small
    assert table["categories"]["M"]["impact_ratio"]["exact"] == "3/4"
    assert table["refused"] == {
        "M": "200 of 404 is not less than 2 %",
        "Z": "'Z' is not one of the categories F, M, X",
    }
    assert report.parameters["facts"]["left_out"]["sex"]["X"] == WHY
    # the four-fifths rule of the agencies knows no such exception
    assert report.result["ai"]["sex"]["four_fifths"]["reference"] == "X"
    shown = str(local_law("sex", "sex", report.result["local_law_144"]).to_plotly_json())
    assert WHY in shown
    assert "M: 200 of 404 is not less than 2 %" in shown
