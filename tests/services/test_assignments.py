"""Seats given, taken back, returned and handed on; absences; qualifications that end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import Qualification
from apps.accounts.qualifications import (
    held_skills,
    qualification_end,
    qualification_grant,
    qualification_revoke,
)
from apps.common.errors import BadInput, Conflict, NotFound
from apps.common.ids import uuid7
from apps.reviews.absences import absence_add, absence_end
from apps.reviews.assignments import seat_assign, seat_return, seat_unassign, seats_delegate
from apps.reviews.models import Absence, Assignment, Draft, Review, ReviewTask, Seat
from apps.reviews.practice import qualifications_lapse
from apps.reviews.seats import held_seat, seats_add
from tests.services.gates import LEAD
from tests.services.queues import SUITE, claim, claimed, desk, reviewer, waiting

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def assign(task: ReviewTask, person: Any, **more: Any) -> Assignment:
    return seat_assign(
        actor=LEAD, task_id=task.pk, person=person, reason="knows the branch", **more
    )


def kinds() -> list[tuple[str, Any]]:
    return [(row.kind, row.person_id) for row in Assignment.objects.order_by("made_at", "pk")]


# --- Given and taken back -------------------------------------------------------------------


def test_a_seat_that_was_given_goes_to_that_person_alone_and_first(db: None) -> None:
    case = desk()
    waiting(case, "urgent", confidence=0.0)
    (task,) = waiting(case, "given", confidence=0.9)
    ann, ben = reviewer("ann"), reviewer("ben")
    made = assign(task, ben)
    assert (made.kind, made.seat, made.person_id, made.made_by) == (
        "assign",
        1,
        ben.pk,
        "command:lead",
    )
    assert Assignment.history.get().history_change_reason == "knows the branch"
    assert claimed(ann).task_id != task.pk
    assert claimed(ben).task_id == task.pk


def test_a_seat_is_reassigned_from_its_holder_whose_draft_stays(db: None) -> None:
    (task,) = waiting(desk(), "a")
    ann, ben = reviewer("ann"), reviewer("ben")
    seat = claimed(ann)
    Draft.objects.create(seat=seat, person=ann, body="so far", updated_at=timezone.now())
    assert assign(task, ben, number=1).kind == "reassign"
    with pytest.raises(Conflict):
        held_seat(task_id=task.pk, lease=seat.lease, person=ann, now=timezone.now())
    assert claim(ann) is None
    assert claimed(ben).pk == seat.pk
    assert Draft.objects.get().body == "so far"
    assert assign(task, ann, number=1).kind == "reassign"


def test_what_is_taken_back_waits_for_everybody_again(db: None) -> None:
    (task,) = waiting(desk(), "a")
    ann, ben = reviewer("ann"), reviewer("ben")
    assign(task, ben)
    assert claim(ann) is None
    seat_unassign(actor=LEAD, task_id=task.pk, number=1, reason="on leave")
    assert claimed(ann)
    assert kinds() == [("assign", ben.pk), ("unassign", None)]
    with pytest.raises(NotFound, match="no seat 2"):
        seat_unassign(actor=LEAD, task_id=task.pk, number=2, reason="on leave")


def test_taking_back_what_nobody_has_is_refused(db: None) -> None:
    (task,) = waiting(desk(), "a")
    with pytest.raises(Conflict, match="waits in the queue already"):
        seat_unassign(actor=LEAD, task_id=task.pk, number=1, reason="on leave")


def test_who_may_not_review_a_case_is_not_given_it_and_why_is_said(db: None) -> None:
    case = desk(reviews_required=2, skills=["credit"])
    (task,) = waiting(case, "a", subject={"ref": "dan"})
    ann, ben, cid, dan = (
        reviewer(name, *skills)
        for name, skills in (
            ("ann", []),
            ("ben", ["credit"]),
            ("cid", ["credit"]),
            ("dan", ["credit"]),
        )
    )
    assert claimed(ben)
    Review(
        use_case=case,
        decision=task.decision,
        reviewer=cid,
        imported=True,
        label="deny",
        created_at=timezone.now(),
    ).save(actor=SUITE)
    words = {
        ann: "lacks the skill credit",
        ben: "has a seat of this task already",
        cid: "reviewed this case before",
        dan: "subject of this case",
    }
    for person, why in words.items():
        with pytest.raises(BadInput, match=why):
            assign(task, person)
    assert not Assignment.objects.exists()


def test_there_must_be_something_to_give_and_a_reason(db: None) -> None:
    (task,) = waiting(desk(), "a")
    ann, ben = reviewer("ann"), reviewer("ben")
    with pytest.raises(NotFound):
        seat_assign(actor=LEAD, task_id=uuid7(), person=ann, reason="x")
    with pytest.raises(BadInput, match="needs a reason"):
        seat_assign(actor=LEAD, task_id=task.pk, person=ann, reason=" ")
    assign(task, ann)
    with pytest.raises(Conflict, match="no free seat"):
        assign(task, ben)
    with pytest.raises(Conflict, match="ann's already"):
        assign(task, ann, number=1)
    task.status = "closed"
    task.save(actor=SUITE, reason="done")
    with pytest.raises(Conflict, match="is closed"):
        assign(task, ben, number=1)


def test_a_case_comes_back_to_the_person_who_had_it(db: None) -> None:
    """Although they reviewed it: it is their own seat, for a second look."""
    (task,) = waiting(desk(), "a")
    now, ann, ben = timezone.now(), reviewer("ann"), reviewer("ben")
    seat = claimed(ann)
    Review(
        use_case=task.use_case,
        decision=task.decision,
        task=task,
        reviewer=ann,
        verdict="ask",
        final=False,
        created_at=now,
    ).save(actor=SUITE)
    seat_return(
        actor=LEAD,
        task_id=task.pk,
        number=1,
        person=ann,
        reason="answered",
        not_before=now + MINUTE,
    )
    assert (claim(ann, now=now), claim(ben, now=now + MINUTE)) == (None, None)
    again = claimed(ann, now=now + MINUTE)
    assert (again.pk, again.fence) == (seat.pk, 2)
    assert kinds() == [("return", ann.pk)]


# --- Absence --------------------------------------------------------------------------------


def away(person: Any, delegate: Any = None, **more: Any) -> Absence:
    now = timezone.now()
    times = {"starts_at": now - MINUTE, "ends_at": now + DAY}
    return absence_add(
        actor=LEAD, person=person, delegate=delegate, reason="leave", **{**times, **more}
    )


def test_while_somebody_is_away_their_delegate_gets_what_was_given_to_them(db: None) -> None:
    (task,) = waiting(desk(), "a")
    now, ann, ben, cid = timezone.now(), reviewer("ann"), reviewer("ben"), reviewer("cid")
    assign(task, ann)
    absence = away(ann, ben)
    assert claim(cid) is None
    assert claim(ben, now=now + 2 * DAY) is None
    seat = claimed(ben)
    assert seat.task_id == task.pk
    assert kinds() == [("assign", ann.pk), ("delegate", ben.pk)]
    absence_end(actor=LEAD, absence=absence, reason="back")
    with pytest.raises(Conflict, match="ended at"):
        absence_end(actor=LEAD, absence=absence, reason="back")


def test_an_absence_needs_times_that_make_sense_and_another_person(db: None) -> None:
    now, ann, ben = timezone.now(), reviewer("ann"), reviewer("ben")
    for pointer, times in (
        ("/ends_at", {"starts_at": now, "ends_at": now}),
        ("/ends_at", {"starts_at": now - DAY, "ends_at": now - MINUTE}),
        ("/delegate", {"delegate": ann}),
    ):
        with pytest.raises(BadInput) as refusal:
            away(ann, **times)
        assert refusal.value.errors[0].pointer == pointer
    away(ann, ben)
    with pytest.raises(Conflict, match="away already"):
        away(ann, starts_at=now + MINUTE, ends_at=now + 2 * DAY)
    assert away(ann, starts_at=now + 2 * DAY, ends_at=now + 3 * DAY)


def test_what_waits_for_one_is_handed_on_save_what_the_other_may_not_review(db: None) -> None:
    case = desk()
    (first,) = waiting(case, "a")
    (own,) = waiting(case, "b", subject={"ref": "ben"})
    ann, ben = reviewer("ann"), reviewer("ben")
    for task in (first, own):
        assign(task, ann)
    assert seats_delegate(actor=LEAD, person=ann, delegate=ben, reason="leave") == 1
    assert claimed(ben).task_id == first.pk
    assert claimed(ann).task_id == own.pk
    assert kinds()[2:] == [("delegate", ben.pk)]


# --- Qualifications -------------------------------------------------------------------------


def test_a_qualification_says_who_granted_it_until_when_and_why(db: None) -> None:
    now, ann = timezone.now(), reviewer("ann")
    until = now + DAY
    held = qualification_grant(
        actor=LEAD, user=ann, skill=" credit ", use_case="loan", valid_until=until, reason="exam"
    )
    assert (held.skill, held.status, held.granted_by, held.valid_until) == (
        "credit",
        "held",
        "command:lead",
        until,
    )
    assert Qualification.history.get().history_change_reason == "exam"
    assert held_skills(ann, "loan", now) == {"credit": until}
    assert held_skills(ann, "loan", until) == held_skills(ann, "other", now) == {}


def test_a_revoked_skill_is_gone_and_can_be_granted_again(db: None) -> None:
    now, ann = timezone.now(), reviewer("ann", "credit")
    held = Qualification.objects.get()
    qualification_revoke(actor=LEAD, qualification=held, reason="moved on")
    assert held_skills(ann, "loan", now) == {}
    with pytest.raises(Conflict, match="is revoked already"):
        qualification_revoke(actor=LEAD, qualification=held, reason="moved on")
    again = qualification_grant(actor=LEAD, user=ann, skill="credit", reason="exam again")
    assert (again.pk, again.status) == (held.pk, "held")
    assert Qualification.history.count() == 3


def test_bad_grants_are_refused_on_the_field(db: None) -> None:
    ann = reviewer("ann")
    for pointer, wrong in (
        ("/skill", {"skill": " "}),
        ("/skill", {"skill": "x" * 101}),
        ("/valid_until", {"valid_until": timezone.now() - MINUTE}),
        ("/reason", {"reason": ""}),
    ):
        with pytest.raises(BadInput) as refusal:
            qualification_grant(
                **{"actor": LEAD, "user": ann, "skill": "law", "reason": "r", **wrong}
            )
        assert refusal.value.errors[0].pointer == pointer
    with pytest.raises(BadInput, match="not one of revoked"):
        held = qualification_grant(actor=LEAD, user=ann, skill="law", reason="r")
        qualification_end(actor=LEAD, qualification=held, status="held", reason="r")
    with pytest.raises(Conflict, match="nobody qualifies themselves"):
        qualification_grant(actor=ann.actor, user=ann, skill="law", reason="r")


def test_a_skill_lapses_after_the_days_without_a_case_and_says_so(db: None) -> None:
    case = desk(skills=["credit"], practice_days=30)
    (task,) = waiting(case, "a")
    ann, ben = reviewer("ann", "credit"), reviewer("ben", "credit")
    now = timezone.now()
    Review(
        use_case=case,
        decision=task.decision,
        task=task,
        reviewer=ben,
        verdict="confirm",
        reviewed_at=now + 10 * DAY,
        created_at=now,
    ).save(actor=SUITE)
    assert qualifications_lapse(now + 29 * DAY) == 0
    assert qualifications_lapse(now + 31 * DAY) == 1
    assert qualifications_lapse(now + 31 * DAY) == 0
    lapsed = Qualification.objects.get(user=ann)
    assert (lapsed.status, lapsed.evidence["days"]) == ("lapsed", 30)
    assert Qualification.objects.get(user=ben).status == "held"
    assert qualifications_lapse(now + 41 * DAY) == 1
    row = Qualification.history.filter(id=lapsed.pk).latest()
    assert (row.history_change_reason, row.history_user_id) == (
        "30 days without a case",
        "system:desk",
    )


def test_where_one_policy_asks_for_no_practice_a_skill_stays(db: None) -> None:
    desk("first", skills=["credit"], practice_days=1)
    desk("second", skills=["credit"])
    reviewer("ann", "credit")
    bound = qualification_grant(
        actor=LEAD, user=reviewer("ben"), skill="credit", use_case="first", reason="exam"
    )
    assert qualifications_lapse(timezone.now() + 2 * DAY) == 1
    bound.refresh_from_db()
    assert bound.status == "lapsed"


def test_a_qualification_whose_time_is_over_is_closed_by_the_sweep(db: None) -> None:
    ann = reviewer("ann")
    until = timezone.now() + DAY
    qualification_grant(actor=LEAD, user=ann, skill="law", valid_until=until, reason="exam")
    assert (qualifications_lapse(until - MINUTE), qualifications_lapse(until)) == (0, 1)
    assert Qualification.objects.get().evidence["valid_until"] == until.isoformat()


def test_a_seat_of_seniors_is_given_to_no_plain_reviewer(db: None) -> None:
    (task,) = waiting(desk(), "a")
    seats_add(task=task, count=1, role="senior_reviewer", stage="adjudication")
    with pytest.raises(BadInput, match="as senior reviewer"):
        assign(task, reviewer("ann"), number=2)
    assert assign(task, reviewer("sue", role="senior_reviewer"), number=2).seat == 2
    assert Seat.objects.get(number=2).assigned_to is not None
