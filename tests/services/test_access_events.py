"""Access events: the first at once, repeats as one sum a minute: no stranger fills the ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth import authenticate, user_logged_in, user_logged_out
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, reverse

from apps.accounts.services import person_update
from apps.audit import events
from apps.audit.events import (
    ANONYMOUS,
    Event,
    flush_repeated,
    record_event,
    record_repeatable,
    source_of,
)
from apps.audit.models import AccessEvent, Leaf, PendingRecord, RepeatedEvent
from apps.audit.sealing import seal_all
from apps.audit.verification import verify
from apps.common.actor import Actor
from apps.common.errors import ActorRequired

ANN = Actor("person", "7", "ann")
NOON = 1_800_000_000.0  # the start of a minute: 1.8e9 = 60 x 30,000,000
PASSWORD = "a quiet harbour at dawn"


@pytest.fixture
def clock(monkeypatch: Any) -> list[float]:
    """The time that counting goes by; set its one element to move it."""
    now = [NOON]
    monkeypatch.setattr(events.time, "time", lambda: now[0])
    return now


def refusal(actor: Actor = ANONYMOUS, action: str = "use_case.edit", **data: Any) -> Event:
    return Event("permission_refused", actor, action=action, **data)


def counts(**filters: Any) -> list[int]:
    rows = AccessEvent.objects.filter(**filters).order_by("pk")
    return list(rows.values_list("count", flat=True))


def test_an_event_is_recorded_as_it_happened(db: None) -> None:
    record_event(Event("export_made", ANN, "audit.export", "export:3", "loan", {"rows": 12}))
    row = AccessEvent.objects.get()
    assert (row.kind, row.actor_kind, row.actor_id, row.actor_name) == (
        "export_made",
        "person",
        "7",
        "ann",
    )
    assert (row.action, row.target, row.use_case) == ("audit.export", "export:3", "loan")
    assert (row.count, row.detail) == (1, {"rows": 12})


def test_an_event_without_an_actor_is_refused(db: None) -> None:
    nobody: Any = None
    with pytest.raises(ActorRequired):
        record_event(Event("export_made", nobody))
    assert counts() == []


def test_an_event_is_sealed_like_any_other_record(committed_db: Any) -> None:
    record_event(Event("export_made", ANN))
    assert seal_all() >= 1
    assert Leaf.objects.get(record_type="access_event").actor_id == "7"
    assert verify(full=True).ok


def test_the_first_of_a_kind_is_recorded_at_once(db: None, clock: list[float]) -> None:
    record_repeatable(refusal(), source="here")
    assert counts() == [1]


def test_a_thousand_knocks_make_two_records_with_the_right_sum(
    db: None, clock: list[float]
) -> None:
    pending = PendingRecord.objects.count()
    for _ in range(1000):
        record_repeatable(refusal(), source="here")
    assert flush_repeated() == 0  # the minute is not over
    clock[0] += 60
    assert flush_repeated() == 1
    assert counts() == [1, 999]
    assert PendingRecord.objects.count() == pending + 2
    assert not RepeatedEvent.objects.exists()


def test_a_flush_repeated_adds_nothing(db: None, clock: list[float]) -> None:
    for _ in range(3):
        record_repeatable(refusal(), source="here")
    clock[0] += 60
    assert [flush_repeated(), flush_repeated()] == [1, 0]
    assert counts() == [1, 2]


def test_one_knock_makes_one_record_and_no_sum(db: None, clock: list[float]) -> None:
    record_repeatable(refusal(), source="here")
    clock[0] += 60
    assert flush_repeated() == 0
    assert counts() == [1]


def test_each_minute_begins_with_a_record_of_its_own(db: None, clock: list[float]) -> None:
    for minute in range(3):
        clock[0] = NOON + 60 * minute
        for _ in range(minute + 1):
            record_repeatable(refusal(), source="here")
    clock[0] = NOON + 600
    assert flush_repeated() == 2
    assert sum(counts()) == 6
    assert counts() == [1, 1, 1, 1, 2]


def test_the_last_second_of_a_minute_belongs_to_it(db: None, clock: list[float]) -> None:
    for second in (0.0, 59.999):
        clock[0] = NOON + second
        record_repeatable(refusal(), source="here")
    assert counts() == [1]
    clock[0] = NOON + 60
    record_repeatable(refusal(), source="here")
    assert counts() == [1, 1]


@pytest.mark.parametrize(
    "other",
    [
        {"source": "there"},
        {"event": refusal(ANN)},
        {"event": refusal(action="use_case.stop")},
        {"event": refusal(use_case="loan")},
        {"event": Event("key_refused", ANONYMOUS, action="use_case.edit")},
    ],
    ids=["source", "actor", "action", "use case", "kind"],
)
def test_what_differs_is_counted_apart(db: None, clock: list[float], other: dict[str, Any]) -> None:
    for _ in range(3):
        record_repeatable(refusal(), source="here")
        record_repeatable(**{"event": refusal(), "source": "here", **other})
    assert counts() == [1, 1]
    clock[0] += 60
    assert flush_repeated() == 2
    assert counts() == [1, 1, 2, 2]


def test_the_sum_says_the_same_as_the_first_record(db: None, clock: list[float]) -> None:
    event = refusal(ANN, target="person:9", use_case="loan", detail={"source": "s", "door": "api"})
    for _ in range(5):
        record_repeatable(event, source="here")
    clock[0] += 60
    flush_repeated()
    first, total = AccessEvent.objects.order_by("pk").values()
    for apart in ("id", "at", "count"):
        first.pop(apart)
        total.pop(apart)
    assert first == total


def test_when_the_first_record_cannot_be_written_it_is_not_counted_either(
    db: None, clock: list[float], monkeypatch: Any
) -> None:
    def disk_full(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(events, "record_event", disk_full)
    with pytest.raises(OSError, match="disk full"):
        record_repeatable(refusal(), source="here")
    monkeypatch.undo()
    record_repeatable(refusal(), source="here")
    assert counts() == [1]


def test_when_a_sum_cannot_be_written_no_count_is_lost(
    db: None, clock: list[float], monkeypatch: Any
) -> None:
    for _ in range(4):
        record_repeatable(refusal(), source="here")

    def disk_full(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(events, "record_event", disk_full)
        with pytest.raises(OSError, match="disk full"):
            flush_repeated(NOON + 60)
    assert flush_repeated(NOON + 60) == 1
    assert counts() == [1, 3]


def test_concurrent_knocks_make_one_first_record_and_the_right_sum(
    committed_db: Any, clock: list[float]
) -> None:
    """Eight connections at once: they queue on the counter's row, whoever comes first records."""
    workers, knocks = 8, 25
    together = Barrier(workers)

    def knock(_number: int) -> None:
        try:
            together.wait(timeout=20)
            for _ in range(knocks):
                record_repeatable(refusal(), source="here")
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(knock, range(workers)))
    assert counts() == [1]
    assert flush_repeated(NOON + 60) == 1
    assert counts() == [1, workers * knocks - 1]


def test_two_sweepers_at_once_write_each_sum_once(committed_db: Any, clock: list[float]) -> None:
    for number in range(20):
        for _ in range(3):
            record_repeatable(refusal(), source=f"source {number}")
    together = Barrier(2)

    def sweep(_number: int) -> int:
        try:
            together.wait(timeout=20)
            return flush_repeated(NOON + 60)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(sweep, range(2))) == 20
    assert sum(counts()) == 60


# --- Sources --------------------------------------------------------------------------------


def test_a_source_tells_addresses_apart_and_names_none(settings: Any) -> None:
    one, two = source_of("192.0.2.1"), source_of("192.0.2.2")
    assert one != two
    assert one == source_of("192.0.2.1")
    assert "192" not in one
    settings.PSEUDONYM_KEY = "another key"
    assert source_of("192.0.2.1") != one


# --- Signing in -----------------------------------------------------------------------------


def request_from(address: str) -> Any:
    return RequestFactory().post("/sign-in/", REMOTE_ADDR=address)


def fail(login: str, address: str = "192.0.2.1") -> None:
    assert authenticate(request_from(address), username=login, password="wrong") is None


def test_a_failed_login_is_recorded_without_what_was_typed(db: None, make_person: Any) -> None:
    ann = make_person("ann", password=PASSWORD)
    fail("ANN")
    row = AccessEvent.objects.get(kind="login_failed")
    assert (row.actor_name, row.target) == ("anonymous", f"person:{ann.pk}")
    assert row.detail == {"source": source_of("192.0.2.1")}


def test_a_login_that_nobody_holds_is_not_written_down(db: None) -> None:
    fail("my-password-by-mistake")
    row = AccessEvent.objects.get(kind="login_failed")
    assert row.target == "unknown login"
    assert "mistake" not in repr(AccessEvent.objects.values().get())


def test_guesses_from_one_address_are_counted_and_others_kept_apart(
    db: None, make_person: Any, clock: list[float]
) -> None:
    make_person("ann", password=PASSWORD)
    for _ in range(10):
        fail("ann")
    fail("ann", "192.0.2.2")
    clock[0] += 60
    flush_repeated()
    assert counts(kind="login_failed") == [1, 1, 9]


def test_signing_in_and_out_are_recorded_under_the_person_s_name(
    db: None, make_person: Any
) -> None:
    ann, request = make_person("ann", password=PASSWORD), request_from("192.0.2.1")
    user_logged_in.send(type(ann), request=request, user=ann)
    user_logged_out.send(type(ann), request=request, user=ann)
    rows = AccessEvent.objects.order_by("pk").values_list("kind", "actor_id", "actor_name")
    assert list(rows) == [
        ("signed_in", str(ann.pk), "ann"),
        ("signed_out", str(ann.pk), "ann"),
    ]


@pytest.fixture
def sign_in_page() -> str:
    try:
        return reverse("account_login")
    except NoReverseMatch:
        pytest.fail("there is no page to sign in")


def test_the_sign_in_page_records_success_and_failure(
    db: None, make_person: Any, sign_in_page: str
) -> None:
    ann, client = make_person("ann", "reviewer", password=PASSWORD), Client()
    client.post(sign_in_page, {"login": "ann", "password": "wrong"})
    assert counts(kind="login_failed") == [1]
    assert not AccessEvent.objects.filter(kind="signed_in").exists()
    answer = client.post(sign_in_page, {"login": "Ann", "password": PASSWORD})
    assert answer.status_code == 302
    assert AccessEvent.objects.get(kind="signed_in").actor_id == str(ann.pk)


def test_a_deactivated_person_does_not_sign_in_at_the_page(
    db: None, make_person: Any, sign_in_page: str
) -> None:
    ann = make_person("ann", "reviewer", password=PASSWORD)
    person_update(actor=ANN, user=ann, reason="left", is_active=False)
    Client().post(sign_in_page, {"login": "ann", "password": PASSWORD})
    assert not AccessEvent.objects.filter(kind="signed_in").exists()
    assert counts(kind="login_failed") == [1]
