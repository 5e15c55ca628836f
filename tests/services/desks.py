"""What the tests of the desk share: a use case whose decisions wait, people, and their verdicts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.accounts.models import User
from apps.accounts.qualifications import qualification_grant
from apps.accounts.services import person_create, role_grant
from apps.common.actor import Actor
from apps.decisions.models import Decision
from apps.registry.models import UseCase
from apps.reviews.models import Review, ReviewTask
from apps.workflow.desk.opening import Opened, open_next, review_reveal
from apps.workflow.desk.submission import Submission
from apps.workflow.desk.submitting import Submitted, review_submit
from tests.services.gates import body, gate, send

SUITE = Actor.command("suite")
WAITS = {"confidence_threshold": 0.99}  # every case of these tests waits for people
# Found nowhere else: where one of them shows, what it marks shows.
MARKS = {
    "output": "MARK-OUTPUT",
    "explanation": "MARK-EXPLANATION",
    "model": "MARK-MODEL",
    "top": "MARK-TOP",
}


def desk(policy: dict[str, Any] | None = None, **definition: Any) -> UseCase:
    return gate(policy={**WAITS, **(policy or {})}, **definition)


def person(
    name: str, role: str = "reviewer", *, skill: str = "", use_case: str = "", **more: Any
) -> User:
    made = person_create(actor=SUITE, username=name, **more)
    role_grant(actor=SUITE, user=made, role=role, use_case=use_case)
    if skill:
        qualification_grant(actor=SUITE, user=made, skill=skill, reason="trained")
    return made


def case(use_case: UseCase, external_id: str = "a", **more: Any) -> Decision:
    (taken,) = send(use_case, body(external_id, **more))
    assert taken.state == "accepted", taken
    found: Decision = Decision.objects.get(pk=taken.id)
    return found


def task_of(decision: Decision) -> ReviewTask:
    found: ReviewTask = ReviewTask.objects.get(decision=decision)
    return found


def opened(who: User, **more: Any) -> Opened:
    found = open_next(actor=who.actor, person=who, **more)
    assert found is not None
    return found


def say(
    who: User, at: Opened, verdict: str, *, now: datetime | None = None, **more: Any
) -> Submitted:
    """Submit at the case as it was opened."""
    words = {"rationale": "because"} if verdict in ("change", "withhold", "ask") else {}
    sent = Submission(verdict, at.case.shown_hash, **{**words, **more})
    return review_submit(
        actor=who.actor, person=who, task_id=at.task.pk, lease=at.lease, submission=sent, now=now
    )


def decide(who: User, verdict: str, **more: Any) -> Submitted:
    """Take the next case and give a verdict on it."""
    return say(who, opened(who), verdict, **more)


def blind(who: User, label: str) -> Opened:
    """Answer the next case blind; the case as it is revealed."""
    first = opened(who)
    say(who, first, "answer", output={"label": label})
    return review_reveal(actor=who.actor, person=who, task_id=first.task.pk, lease=first.lease)


def review_of(who: User) -> Review:
    found: Review = Review.objects.get(reviewer=who)
    return found
