"""Sign-in through the pages: what lets a person in, and what the trail keeps of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import NoReverseMatch, reverse

from apps.accounts.models import User
from apps.accounts.services import person_create, person_update
from apps.audit.models import AccessEvent
from apps.common.actor import Actor
from apps.common.errors import UnrecordedWrite
from apps.web.sign_in import AccountAdapter

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-pass-phrase-9"
NEW_PASSWORD = "another-long-phrase-7"


def kinds() -> list[str]:
    return list(AccessEvent.objects.order_by("pk").values_list("kind", flat=True))


def sign_in(client: Client, login: str = "rita", password: str = PASSWORD) -> Any:
    return client.post("/accounts/login/", {"login": login, "password": password})


@pytest.fixture
def rita(actor: Actor) -> User:
    return person_create(
        actor=actor, username="rita", name="Rita Lang", email="rita@example.org", password=PASSWORD
    )


def code_of(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


@pytest.fixture
def turn_on_second_factor(django_capture_on_commit_callbacks: Any) -> Callable[[Client], str]:
    """As a person does it: confirm the password, read the secret, type the code."""

    def turn_on(client: Client) -> str:
        client.post("/accounts/reauthenticate/", {"password": PASSWORD})
        page = client.get("/accounts/2fa/totp/activate/")
        secret = page.context["form"].secret
        with django_capture_on_commit_callbacks(execute=True):
            answer = client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)})
        assert answer.status_code == 302
        return str(secret)

    return turn_on


@pytest.mark.parametrize("login", ["rita", "RITA", "rita@example.org", "Rita@Example.org"])
def test_login_or_e_mail_with_the_password_lets_in_and_is_recorded(
    client: Client, rita: User, login: str
) -> None:
    assert sign_in(client, login).headers["Location"] == "/"
    assert client.get("/").context["user"] == rita
    assert kinds() == ["signed_in"]


def test_a_wrong_password_lets_nobody_in_and_names_the_person_it_was_tried_on(
    client: Client, rita: User
) -> None:
    answer = sign_in(client, password="wrong")
    assert answer.status_code == 200
    assert "not correct" in answer.content.decode()
    event = AccessEvent.objects.get()
    assert (event.kind, event.actor_id, event.target) == (
        "login_failed",
        "anonymous",
        f"person:{rita.pk}",
    )


def test_an_unknown_login_is_refused_without_keeping_what_was_typed(
    client: Client, rita: User
) -> None:
    sign_in(client, login="my-secret-typed-in-the-wrong-box")
    assert AccessEvent.objects.get().target == "unknown login"


def test_a_hash_changed_behind_the_trail_lets_nobody_in(client: Client, rita: User) -> None:
    forged = User(username="x")
    forged.set_password("forged-pass-phrase-1")
    rita.password = forged.password
    assert rita.check_password("forged-pass-phrase-1") is False


def test_a_deactivated_person_is_told_and_kept_out(
    client: Client, rita: User, actor: Actor
) -> None:
    person_update(actor=actor, user=rita, reason="left", is_active=False)
    assert sign_in(client).headers["Location"] == reverse("account_inactive")
    assert client.get("/").status_code == 302
    assert "cannot sign in" in client.get(reverse("account_inactive")).content.decode()


def test_deactivation_ends_a_session_that_is_open(client: Client, rita: User, actor: Actor) -> None:
    sign_in(client)
    person_update(actor=actor, user=rita, reason="left", is_active=False)
    assert client.get("/").headers["Location"].startswith("/accounts/login/")


def test_a_reviewer_known_from_imports_alone_cannot_sign_in(client: Client, actor: Actor) -> None:
    person_create(actor=actor, username="imported", password=PASSWORD, signs_in=False)
    assert sign_in(client, "imported").headers["Location"] == reverse("account_inactive")
    assert client.get("/").status_code == 302


def test_five_wrong_passwords_close_the_door_for_a_while(client: Client, rita: User) -> None:
    for _ in range(5):
        sign_in(client, password="wrong")
    assert "Too many failed" in sign_in(client).content.decode()
    assert client.get("/").status_code == 302


def test_changing_the_password_is_one_recorded_change_and_ends_every_session(
    client: Client, rita: User
) -> None:
    other = Client()
    sign_in(client)
    sign_in(other)
    data = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert client.post("/accounts/password/change/", data).headers["Location"] == "/accounts/login/"
    newest = rita.history.order_by("-history_id")[0]
    assert rita.history.count() == 2
    assert (newest.history_user_id, newest.history_change_reason) == (
        str(rita.pk),
        "changed by its holder",
    )
    assert [c.get("/").status_code for c in (client, other)] == [302, 302]
    assert sign_in(Client()).status_code == 200
    assert sign_in(client, password=NEW_PASSWORD).status_code == 302


@pytest.mark.parametrize("weak", ["short", "123456789012345", "rita@example.org"])
def test_a_weak_new_password_is_refused_on_the_form(client: Client, rita: User, weak: str) -> None:
    sign_in(client)
    data = {"oldpassword": PASSWORD, "password1": weak, "password2": weak}
    answer = client.post("/accounts/password/change/", data)
    assert "password1" in answer.context["form"].errors
    assert rita.history.count() == 1


def test_a_mailed_link_sets_a_new_password_once(client: Client, rita: User) -> None:
    client.post("/accounts/password/reset/", {"email": "Rita@example.org"})
    assert mail.outbox[0].to == ["rita@example.org"]
    assert mail.outbox[0].subject.startswith("Human oversight: ")
    address = re.search(r"http://testserver(\S+)", str(mail.outbox[0].body))
    assert address is not None
    form = client.get(address[1]).headers["Location"]
    data = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert client.post(form, data).headers["Location"] == "/accounts/password/reset/key/done/"
    newest = rita.history.order_by("-history_id")[0]
    assert newest.history_change_reason == "reset by a mailed link"
    assert sign_in(client, password=NEW_PASSWORD).status_code == 302
    assert "no longer works" in Client().get(address[1]).content.decode()


@pytest.mark.parametrize("email", ["nobody@example.org", "imported@example.org"])
def test_a_reset_for_somebody_who_cannot_sign_in_says_the_same_and_mails_nobody(
    client: Client, actor: Actor, email: str
) -> None:
    person_create(actor=actor, username="imported", email="imported@example.org", signs_in=False)
    answer = client.post("/accounts/password/reset/", {"email": email})
    assert answer.headers["Location"] == "/accounts/password/reset/done/"
    assert mail.outbox == []


def test_someone_without_a_password_is_sent_to_the_mailed_link(
    client: Client, actor: Actor
) -> None:
    client.force_login(person_create(actor=actor, username="newcomer"))
    assert client.get("/accounts/password/change/", follow=True).redirect_chain[-1][0] == (
        "/accounts/password/reset/"
    )


def test_the_second_factor_is_asked_for_and_its_changes_are_recorded(
    client: Client, rita: User, turn_on_second_factor: Callable[[Client], str]
) -> None:
    sign_in(client)
    secret = turn_on_second_factor(client)
    client.post("/accounts/logout/")
    assert sign_in(client).headers["Location"] == "/accounts/2fa/authenticate/"
    assert client.get("/").status_code == 302
    cache.clear()  # a code counts once within its half minute; a person would wait for the next
    assert client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)}).status_code == 302
    assert client.get("/").status_code == 200
    changed = AccessEvent.objects.filter(kind="second_factor_changed").order_by("pk")
    assert [row.detail for row in changed] == [
        {"change": "added", "type": "totp"},
        {"change": "added", "type": "recovery_codes"},
    ]


def test_a_wrong_code_is_recorded_against_the_person(
    client: Client, rita: User, turn_on_second_factor: Callable[[Client], str]
) -> None:
    sign_in(client)
    turn_on_second_factor(client)
    client.post("/accounts/logout/")
    sign_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    event = AccessEvent.objects.get(kind="second_factor_failed")
    assert (event.target, event.actor_id) == (f"person:{rita.pk}", "anonymous")
    assert client.get("/").status_code == 302


def test_turning_the_second_factor_off_takes_the_password_again(
    client: Client, rita: User, turn_on_second_factor: Callable[[Client], str]
) -> None:
    sign_in(client)
    turn_on_second_factor(client)
    session = client.session
    del session["account_authentication_methods"]
    session.save()
    assert "reauthenticate" in client.get("/accounts/2fa/totp/deactivate/").headers["Location"]
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.filter(user=rita).exists()
    events = AccessEvent.objects.filter(kind="second_factor_changed").order_by("pk")
    assert [row.detail["change"] for row in events] == ["added", "added", "removed", "removed"]


def test_one_session_ends_another_and_the_trail_says_so(client: Client, rita: User) -> None:
    other = Client()
    sign_in(client)
    sign_in(other)
    target = UserSession.objects.get(session_key=other.session.session_key)
    client.post("/accounts/sessions/", {"session": target.pk})
    assert [client.get("/").status_code, other.get("/").status_code] == [200, 302]
    event = AccessEvent.objects.get(kind="session_ended")
    assert (event.actor_id, event.detail) == (str(rita.pk), {"sessions": 1})


def test_all_other_sessions_end_at_once(client: Client, rita: User) -> None:
    others = [Client(), Client()]
    for one in (client, *others):
        sign_in(one)
    client.post("/accounts/sessions/")
    assert [one.get("/").status_code for one in (client, *others)] == [200, 302, 302]
    assert AccessEvent.objects.get(kind="session_ended").detail == {"sessions": 2}


def test_nobody_ends_the_session_of_another_person(
    client: Client, rita: User, make_person: Any
) -> None:
    stranger = Client()
    make_person("stranger", password=PASSWORD)
    sign_in(client)
    sign_in(stranger, "stranger")
    target = UserSession.objects.get(session_key=client.session.session_key)
    stranger.post("/accounts/sessions/", {"session": target.pk})
    assert client.get("/").status_code == 200
    assert not AccessEvent.objects.filter(kind="session_ended").exists()


@pytest.mark.parametrize("name", ["account_signup", "account_email", "account_confirm_email"])
def test_doors_that_would_write_people_without_a_record_are_not_there(name: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(name)


def test_the_adapter_never_saves_a_person_by_itself(rita: User) -> None:
    adapter = AccountAdapter()
    assert adapter.is_open_for_signup(None) is False
    with pytest.raises(UnrecordedWrite):
        adapter.save_user(None, rita, None)


def test_signing_in_writes_nothing_about_the_person_but_the_event(
    client: Client, rita: User
) -> None:
    sign_in(client)
    client.get("/")
    client.post("/accounts/logout/")
    assert rita.history.count() == 1
    assert not EmailAddress.objects.exists()
    assert kinds() == ["signed_in", "signed_out"]
