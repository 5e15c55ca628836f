"""Verdicts at the desk: what each does to the decision, the review, the task and the trail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.audit.models import AccessEvent
from apps.common.errors import BadInput, Conflict, NotFound, NotPermitted, StaleCase
from apps.decisions.models import Content, Decision
from apps.decisions.selectors import final_of
from apps.notifications.models import OutboxEvent
from apps.registry.services import model_version_set_status, use_case_update
from apps.reviews.drafts import draft_of
from apps.reviews.models import Draft, Review, ReviewTask, Seat
from apps.supervision.stops import resume, stop
from apps.workflow.desk.opening import open_again, open_next, review_reveal
from apps.workflow.desk.submission import Submission
from apps.workflow.desk.submitting import review_submit
from tests.services.desks import (
    SUITE,
    blind,
    case,
    decide,
    desk,
    opened,
    person,
    review_of,
    say,
    task_of,
)
from tests.services.gates import LEAD, SECOND, policy_in_force

OUTPUTS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    # kind: the AI's output, what takes effect when it is confirmed, what a person changes it to
    "label": ({"label": "deny", "confidence": 0.5}, {"label": "deny"}, {"label": "approve"}),
    "number": ({"value": 7.5, "low": 7, "high": 8}, {"value": 7.5}, {"value": 9}),
    "fields": (
        {"fields": {"iban": {"value": "X1", "confidence": 0.4}, "sum": {"value": 3}}},
        {"fields": {"iban": "X1", "sum": 3}},
        {"fields": {"iban": "X2", "sum": 3}},
    ),
    "text": ({"text": "Dear you", "confidence": 0.3}, {"text": "Dear you"}, {"text": "Dear me"}),
    "action": (
        {"name": "pay", "arguments": {"sum": 5}},
        {"name": "pay", "arguments": {"sum": 5}},
        {"name": "pay", "arguments": {"sum": 4}},
    ),
}
KINDS = list(OUTPUTS)


def case_of(kind: str, policy: dict[str, Any] | None = None) -> Decision:
    return case(desk(policy, kinds=KINDS), kind=kind, output=OUTPUTS[kind][0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_confirmation_releases_the_output_as_it_is(db: None, kind: str) -> None:
    decision, ann = case_of(kind), person("ann")
    done = decide(ann, "confirm", confidence=0.8, active_seconds=12.5)
    decision.refresh_from_db()
    assert (decision.status, final_of(decision)) == ("released", OUTPUTS[kind][1])
    assert (done.task.status, done.stage) == ("closed", None)
    review = review_of(ann)
    assert (review.verdict, review.final, review.saw_ai) == ("confirm", True, True)
    assert (review.confidence, review.active_seconds, review.machine) == (0.8, 12.5, False)
    assert review.label == ("deny" if kind == "label" else None)
    assert (review.output_commitment is None) == (kind == "label")
    assert Seat.objects.get().state == "done"
    assert Decision.history.filter(id=decision.pk).count() == 2
    assert OutboxEvent.objects.get(decision=decision.pk).type == "decision.released"


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_releases_what_the_person_gave(db: None, kind: str) -> None:
    decision, ann = case_of(kind), person("ann")
    decide(ann, "change", output=OUTPUTS[kind][2], rationale="a typing error")
    decision.refresh_from_db()
    assert (decision.status, final_of(decision)) == ("released", OUTPUTS[kind][2])
    review = review_of(ann)
    assert review.rationale_commitment is not None
    # words are content: the rows that are recorded hold none of them
    assert "typing" not in str(Review.history.values_list())
    assert Content.objects.get(part="rationale").content.count("a typing error") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_withholding_leaves_no_output(db: None, kind: str) -> None:
    decision = case_of(kind)
    decide(person("ann"), "withhold", rationale="not with this evidence")
    decision.refresh_from_db()
    assert (decision.status, final_of(decision)) == ("withheld", None)
    assert task_of(decision).ruling["outcome"] == "withhold"


@pytest.mark.parametrize("kind", KINDS)
def test_where_no_model_has_spoken_people_answer(db: None, kind: str) -> None:
    use_case, ann = desk(kinds=KINDS), person("ann")
    decision = case(use_case, kind=kind, output=None)
    at = opened(ann)
    assert at.case.document["verdicts_allowed"][0] == "answer"
    say(ann, at, "answer", output=OUTPUTS[kind][2])
    decision.refresh_from_db()
    assert (decision.status, final_of(decision)) == ("released", OUTPUTS[kind][2])
    assert (review_of(ann).verdict, review_of(ann).saw_ai) == ("answer", False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_blind_answer_and_the_second_verdict_are_both_kept(db: None, kind: str) -> None:
    decision, ann = case_of(kind, {"blind": True}), person("ann")
    first = opened(ann)
    assert first.case.stage == "blind"
    given = say(ann, first, "answer", output=OUTPUTS[kind][2], active_seconds=5)
    assert (given.stage, given.review.final, task_of(decision).status) == (
        "revealed",
        False,
        "open",
    )
    seen = review_reveal(actor=ann.actor, person=ann, task_id=first.task.pk, lease=first.lease)
    assert (seen.case.stage, seen.case.document["own_answer"]) == ("revealed", OUTPUTS[kind][2])
    assert seen.case.document["output"] == OUTPUTS[kind][0] | seen.case.document["output"]
    say(ann, seen, "change", output=OUTPUTS[kind][1], active_seconds=3)
    decision.refresh_from_db()
    assert (decision.status, final_of(decision)) == ("released", OUTPUTS[kind][1])
    review = review_of(ann)
    assert (review.final, review.saw_ai, review.active_seconds) == (True, True, 8)
    if kind == "label":
        assert (review.initial_label, review.label) == ("approve", "deny")
    else:
        assert review.initial_commitment not in (None, review.output_commitment)
    assert [row.final for row in Review.history.filter(id=review.pk).order_by("history_id")] == [
        False,
        True,
    ]


def test_after_the_reveal_a_confirmation_keeps_the_person_s_own_answer(db: None) -> None:
    decision, ann = case_of("label", {"blind": True}), person("ann")
    say(ann, blind(ann, "approve"), "confirm")
    decision.refresh_from_db()
    assert (decision.status, decision.final_label) == ("released", "approve")
    assert (review_of(ann).initial_label, review_of(ann).label) == ("approve", "approve")


def test_nothing_is_revealed_before_the_first_answer(db: None) -> None:
    case_of("label", {"blind": True})
    ann = person("ann")
    at = opened(ann)
    with pytest.raises(Conflict, match="before the first answer"):
        review_reveal(actor=ann.actor, person=ann, task_id=at.task.pk, lease=at.lease)
    assert not Review.objects.exists()


def test_that_a_case_was_shown_is_recorded_once_for_each_thing_shown(db: None) -> None:
    decision, ann = case_of("label", {"blind": True}), person("ann")
    blind(ann, "approve")
    opened(ann)  # a second browser: nothing new is shown
    events = AccessEvent.objects.filter(kind="case_shown").order_by("pk")
    assert [event.detail["stage"] for event in events] == ["blind", "revealed"]
    assert {event.target for event in events} == {str(decision.pk)}
    assert {event.actor_name for event in events} == {"ann"}


# --- Bad input --------------------------------------------------------------------------------


def faults(error: pytest.ExceptionInfo[BadInput]) -> list[str]:
    return [fault.pointer for fault in error.value.errors]


@pytest.mark.parametrize(
    ("verdict", "more", "pointers"),
    [
        ("approve", {}, ["/verdict"]),
        ("answer", {"output": {"label": "deny"}}, ["/verdict"]),
        ("confirm", {"output": {"label": "approve"}}, ["/output"]),
        ("confirm", {"reason_code": "late"}, ["/reason_code"]),
        ("change", {"output": {"label": "maybe"}, "reason_code": "wrong"}, ["/output/label"]),
        ("change", {"output": {"label": "deny"}, "reason_code": "wrong"}, ["/output"]),
        ("change", {"output": {"label": "approve"}}, ["/reason_code"]),
        ("change", {"reason_code": "wrong"}, ["/output"]),
        (
            "change",
            {"output": {"label": "approve"}, "rationale": " "},
            ["/rationale", "/reason_code"],
        ),
        ("withhold", {"rationale": "", "reason_code": "wrong"}, ["/rationale"]),
        ("withhold", {"output": {"label": "deny"}, "reason_code": "wrong"}, ["/output"]),
        ("ask", {"rationale": ""}, ["/rationale"]),
        ("ask", {"rationale": "a\x00b"}, ["/rationale"]),
        ("confirm", {"rationale": "x" * 20_001}, ["/rationale"]),
        ("confirm", {"confidence": 1.5}, ["/confidence"]),
        ("confirm", {"confidence": float("nan")}, ["/confidence"]),
        ("confirm", {"confidence": True}, ["/confidence"]),
        ("confirm", {"active_seconds": -1}, ["/active_seconds"]),
        ("confirm", {"active_seconds": 1e9}, ["/active_seconds"]),
        ("abstain", {"output": {"label": "deny"}}, ["/output"]),
    ],
)
def test_each_fault_of_a_verdict_is_named_and_nothing_is_written(
    db: None, verdict: str, more: dict[str, Any], pointers: list[str]
) -> None:
    use_case = desk(reason_codes=["wrong", "incomplete"])
    decision, ann = case(use_case, label="deny", confidence=0.5), person("ann")
    at = opened(ann)
    with pytest.raises(BadInput) as error:
        say(ann, at, verdict, **more)
    assert faults(error) == pointers
    decision.refresh_from_db()
    assert (decision.status, Review.objects.count()) == ("pending", 0)
    # the seat is still theirs, and the right verdict goes through
    say(ann, at, "change", output={"label": "approve"}, reason_code="wrong")
    assert task_of(decision).status == "closed"


def test_a_blind_stage_takes_an_answer_and_no_confirmation(db: None) -> None:
    case_of("label", {"blind": True})
    ann = person("ann")
    at = opened(ann)
    for verdict in ("confirm", "change", "withhold"):
        with pytest.raises(BadInput) as error:
            say(ann, at, verdict)
        assert faults(error) == ["/verdict"]


def test_a_verdict_is_given_once(db: None) -> None:
    decision, ann = case_of("label"), person("ann")
    at = opened(ann)
    say(ann, at, "confirm")
    with pytest.raises(Conflict):
        say(ann, at, "withhold")
    decision.refresh_from_db()
    assert (decision.status, Review.objects.count(), Draft.objects.count()) == ("released", 1, 0)


def test_somebody_else_s_lease_is_refused(db: None) -> None:
    case_of("label")
    ann, ben = person("ann"), person("ben")
    at = opened(ann)
    with pytest.raises(Conflict, match="does not hold"):
        say(ben, at, "confirm")
    assert not Review.objects.exists()
    say(ann, at, "confirm")


def test_a_task_that_is_not_there(db: None) -> None:
    ann = person("ann")
    with pytest.raises(NotFound):
        review_submit(
            actor=ann.actor,
            person=ann,
            task_id=uuid4(),
            lease=uuid4(),
            submission=Submission("confirm", "0" * 64),
        )


def test_a_lapsed_lease_is_refused_and_what_was_written_is_kept(db: None) -> None:
    decision, ann = case_of("label"), person("ann")
    at = opened(ann)
    late = timezone.now() + timedelta(minutes=16)
    with pytest.raises(Conflict, match="lease"):
        say(ann, at, "change", output={"label": "approve"}, rationale="long thought", now=late)
    draft = draft_of(person=ann, task_id=at.task.pk)
    assert draft is not None
    assert Submission.from_text(draft.body).rationale == "long thought"
    assert "lease" in draft.refused
    # the case comes again, to be decided with what was written
    again = opened(ann, now=late)
    assert again.task.pk == at.task.pk
    say(ann, again, "change", output={"label": "approve"}, now=late)
    decision.refresh_from_db()
    assert (decision.final_label, Draft.objects.count()) == ("approve", 0)


def test_an_edited_hash_is_refused(db: None) -> None:
    case_of("label")
    ann = person("ann")
    at = opened(ann)
    sent = Submission("confirm", "f" * 64)
    with pytest.raises(Conflict, match="shown_hash"):
        review_submit(
            actor=ann.actor, person=ann, task_id=at.task.pk, lease=at.lease, submission=sent
        )
    assert not Review.objects.exists()


def test_a_case_that_changed_since_is_stale_with_the_difference(db: None) -> None:
    use_case = desk()
    decision, ann = case(use_case), person("ann")
    at = opened(ann)
    use_case_update(
        actor=SUITE, slug=use_case.slug, reason="a third way", labels=["approve", "deny", "refer"]
    )
    with pytest.raises(StaleCase) as error:
        say(ann, at, "confirm")
    assert [entry["pointer"] for entry in error.value.difference] == ["/definition"]
    assert draft_of(person=ann, task_id=at.task.pk) is not None
    again = open_again(actor=ann.actor, person=ann, task_id=at.task.pk, lease=at.lease)
    say(ann, again, "change", output={"label": "refer"})
    decision.refresh_from_db()
    assert decision.final_label == "refer"


def test_a_new_policy_or_a_withdrawn_model_makes_a_verdict_stale(db: None) -> None:
    use_case = desk()
    decision, ann = case(use_case), person("ann")
    at = opened(ann)
    policy_in_force(use_case, confidence_threshold=0.5)
    with pytest.raises(StaleCase) as error:
        say(ann, at, "confirm")
    assert [entry["pointer"] for entry in error.value.difference] == ["/policy_in_force"]
    again = opened(ann)
    assert again.lease == at.lease  # a second browser gets the same case and the same lease
    model_version_set_status(
        actor=SUITE,
        model_version=decision.model_version,
        status="withdrawn",
        reason="wrong figures",
    )
    with pytest.raises(StaleCase) as error:
        say(ann, again, "confirm")
    assert error.value.difference == [
        {"pointer": "/model_status", "was": "active", "is": "withdrawn"}
    ]


def test_a_verdict_on_a_suspended_use_case_waits_as_a_draft(db: None) -> None:
    use_case = desk()
    decision, ann = case(use_case), person("ann")
    at = opened(ann)
    stop(actor=LEAD, use_case=use_case, reason="odd figures")
    with pytest.raises(Conflict):
        say(ann, at, "confirm")
    assert draft_of(person=ann, task_id=at.task.pk) is not None
    decision.refresh_from_db()
    assert decision.status == "pending"
    assert open_next(actor=ann.actor, person=ann) is None
    resume(actor=SECOND, use_case=use_case, reason="explained")
    say(ann, opened(ann), "confirm")
    decision.refresh_from_db()
    assert decision.status == "released"


def test_a_reviewer_who_lost_the_skill_meanwhile_is_refused(db: None) -> None:
    from apps.accounts.models import Qualification
    from apps.accounts.qualifications import qualification_revoke

    case_of("label", {"skills": ["credit"]})
    ann = person("ann", skill="credit")
    at = opened(ann)
    qualification_revoke(
        actor=SUITE, qualification=Qualification.objects.get(), reason="expired course"
    )
    with pytest.raises(NotPermitted, match="credit"):
        say(ann, at, "confirm")
    assert draft_of(person=ann, task_id=at.task.pk) is not None
    assert not Review.objects.exists()


def test_a_verdict_on_a_closed_task_is_refused(db: None) -> None:
    decision, ann = case_of("label"), person("ann")
    at = opened(ann)
    task = ReviewTask.objects.get()
    task.status = "lapsed"
    task.save(actor=SUITE, reason="for the test")
    with pytest.raises(Conflict, match="is lapsed"):
        say(ann, at, "confirm")
    assert task_of(decision).status == "lapsed"
    assert draft_of(person=ann, task_id=at.task.pk) is not None
