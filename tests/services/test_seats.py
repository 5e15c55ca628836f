"""The queue: who gets which seat, under what lease, and what becomes of a lease that ran out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import Qualification, RoleGrant
from apps.accounts.qualifications import qualification_grant, qualification_revoke
from apps.accounts.services import person_update, role_revoke
from apps.common.errors import Conflict, NotFound, NotPermitted
from apps.registry.services import decision_right_grant
from apps.reviews.leases import leases_lapse
from apps.reviews.models import Draft, Pool, Review, ReviewTask, Seat
from apps.reviews.pools import pool_for
from apps.reviews.seats import held_seat, seat_release, seat_renew, seats_add
from apps.supervision.stops import resume, stop
from apps.workflow.intake import take_in
from tests.services.gates import LEAD, SECOND, arrivals, body, send
from tests.services.queues import SUITE, claim, claimed, desk, reviewer, waiting

MINUTE = timedelta(minutes=1)


def seats_of(task: ReviewTask) -> list[Seat]:
    return list(Seat.objects.filter(task=task).order_by("number"))


# --- Seats and pools ------------------------------------------------------------------------


def test_a_task_has_a_seat_for_each_review_it_asks_for(db: None) -> None:
    (task,) = waiting(desk(reviews_required=3, skills=["credit"]), "a")
    seats = seats_of(task)
    assert [seat.number for seat in seats] == [1, 2, 3]
    assert {(seat.state, seat.stage, seat.rank, seat.holder_id) for seat in seats} == {
        ("free", "review", task.rank, None)
    }
    assert Pool.objects.get().skills == ["credit"]


def test_many_cases_sent_at_once_have_the_seats_of_cases_sent_one_by_one(db: None) -> None:
    case = desk(reviews_required=2)
    send(case, *(body(f"m{n}", confidence=0.5) for n in range(12)))
    waiting(case, "single")
    assert Seat.objects.count() == 26
    assert {len(seats_of(task)) for task in ReviewTask.objects.all()} == {2}
    assert Pool.objects.count() == 1


def test_the_same_pool_is_made_once_whatever_the_order_of_its_skills(db: None) -> None:
    desk()
    first = pool_for("loan", "", ["b", "a"])
    assert pool_for("loan", "", ["a", "b", "a"]).pk == first.pk
    assert pool_for("loan", "senior_reviewer", ["a", "b"]).pk != first.pk


def test_a_further_seat_is_numbered_after_the_last(db: None) -> None:
    (task,) = waiting(desk(), "a")
    seats_add(task=task, count=1, role="senior_reviewer", stage="adjudication")
    assert [(s.number, s.stage) for s in seats_of(task)] == [(1, "review"), (2, "adjudication")]


# --- Who gets what --------------------------------------------------------------------------


def test_the_first_case_by_rank_is_handed_out_under_a_new_lease(db: None) -> None:
    case = desk(lease_minutes=7)
    waiting(case, "sure", confidence=0.9)
    (urgent,) = waiting(case, "doubtful", confidence=0.1)
    now, ann = timezone.now(), reviewer("ann")
    seat = claimed(ann, now=now)
    assert (seat.task_id, seat.holder_id, seat.state) == (urgent.pk, ann.pk, "leased")
    assert seat.lease_expires_at == now + 7 * MINUTE
    assert (seat.fence, seat.leased_at) == (1, now)
    stored = Seat.objects.get(pk=seat.pk)
    assert (stored.lease, stored.holder_id) == (seat.lease, ann.pk)


def test_a_second_browser_gets_the_same_case_and_lease(db: None) -> None:
    desk(cases=3)
    ann = reviewer("ann")
    first, again = claimed(ann), claimed(ann)
    assert (first.pk, first.lease, first.fence) == (again.pk, again.lease, again.fence)


def test_no_person_gets_two_seats_of_one_task(db: None) -> None:
    waiting(desk(reviews_required=3), "a")
    people = [reviewer(name) for name in ("ann", "ben", "cid", "dan")]
    seats = [claim(person) for person in people]
    assert sorted(seat.number for seat in seats if seat) == [1, 2, 3]
    assert seats[3] is None
    done = seats[0]
    assert done is not None
    Seat.objects.filter(pk=done.pk).update(state="done")
    seats_add(task=ReviewTask.objects.get(), count=1)
    assert claim(people[0]) is None
    assert claimed(people[3]).number == 4


def test_a_case_is_not_given_to_who_sent_it_reviewed_it_or_is_its_subject(db: None) -> None:
    case = desk()
    waiting(case, "a", subject={"ref": "ben"})
    ann, ben, cid = (reviewer(name) for name in ("ann", "ben", "cid"))
    task = ReviewTask.objects.get()
    Review(
        use_case=case,
        decision=task.decision,
        reviewer=ann,
        imported=True,
        label="deny",
        created_at=timezone.now(),
    ).save(actor=SUITE)
    assert (claim(ann), claim(ben)) == (None, None)
    take_in(actor=cid.actor, use_case="loan", arrivals=arrivals(case, body("b", confidence=0.5)))
    own = claimed(cid)
    assert own.task_id == task.pk
    Seat.objects.filter(pk=own.pk).update(state="done")
    assert claim(cid) is None


def test_a_subject_of_that_name_elsewhere_is_another_person(db: None) -> None:
    """The pseudonym is by use case: the same reference in another one does not match."""
    desk("first")
    (task,) = waiting(desk("second"), "a", subject={"ref": "somebody"})
    assert claimed(reviewer("ben")).task_id == task.pk


def test_skills_are_asked_for_everywhere_or_in_the_use_case(db: None) -> None:
    desk(cases=2, skills=["credit", "law"])
    now = timezone.now()
    ann, ben, cid = reviewer("ann", "credit"), reviewer("ben", "credit", "law"), reviewer("cid")
    assert claim(ann) is None
    assert claimed(ben)
    for skill in ("credit", "law"):
        qualification_grant(
            actor=LEAD,
            user=cid,
            skill=skill,
            use_case="loan",
            valid_until=now + MINUTE,
            reason="examined",
        )
    assert claim(cid, now=now + MINUTE) is None
    assert claimed(cid, now=now)


def test_a_role_in_one_use_case_serves_no_other(db: None) -> None:
    desk("first", cases=1)
    desk("second", cases=1)
    ann = reviewer("ann", use_case="second")
    assert claim(ann, "first") is None
    assert claimed(ann).task.use_case_id == "second"


def test_where_the_right_to_review_has_holders_only_they_get_cases(db: None) -> None:
    case = desk(cases=1)
    ann, ben = reviewer("ann"), reviewer("ben")
    decision_right_grant(actor=SUITE, use_case=case, right="review", person=ben, reason="named")
    assert claim(ann) is None
    assert claimed(ben)


def test_cases_of_a_suspended_use_case_are_not_handed_out(db: None) -> None:
    case = desk(cases=1)
    ann = reviewer("ann")
    held = claimed(ann)
    stop(actor=LEAD, use_case=case, reason="drill")
    assert claim(ann) is None
    resume(actor=SECOND, use_case=case, reason="over")
    assert claimed(ann).lease == held.lease


def test_a_senior_gets_the_seats_of_seniors_and_a_reviewer_does_not(db: None) -> None:
    (task,) = waiting(desk(), "a")
    seats_add(task=task, count=1, role="senior_reviewer", stage="adjudication")
    ann, ben, sue = reviewer("ann"), reviewer("ben"), reviewer("sue", role="senior_reviewer")
    assert claimed(ann).stage == "review"
    assert claim(ben) is None
    assert claimed(sue).stage == "adjudication"


def test_what_was_escalated_to_the_risk_lead_waits_for_one(db: None) -> None:
    (task,) = waiting(desk(), "a")
    Seat.objects.filter(task=task).update(state="closed")
    seats_add(task=task, count=1, role="risk_lead")
    assert claim(reviewer("ann")) is None
    assert claim(reviewer("lea", role="risk_lead", use_case="other")) is None
    assert claimed(reviewer("liz", role="risk_lead", use_case="loan")).number == 2


def test_a_seat_that_is_not_due_before_is_not_handed_out(db: None) -> None:
    desk(cases=1)
    now, ann = timezone.now(), reviewer("ann")
    Seat.objects.update(not_before=now + MINUTE)
    assert claim(ann, now=now) is None
    assert claimed(ann, now=now + MINUTE)


def test_a_deactivated_person_claims_nothing(db: None) -> None:
    desk(cases=1)
    ann = reviewer("ann")
    person_update(actor=SUITE, user=ann, reason="left", is_active=False)
    with pytest.raises(NotPermitted, match="deactivated"):
        claim(ann)


def test_the_queries_of_a_claim_do_not_grow_with_the_queue(db: None) -> None:
    case = desk()
    send(case, *(body(f"few-{n}", confidence=0.5) for n in range(5)))
    claimed(reviewer("first"))  # the policy's lease is read once a process
    counts = []
    for name in ("ann", "ben"):
        person = reviewer(name)
        with CaptureQueriesContext(connection) as seen:
            assert claim(person)
        counts.append(len(seen))
        send(case, *(body(f"many-{n}", confidence=0.5) for n in range(300)))
    assert counts[0] == counts[1] <= 14, counts


# --- Leases ---------------------------------------------------------------------------------


def hold(seat: Seat, person: Any, now: Any = None, **other: Any) -> Seat:
    found = {"task_id": seat.task_id, "lease": seat.lease, "person": person, **other}
    return held_seat(now=now or timezone.now(), **found)


def test_the_holder_has_the_seat_and_nobody_else_has(db: None) -> None:
    desk(cases=2)
    ann, ben = reviewer("ann"), reviewer("ben")
    seat = claimed(ann)
    assert hold(seat, ann).pk == seat.pk
    for wrong in ({"lease": uuid4()}, {"person": ben}):
        with pytest.raises(Conflict, match="does not hold"):
            hold(seat, **{"person": ann, **wrong})
    with pytest.raises(NotFound):
        hold(seat, ann, task_id=uuid4())


def test_a_lease_that_ran_out_holds_no_more_and_the_next_one_does(db: None) -> None:
    desk(cases=1)
    now, ann, ben = timezone.now(), reviewer("ann"), reviewer("ben")
    seat = claimed(ann, now=now)
    late = now + 15 * MINUTE
    with pytest.raises(Conflict, match="ended at"):
        hold(seat, ann, late)
    other = claimed(ben, now=late)
    assert (other.pk, other.fence, other.holder_id) == (seat.pk, 2, ben.pk)
    assert other.lease != seat.lease
    with pytest.raises(Conflict, match="does not hold"):
        hold(seat, ann, late)


def test_a_closed_task_and_a_lost_skill_are_said(db: None) -> None:
    desk(cases=1, skills=["credit"])
    ann = reviewer("ann", "credit")
    seat = claimed(ann)
    qualification_revoke(actor=LEAD, qualification=Qualification.objects.get(), reason="expired")
    with pytest.raises(NotPermitted, match="lacks the skill credit"):
        hold(seat, ann)
    task = ReviewTask.objects.get()
    task.status = "lapsed"
    task.save(actor=SUITE, reason="too late")
    with pytest.raises(Conflict, match="is lapsed"):
        hold(seat, ann)


def test_a_role_that_is_gone_and_a_person_who_left_hold_nothing(db: None) -> None:
    desk(cases=1)
    ann = reviewer("ann")
    seat = claimed(ann)
    role_revoke(actor=SUITE, grant=RoleGrant.objects.get(), reason="moved")
    with pytest.raises(NotPermitted, match="may not review in loan"):
        hold(seat, ann)
    person_update(actor=SUITE, user=ann, reason="left", is_active=False)
    with pytest.raises(NotPermitted, match="deactivated"):
        hold(seat, ann)


def test_a_heartbeat_moves_the_end_and_keeps_the_lease(db: None) -> None:
    desk(cases=1, lease_minutes=10)
    now, ann = timezone.now(), reviewer("ann")
    seat = claimed(ann, now=now)
    kept = seat_renew(task_id=seat.task_id, lease=seat.lease, person=ann, now=now + 9 * MINUTE)
    assert (kept.lease, kept.lease_expires_at) == (seat.lease, now + 19 * MINUTE)
    assert hold(seat, ann, now + 18 * MINUTE)


def test_a_seat_given_back_waits_again_and_the_draft_stays(db: None) -> None:
    desk(cases=1)
    now, ann, ben = timezone.now(), reviewer("ann"), reviewer("ben")
    seat = claimed(ann)
    Draft.objects.create(seat=seat, person=ann, body="so far", updated_at=now)
    seat_release(task_id=seat.task_id, lease=seat.lease, person=ann, now=now)
    with pytest.raises(Conflict):
        hold(seat, ann)
    assert claimed(ben).pk == seat.pk
    assert Draft.objects.get().body == "so far"


def test_the_sweep_frees_what_ran_out_and_leaves_what_was_answered(db: None) -> None:
    desk(cases=3)
    now = timezone.now()
    old, answered = claimed(reviewer("ann"), now=now), claimed(reviewer("ben"), now=now)
    Seat.objects.filter(pk=answered.pk).update(answered=True)
    fresh = claimed(reviewer("cid"), now=now + 10 * MINUTE)
    later = now + 16 * MINUTE
    assert (leases_lapse(later), leases_lapse(later)) == (1, 0)
    states = {s.pk: (s.state, s.holder_id is None, s.fence) for s in Seat.objects.all()}
    assert states == {
        old.pk: ("free", True, 1),
        answered.pk: ("leased", False, 1),
        fresh.pk: ("leased", False, 1),
    }


def test_a_claim_that_finds_nothing_takes_over_what_ran_out(db: None) -> None:
    desk(cases=1)
    now, ann, ben = timezone.now(), reviewer("ann"), reviewer("ben")
    seat = claimed(ann, now=now)
    assert claim(ben, now=now + 14 * MINUTE) is None
    assert claimed(ben, now=now + 15 * MINUTE).pk == seat.pk
