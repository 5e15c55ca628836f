"""When and from where a session was last used: noted to the minute, and at once where it moved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone


@pytest.fixture
def client(db: None, make_person: Any) -> Client:
    browser = Client(headers={"user-agent": "first"})
    browser.force_login(make_person("rita", "reviewer"))
    return browser


def written(client: Client, **more: Any) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/desk/", **more).status_code == 200
    return sum("usersessions_usersession" in query["sql"] for query in queries)


def test_within_a_minute_a_session_is_noted_once(client: Client) -> None:
    assert written(client) > 0
    noted = UserSession.objects.get()
    assert (noted.ip, noted.user_agent) == ("127.0.0.1", "first")
    assert written(client) == 0
    long_ago = timezone.now() - timedelta(hours=1)
    UserSession.objects.update(last_seen_at=long_ago)
    cache.clear()  # a minute later
    assert written(client) > 0
    assert UserSession.objects.get().last_seen_at > long_ago + timedelta(minutes=59)


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"headers": {"user-agent": "second"}}, "user_agent", "second"),
        ({"REMOTE_ADDR": "10.1.2.3"}, "ip", "10.1.2.3"),
    ],
    ids=["browser", "address"],
)
def test_another_browser_or_address_is_noted_at_once(
    client: Client, given: dict[str, Any], field: str, value: str
) -> None:
    written(client)
    assert written(client, **given) > 0
    assert getattr(UserSession.objects.get(), field) == value


def test_a_stranger_has_no_session_to_note(db: None) -> None:
    assert Client().get("/desk/").status_code == 302
    assert not UserSession.objects.exists()
