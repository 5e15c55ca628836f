"""Many people at the queue at one moment, each on a connection of their own."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.reviews.leases import leases_lapse
from apps.reviews.models import Seat
from apps.reviews.seats import seat_claim
from tests.services.gates import body, send
from tests.services.oversight import at_once
from tests.services.queues import claim, desk, reviewer

MINUTE = timedelta(minutes=1)


def one_writer() -> bool:
    """SQLite has one writer at a time: there is no race to be had."""
    return connection.vendor == "sqlite"


def people(count: int) -> list[User]:
    return [reviewer(f"p{n}") for n in range(count)]


def together(everyone: list[User], at_a_time: int) -> list[Any]:
    """Each claims once, so many of them beginning together; (task, seat, lease) or None."""

    def get(person: User) -> Any:
        seat = claim(person)
        return None if seat is None else (seat.task_id, seat.pk, seat.lease)

    found = []
    for start in range(0, len(everyone), at_a_time):
        group = everyone[start : start + at_a_time]
        found += at_once(len(group), lambda number, group=group: get(group[number]))  # type: ignore[misc]
    return found


def test_200_claimers_on_100_seats_get_100_leases_none_double_none_lost(committed_db: Any) -> None:
    if one_writer():
        return
    case, everyone = desk(), people(200)
    send(case, *(body(f"c{n}", confidence=0.5) for n in range(100)))
    found = together(everyone, 50)
    seats = [seat for seat in found if seat is not None]
    assert (len(seats), len(found)) == (100, 200)
    assert len({pk for _task, pk, _lease in seats}) == len({lease for *_, lease in seats}) == 100
    assert Counter(Seat.objects.values_list("state", "fence")) == {("leased", 1): 100}
    assert len(set(Seat.objects.values_list("holder_id", flat=True))) == 100


def test_tasks_of_three_seats_get_exactly_three_people_each(committed_db: Any) -> None:
    if one_writer():
        return
    case, everyone = desk(reviews_required=3), people(40)
    send(case, *(body(f"c{n}", confidence=0.5) for n in range(10)))
    found = together(everyone, 40)
    assert Counter(task for seat in found if seat for task, *_ in [seat]).values()
    assert sum(seat is not None for seat in found) == 30
    by_task: dict[Any, set[Any]] = {}
    for task, holder in Seat.objects.values_list("task_id", "holder_id"):
        by_task.setdefault(task, set()).add(holder)
    assert [len(holders - {None}) for holders in by_task.values()] == [3] * 10


def test_nobody_is_told_that_nothing_waits_while_a_seat_is_free(committed_db: Any) -> None:
    """As many claimers as seats: each gets one, however often they look at the same first row."""
    if one_writer():
        return
    case, everyone = desk(), people(60)
    for round_ in range(3):
        send(case, *(body(f"r{round_}-{n}", confidence=0.5) for n in range(60)))
        assert None not in together(everyone, 60)
        Seat.objects.filter(state="leased").update(state="done")


def test_a_seat_that_another_lets_go_of_is_waited_for(committed_db: Any) -> None:
    """The only free seat is locked by a claim that is then rolled back: the next one gets it."""
    if one_writer():
        return
    desk(cases=1)
    (ann, ben), locked, may_go = people(2), Event(), Event()
    said: list[Any] = []

    def hold_and_let_go() -> None:
        try:
            with transaction.atomic():
                assert claim(ann)
                locked.set()
                may_go.wait(10)
                transaction.set_rollback(True)
        finally:
            connections.close_all()

    def ask() -> None:
        try:
            said.append(claim(ben))
        finally:
            connections.close_all()

    first, second = Thread(target=hold_and_let_go), Thread(target=ask)
    first.start()
    assert locked.wait(10)
    second.start()
    second.join(0.3)
    assert second.is_alive(), "it answered although the seat was only locked"
    may_go.set()
    first.join(10)
    second.join(10)
    assert [seat.holder_id for seat in said] == [ben.pk]


def test_two_browsers_of_one_person_at_one_moment_get_one_case(committed_db: Any) -> None:
    if one_writer():
        return
    desk(cases=5)
    (ann,) = people(1)
    found = together([ann] * 8, 8)
    assert len({seat[2] for seat in found}) == 1
    assert Seat.objects.filter(state="leased").count() == 1


def test_sweeps_and_claims_at_once_lose_and_double_nothing(committed_db: Any) -> None:
    if one_writer():
        return
    case, everyone = desk(), people(30)
    send(case, *(body(f"c{n}", confidence=0.5) for n in range(20)))
    now = timezone.now()
    for person in everyone[:20]:
        assert claim(person, now=now)
    late = now + 16 * MINUTE

    def act(number: int) -> Any:
        if number % 3 == 0:
            return leases_lapse(late)
        person = everyone[number]
        seat = seat_claim(actor=person.actor, person=person, now=late)
        return None if seat is None else seat.pk

    said = at_once(30, act)
    claims = [said[n] for n in range(30) if n % 3]
    assert None not in claims
    assert len(set(claims)) == 20
    assert set(Seat.objects.values_list("fence", "state")) == {(2, "leased")}


@pytest.mark.parametrize("seats", [1, 2])
def test_a_seat_of_a_person_is_one_by_the_database_too(db: None, seats: int) -> None:
    """Past every service: the constraint refuses a second seat of a task for one holder."""
    from django.db import IntegrityError

    desk(cases=1, reviews_required=2)
    (ann,) = people(1)
    rows = list(Seat.objects.values_list("pk", flat=True))[:seats]
    if seats == 1:
        assert Seat.objects.filter(pk__in=rows).update(holder=ann) == 1
        return
    with pytest.raises(IntegrityError), transaction.atomic():
        Seat.objects.filter(pk__in=rows).update(holder=ann)
