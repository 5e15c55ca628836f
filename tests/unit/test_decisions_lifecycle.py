"""The table of transitions, checked against its whole cross product."""

from __future__ import annotations

import itertools

import pytest

from apps.decisions.domain.lifecycle import (
    Event,
    IllegalTransition,
    Lane,
    Status,
    creation_event,
    legal_events,
    may_reroute,
    next_status,
    reroute_event,
)

P, R, W, V = Status.PENDING, Status.RELEASED, Status.WITHHELD, Status.REVERSED

# Written out again by hand: (event, from, to). Whatever is not here must be refused.
LEGAL = {
    ("create_pending", None, P),
    ("create_released", None, R),
    ("create_withheld", None, W),
    ("review_approve", P, R),
    ("review_withhold", P, W),
    ("command_approve", P, R),
    ("command_change", P, R),
    ("command_withhold", P, W),
    ("fallback_release", P, R),
    ("fallback_withhold", P, W),
    ("reroute_pending", W, P),
    ("reroute_released", W, R),
    ("reroute_withheld", W, W),
    ("intervene_reverse", R, V),
    ("intervene_change", R, V),
    *itertools.product(["contest_release"], [R, W, V], [R]),
    *itertools.product(["contest_withhold"], [R, W, V], [W]),
    *itertools.product(["contest_reverse"], [R, W, V], [V]),
}
TARGET = {(event, start): target for event, start, target in LEGAL}
PAIRS = list(itertools.product(Event, [None, *Status]))


@pytest.mark.parametrize(("event", "status"), PAIRS)
def test_every_pair_of_event_and_status_is_legal_exactly_where_the_table_says(event, status):
    if (event.value, status) in TARGET:
        assert next_status(event, status) is TARGET[event.value, status]
        assert event in legal_events(status)
    else:
        assert event not in legal_events(status)
        with pytest.raises(IllegalTransition):
            next_status(event, status)


def test_an_illegal_transition_names_both_states_and_what_is_allowed():
    with pytest.raises(IllegalTransition) as caught:
        next_status(Event.REVIEW_APPROVE, W)
    assert "withheld" in str(caught.value)
    assert "released" in str(caught.value)
    assert (caught.value.event, caught.value.status) == (Event.REVIEW_APPROVE, W)
    assert caught.value.target is R
    assert caught.value.allowed == {P}


def test_a_pending_decision_cannot_be_contested():
    for event in (Event.CONTEST_RELEASE, Event.CONTEST_WITHHOLD, Event.CONTEST_REVERSE):
        with pytest.raises(IllegalTransition, match="is pending"):
            next_status(event, P)


def test_a_decision_that_exists_cannot_be_created_again():
    with pytest.raises(IllegalTransition, match="does not exist yet"):
        next_status(Event.CREATE_RELEASED, R)


@pytest.mark.parametrize(
    ("lane", "status"),
    [
        (Lane.AUTOMATIC, R),
        (Lane.SUPERVISED, R),
        (Lane.SHADOW, R),
        (Lane.REVIEW, P),
        (Lane.COMMAND, P),
        (Lane.BLOCKED, W),
    ],
)
def test_the_lane_decides_the_first_status_and_the_status_after_a_reroute(lane, status):
    assert next_status(creation_event(lane), None) is status
    assert next_status(reroute_event(lane), W) is status


@pytest.mark.parametrize("lane", Lane)
def test_a_past_decision_is_released_in_any_lane(lane):
    assert next_status(creation_event(lane, past=True), None) is R


def test_only_what_a_stop_withheld_may_be_rerouted():
    allowed = {pair for pair in itertools.product(Lane, Status) if may_reroute(*pair)}
    assert allowed == {(Lane.BLOCKED, W)}
