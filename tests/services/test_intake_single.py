"""One decision by itself: what it is routed by is read in one trip, and the rows travel with the last
look at the stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.decisions.models import Decision, Payload
from apps.reviews.models import ReviewTask, Seat
from apps.supervision.stops import stop
from apps.workflow import intake
from apps.workflow.intake import look, take_one
from tests.services.gates import LEAD, SENDER, arrivals, body, gate, send


def test_a_stop_between_routing_and_commit_routes_it_again(db: None, monkeypatch: Any) -> None:
    case = gate()
    real, calls = intake.stop_reading, []

    def stopped_meanwhile(slug: str, versions: Any) -> Any:
        calls.append(slug)
        reading = real(slug, versions)
        if len(calls) > 1:
            return reading
        return replace(reading, of=lambda rows: ("suspended", reading.of(rows)[1]))

    monkeypatch.setattr(intake, "stop_reading", stopped_meanwhile)
    (taken,) = send(case, body("a"))
    assert (taken.state, len(calls)) == ("accepted", 2)
    assert Decision.objects.count() == Decision.history.count() == Payload.objects.count() == 1


def test_what_was_read_before_the_stop_releases_nothing(db: None) -> None:
    """The reading is older than the stop, the transaction is younger."""
    case = gate()
    (arrived,) = arrivals(case, body("a"))
    seen = look("loan", ["a"], [("scorer", "1")])
    stop(actor=LEAD, use_case=case, reason="drill")
    taken, answer = take_one(actor=SENDER, arrival=arrived, seen=seen)
    assert answer is not None
    assert (taken.lane, answer["status"]) == ("blocked", "withheld")


def test_a_case_that_came_since_the_reading_is_the_same_case(db: None) -> None:
    case = gate()
    (arrived,) = arrivals(case, body("a"))
    seen = look("loan", ["a"], [("scorer", "1")])
    (first,) = send(case, body("a"))
    taken, answer = take_one(actor=SENDER, arrival=arrived, seen=seen)
    assert (taken.state, taken.id, answer) == ("duplicate", first.id, None)
    assert Decision.objects.count() == 1


@pytest.mark.parametrize("required", [1, 9])
def test_each_review_has_its_seat_however_many_there_are(db: None, required: int) -> None:
    """Few rows travel together, many are copied: nine seats are more than few."""
    policy = {"reviews_required": required, "combination": "majority", "confidence_threshold": 0.99}
    send(gate(policy=policy if required > 1 else {**policy, "combination": "single"}), body("a"))
    task = ReviewTask.objects.get()
    numbers = Seat.objects.filter(task=task).order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, required + 1))
    assert task.decision == Decision.objects.get()
