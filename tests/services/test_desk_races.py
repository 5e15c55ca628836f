"""Two things that happen to one case at one moment, each on a connection of its own: one outcome,
a clear answer to whoever came second, and nothing lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import Conflict, StaleCase
from apps.decisions.models import Decision
from apps.notifications.models import OutboxEvent
from apps.registry.models import UseCase
from apps.reviews.drafts import draft_of
from apps.reviews.leases import leases_lapse
from apps.reviews.models import Draft, Review, ReviewTask, Seat
from apps.supervision.interventions import decision_intervene
from apps.supervision.stops import resume, stop
from apps.workflow.desk.asking import pauses_end, review_inform
from apps.workflow.desk.deadlines import blind_answers_stand, deadlines_sweep
from apps.workflow.desk.opening import Opened
from apps.workflow.desk.submission import Submission
from apps.workflow.desk.undo import draft_schedule, draft_take_back, drafts_submit_due
from tests.services.desks import case, desk, opened, person, say
from tests.services.gates import LEAD, SECOND
from tests.services.oversight import at_once

ROUNDS = 20
MINUTE = timedelta(minutes=1)
DENY = {"label": "deny", "confidence": 0.5}
WORDS = "what I found"


def one_writer() -> bool:
    """SQLite has one writer at a time: there is no race to be had."""
    return connection.vendor == "sqlite"


def said(who: User, at: Opened, verdict: str = "confirm", **more: Any) -> Any:
    """The verdict's outcome, or the refusal as (type, words)."""
    try:
        say(who, at, verdict, **{"rationale": WORDS, **more})
    except (Conflict, StaleCase) as refusal:
        return type(refusal), str(refusal)
    return "taken"


def race(round_: int, first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
    """Both at one moment, save that in earlier rounds the first has a start of some milliseconds
    and in later ones the second; in the very first and last round a long one."""
    start_s = (round_ - (ROUNDS - 1) / 2) * 0.003
    if round_ in (0, ROUNDS - 1):
        start_s = 0.4 if round_ else -0.4

    def run(number: int) -> Any:
        time.sleep(max(0.0, -start_s if number else start_s))
        return (first, second)[number]()

    return at_once(2, run)


def each_came_first(taken: list[bool]) -> None:
    """Over all rounds each side has won: else it was no race."""
    assert set(taken) == {True, False}, Counter(taken)


class Ended:
    """What one round came to, with what must hold of every round."""

    def __init__(self, decision: Decision, who: User, answer: Any) -> None:
        self.decision = Decision.objects.get(pk=decision.pk)
        self.task = ReviewTask.objects.get(decision=decision)
        self.taken = answer == "taken"
        self.answer = answer
        reviews = Review.objects.filter(task=self.task, reviewer=who, final=True)
        assert reviews.exists() == self.taken, "a verdict is there if and only if it was taken"
        settled = ("released", "withheld", "reversed")
        moves = [h.status for h in self.decision.history.order_by("history_id")]
        assert len(moves) == len(set(moves)), f"one outcome, not {moves}"
        events = OutboxEvent.objects.filter(decision=decision.pk, type__startswith="decision.")
        assert Counter(events.values_list("type", flat=True)) == {
            f"decision.{status}": 1 for status in moves if status in settled
        }
        if not self.taken:
            kept = draft_of(person=who, task_id=self.task.pk)
            assert kept is not None, "what was written is kept"
            assert WORDS in kept.body
            assert kept.refused == answer[1]

    @property
    def state(self) -> tuple[str, str]:
        return self.decision.status, self.task.status


def test_a_verdict_against_the_end_of_its_lease(committed_db: Any) -> None:
    """The sweep frees the seat, or finds it done; the verdict is given a moment before its end."""
    if one_writer():
        return
    use_case, ann, taken = desk(), person("ann"), []
    for n in range(ROUNDS):
        decision = case(use_case, f"c{n}", **DENY)
        at = opened(ann)
        over = at.lease_expires_at
        before = over - MINUTE
        answer, freed = race(
            n,
            lambda at=at, before=before: said(ann, at, now=before),  # type: ignore[misc]
            lambda over=over: leases_lapse(over),  # type: ignore[misc]
        )
        end = Ended(decision, ann, answer)
        assert freed == (0 if end.taken else 1)
        assert end.state == (("released", "closed") if end.taken else ("pending", "open"))
        if not end.taken:
            assert answer == (Conflict, f"the lease {at.lease} does not hold: claim the case again")
            say(ann, opened(ann), "confirm")  # it comes again, with what was written
        assert Seat.objects.get(task=end.task).state == "done"
        taken.append(end.taken)
    assert not Draft.objects.exists()
    each_came_first(taken)


def test_a_verdict_against_the_fallback(committed_db: Any) -> None:
    if one_writer():
        return
    use_case, ann, taken = desk({"sla_minutes": 10}), person("ann"), []
    for n in range(ROUNDS):
        decision = case(use_case, f"c{n}", **DENY)
        at = opened(ann)
        late = timezone.now() + 11 * MINUTE
        answer, moved = race(
            n,
            lambda at=at: said(ann, at),  # type: ignore[misc]
            lambda late=late: deadlines_sweep(late),  # type: ignore[misc]
        )
        end = Ended(decision, ann, answer)
        assert moved == (0 if end.taken else 1)
        assert end.state == (("released", "closed") if end.taken else ("withheld", "lapsed"))
        if not end.taken:
            assert answer[0] is Conflict
            assert f"{end.task.pk} is lapsed" in answer[1]
        taken.append(end.taken)
    each_came_first(taken)


def test_a_verdict_against_an_escalation(committed_db: Any) -> None:
    """Who holds the case may finish it; but that it went up is part of what was shown."""
    if one_writer():
        return
    use_case = desk({"sla_minutes": 10, "escalation": ["senior_reviewer"]})
    ann, taken = person("ann"), []
    for n in range(ROUNDS):
        decision = case(use_case, f"c{n}", **DENY)
        at = opened(ann)
        late = timezone.now() + 11 * MINUTE
        answer, moved = race(
            n,
            lambda at=at: said(ann, at),  # type: ignore[misc]
            lambda late=late: deadlines_sweep(late),  # type: ignore[misc]
        )
        end = Ended(decision, ann, answer)
        assert moved == (0 if end.taken else 1)
        assert end.task.level == (0 if end.taken else 1)
        if not end.taken:
            assert answer[0] is StaleCase
            assert answer[1] == "the case has changed since it was shown: /level"
            assert end.state == ("pending", "open")
            say(ann, opened(ann), "confirm")
            decision.refresh_from_db()
        assert Decision.objects.get(pk=decision.pk).status == "released"
        taken.append(end.taken)
    each_came_first(taken)
    told = OutboxEvent.objects.filter(type="review.escalated").count()
    assert told == ReviewTask.objects.filter(level=1).count()


def test_a_verdict_against_a_stop(committed_db: Any) -> None:
    if one_writer():
        return
    use_case, ann, taken = desk(), person("ann"), []
    for n in range(ROUNDS):
        decision = case(use_case, f"c{n}", **DENY)
        at = opened(ann)
        answer, stopped = race(
            n,
            lambda at=at: said(ann, at),  # type: ignore[misc]
            lambda: stop(actor=LEAD, use_case=use_case, reason="drill").pk,
        )
        end = Ended(decision, ann, answer)
        assert stopped not in ("Conflict", None), "the stop always goes through"
        assert UseCase.objects.get().lifecycle == "suspended"
        assert end.state == (("released", "closed") if end.taken else ("pending", "open"))
        if not end.taken:
            assert "suspended" in answer[1] or "/lifecycle" in answer[1]
        resume(actor=SECOND, use_case=use_case, reason="over")
        if not end.taken:
            say(ann, opened(ann), "confirm")
        taken.append(end.taken)
    assert not Decision.objects.exclude(status="released").exists()
    each_came_first(taken)


def test_two_browsers_give_two_verdicts_at_one_moment(committed_db: Any) -> None:
    if one_writer():
        return
    use_case, ann = desk(), person("ann")
    for n in range(ROUNDS):
        decision = case(use_case, f"c{n}", **DENY)
        one, other = opened(ann), opened(ann)
        assert one.lease == other.lease
        answers = race(
            n,
            lambda one=one: said(ann, one, "confirm"),  # type: ignore[misc]
            lambda other=other: said(ann, other, "withhold"),  # type: ignore[misc]
        )
        assert sum(answer == "taken" for answer in answers) == 1
        (refused,) = (answer for answer in answers if answer != "taken")
        assert f"{one.task.pk} is closed" in refused[1]
        decision.refresh_from_db()
        assert decision.status == ("released" if answers[0] == "taken" else "withheld")
        assert Review.objects.filter(decision=decision).count() == 1
        assert decision.history.count() == 2


def test_the_last_two_of_three_reviewers_at_one_moment(committed_db: Any) -> None:
    """Each sees the other's verdict, or is seen: the third settles the task, once."""
    if one_writer():
        return
    use_case = desk({"reviews_required": 3, "combination": "majority"})
    people = [person(name) for name in ("ann", "ben", "cid")]
    for n in range(ROUNDS):
        decision = case(use_case, f"c{n}", **DENY)
        at = [opened(who) for who in people]
        assert len({seat.seat.pk for seat in at}) == 3
        say(people[0], at[0], "confirm")
        answers = race(
            n,
            lambda at=at: said(people[1], at[1], "withhold"),  # type: ignore[misc]
            lambda at=at: said(people[2], at[2], "confirm"),  # type: ignore[misc]
        )
        decision.refresh_from_db()
        # the confirmation makes two of three; whoever came after that is told that it is closed
        assert (decision.status, answers[1]) == ("released", "taken")
        if answers[0] != "taken":
            assert "is closed" in answers[0][1]
        assert Review.objects.filter(decision=decision).count() == 2 + (answers[0] == "taken")
        assert decision.history.count() == 2


def test_making_final_against_taking_back(committed_db: Any) -> None:
    """Ten seconds after a verdict: it is final, or a draft again; never both, never neither."""
    if one_writer():
        return
    use_case, ann = desk(), person("ann")
    for n in range(ROUNDS):
        decision = case(use_case, f"c{n}", **DENY)
        at = opened(ann)
        sent = Submission("confirm", at.case.shown_hash, rationale=WORDS)
        draft = draft_schedule(
            actor=ann.actor, person=ann, task_id=at.task.pk, lease=at.lease, submission=sent
        )
        due: datetime = draft.submit_at  # type: ignore[assignment]
        done, back, again = at_once(
            3,
            lambda number, at=at, due=due: (  # type: ignore[misc]
                draft_take_back(person=ann, task_id=at.task.pk, now=due - MINUTE).pk
                if number == 1
                else drafts_submit_due(due)
            ),
        )
        decision.refresh_from_db()
        if back == "Conflict":
            assert (decision.status, done + again) == ("released", 1)
            assert not Draft.objects.exists()
        else:
            assert (decision.status, done + again) == ("pending", 0)
            assert WORDS in Draft.objects.get().body
            say(ann, opened(ann), "confirm")
        assert Review.objects.filter(decision=decision, final=True).count() == 1


def test_a_blind_answer_that_is_made_final_against_its_second_verdict(committed_db: Any) -> None:
    if one_writer():
        return
    use_case, ann = desk({"blind": True}), person("ann")
    for n in range(ROUNDS):
        decision = case(use_case, f"c{n}", **DENY)
        first = opened(ann)
        say(ann, first, "answer", output={"label": "approve"})
        seen = opened(ann)
        over = seen.lease_expires_at
        answer, stood = race(
            n,
            lambda seen=seen: said(ann, seen, "change", output={"label": "deny"}),  # type: ignore[misc]
            lambda over=over: blind_answers_stand(over),  # type: ignore[misc]
        )
        decision.refresh_from_db()
        assert decision.status == "released"
        assert decision.final_label == ("deny" if answer == "taken" else "approve")
        assert stood == (0 if answer == "taken" else 1)
        review = Review.objects.get(decision=decision)
        assert (review.final, review.initial_label) == (True, "approve")
        if answer != "taken":
            assert "is closed" in answer[1]


def test_a_review_after_the_fact_against_an_intervention(committed_db: Any) -> None:
    if one_writer():
        return
    use_case, ann = desk({"level": "HOTL", "intervention_minutes": 60}), person("ann")
    for n in range(ROUNDS):
        decision = case(use_case, f"c{n}", **DENY)
        at = opened(ann)
        answer, _made = race(
            n,
            lambda at=at: said(ann, at),  # type: ignore[misc]
            lambda decision=decision: (
                decision_intervene(  # type: ignore[misc]
                    actor=LEAD, decision_id=decision.pk, action="reverse", reason="wrong person"
                ).pk
            ),
        )
        decision.refresh_from_db()
        task = ReviewTask.objects.get(decision=decision)
        assert decision.status == "reversed", "the supervisor's word stands either way"
        assert task.status == ("closed" if answer == "taken" else "cancelled")
        if answer != "taken":
            assert f"{task.pk} is cancelled" in answer[1]


def test_information_against_the_lapse_of_its_pause(committed_db: Any) -> None:
    """The clock goes on once, whoever started it."""
    if one_writer():
        return
    use_case, ann = desk({"sla_minutes": 600, "ask_limit_minutes": 30}), person("ann")
    for n in range(ROUNDS):
        decision = case(use_case, f"c{n}", **DENY)
        say(ann, opened(ann), "ask")
        task = ReviewTask.objects.get(decision=decision)
        due, limit = task.due_at, task.paused_until
        assert due is not None
        assert limit is not None
        at_once(
            2,
            lambda number, task=task, limit=limit: (  # type: ignore[misc]
                review_inform(actor=LEAD, task_id=task.pk, text="north", now=limit).pk
                if number
                else pauses_end(limit)
            ),
        )
        task.refresh_from_db()
        assert (task.paused_at, task.due_at) == (None, due + 30 * MINUTE)
        assert task.ruling["paused_minutes"] == 30
        say(ann, opened(ann), "confirm")
