"""A case whose content was erased while it waited: it is passed over, withheld, and in nobody's way."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

from django.db import connection, connections, transaction
from django.utils import timezone

from apps.decisions.models import Decision
from apps.reviews.models import ReviewTask, Seat
from apps.workflow.desk import opening
from apps.workflow.desk.closing import task_without_content
from apps.workflow.desk.opening import open_next
from tests.services.desks import case, desk, person

DENY = {"label": "deny", "confidence": 0.5}


def erased(monkeypatch: Any, *decisions: Decision) -> None:
    gone, kept = {decision.pk for decision in decisions}, opening.payload_of
    monkeypatch.setattr(opening, "payload_of", lambda d: None if d.pk in gone else kept(d))


def test_an_erased_case_is_passed_over_and_withheld(db: None, monkeypatch: Any) -> None:
    use_case = desk()
    first, second = case(use_case, "first", **DENY), case(use_case, "second", **DENY)
    erased(monkeypatch, first)
    ann = person("ann")
    at = open_next(actor=ann.actor, person=ann)
    assert at is not None
    assert at.task.decision_id == second.pk
    first.refresh_from_db()
    task = ReviewTask.objects.get(decision=first)
    assert (first.status, task.status) == ("withheld", "cancelled")
    assert Seat.objects.get(task=task).state == "closed"


def test_whoever_comes_upon_it_holds_no_seat_while_its_task_is_locked(
    committed_db: Any, monkeypatch: Any
) -> None:
    """Everybody locks a task before its seats. A claim locks a seat: it has let go of it before it
    asks for the task, so that somebody who holds the task can close the seats."""
    decision = case(desk({"reviews_required": 2, "combination": "unanimous"}), "gone", **DENY)
    erased(monkeypatch, decision)
    task, ben = ReviewTask.objects.get(decision=decision), person("ben")
    came, may_go, found = Event(), Event(), list[Any]()

    def later(*given: Any) -> None:
        came.set()
        assert may_go.wait(30)
        task_without_content(*given)

    monkeypatch.setattr(opening, "task_without_content", later)

    def claim() -> None:
        try:
            found.append(open_next(actor=ben.actor, person=ben))
        finally:
            connections.close_all()

    thread = Thread(target=claim)
    thread.start()
    try:
        assert came.wait(30), "the claim never came upon the erased case"
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout TO '2s'")
            task_without_content(task.pk, timezone.now())
    finally:
        may_go.set()
        thread.join(60)
    assert found == [None]
    task.refresh_from_db()
    assert task.status == "cancelled"
    assert set(Seat.objects.filter(task=task).values_list("state", flat=True)) == {"closed"}
    assert ReviewTask.history.filter(id=task.pk, status="cancelled").count() == 1
