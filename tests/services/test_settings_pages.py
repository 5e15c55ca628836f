"""Settings: one's own time zone; for administrators how the installation stands, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as installed
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.domain.matrix import ACTIONS, PEOPLE
from apps.accounts.models import User
from apps.audit import delivery, sealing
from apps.web import installation
from apps.web.models import Heartbeat
from apps.web.tasks import note_heartbeat
from hitl_platform.settings import env

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]


@pytest.fixture
def signed_in(make_person: Any) -> SignedIn:
    def make(*roles: str, username: str = "someone") -> Client:
        client = Client()
        client.force_login(make_person(username, *roles))
        return client

    return make


def test_a_stranger_is_sent_to_the_sign_in(client: Client) -> None:
    answer = client.get("/settings/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=")


def test_the_time_zone_is_ones_own_and_the_trail_names_who_chose_it(signed_in: SignedIn) -> None:
    client = signed_in()
    answer = client.post("/settings/", {"time_zone": "Asia/Tokyo"}, follow=True)
    assert "shown in Asia/Tokyo from now on" in answer.content.decode()
    me = User.objects.get(username="someone")
    assert me.time_zone == "Asia/Tokyo"
    history: Any = me.history
    newest = history.order_by("-history_id").first()
    assert (newest.history_user_name, newest.history_change_reason) == ("someone", "own setting")
    count = history.count()
    client.post("/settings/", {"time_zone": "Asia/Tokyo"})
    assert history.count() == count, "what is so already leaves no record"


@pytest.mark.parametrize("zone", ["", "Nowhere/Else", "../etc/passwd", "x" * 65, "a\x00b"])
def test_what_is_no_zone_is_named_and_changes_nothing(signed_in: SignedIn, zone: str) -> None:
    answer = signed_in().post("/settings/", {"time_zone": zone})
    assert (answer.status_code, list(answer.context["form"].errors)) == (400, ["time_zone"])
    assert User.objects.get(username="someone").time_zone == "UTC"


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_the_installation_is_shown_to_administrators_alone(signed_in: SignedIn, role: str) -> None:
    answer = signed_in(role).get("/settings/")
    assert answer.status_code == 200
    shown = role in ACTIONS["admin.site"].roles
    assert (answer.context["installation"] is not None) == shown
    assert ("SECRET_KEY" in answer.content.decode()) == shown


def test_every_setting_is_named_and_no_value_is_shown(signed_in: SignedIn) -> None:
    answer = signed_in("administrator").get("/settings/")
    given = answer.context["installation"].given
    assert given.keys() == set(env.names)
    assert given["DATA_DIR"] is True  # the suite sets it
    assert given["BEHIND_PROXY"] is False
    text = answer.content.decode()
    for secret in (installed.SECRET_KEY, installed.PSEUDONYM_KEY):
        assert secret not in text
    assert str(installed.DATA_DIR) not in text


def test_the_worker_is_alive_while_it_does_what_the_scheduler_asks(signed_in: SignedIn) -> None:
    client = signed_in("administrator")
    assert "never seen" in client.get("/settings/").content.decode()
    note_heartbeat()
    note_heartbeat()
    found = client.get("/settings/").context["installation"]
    assert (found.is_late, Heartbeat.objects.count()) == (False, 1)
    late = timezone.now() - installation.LATE_AFTER - timedelta(seconds=1)
    Heartbeat.objects.update(at=late)
    answer = client.get("/settings/")
    assert answer.context["installation"].is_late
    assert "silent" in answer.content.decode()


def test_the_scheduler_asks_for_the_sign_of_life_often_enough() -> None:
    entry = installed.CELERY_BEAT_SCHEDULE["heartbeat"]
    assert entry["task"] == note_heartbeat.name
    assert timedelta(seconds=entry["schedule"]) * 3 < installation.LATE_AFTER


def test_a_witness_that_waits_is_shown(signed_in: SignedIn) -> None:
    client = signed_in("administrator")
    sealing.seal_all()
    assert "1 checkpoint wait" in client.get("/settings/").content.decode()
    delivery.deliver_all()
    assert "holds every checkpoint" in client.get("/settings/").content.decode()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("filesystem://localhost", "files in DATA_DIR"),
        ("redis://:pass-word@broker:6379/0", "Redis"),
        ("amqp://user:pass-word@broker//", "RabbitMQ"),
    ],
)
def test_the_broker_is_named_without_its_address(url: str, words: str) -> None:
    assert installation.broker_words(url) == words


def test_the_database_is_named_with_its_version() -> None:
    words = installation.database_words()
    assert words.split()[0] in {"SQLite", "PostgreSQL"}
    assert words.split()[1][0].isdigit()


def test_the_page_costs_the_same_number_of_queries_at_any_size(
    signed_in: SignedIn, make_use_case: Any
) -> None:
    client = signed_in("administrator")

    def queries() -> int:
        client.get("/settings/")
        with CaptureQueriesContext(connection) as seen:
            assert client.get("/settings/").status_code == 200
        return len(seen)

    sealing.seal_all()
    few = queries()
    for n in range(8):
        make_use_case(f"case-{n}")
        sealing.seal_all()
    assert queries() == few


def test_the_keys_of_the_desk_are_offered_to_who_works_there(signed_in: SignedIn) -> None:
    assert "data-open-keys" in signed_in("reviewer").get("/settings/").content.decode()
    text = signed_in("executive", username="eve").get("/settings/").content.decode()
    assert "data-open-keys" not in text
