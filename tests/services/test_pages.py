"""The pages through Django's client: who gets in, what they show, what they cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.domain.matrix import ACTIONS, PEOPLE, ROLES
from apps.accounts.models import User
from apps.accounts.services import person_create, person_update, role_grant
from apps.audit import sealing, verification
from apps.audit.events import Event, record_event
from apps.audit.models import AccessEvent, Leaf, VerificationRun
from apps.common.actor import Actor
from apps.registry.services import decision_right_grant, use_case_create, use_case_update
from apps.web import trail
from apps.web.access import requires
from apps.web.middleware import zone_of

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]

PAGES = {
    "/desk/": "review.take",
    "/desk/team/": "review.lead",
    "/desk/team/tasks/": "review.lead",
    "/desk/team/people/": "review.lead",
    "/desk/team/known/": "review.lead",
    "/decisions/": "decision.view",
    "/supervision/": "supervision.view",
    "/supervision/stops/": "supervision.view",
    "/supervision/command/": "supervision.view",
    "/supervision/mandates/": "supervision.view",
    "/policies/": "policy.view",
    "/use-cases/loan-approval/policies/": "policy.view",
    "/use-cases/": "use_case.view",
    "/use-cases/loan-approval/": "use_case.view",
    "/models/": "model.view",
    "/dashboards/executive/": "report.view",
    "/alerts/": "alert.view",
    "/alerts/limits/": "alert.view",
    "/reports/schedules/": "report.view",
    "/audit/": "audit.view",
    "/audit/0/": "audit.view",
    "/audit/health/": "audit.view",
    "/audit/exports/": "audit.export",
    "/people/": "person.view",
    "/keys/": "key.view",
    "/admin/": "admin.site",
}


@pytest.fixture
def signed_in(make_person: Any) -> SignedIn:
    def make(*roles: str, use_case: str = "", username: str = "someone") -> Client:
        client = Client()
        client.force_login(make_person(username, *roles, use_case=use_case))
        return client

    return make


@pytest.fixture
def sealed(make_use_case: Any) -> None:
    make_use_case("loan-approval")
    make_use_case("fraud-triage")
    sealing.seal_all()


def queries_of(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


@pytest.mark.parametrize("address", ["/", *PAGES])
def test_a_stranger_is_sent_to_the_sign_in(client: Client, sealed: None, address: str) -> None:
    answer = client.get(address, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_each_page_opens_to_the_roles_of_the_matrix_and_to_no_other(
    signed_in: SignedIn, sealed: None, role: str
) -> None:
    client = signed_in(role)
    opened = {address for address in PAGES if client.get(address).status_code == 200}
    assert opened == {address for address, action in PAGES.items() if role in ACTIONS[action].roles}


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_the_navigation_offers_exactly_what_opens(
    signed_in: SignedIn, sealed: None, role: str
) -> None:
    client = signed_in(role)
    offered = {
        page.action for section in client.get("/").context["navigation"] for page in section.pages
    }
    assert offered == {action for action in set(PAGES.values()) if role in ACTIONS[action].roles}


def test_a_refusal_says_whom_to_ask_and_is_recorded_once(
    signed_in: SignedIn, make_person: Any
) -> None:
    make_person("ada", "administrator")
    client = signed_in("reviewer")
    for _ in range(3):
        answer = client.get("/audit/")
    assert answer.status_code == 403
    text = answer.content.decode()
    assert "someone may not see the audit trail: it takes one of" in text
    assert "Ask ada." in text
    event = AccessEvent.objects.get(kind="permission_refused")
    assert (event.actor_name, event.action) == ("someone", "audit.view")


def test_an_act_that_the_matrix_does_not_list_guards_no_page() -> None:
    with pytest.raises(KeyError):
        requires("audit.burn")


def test_someone_without_a_role_is_told_what_to_do_next(signed_in: SignedIn) -> None:
    answer = signed_in().get("/")
    assert "You hold no role yet" in answer.content.decode()
    assert answer.context["navigation"] == []


def test_the_start_page_lists_each_role_where_it_holds_and_what_it_allows_there(
    signed_in: SignedIn, sealed: None
) -> None:
    cards = signed_in("risk_lead", use_case="loan-approval").get("/").context["cards"]
    assert [(card.role, card.use_case) for card in cards] == [("risk_lead", "loan-approval")]
    assert "change a use case" in cards[0].actions
    assert "create a use case" not in cards[0].actions  # takes the role everywhere


def test_the_state_of_the_trail_is_shown_to_its_readers_alone(
    signed_in: SignedIn, sealed: None
) -> None:
    assert signed_in("reviewer", username="r").get("/").context["trail"] is None
    state = signed_in("auditor", username="a").get("/").context["trail"]
    assert state.sealed == Leaf.objects.count()
    assert state.pending == 6  # two people, two grants, two sign-ins since
    assert state.run is None


# --- use cases ------------------------------------------------------------------------------


def test_a_person_limited_to_a_use_case_sees_it_alone(signed_in: SignedIn, sealed: None) -> None:
    client = signed_in("reviewer", use_case="loan-approval")
    listed = [case.slug for case in client.get("/use-cases/").context["page"]]
    assert listed == ["loan-approval"]
    assert client.get("/use-cases/loan-approval/").status_code == 200
    missing = [client.get(f"/use-cases/{slug}/") for slug in ("fraud-triage", "not-there")]
    assert [answer.status_code for answer in missing] == [404, 404]


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ("", ["fraud-triage", "loan-approval"]),
        ("q=LOAN", ["loan-approval"]),
        ("lifecycle=pilot", []),
        ("risk_tier=limited&sort=name", ["fraud-triage", "loan-approval"]),
        ("sort=nonsense", ["fraud-triage", "loan-approval"]),
        ("page=999", ["fraud-triage", "loan-approval"]),
    ],
)
def test_use_cases_are_narrowed_and_sorted(
    signed_in: SignedIn, sealed: None, query: str, slugs: list[str]
) -> None:
    answer = signed_in("executive").get(f"/use-cases/?{query}")
    assert [case.slug for case in answer.context["page"]] == slugs


def test_a_use_case_page_says_everything_in_its_definition(
    signed_in: SignedIn, actor: Actor
) -> None:
    use_case_create(
        actor=actor,
        reason="asked for by credit",
        slug="loan-approval",
        labels=["approve", "deny"],
        features=[{"name": "income", "type": "number"}],
        subject_attributes=[{"name": "sex", "type": "category", "protected": True}],
        cost_model={
            "currency": "EUR",
            "review_cost_per_hour": "40.00",
            "error_costs": [{"true": "deny", "given": "approve", "cost": "900"}],
        },
    )
    text = signed_in("risk_lead").get("/use-cases/loan-approval/").content.decode()
    for part in (
        "approve",
        "deny",
        "income",
        "sex",
        "protected",
        "40.00 EUR",
        "900 EUR",
        "asked for by credit",
    ):
        assert part in text


def test_the_changes_of_a_use_case_name_who_why_and_what(
    signed_in: SignedIn, make_use_case: Any, make_person: Any
) -> None:
    rita = make_person("rita", "risk_lead")
    make_use_case("loan-approval")
    use_case_update(
        actor=rita.actor, slug="loan-approval", reason="wider", name="Loans", owner=rita
    )
    newest, first = signed_in("executive").get("/use-cases/loan-approval/").context["changes"]
    assert (newest.actor, newest.verb, newest.reason) == ("rita", "changed", "wider")
    assert [(c.field, c.before, c.after) for c in newest.fields] == [
        ("name", "loan-approval", "Loans"),
        ("owner", "empty", "rita"),
    ]
    assert (first.verb, list(first.fields)) == ("created", [])


def test_of_a_changed_object_the_parts_that_differ_are_told_in_words(
    signed_in: SignedIn, make_use_case: Any, actor: Actor
) -> None:
    old = {"currency": "EUR", "review_minutes_default": "3.4", "setup_cost": "6000"}
    income = {"name": "income", "type": "number", "description": "", "protected": False}
    make_use_case("loan-approval", cost_model=old, features=[income], labels=["approve", "deny"])
    use_case_update(
        actor=actor,
        slug="loan-approval",
        reason="time study",
        cost_model={**old, "review_minutes_default": "2.9"},
        features=[{**income, "protected": True}],
        labels=["approve", "deny", "ask"],
    )
    newest, _first = signed_in("executive").get("/use-cases/loan-approval/").context["changes"]
    assert {(c.field, c.before, c.after) for c in newest.fields} == {
        ("cost_model: review_minutes_default", "3.4", "2.9"),
        ("features: income protected", "no", "yes"),
        ("labels", "approve, deny", "approve, deny, ask"),
    }


def test_decision_rights_are_named_on_the_page(
    signed_in: SignedIn, make_use_case: Any, make_person: Any
) -> None:
    use_case, actor = make_use_case("loan-approval"), Actor.command("suite")
    holder = make_person("holder")
    decision_right_grant(
        actor=actor, use_case=use_case, right="stop", person=holder, reason="named"
    )
    rights = signed_in("executive").get("/use-cases/loan-approval/").context["rights"]
    assert [(right.right, right.person.username) for right in rights] == [("stop", "holder")]


# --- trail ----------------------------------------------------------------------------------


def test_records_come_newest_first_and_page_by_cursor_both_ways(
    signed_in: SignedIn, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "PAGE", 3)
    client = signed_in("auditor")
    sealing.seal_all()
    top = Leaf.objects.count() - 1
    first = client.get("/audit/").context["page"]
    assert [row.leaf_index for row in first.rows] == [top, top - 1, top - 2]
    assert first.newer is None
    second = client.get(f"/audit/?before={first.older}").context["page"]
    assert [row.leaf_index for row in second.rows] == [top - 3, top - 4, top - 5]
    back = client.get(f"/audit/?after={second.newer}").context["page"]
    assert [row.leaf_index for row in back.rows] == [top, top - 1, top - 2]
    assert (back.newer, back.older) == (None, top - 2)
    last = client.get("/audit/?before=2").context["page"]
    assert ([row.leaf_index for row in last.rows], last.older) == ([1, 0], None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=use_case", {"use case created"}),
        ("actor=command:suite&type=person", {"person created"}),
        ("actor=nobody", set()),
        ("use_case=fraud-triage", {"use case created"}),
        ("begin=2999-01-01T00:00", set()),
        ("end=1999-01-01T00:00", set()),
    ],
)
def test_records_are_narrowed(
    signed_in: SignedIn, sealed: None, query: str, expected: set[str]
) -> None:
    client = signed_in("auditor")
    sealing.seal_all()
    found = client.get(f"/audit/?{query}").context["page"].rows
    assert {row.what for row in found} == expected


def test_records_are_found_by_the_login_of_who_acted(signed_in: SignedIn, make_person: Any) -> None:
    rita = make_person("rita")
    record_event(Event("page_seen", rita.actor))
    client = signed_in("auditor")
    sealing.seal_all()
    rows = client.get("/audit/?actor=RITA").context["page"].rows
    assert [(row.what, row.actor) for row in rows] == [("page seen", "rita")]


@pytest.mark.parametrize("query", ["type=nonsense", "begin=yesterday", "before=-1", "before=x"])
def test_a_malformed_filter_is_named_and_shows_nothing(
    signed_in: SignedIn, sealed: None, query: str
) -> None:
    answer = signed_in("auditor").get(f"/audit/?{query}")
    assert answer.status_code == 200
    assert (answer.context["page"].rows, bool(answer.context["form"].errors)) == ([], True)


def test_from_and_to_are_read_in_the_readers_zone(
    signed_in: SignedIn, sealed: None, actor: Actor
) -> None:
    client = signed_in("auditor")
    person_update(
        actor=actor,
        user=User.objects.get(username="someone"),
        reason="moved",
        time_zone="Asia/Tokyo",
    )
    now = timezone.now().astimezone(timezone.get_fixed_timezone(9 * 60))
    later = (now + timezone.timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M")
    assert client.get(f"/audit/?begin={later}").context["page"].rows == []
    assert len(client.get(f"/audit/?end={later}").context["page"].rows) > 0
    assert "+0000" not in client.get("/audit/").content.decode()


def test_times_are_shown_in_the_persons_zone_with_utc_on_hover(
    signed_in: SignedIn, sealed: None, actor: Actor
) -> None:
    client = signed_in("auditor")
    someone = User.objects.get(username="someone")
    person_update(actor=actor, user=someone, reason="moved", time_zone="Asia/Tokyo")
    at = Leaf.objects.get(index=0).at
    tokyo = at.astimezone(timezone.get_fixed_timezone(9 * 60)).strftime("%-d %b %Y, %H:%M:%S")
    utc = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    text = client.get("/audit/0/").content.decode()
    assert f'title="{utc}">{tokyo}</time>' in text


@pytest.mark.parametrize("zone", ["Nowhere/Else", "../etc/passwd", ""])
def test_a_zone_that_the_system_lacks_is_shown_as_utc(zone: str) -> None:
    assert zone_of(User(username="x", time_zone=zone)).key == "UTC"


def test_a_record_shows_its_fields_and_a_proof_that_was_checked(
    signed_in: SignedIn, sealed: None
) -> None:
    detail = signed_in("auditor").get("/audit/0/").context["detail"]
    assert detail.proven
    assert detail.computed_hash == bytes(Leaf.objects.get(index=0).leaf_hash).hex()
    assert dict(detail.fields)["number"] == 1  # leaf 0 is a record schema's


def test_a_proof_that_fails_is_said_in_plain_words(
    signed_in: SignedIn, sealed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "leaf_hash", lambda data: b"\x00" * 32)
    text = signed_in("auditor").get("/audit/0/").content.decode()
    assert "the proof fails" in text
    assert "the proof holds" not in text


def test_someone_limited_to_a_use_case_sees_its_records_alone(
    signed_in: SignedIn, sealed: None
) -> None:
    client = signed_in("compliance_officer", use_case="loan-approval")
    rows = client.get("/audit/").context["page"].rows
    assert {row.use_case for row in rows} == {"loan-approval"}
    assert client.get("/audit/?use_case=fraud-triage").context["page"].rows == []
    foreign = Leaf.objects.get(use_case="fraud-triage").index
    for index in (foreign, 999_999, 10**30):
        assert client.get(f"/audit/{index}/").status_code == 404
    assert client.get(f"/audit/{rows[0].leaf_index}/").status_code == 200


def test_an_empty_ledger_says_what_to_do(signed_in: SignedIn) -> None:
    client = signed_in("auditor")
    assert "Nothing is sealed yet" in client.get("/audit/").content.decode()
    assert "Never verified" in client.get("/audit/health/").content.decode()


def test_verify_now_verifies_keeps_the_result_and_names_who_asked(
    signed_in: SignedIn, sealed: None
) -> None:
    client = signed_in("auditor")
    assert client.post("/audit/verify/").headers["Location"] == "/audit/health/"
    run = VerificationRun.objects.get()
    assert (run.ok, run.full, run.records) == (True, False, Leaf.objects.count())
    event = AccessEvent.objects.get(kind="trail_verified")
    assert (event.actor_name, event.detail) == (
        "someone",
        {"run": run.pk, "sound": True, "findings": 0},
    )
    assert "sound" in client.get("/audit/health/").content.decode()


def test_verify_now_takes_a_post_and_the_role_everywhere(signed_in: SignedIn, sealed: None) -> None:
    assert signed_in("auditor", username="a").get("/audit/verify/")["Location"] == "/audit/"
    limited = signed_in("auditor", username="b", use_case="loan-approval")
    assert limited.post("/audit/verify/").status_code == 403
    assert not VerificationRun.objects.exists()


def test_findings_of_the_last_verification_are_listed(signed_in: SignedIn) -> None:
    now = timezone.now()
    finding = {"table": "audit_leaf", "record": "7", "kind": "gap", "detail": "leaf 7 is missing"}
    VerificationRun.objects.create(
        started_at=now,
        finished_at=now,
        full=True,
        ok=False,
        records=1,
        tree_size=1,
        root="",
        findings=[finding],
    )
    text = signed_in("auditor").get("/audit/health/").content.decode()
    assert "leaf 7 is missing" in text
    assert "contradictions" in text


# --- people ---------------------------------------------------------------------------------


def test_people_are_listed_with_their_roles_beside_the_whole_matrix(
    signed_in: SignedIn, make_person: Any
) -> None:
    make_person("rita", "risk_lead", use_case="loan-approval")
    answer = signed_in("auditor").get("/people/")
    assert [person.username for person in answer.context["page"]] == ["rita", "someone"]
    assert "risk lead in loan-approval" in answer.content.decode()
    matrix = answer.context["matrix"]
    assert len(matrix) == len(ACTIONS)
    assert {
        (action.words, role)
        for action, cells in matrix
        for role, allowed in zip(ROLES, cells, strict=True)
        if allowed
    } == {(action.words, role) for action in ACTIONS.values() for role in action.roles}


@pytest.mark.parametrize(
    ("query", "logins"), [("q=RIT", ["rita"]), ("role=auditor", ["someone"]), ("q=x", [])]
)
def test_people_are_narrowed(
    signed_in: SignedIn, make_person: Any, query: str, logins: list[str]
) -> None:
    make_person("rita", "risk_lead", "commander")
    found = signed_in("auditor").get(f"/people/?{query}").context["page"]
    assert [person.username for person in found] == logins


# --- the frame ------------------------------------------------------------------------------


def test_an_unknown_address_is_a_page_in_the_frame(signed_in: SignedIn) -> None:
    answer = signed_in("auditor").get("/not/there/")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


def test_a_failure_is_a_page_that_tells_no_secret(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "trail_state", lambda: 1 / 0)
    client = signed_in("auditor")
    client.raise_request_exception = False
    answer = client.get("/audit/health/")
    text = answer.content.decode()
    assert (answer.status_code, "Something went wrong here" in text) == (500, True)
    assert "ZeroDivisionError" not in text


def test_every_page_comes_with_the_strict_policy_and_no_inline_script(
    signed_in: SignedIn, sealed: None
) -> None:
    client = signed_in("administrator")
    for address in ["/", *PAGES, "/accounts/2fa/", "/accounts/sessions/"]:
        answer = client.get(address)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        text = answer.content.decode()
        assert "<script>" not in text
        assert "<style" not in text
        assert " style=" not in text


# --- cost -----------------------------------------------------------------------------------


def more_rows(actor: Actor, first: int, count: int) -> None:
    """People with grants, use cases with a right and a change, all sealed, and verifications."""
    for n in range(first, first + count):
        person = person_create(actor=actor, username=f"person-{n}")
        role_grant(actor=actor, user=person, role="reviewer")
        use_case = use_case_create(
            actor=actor, reason="more", slug=f"case-{n}", labels=["a", "b"], owner=person
        )
        held = use_case_update(
            actor=actor, slug="case-0", reason="more", name=f"Case {n}", owner=person
        )
        decision_right_grant(actor=actor, use_case=held, right="stop", person=person, reason="more")
        assert use_case.owner == person
    sealing.seal_all()
    verification.verify(full=False)


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/use-cases/",
        "/use-cases/case-0/",
        "/policies/",
        "/supervision/stops/",
        "/search/?q=case",
        "/audit/",
        "/audit/health/",
        "/people/",
    ],
)
def test_the_cost_of_a_page_does_not_grow_with_its_rows(
    signed_in: SignedIn, actor: Actor, address: str
) -> None:
    client = signed_in("administrator")
    more_rows(actor, 0, 2)
    few = queries_of(client, address)
    more_rows(actor, 2, 8)
    assert queries_of(client, address) == few


# --- search ---------------------------------------------------------------------------------


def test_search_opens_what_it_finds_exactly_and_lists_the_rest(
    signed_in: SignedIn, sealed: None
) -> None:
    client = signed_in("administrator")
    assert client.get("/search/?q=loan-approval")["Location"] == "/use-cases/loan-approval/"
    someone = User.objects.get(username="someone")
    assert client.get("/search/?q=SOMEONE")["Location"] == f"/people/{someone.pk}/"
    assert client.get("/search/?q=0")["Location"] == "/audit/0/"
    hits = client.get("/search/?q=a").context["hits"]
    assert {hit.sort for hit in hits} == {"Use case"}
    for nothing in ("", "%00", "nothing-of-the-kind", "use_case:999", "x" * 300):
        assert list(client.get(f"/search/?q={nothing}").context["hits"]) == []


def test_search_finds_nothing_that_the_seeker_may_not_see(
    signed_in: SignedIn, sealed: None
) -> None:
    client = signed_in("reviewer", use_case="loan-approval")
    for hidden in ("fraud-triage", "someone", "0"):
        assert list(client.get(f"/search/?q={hidden}").context["hits"]) == []


def test_a_form_sent_after_the_session_ended_leads_back_to_its_page(client: Client) -> None:
    sent = client.post(
        "/supervision/stops/stop/",
        {"reason": "x"},
        headers={"referer": "http://testserver/supervision/stops/?a=1"},
    )
    assert sent["Location"] == "/accounts/login/?next=%2Fsupervision%2Fstops%2F%3Fa%3D1"
    elsewhere = client.post(
        "/supervision/stops/stop/", headers={"referer": "http://evil.example/x"}
    )
    assert elsewhere["Location"] == "/accounts/login/?next=%2F"
    with_htmx = client.get("/supervision/", headers={"HX-Request": "true"})
    assert with_htmx["HX-Redirect"].startswith("/accounts/login/?next=")


def test_a_refusal_in_a_use_case_names_who_may_do_it_there(
    signed_in: SignedIn, make_person: Any, make_use_case: Any, actor: Actor
) -> None:
    held = make_use_case("loan-approval")
    make_person("boris", "supervisor")
    make_person("cora", "commander", use_case="loan-approval")
    make_use_case("fraud-triage")
    make_person("elsewhere", "commander", use_case="fraud-triage")
    holder = make_person("holder", "risk_lead")
    client = signed_in("supervisor", use_case="loan-approval")
    decision_right_grant(
        actor=actor, use_case=held, right="stop", person=holder, reason="named holder"
    )
    given = {"use_case": "loan-approval", "reason": "no"}
    text = client.post("/supervision/stops/stop/", given).content.decode()
    assert "holder may do it." in text
    assert "may do it." not in client.get("/people/").content.decode()  # of no use case
