"""Cells of what went through, and of what was not handled as its policy demanded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import Qualification
from apps.accounts.qualifications import qualification_grant, qualification_revoke
from apps.decisions.models import Decision
from apps.metrics.cells.excepting import breaches_of
from apps.metrics.cells.window import WindowCells, read_cells
from apps.metrics.domain.compliance import compliance_report
from apps.metrics.domain.tables import labels
from apps.metrics.first_reading import Window
from apps.registry.models import UseCase
from apps.reviews.models import Review, ReviewTask, Seat
from apps.supervision.interventions import decision_intervene
from apps.workflow.tasks import sweep_desk
from tests.metrics.rows import ACTOR, turn_out
from tests.services.cells import counted, flows
from tests.services.clocks import moved_clock
from tests.services.desks import SUITE, case, decide, desk, opened, person, say, task_of
from tests.services.gates import body, gate, send
from tests.services.known import checked_desk, next_known

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
DENY = {"label": "deny", "confidence": 0.5}


def cells_of_all(use_case: UseCase) -> WindowCells:
    return read_cells(use_case, Window())


def breaches(use_case: UseCase) -> set[tuple[str, str]]:
    cells = cells_of_all(use_case)
    found = breaches_of(cells.table("breaches"))
    compliance_report(cells.decisions, found)  # refuses what is no exception
    return {(one.kind, one.decision) for one in found}


def test_lanes_are_counted_by_status() -> None:
    use_case = gate(policy={"confidence_threshold": 0.8})
    send(use_case, body("a"), body("b"), body("c", confidence=0.5))
    send(use_case, body("past", confidence=0.5), past=True)
    found = flows(cells_of_all(use_case))
    assert found["lane", "automatic", "released"] == 2
    assert found["lane", "review", "pending"] == 1
    assert found["lane", "review", "released"] == 1
    assert found["automatic", None, None] == 2


def test_reviews_their_time_and_what_they_changed_are_counted() -> None:
    use_case = desk()
    ann = person("ann")
    for name in ("a", "b", "c"):
        case(use_case, name, **DENY)
    decide(ann, "confirm", active_seconds=30.0)
    decide(ann, "change", output={"label": "approve"}, active_seconds=90.0)
    decide(ann, "withhold")
    cells = cells_of_all(use_case)
    found = flows(cells)
    assert found["reviews", None, None] == found["reviewed", None, None] == 3
    assert (found["untimed", None, None], found["review_seconds", None, None]) == (1, 2)
    assert found["overridden", None, None] == 2  # changed, and withheld
    table = cells.table("flow", "counts")
    total = dict(zip(labels(table, "name"), table.floats("total").tolist(), strict=True))
    assert total["review_seconds"] == 120.0
    times = counted(cells.table("flow", "times"), ["name", "a"])
    assert times["handling", "review"] == 2
    assert times["wait", "review"] == 3
    assert times["release", "review"] == 2


def test_times_are_from_arrival_to_claim_and_to_release(monkeypatch: Any) -> None:
    clock = moved_clock(monkeypatch, NOW)
    use_case = desk()
    ann = person("ann")
    case(use_case, "a", **DENY)
    send(use_case, body("sure", confidence=0.999))
    clock.on(timedelta(seconds=64))
    at = opened(ann)
    clock.on(timedelta(seconds=64))
    say(ann, at, "confirm", now=clock.now)
    times = cells_of_all(use_case).table("flow", "times")
    found = counted(times, ["name", "a", "cell"])
    # 64 s are 6 doublings of 20 cells, 128 s 7; a release at once is in the first cell
    assert found["wait", "review", 120] == 1
    assert found["release", "review", 140] == 1
    assert found["release", "automatic", 0] == 1
    total = dict(zip(labels(times, "name"), times.floats("total").tolist(), strict=True))
    assert total["wait"] == pytest.approx(64.0)


def test_edge_cases_that_a_person_decided_and_the_rule_that_matched_are_counted() -> None:
    use_case = desk(
        {
            "rules": [
                {
                    "name": "big",
                    "when": {"field": "amount", "op": ">", "value": "10.00"},
                    "then": "review",
                }
            ]
        }
    )
    ann = person("ann")
    big = case(use_case, "big", confidence=0.999, amount="20")
    low = case(use_case, "low", **DENY)
    decide(ann, "confirm")
    turn_out("big", "approve")
    turn_out("low", "approve")
    cells = cells_of_all(use_case)
    found = flows(cells)
    first = {str(one.pk): one for one in (big, low)}[str(Review.objects.get().decision_id)]
    seen = "rule_matched" if first.pk == big.pk else "low_confidence"
    other = "low_confidence" if first.pk == big.pk else "rule_matched"
    for kind in (seen, other):
        assert found["edge", kind, "n"] == 1
    assert (found["edge", seen, "seen"], found["edge", other, "seen"]) == (1, 0)
    assert found["edge", seen, "known"] == 1
    assert found["edge", seen, "right"] == int(first.pk == big.pk)
    rules = counted(cells.table("outcome"), ["rule"])
    assert rules == {("big",): 1, (None,): 1}


def test_a_decision_that_a_supervisor_steps_into_is_counted_once() -> None:
    use_case = gate(policy={"level": "HOTL"})
    (taken, _other) = send(use_case, body("a"), body("b"))
    sue = person("sue", "supervisor")
    key = Decision.objects.get(pk=taken.id).pk
    decision_intervene(actor=sue.actor, decision_id=key, action="reverse", reason="wrong")
    cells = cells_of_all(use_case)
    assert flows(cells)["interventions", None, None] == 1
    assert counted(cells.table("outcome"), ["status"]) == {("reversed",): 1, ("released",): 1}


def test_satisfaction_is_that_of_past_and_of_later_decisions() -> None:
    use_case = gate()
    send(use_case, body("old"), body("older"), past=True)
    send(use_case, body("new"))
    for name, score in (("old", 0.25), ("older", 0.5), ("new", 1.0)):
        turn_out(name, "approve", satisfaction=score)
    table = cells_of_all(use_case).table("flow", "counts")
    columns = [labels(table, "name"), labels(table, "a"), table.ints("n").tolist()]
    columns += [table.floats("total").tolist(), table.floats("squares").tolist()]
    rows = {row[1]: row[2:] for row in zip(*columns, strict=True) if row[0] == "satisfaction"}
    assert rows == {"before": (2, 0.75, 0.3125), "after": (1, 1.0, 1.0)}


def test_known_answers_are_among_the_known_alone() -> None:
    use_case, _known = checked_desk()
    ann = person("ann")
    before = flows(cells_of_all(use_case))
    verdicts = cells_of_all(use_case).table("reviews", "cells").ints("n").sum()
    at = next_known(ann, use_case, "case-1")
    say(ann, at, "confirm", active_seconds=4.0)
    cells = cells_of_all(use_case)
    table = cells.table("reviews", "known")
    assert labels(table, "reviewer") == [str(ann.pk)]
    assert (table.ints("n").tolist(), table.ints("right").tolist()) == ([1], [1])
    assert flows(cells)["reviews", None, None] == before["reviews", None, None]
    assert cells.table("reviews", "cells").ints("n").sum() == verdicts
    assert str(ann.pk) not in cells.table("reviews", "times").texts["reviewer"].names


# --- Exceptions -----------------------------------------------------------------------------


def test_what_its_people_settled_in_time_has_no_exception() -> None:
    use_case = desk()
    case(use_case, "a", **DENY)
    send(use_case, body("sure", confidence=0.999))
    send(use_case, body("past", confidence=0.5), past=True)
    decide(person("ann"), "confirm")
    assert breaches(use_case) == set()


def test_a_time_limit_that_lapsed_is_an_exception_and_so_is_a_fallback_that_releases(
    monkeypatch: Any,
) -> None:
    clock = moved_clock(monkeypatch, NOW)
    use_case = desk(
        {"sla_minutes": 30, "fallback": "release"}, risk_tier="minimal", slug="fallbacks"
    )
    made = case(use_case, "a", **DENY)
    clock.on(timedelta(minutes=45))
    sweep_desk()
    made.refresh_from_db()
    assert made.status == "released"
    key = str(made.pk)
    assert breaches(use_case) == {("sla_lapsed", key), ("fallback_released", key)}
    found = flows(cells_of_all(use_case))
    assert (found["due", None, None], found["met", None, None]) == (1, 0)


def test_a_task_settled_in_time_has_met_its_limit() -> None:
    use_case = desk({"sla_minutes": 30})
    case(use_case, "a", **DENY)
    decide(person("ann"), "confirm")
    found = flows(cells_of_all(use_case))
    assert (found["due", None, None], found["met", None, None]) == (1, 1)
    assert breaches(use_case) == set()


def test_a_release_without_a_verdict_is_an_exception() -> None:
    use_case = desk()
    made = case(use_case, "a", **DENY)
    made.status, made.final_label, made.settled_at = "released", "deny", timezone.now()
    made.save(actor=ACTOR, reason="behind the desk's back")
    assert breaches(use_case) == {("released_without_review", str(made.pk))}


@pytest.mark.parametrize(("combination", "is_one"), [("unanimous", True), ("majority", False)])
def test_fewer_reviews_than_settle_it_are_an_exception(combination: str, is_one: bool) -> None:
    use_case = desk({"reviews_required": 3, "combination": combination})
    made = case(use_case, "a", **DENY)
    for name in ("ann", "ben"):
        decide(person(name), "confirm")
    task = task_of(made)
    made.refresh_from_db()
    if task.status == "open":
        made.status, made.final_label, made.settled_at = "released", "deny", timezone.now()
        made.save(actor=ACTOR, reason="too early")
        task.status, task.closed_at = "closed", timezone.now()
        task.save(actor=ACTOR, reason="too early")
    assert breaches(use_case) == ({("too_few_reviews", str(made.pk))} if is_one else set())


def test_a_reviewer_who_lacked_a_skill_then_is_an_exception_whatever_they_hold_now() -> None:
    use_case = desk({"skills": ["credit"]})
    ann, ben = person("ann", skill="credit"), person("ben")
    made = case(use_case, "a", **DENY)
    decide(ann, "confirm")
    qualification_revoke(
        actor=SUITE, qualification=Qualification.objects.get(user=ann), reason="no practice"
    )
    assert breaches(use_case) == set()
    review = Review.objects.get()
    review.reviewer = ben
    review.save(actor=ACTOR, reason="as if it had been ben")
    qualification_grant(actor=SUITE, user=ben, skill="credit", reason="trained since")
    assert breaches(use_case) == {("unqualified_reviewer", str(made.pk))}


def test_a_reviewer_who_submitted_the_case_or_is_its_subject_is_an_exception() -> None:
    use_case = desk()
    ann, ben = person("ann"), person("ben")
    own = case(use_case, "own", **DENY)
    about = case(use_case, "about", **DENY, subject={"ref": "ben"})
    for _ in range(2):
        decide(ann, "confirm")
    own.refresh_from_db()
    own.submitted_by = str(ann.pk)
    own.save(actor=ACTOR, reason="as if ann had sent it")
    review = Review.objects.get(decision=about)
    review.reviewer = ben
    review.save(actor=ACTOR, reason="as if ben had reviewed it")
    wanted = {("interested_reviewer", str(own.pk)), ("interested_reviewer", str(about.pk))}
    assert breaches(use_case) == wanted


def test_in_command_a_release_without_a_mandate_is_an_exception() -> None:
    use_case = gate(policy={"level": "HIC"})
    (taken,) = send(use_case, body("a"))
    made = Decision.objects.get(pk=taken.id)
    assert (made.lane, breaches(use_case)) == ("command", set())
    made.lane, made.status, made.final_label = "automatic", "released", "approve"
    made.settled_at = timezone.now()
    made.save(actor=ACTOR, reason="behind the commander's back")
    # and it is not what its routing came to
    assert breaches(use_case) == {(k, str(made.pk)) for k in ("outside_mandate", "untraceable")}


def test_escalated_decisions_are_counted_once() -> None:
    use_case = desk({"escalation": ["senior_reviewer"]})
    made = case(use_case, "a", **DENY)
    decide(person("ann"), "escalate", rationale="too hard")
    assert ReviewTask.objects.get(decision=made).level == 1
    assert Seat.objects.filter(task__decision=made, state="done").count() == 1
    assert flows(cells_of_all(use_case))["escalated", None, None] == 1
