"""Decisions routed again when their day is counted: what is not on record as it went is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.decisions.models import Decision, Payload
from apps.metrics.cells import tracing
from apps.metrics.cells.excepting import first_listed
from apps.metrics.cells.window import read_cells
from apps.metrics.domain.compliance import SHOWN
from apps.metrics.domain.tables import table_of
from apps.metrics.first_reading import Window
from apps.metrics.kinds.compliance import report
from apps.policies.models import SamplingSeed
from apps.registry.models import UseCase
from apps.supervision.stops import resume, stop
from apps.workflow.rerouting import reroute_blocked
from tests.metrics.rows import ACTOR
from tests.services.gates import LEAD, SECOND, body, gate, policy_in_force, send

pytestmark = pytest.mark.django_db
FACTS = {"trail": {}, "unsealed": {"n": 0, "first": []}}
FEATURES = [{"name": "region", "type": "category"}]


def compliance(use_case: UseCase) -> dict[str, Any]:
    return report(read_cells(use_case, Window()), FACTS)


def rules() -> list[dict[str, Any]]:
    north = {"field": "feature.region", "op": "==", "value": "n"}
    large = {"field": "amount", "op": ">", "value": "50000"}
    return [
        {"name": "north", "when": north, "then": "sample", "rate": 0.5},
        {"name": "large", "when": large, "then": "review"},
    ]


def many(n: int = 30) -> list[dict[str, Any]]:
    return [
        body(
            f"x{i}",
            "deny" if i % 3 else "approve",
            None if i % 7 == 0 else i / 30,
            amount=f"{i * 5000}.00",
            features={"region": "n" if i % 2 else "s"},
        )
        for i in range(n)
    ]


@pytest.mark.parametrize("level", ["HITL", "HOTL", "HIC"])
@pytest.mark.parametrize("lifecycle", ["live", "pilot"])
def test_what_the_platform_routed_comes_out_the_same(level: str, lifecycle: str) -> None:
    policy = {"level": level, "confidence_threshold": 0.4, "audit_rate": 0.3}
    if level != "HIC":
        policy["rules"] = rules()
    use_case = gate(features=FEATURES, lifecycle=lifecycle, policy=policy)
    send(use_case, *many())
    send(use_case, body("none", output=None))
    policy_in_force(use_case, level="HITL", confidence_threshold=1.0)
    send(use_case, body("later"))
    found = compliance(use_case)
    assert found["routed_again"] == {"same": 32, "other": 0, "cannot_be_told": 0}
    assert found["by_kind"]["untraceable"]["n"] == 0
    assert found["not_looked_at"] == {}


def test_what_a_stop_withheld_and_what_was_routed_again_come_out_the_same() -> None:
    use_case = gate(policy={"confidence_threshold": 0.5})
    stop(actor=LEAD, use_case=use_case, reason="drill")
    send(use_case, body("a"), body("b", confidence=0.1))
    assert compliance(use_case)["routed_again"]["same"] == 2
    resume(actor=SECOND, use_case=use_case, reason="over", withheld="reroute")
    reroute_blocked(SECOND, use_case, "the drill is over")
    assert compliance(use_case)["routed_again"]["same"] == 2


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("lane", "review", "lane 'review' comes out as 'automatic'"),
        ("would_be", "review", "lane outside pilot 'review' comes out as None"),
        ("sampling_probability", 0.9, "chance of the audit 0.9 comes out as 0.25"),
        ("reason_codes", "rule", "reasons 'rule' comes out as 'within_policy'"),
        ("lifecycle", "suspended", "lane 'automatic' comes out as 'blocked'"),
    ],
)
def test_a_record_that_its_inputs_do_not_give_is_an_exception(
    column: str, value: Any, said: str
) -> None:
    use_case = gate(policy={"audit_rate": 0.25})
    no_pick = [f"a{i}" for i in range(40)]
    taken = send(use_case, *(body(name) for name in no_pick))
    made = next(Decision.objects.get(pk=one.id) for one in taken if one.lane == "automatic")
    setattr(made, column, value)
    made.save(actor=ACTOR, reason="as if it had gone otherwise")
    found = compliance(use_case)
    assert found["routed_again"] == {"same": 39, "other": 1, "cannot_be_told": 0}
    (one,) = [one for one in found["breaches"] if one["kind"] == "untraceable"]
    assert one["decision"] == str(made.pk)
    assert said in one["detail"]
    assert found["by_kind"]["untraceable"] == {
        "n": 1,
        "share": 1 / 40,
        "meaning": "its routing cannot be replayed to the same result",
    }


def test_without_the_seed_a_draw_cannot_be_traced() -> None:
    use_case = gate(policy={"audit_rate": 0.25, "always_review_labels": ["deny"]})
    send(use_case, body("drawn for"), body("held", "deny"))
    before = timezone.now() - timedelta(days=800)
    moved = Decision.objects.get(external_id="drawn for")
    moved.routed_at = before
    moved.save(actor=ACTOR, reason="as if of a year without a seed")
    assert not SamplingSeed.objects.filter(year=before.astimezone(UTC).year).exists()
    found = compliance(use_case)
    (one,) = found["breaches"]
    assert one["decision"] == str(moved.pk)
    assert (
        one["detail"]
        == f"there is no seed of {before.year} on record, with which its draw was made"
    )


def test_what_an_erasure_took_cannot_be_told_where_routing_read_it(monkeypatch: Any) -> None:
    use_case = gate(features=FEATURES, policy={"rules": rules()})
    send(use_case, *many(4))
    gone = Decision.objects.order_by("id").first()
    assert gone is not None
    rows = Payload.objects.exclude(pk=gone.pk)
    monkeypatch.setattr(tracing.Payload, "objects", rows)  # as after an approved erasure
    found = compliance(use_case)
    assert found["routed_again"] == {"same": 3, "other": 0, "cannot_be_told": 1}
    assert found["by_kind"]["untraceable"]["n"] == 0


def test_a_policy_that_was_tampered_with_makes_its_decisions_untraceable(monkeypatch: Any) -> None:
    from apps.common.errors import Conflict

    use_case = gate()
    send(use_case, body("a"))

    def refuse(key: Any) -> Any:
        raise Conflict("its content is not what was approved")

    monkeypatch.setattr(tracing, "compiled_policy", refuse)
    (one,) = compliance(use_case)["breaches"]
    assert one["kind"] == "untraceable"
    assert "its content is not what was approved" in one["detail"]


def test_a_day_lists_the_first_thousand_and_counts_all(monkeypatch: Any) -> None:
    rows = SHOWN + 20
    table = table_of(
        {
            "kind": ["unqualified_reviewer", *["sla_lapsed"] * (rows - 1)],
            "decision": [f"d{i:05}" for i in range(rows)],
            "detail": ["x"] * rows,
        },
        {"n": [1] * rows},
    )
    listed = first_listed(table)
    assert len(listed) == SHOWN
    assert listed.texts["kind"].names == ("sla_lapsed",)  # the first by kind, then by decision
    assert listed.texts["decision"].names[-1] == f"d{SHOWN:05}"
    use_case = gate(policy={"sla_minutes": 30})
    monkeypatch.setattr("apps.metrics.cells.excepting.SHOWN", 2)
    taken = send(use_case, *(body(f"a{i}") for i in range(5)))
    for one in taken:
        made = Decision.objects.get(pk=one.id)
        made.lane = "review"
        made.save(actor=ACTOR, reason="as if it had waited")
    found = compliance(use_case)
    # released without a review, and not as routed: two exceptions each
    assert (found["total"], found["decisions_with_breaches"], found["listed"]) == (10, 5, 2)
    assert found["handled_as_demanded"]["value"] == 0.0
    assert found["by_kind"]["untraceable"]["n"] == 5


def test_of_late_seals_all_count_and_overlaps_count_once() -> None:
    use_case = gate()
    taken = send(use_case, *(body(f"a{i}") for i in range(8)))
    made = Decision.objects.get(pk=taken[0].id)
    made.lane = "review"
    made.save(actor=ACTOR, reason="as if it had waited")
    since = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    late = {"n": 3, "first": [[str(one.id), since] for one in taken[:3]]}
    found = report(read_cells(use_case, Window()), {"trail": {}, "unsealed": late})
    # a0 has three exceptions, a1 and a2 one each
    assert found["decisions_with_breaches"] == 3
    assert found["handled_as_demanded"]["value"] == 5 / 8
    assert (found["by_kind"]["unsealed"]["n"], found["total"]) == (3, 5)


def test_late_seals_beyond_the_listed_ones_never_count_more_than_there_are() -> None:
    use_case = gate()
    taken = send(use_case, body("a"), body("b"))
    for one in taken:
        made = Decision.objects.get(pk=one.id)
        made.lane = "review"
        made.save(actor=ACTOR, reason="as if it had waited")
    # both have exceptions and wait for their seal, of which the list holds one
    late = {"n": 2, "first": [[str(taken[0].id), "waits"]]}
    found = report(read_cells(use_case, Window()), {"trail": {}, "unsealed": late})
    assert (found["decisions_with_breaches"], found["handled_as_demanded"]["value"]) == (2, 0.0)
