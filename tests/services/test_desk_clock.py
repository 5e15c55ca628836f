"""The desk's clock: questions that pause it, time limits that lapse, drafts that become verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import person_update
from apps.common.errors import BadInput, Conflict, NotFound, StaleCase
from apps.decisions.models import Content, Decision
from apps.notifications.models import OutboxEvent
from apps.registry.services import use_case_update
from apps.reviews.drafts import draft_of
from apps.reviews.leases import leases_lapse
from apps.reviews.models import Draft, Review, ReviewTask, Seat
from apps.supervision.stops import stop
from apps.workflow.desk.asking import pauses_end, review_inform
from apps.workflow.desk.deadlines import (
    blind_answers_stand,
    deadlines_sweep,
    escalated_seats_follow,
    leases_of_the_inactive_end,
)
from apps.workflow.desk.opening import open_next
from apps.workflow.desk.pauses import streak_of, suggestion
from apps.workflow.desk.submission import Submission
from apps.workflow.desk.undo import draft_schedule, draft_take_back, drafts_submit_due
from apps.workflow.tasks import submit_due_drafts, sweep_desk
from tests.services.desks import SUITE, case, decide, desk, opened, person, say, task_of
from tests.services.gates import LEAD

DENY = {"label": "deny", "confidence": 0.5}
HOUR = timedelta(hours=1)


def waiting(external_id: str = "a", **policy: Any) -> Decision:
    return case(desk(policy), external_id, **DENY)


def status(decision: Decision) -> str:
    decision.refresh_from_db()
    return decision.status


# --- Questions --------------------------------------------------------------------------------


def test_a_question_stops_the_clock_and_the_answer_brings_the_case_back(db: None) -> None:
    decision = waiting(sla_minutes=120, ask_limit_minutes=60)
    ann, ben = person("ann"), person("ben")
    now, due = timezone.now(), task_of(decision).due_at
    say(ann, opened(ann, now=now), "ask", rationale="is the income per year?", now=now)
    task = task_of(decision)
    assert (task.paused_at, task.paused_until) == (now, now + HOUR)
    # it waits: for nobody else, and not yet for the one who asked
    later = now + timedelta(minutes=30)
    assert [open_next(actor=p.actor, person=p, now=later) for p in (ann, ben)] == [None, None]
    review_inform(actor=LEAD, task_id=task.pk, text=" Per month. ", now=later)
    task = task_of(decision)
    assert (task.paused_at, task.due_at) == (None, due + timedelta(minutes=30))
    assert open_next(actor=ben.actor, person=ben, now=later) is None
    at = opened(ann, now=later)
    assert at.case.document["information"] == [
        {"kind": "question", "text": "is the income per year?"},
        {"kind": "answer", "text": "Per month."},
    ]
    say(ann, at, "confirm", now=later)
    assert status(decision) == "released"
    # one review, from the question to the verdict; the words are content alone
    review = Review.objects.get()
    steps = Review.history.filter(id=review.pk).order_by("history_id")
    assert [(row.verdict, row.final) for row in steps] == [("ask", False), ("confirm", True)]
    assert "income" not in str(list(Review.history.values_list()))
    assert Content.objects.filter(part="review_question").count() == 1


def test_an_unanswered_question_pauses_no_longer_than_its_limit(db: None) -> None:
    decision, ann = waiting(sla_minutes=120, ask_limit_minutes=60), person("ann")
    now, due = timezone.now(), task_of(decision).due_at
    say(ann, opened(ann, now=now), "ask", now=now)
    overdue = due + timedelta(minutes=1)
    assert deadlines_sweep(overdue) == 0  # the clock stands, whatever it shows
    assert (pauses_end(now + HOUR - timedelta(seconds=1)), pauses_end(now + 2 * HOUR)) == (0, 1)
    assert task_of(decision).due_at == due + HOUR
    # the limit is used up: a second question is refused, a verdict is not
    at = opened(ann, now=now + 2 * HOUR)
    with pytest.raises(Conflict, match="60 minutes for questions"):
        say(ann, at, "ask", now=now + 2 * HOUR)
    # the answer may still come, late
    review_inform(actor=LEAD, task_id=at.task.pk, text="late", now=now + 2 * HOUR)
    with pytest.raises(StaleCase):
        say(ann, at, "confirm", now=now + 2 * HOUR)
    say(ann, opened(ann, now=now + 2 * HOUR), "confirm", now=now + 2 * HOUR)
    assert status(decision) == "released"


def test_nobody_informs_where_nothing_was_asked(db: None) -> None:
    decision = waiting()
    task = task_of(decision)
    with pytest.raises(Conflict, match="no question"):
        review_inform(actor=LEAD, task_id=task.pk, text="by the way")
    with pytest.raises(BadInput):
        review_inform(actor=LEAD, task_id=task.pk, text="  ")
    with pytest.raises(NotFound):
        review_inform(actor=LEAD, task_id=decision.pk, text="x")
    decide(person("ann"), "confirm")
    with pytest.raises(Conflict, match="is closed"):
        review_inform(actor=LEAD, task_id=task.pk, text="x")


def test_a_blind_reviewer_may_ask_and_stays_blind(db: None) -> None:
    decision, ann = waiting(blind=True), person("ann")
    say(ann, opened(ann), "ask", rationale="which branch?")
    review_inform(actor=LEAD, task_id=task_of(decision).pk, text="the northern one")
    at = opened(ann)
    assert at.case.stage == "blind"
    assert at.case.document["information"][1]["text"] == "the northern one"
    assert "output" not in at.case.document


# --- Time limits -----------------------------------------------------------------------------


def test_what_is_overdue_goes_up_the_chain_and_then_to_the_fallback(db: None) -> None:
    decision = waiting(sla_minutes=60, escalation=["senior_reviewer", "risk_lead"])
    ann, sue, lea = person("ann"), person("sue", "senior_reviewer"), person("lea", "risk_lead")
    now = timezone.now()
    first = now + timedelta(minutes=61)
    assert (deadlines_sweep(now), deadlines_sweep(first), deadlines_sweep(first)) == (0, 1, 0)
    task = task_of(decision)
    assert (task.level, task.role, task.due_at) == (1, "senior_reviewer", first + HOUR)
    assert open_next(actor=ann.actor, person=ann, now=first) is None
    held = opened(sue, now=first)
    second = first + timedelta(minutes=61)
    deadlines_sweep(second)
    assert task_of(decision).role == "risk_lead"
    leases_lapse(second)  # sue's lease was over: her seat follows the task
    escalated_seats_follow(second)
    assert opened(lea, now=second).task.pk == task.pk
    end = second + timedelta(minutes=61)
    deadlines_sweep(end)
    task = task_of(decision)
    assert (status(decision), task.status) == ("withheld", "lapsed")
    assert not Seat.objects.filter(state__in=("free", "leased")).exists()
    # a late click, of whoever had it on the screen
    with pytest.raises(Conflict):
        say(sue, held, "confirm", now=end)
    assert draft_of(person=sue, task_id=task.pk) is not None
    assert (status(decision), Review.objects.count()) == ("withheld", 0)
    told = OutboxEvent.objects.filter(type="review.escalated").order_by("pk")
    assert [e.data["role"] for e in told] == ["senior_reviewer", "risk_lead"]


def test_whoever_holds_the_case_when_it_is_escalated_may_finish(db: None) -> None:
    decision = waiting(sla_minutes=10, escalation=["senior_reviewer"])
    ann, now = person("ann"), timezone.now()
    opened(ann, now=now)
    late = now + timedelta(minutes=11)
    deadlines_sweep(late)
    again = opened(ann, now=late)  # the case changed: it was escalated
    say(ann, again, "confirm", now=late)
    assert (status(decision), task_of(decision).status) == ("released", "closed")


def test_the_fallback_of_minimal_risk_releases_what_the_ai_said(db: None) -> None:
    use_case = desk({"sla_minutes": 60, "fallback": "release"}, risk_tier="minimal")
    spoken, silent = case(use_case, "a", **DENY), case(use_case, "b", output=None)
    deadlines_sweep(timezone.now() + 2 * HOUR)
    assert (status(spoken), spoken.final_label) == ("released", "deny")
    assert (status(silent), silent.final_label) == ("withheld", None)


def test_nothing_is_released_by_a_fallback_while_the_use_case_is_stopped(db: None) -> None:
    use_case = desk({"sla_minutes": 60, "fallback": "release"}, risk_tier="minimal")
    decision = case(use_case, **DENY)
    stop(actor=LEAD, use_case=use_case, reason="odd figures")
    deadlines_sweep(timezone.now() + 2 * HOUR)
    assert status(decision) == "withheld"


def test_an_overdue_audit_lapses_and_moves_no_decision(db: None) -> None:
    decision = case(desk({"level": "HOTL", "sla_minutes": 60}), **DENY)
    deadlines_sweep(timezone.now() + 2 * HOUR)
    assert (status(decision), task_of(decision).status) == ("released", "lapsed")


def test_a_limit_counts_the_hours_of_the_calendar_alone(db: None) -> None:
    hours = {str(day): [["09:00", "17:00"]] for day in range(5)}
    use_case = desk({"sla_minutes": 480}, calendar={"timezone": "UTC", "hours": hours})
    task = task_of(case(use_case, **DENY))
    assert task.due_at.weekday() < 5
    assert task.due_at - task.created_at >= timedelta(hours=8)
    assert 9 <= task.due_at.astimezone(UTC).hour <= 17


def test_one_task_that_cannot_be_moved_does_not_hold_up_the_others(
    db: None, monkeypatch: Any
) -> None:
    from apps.workflow.desk import deadlines

    use_case = desk({"sla_minutes": 60})
    bad, good = case(use_case, "bad", **DENY), case(use_case, "good", **DENY)
    real = deadlines.decision_move

    def move(**given: Any) -> Any:
        if given["decision"].pk == bad.pk:
            raise Conflict("cannot be moved")
        return real(**given)

    monkeypatch.setattr(deadlines, "decision_move", move)
    with pytest.raises(Conflict, match="cannot be moved"):
        deadlines_sweep(timezone.now() + 2 * HOUR)
    assert (status(bad), task_of(bad).status) == ("pending", "open")
    assert (status(good), task_of(good).status) == ("withheld", "lapsed")


# --- Blind answers and people who left ---------------------------------------------------------


def test_a_blind_answer_stands_when_nothing_follows_it(db: None) -> None:
    decision, ann = waiting(blind=True), person("ann")
    now = timezone.now()
    say(ann, opened(ann, now=now), "answer", output={"label": "approve"}, now=now)
    late = now + HOUR
    leases_lapse(late)
    assert blind_answers_stand(late) == 1
    review = Review.objects.get()
    assert (review.final, review.verdict, review.label, review.saw_ai) == (
        True,
        "answer",
        "approve",
        False,
    )
    assert (status(decision), decision.final_label) == ("released", "approve")
    assert blind_answers_stand(late) == 0


def test_a_blind_answer_waits_while_the_use_case_is_stopped(db: None) -> None:
    use_case = desk({"blind": True})
    decision, ann, now = case(use_case, **DENY), person("ann"), timezone.now()
    say(ann, opened(ann, now=now), "answer", output={"label": "approve"}, now=now)
    stop(actor=LEAD, use_case=use_case, reason="odd figures")
    assert blind_answers_stand(now + HOUR) == 0
    assert (status(decision), Review.objects.get().final) == ("pending", False)


def test_a_reviewer_who_is_deactivated_loses_the_lease_and_not_the_draft(db: None) -> None:
    from apps.reviews.drafts import draft_save

    decision = waiting()
    ann, ben = person("ann"), person("ben")
    at = opened(ann)
    draft_save(person=ann, seat=at.seat, body='{"half": "a thought"}', now=timezone.now())
    person_update(actor=SUITE, user=ann, reason="left", is_active=False)
    with pytest.raises(Exception, match="deactivated"):
        say(User.objects.get(pk=ann.pk), at, "confirm")
    assert leases_of_the_inactive_end(timezone.now()) == 1
    assert Draft.objects.get(person=ann) is not None
    assert opened(ben).task.pk == at.task.pk
    assert status(decision) == "pending"


# --- Ten seconds of undo ----------------------------------------------------------------------


def schedule(who: User, at: Any, verdict: str = "confirm", **more: Any) -> Draft:
    sent = Submission(verdict, at.case.shown_hash, **more.pop("said", {}))
    return draft_schedule(
        actor=who.actor, person=who, task_id=at.task.pk, lease=at.lease, submission=sent, **more
    )


def test_a_scheduled_verdict_is_final_after_ten_seconds(db: None) -> None:
    decision, ann, now = waiting(), person("ann"), timezone.now()
    draft = schedule(ann, opened(ann, now=now), now=now)
    assert draft.submit_at == now + timedelta(seconds=10)
    assert drafts_submit_due(now + timedelta(seconds=9)) == 0
    assert status(decision) == "pending"
    assert (drafts_submit_due(now + timedelta(seconds=10)), drafts_submit_due(now + HOUR)) == (1, 0)
    assert (status(decision), Review.objects.count(), Draft.objects.count()) == ("released", 1, 0)


def test_meanwhile_the_next_case_comes(db: None) -> None:
    use_case = desk()
    case(use_case, "a", **DENY)
    case(use_case, "b", **DENY)
    ann = person("ann")
    first = opened(ann)
    schedule(ann, first)
    assert opened(ann).task.pk != first.task.pk


def test_what_is_taken_back_is_a_draft_again_and_the_case_is_still_theirs(db: None) -> None:
    decision, ann, now = waiting(), person("ann"), timezone.now()
    at = opened(ann, now=now)
    schedule(ann, at, "withhold", said={"rationale": "hasty"}, now=now)
    draft = draft_take_back(person=ann, task_id=at.task.pk, now=now + timedelta(seconds=5))
    assert (draft.submit_at, Submission.from_text(draft.body).rationale) == (None, "hasty")
    assert drafts_submit_due(now + timedelta(minutes=1)) == 0
    assert status(decision) == "pending"
    assert opened(ann, now=now + timedelta(seconds=6)).lease == at.lease


def test_it_is_too_late_to_take_back_what_is_final(db: None) -> None:
    waiting()
    ann, now = person("ann"), timezone.now()
    at = opened(ann, now=now)
    schedule(ann, at, now=now)
    with pytest.raises(Conflict, match="nothing to take back"):
        draft_take_back(person=ann, task_id=at.task.pk, now=now + timedelta(seconds=10))
    assert drafts_submit_due(now + timedelta(seconds=10)) == 1


def test_a_scheduled_verdict_has_its_faults_named_at_once(db: None) -> None:
    waiting()
    ann = person("ann")
    at = opened(ann)
    with pytest.raises(BadInput):
        schedule(ann, at, "change", said={"output": {"label": "maybe"}, "rationale": "r"})
    assert not Draft.objects.exists()


def test_a_scheduled_verdict_that_became_stale_is_kept_with_why(db: None) -> None:
    use_case = desk()
    decision, ann, now = case(use_case, **DENY), person("ann"), timezone.now()
    schedule(ann, opened(ann, now=now), now=now)
    use_case_update(actor=SUITE, slug="loan", reason="renamed", name="Loans")
    assert drafts_submit_due(now + timedelta(seconds=11)) == 0
    draft = Draft.objects.get()
    assert (draft.submit_at, "changed" in draft.refused) == (None, True)
    assert Submission.from_text(draft.body).verdict == "confirm"
    assert (status(decision), Review.objects.count()) == ("pending", 0)


def test_the_tasks_of_the_desk_may_come_twice(db: None) -> None:
    waiting(sla_minutes=60)
    for _ in range(2):
        assert submit_due_drafts() == 0
        assert set(sweep_desk().values()) == {0}
    assert ReviewTask.objects.get().status == "open"


# --- Pauses suggested --------------------------------------------------------------------------


def test_a_streak_ends_with_a_break_of_ten_minutes() -> None:
    now = datetime(2026, 11, 2, 12, tzinfo=UTC)
    ago = [now - timedelta(minutes=m) for m in (1, 5, 14, 30, 31)]
    assert streak_of(ago, now) == 3  # 14 to 30 minutes ago there was a break
    assert streak_of([], now) == 0
    assert streak_of([now - timedelta(minutes=11)], now) == 0


def test_a_pause_is_suggested_at_the_limits_of_the_policy() -> None:
    assert suggestion(49, 10, 50, 25) is None
    assert "50 cases today" in str(suggestion(50, 10, 50, 25))
    assert "25 cases in a row" in str(suggestion(25, 25, 50, 25))
    assert suggestion(1_000, 1_000, None, None) is None


def test_the_pause_comes_with_the_next_case(db: None) -> None:
    use_case, ann = desk({"streak_limit": 1}), person("ann")
    case(use_case, "a", **DENY)
    case(use_case, "b", **DENY)
    at = opened(ann)
    assert (at.load.today, at.load.pause) == (0, None)
    say(ann, at, "confirm")
    second = opened(ann)
    assert (second.load.today, second.load.streak) == (1, 1)
    assert second.load.pause is not None
