"""What holds on every route: problems, media types, bodies, sessions, refusals, limits, queries."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.callers import caller_of_command
from apps.accounts.models import User
from apps.accounts.qualifications import qualification_grant
from apps.api.parsers import MAX_BODY
from apps.api.urls import urlpatterns
from apps.api.v1 import people
from apps.audit import events
from apps.audit.models import AccessEvent, RepeatedEvent
from apps.decisions.models import Decision
from apps.metrics.alerts import alert_raise
from apps.metrics.limits import alert_limit_set
from apps.metrics.reports import report_run
from apps.metrics.schedules import report_schedule_add
from apps.registry.models import UseCase
from apps.registry.services import (
    ai_system_register,
    decision_right_grant,
    model_version_register,
    use_case_update,
)
from apps.reviews.absences import absence_add
from apps.reviews.known_answers import known_answer_enter
from apps.supervision.mandates import mandate_issue
from tests.api.conftest import ROOT, ApiClient
from tests.services.gates import body, policy_in_force, send

PROBLEM = "application/problem+json"


def is_problem(response: Any, status: int) -> bool:
    document = json.loads(response.content)
    return (
        response.status_code == status == document["status"]
        and response["Content-Type"] == PROBLEM
        and {"type", "title", "status", "detail"} <= document.keys()
    )


# Routes, methods, media types


@pytest.mark.parametrize(
    "path", ["", "nothing/", "use-cases", "use-cases/a/b/c/", "use-cases/a%00b/", "people/%7F/"]
)
def test_what_is_no_route_is_a_404_problem(path: str, administrator: Any) -> None:
    assert is_problem(administrator.get(path), 404)
    assert is_problem(administrator.post(path), 404)


@pytest.mark.parametrize("method", ["put", "options", "trace"])
def test_a_method_that_no_route_has_is_a_405_problem(method: str, administrator: Any) -> None:
    response = administrator(method, "use-cases/")
    assert is_problem(response, 405)
    assert response["Allow"] == "GET, HEAD, POST"


def test_a_media_type_that_cannot_be_given_is_a_406_problem(administrator: Any) -> None:
    assert is_problem(administrator("get", "me/", headers={"accept": "text/html"}), 406)


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_a_body_that_is_not_json_is_a_415_problem(media_type: str, administrator: Any) -> None:
    response = administrator.client.post(
        ROOT + "people/", data=b"username=x", content_type=media_type
    )
    assert is_problem(response, 415)


def test_head_answers_like_get_without_a_body(administrator: Any) -> None:
    response = administrator("head", "me/")
    assert (response.status_code, response.content) == (200, b"")


# Bodies


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"NaN",
        b'{"username": NaN}',
        b'{"username": 1e999}',
        b'{"username": "a", "username": "b"}',
        b'{"username": "a\x00"}',
        b'{"username": "\xff"}',
        b'{"username": "\\u0000"}',
        b'{"username": "\\ud83d"}',
        b'{"username": "\\uDC00"}',
        b'{"\\ud800": "a"}',
        b'{"\\ud800": "a", "\\ud800": "b"}',
        b'{"username": ' + b"9" * 5000 + b"}",
        b'{"username": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"username": "' + b"x" * MAX_BODY + b'"}',
    ],
)
def test_a_malformed_body_is_a_400_problem(body: bytes, administrator: Any) -> None:
    response = administrator.client.post(
        ROOT + "people/", data=body, content_type="application/json"
    )
    assert is_problem(response, 400)
    assert not User.objects.exists()


def test_a_character_that_is_no_text_is_pointed_at(
    administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    body = {"username": "a", "extra": {"a/b": ["fine", "bad\x00"]}}
    assert pointers(administrator.post("people/", body)) == ["/extra/a~1b/1"]


def test_text_beyond_the_basic_plane_is_kept(administrator: Any) -> None:
    response = administrator.post("people/", {"username": "a", "name": "Ada 🦉 Łovelace"})
    assert response.json()["name"] == "Ada 🦉 Łovelace"


# Credentials


@pytest.mark.parametrize(
    "presented",
    [
        "Bearer",
        "Bearer x",
        "Bearer hop__",
        "Bearer hop_000000000000_" + "A" * 43,
        "bearer \x00",
        "Bearer é",
        "Bearer " + "x" * 5000,
    ],
)
def test_a_key_that_is_none_is_refused_and_recorded(presented: str, stranger: Any) -> None:
    response = stranger("get", "me/", headers={"authorization": presented})
    assert is_problem(response, 401)
    assert AccessEvent.objects.get().kind == "key_refused"


@pytest.mark.parametrize("presented", ["", "Basic YTpi", "Token x"])
def test_credentials_of_another_kind_are_none(presented: str, stranger: Any) -> None:
    assert is_problem(stranger("get", "me/", headers={"authorization": presented}), 401)


def test_a_deactivated_person_is_out_at_once(
    administrator: Any, session: Any, make_person: Any
) -> None:
    person = session(make_person("ada", "auditor"))
    assert person.get("me/").status_code == 200
    administrator.patch("people/ada/", {"is_active": False, "reason": "left"})
    assert person.get("me/").status_code == 401


def test_a_session_needs_the_csrf_token_for_every_write(db: None, make_person: Any) -> None:
    user = make_person("root", "administrator")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    person = ApiClient(client)
    assert person.get("me/").status_code == 200
    body = {"username": "new"}
    assert is_problem(person.post("people/", body), 403)
    assert not User.objects.filter(username="new").exists()
    refused = AccessEvent.objects.get(kind="permission_refused")
    assert (refused.action, refused.actor_id) == ("csrf", "anonymous")
    client.cookies["csrftoken"] = token = "a" * 32
    response = person("post", "people/", body, headers={"x-csrftoken": token})
    assert response.status_code == 201


def test_a_key_needs_no_csrf_token(administrator: Any) -> None:
    administrator.client.handler.enforce_csrf_checks = True
    assert administrator.post("people/", {"username": "new"}).status_code == 201


# Refusals


def test_repeated_refusals_within_a_minute_are_one_record_and_their_count(
    program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr(events.time, "time", lambda: now)
    executive = program("executive")
    for _ in range(5):
        assert is_problem(executive.get("audit/records/"), 403)
    event = AccessEvent.objects.get()
    assert (event.kind, event.action, event.count) == ("permission_refused", "audit.view", 1)
    assert (event.actor_kind, event.detail["door"]) == ("program", "api")
    assert RepeatedEvent.objects.get().count == 5
    assert events.flush_repeated(now + 60) == 1
    assert sorted(AccessEvent.objects.values_list("count", flat=True)) == [1, 4]


def test_another_source_and_another_action_are_records_of_their_own(program: Any) -> None:
    executive = program("executive")
    executive.get("audit/records/")
    executive.get("keys/")
    executive("get", "audit/records/", REMOTE_ADDR="203.0.113.9")
    assert AccessEvent.objects.count() == 3


def test_the_address_of_a_refused_caller_is_not_written_down(program: Any) -> None:
    program("executive")("get", "keys/", REMOTE_ADDR="203.0.113.9")
    assert "203.0.113.9" not in str(AccessEvent.objects.values())


def test_a_failure_inside_is_logged_and_says_nothing_outside(
    administrator: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**data: Any) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(people, "person_create", broken)
    administrator.client.raise_request_exception = False
    response = administrator.post("people/", {"username": "a"})
    assert is_problem(response, 500)
    assert b"swordfish" not in response.content
    assert "swordfish" in caplog.text


# Rate limits


@pytest.fixture
def slow(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three requests a minute, in one minute that does not end."""
    rates = {"caller": "3/min", "anonymous": "3/min"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
    monkeypatch.setattr("apps.api.throttles.time", lambda: 1_800_000_010.0)


def throttled(response: Any) -> bool:
    # 1,800,000,010 is ten seconds into its minute.
    return is_problem(response, 429) and response["Retry-After"] == "50"


def test_a_program_beyond_its_rate_is_told_when_to_come_back(
    slow: None, administrator: Any, program: Any
) -> None:
    other = program("auditor")
    for _ in range(3):
        assert administrator.get("me/").status_code == 200
    assert throttled(administrator.get("me/"))
    assert other.get("me/").status_code == 200


def test_a_request_beyond_the_rate_writes_nothing(slow: None, program: Any) -> None:
    executive = program("executive")
    for _ in range(3):
        executive.get("keys/")
    with CaptureQueriesContext(connection) as seen:
        assert throttled(executive.get("keys/"))
    assert [query["sql"].split()[0] for query in seen] == ["SELECT"]


def test_a_stranger_beyond_the_rate_does_not_touch_the_database(
    slow: None, stranger: Any, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        assert stranger.get("me/").status_code == 401
    with django_assert_num_queries(0):
        assert throttled(stranger.get("me/"))
        assert throttled(stranger.get("audit/checkpoint/"))
        assert throttled(stranger.get("nothing/"))


def test_a_flood_of_bad_keys_fills_neither_the_trail_nor_its_counters(
    slow: None, stranger: Any, django_assert_num_queries: Any
) -> None:
    bad = {"headers": {"authorization": "Bearer hop_x"}}
    for _ in range(3):
        assert stranger("get", "me/", **bad).status_code == 401
    with django_assert_num_queries(0):
        assert throttled(stranger("get", "me/", **bad))


def test_a_forwarded_address_is_no_way_round_the_limit(slow: None, stranger: Any) -> None:
    for n in range(3):
        stranger("get", "me/", headers={"x-forwarded-for": f"203.0.113.{n}"})
    assert throttled(stranger("get", "me/", headers={"x-forwarded-for": "203.0.113.99"}))


def test_a_counter_that_the_cache_has_dropped_begins_again(
    slow: None, stranger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "add", lambda *args, **options: False)
    assert stranger.get("me/").status_code == 401


# Lists


def grow(count: int, make_person: Any, make_use_case: Any, actor: Any, sealed: Any) -> None:
    """``count`` more of everything that is listed."""
    already = UseCase.objects.count()
    for n in range(already, already + count):
        case = make_use_case(f"case-{n}")
        case.owner = person = make_person(f"person-{n}", "auditor", "executive")
        use_case_update(actor=actor, slug=case.slug, reason="owner", owner=person)
        use_case_update(actor=actor, slug="case-0", reason="again", name=f"Name {n}")
        system = ai_system_register(actor=actor, name=f"system-{n}")
        model_version_register(actor=actor, system=system, version="1")
        decision_right_grant(
            actor=actor, use_case=case, right="stop", person=person, reason="appointed"
        )
        policy_in_force(case, always_review_labels=["deny"])
        send(case, body(f"decision-{n}"), body(f"waits-{n}", label="deny"))
        decided = Decision.objects.get(external_id=f"decision-{n}")
        known_answer_enter(
            actor=actor, decision_id=decided.pk, output={"label": "approve"}, reason="observed"
        )
        qualification_grant(actor=actor, user=person, skill="credit", reason="examined")
        absence_add(
            actor=actor,
            person=person,
            starts_at=timezone.now(),
            ends_at=timezone.now() + timedelta(days=1),
            reason="leave",
        )
        mandate_issue(
            actor=actor,
            use_case=case,
            scope={"all": []},
            valid_to=timezone.now() + timedelta(days=1),
            max_count=10,
            reason="needed",
        )
        report_run(actor=actor, use_case=case, kind="accuracy")
        alert_limit_set(actor=actor, use_case=case, metric="accuracy.ai.value", op="<", value=0.5)
        alert_raise(use_case=case, kind="limit", about="x", detail="a figure strayed")
        report_schedule_add(caller=caller_of_command("suite"), use_case=case.slug)
    sealed()


LISTS = {
    "use-cases": {},
    "history": {"slug": "case-0"},
    "ai-systems": {},
    "model-versions": {},
    "decision-rights": {},
    "policies": {},
    "mandates": {},
    "decisions": {},
    "people": {},
    "person-roles": {"username": "person-0"},
    "keys": {},
    "records": {},
    "reviews": {},
    "known-answers": {},
    "absences": {},
    "qualifications": {},
    "reports": {},
    "alerts": {},
    "alert-limits": {},
    "report-schedules": {},
}


def test_every_list_is_counted_below() -> None:
    listed = {
        p.name
        for p in urlpatterns
        if getattr(getattr(p.callback.cls, "get", None), "operation", None)
        and p.callback.cls.get.operation.listed
    }
    assert listed == LISTS.keys()


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_number_of_queries_at_any_length(
    name: str,
    administrator: Any,
    program: Any,
    count_queries: Any,
    make_person: Any,
    make_use_case: Any,
    actor: Any,
    sealed: Any,
) -> None:
    path = reverse(f"api:{name}", kwargs=LISTS[name]).removeprefix(ROOT) + "?page_size=500"
    administrator.get("me/")  # the first use of a key is noted once a minute
    grow(2, make_person, make_use_case, actor, sealed)
    few = count_queries(lambda: administrator.get(path))
    length = len(administrator.get(path).json()["results"])
    grow(5, make_person, make_use_case, actor, sealed)
    for _ in range(3):
        program("auditor")
    assert count_queries(lambda: administrator.get(path)) == few
    assert name == "person-roles" or len(administrator.get(path).json()["results"]) > length


def test_pages_of_a_list_by_name_lead_forth_and_back(
    administrator: Any, make_use_case: Any
) -> None:
    for slug in ("a", "b", "c", "d", "e"):
        make_use_case(slug)

    def slugs(page: Any) -> list[str]:
        return [row["slug"] for row in page["results"]]

    first = administrator.get("use-cases/", page_size=2, lifecycle="live").json()
    second = administrator.client.get(first["next"]).json()
    third = administrator.client.get(second["next"]).json()
    assert [slugs(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert third["next"] is None
    assert slugs(administrator.client.get(third["previous"]).json()) == ["c", "d"]
    assert slugs(administrator.client.get(second["previous"]).json()) == ["a", "b"]
    assert "lifecycle=live" in third["previous"]


def test_a_cursor_of_another_list_is_refused(
    administrator: Any, make_use_case: Any, pointers: Callable[[Any], list[str]]
) -> None:
    make_use_case("a")
    make_use_case("b")
    link = administrator.get("use-cases/", page_size=1).json()["next"]
    cursor = link.split("cursor=")[1].split("&")[0]
    assert pointers(administrator.get("keys/", cursor=cursor)) == ["/cursor"]
