"""The pages of alerts and limits: what waits first, what people make of it, limits set and retired."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.domain.matrix import ACTIONS, PEOPLE
from apps.audit.models import AccessEvent
from apps.common.actor import Actor
from apps.metrics.alerts import alert_acknowledge, alert_raise, alert_resolve
from apps.metrics.first_reading import Window
from apps.metrics.limits import alert_limit_retire, alert_limit_set
from apps.metrics.looking import Looks
from apps.metrics.models import Alert, AlertLimit
from apps.metrics.watch import limits, matters, tripwires
from apps.registry.models import UseCase
from apps.web.alerts.limits import PROPOSED
from apps.web.alerts.words import DASHBOARDS, KIND_WORDS
from tests.metrics.rows import define, label, send, turn_out

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]
SUITE = Actor.command("suite")


@pytest.fixture
def signed_in(make_person: Any) -> SignedIn:
    def make(*roles: str, use_case: str = "", username: str = "someone") -> Client:
        client = Client()
        client.force_login(make_person(username, *roles, use_case=use_case))
        return client

    return make


@pytest.fixture
def loans(make_use_case: Any) -> UseCase:
    found: UseCase = make_use_case("loan-approval", name="Loan approval")
    return found


def an_alert(use_case: UseCase, about: str = "x", kind: str = "limit", **more: Any) -> Alert:
    given = {"detail": f"a figure of {about} strayed", **more}
    made = alert_raise(use_case=use_case, kind=kind, about=about, **given)
    assert made is not None
    return made


def a_limit(use_case: UseCase, metric: str = "drift.psi.max", **more: Any) -> AlertLimit:
    given: dict[str, Any] = {"op": ">", "value": 0.25, **more}
    return alert_limit_set(actor=SUITE, use_case=use_case, metric=metric, **given)


def abouts(client: Client, query: str = "") -> list[str]:
    rows = client.get(f"/alerts/?{query}").context["rows"]
    return [row.alert.about for row in rows]


def queries_of(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


# --- The list -------------------------------------------------------------------------------


def test_what_waits_comes_first_then_what_is_looked_into_then_what_is_over(
    signed_in: SignedIn, loans: UseCase
) -> None:
    over, looked, waits = (an_alert(loans, name) for name in ("over", "looked", "waits"))
    alert_resolve(actor=SUITE, alert=over, note="a holiday")
    alert_acknowledge(actor=SUITE, alert=looked)
    an_alert(loans, "newest")
    assert abouts(signed_in("risk_lead")) == ["newest", "waits", "looked", "over"]
    assert waits.status == "raised"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=open", ["team", "raised"]),
        ("status=resolved", ["resolved"]),
        ("kind=team_loss", ["team"]),
        ("use_case=fraud-triage", ["other"]),
        ("use_case=loan-approval&status=raised", ["team", "raised"]),
        ("status=nonsense", ["other", "team", "raised", "resolved"]),
    ],
)
def test_alerts_are_narrowed(
    signed_in: SignedIn,
    loans: UseCase,
    make_use_case: Any,
    query: str,
    expected: list[str],
) -> None:
    alert_resolve(actor=SUITE, alert=an_alert(loans, "resolved"), note="looked at")
    an_alert(loans, "raised")
    an_alert(loans, "team", kind="team_loss")
    other = an_alert(make_use_case("fraud-triage"), "other")
    found = abouts(signed_in("executive"), query)
    if query == "status=open":
        expected = ["other", *expected]
    assert found == expected
    assert other.use_case_id == "fraud-triage"


def test_a_person_limited_to_a_use_case_sees_its_alerts_alone(
    signed_in: SignedIn, loans: UseCase, make_use_case: Any
) -> None:
    hidden = an_alert(make_use_case("fraud-triage"), "other")
    an_alert(loans, "own")
    client = signed_in("supervisor", use_case="loan-approval")
    assert abouts(client) == ["own"]
    assert client.get(f"/alerts/{hidden.pk}/").status_code == 404
    answer = client.post(f"/alerts/{hidden.pk}/resolve/", {"done-note": "seen"})
    assert answer.status_code == 404
    hidden.refresh_from_db()
    assert hidden.status == "raised"


def test_an_empty_list_says_what_to_do_next(signed_in: SignedIn, loans: UseCase) -> None:
    client = signed_in("risk_lead")
    assert "set a limit" in client.get("/alerts/").content.decode()
    assert "No alert matches" in client.get("/alerts/?status=open").content.decode()
    assert "Set one below" in client.get("/alerts/limits/").content.decode()


def test_every_kind_that_is_raised_has_its_words_and_every_report_its_dashboard() -> None:
    modules = (limits, tripwires, matters)
    names = (
        "LIMIT",
        "UNREADABLE",
        "TRIPWIRE",
        "RUBBER_STAMPING",
        "TEAM_LOSS",
        "MISSED_RUN",
        "TRAIL",
    )
    kinds = {getattr(module, name) for module in modules for name in names if hasattr(module, name)}
    assert kinds == KIND_WORDS.keys()
    from apps.metrics.kinds.catalogue import KINDS

    assert DASHBOARDS.keys() == KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "about", "address"),
    [
        ("rubber_stamping", "rita", "/dashboards/people/?use_case=loan-approval"),
        ("team_loss", "", "/dashboards/accuracy/?use_case=loan-approval"),
        ("missed_run", "bias", "/dashboards/fairness/?use_case=loan-approval"),
        ("tripwire", "drift.psi.max > 0.25 alert", "/dashboards/drift/?use_case=loan-approval"),
        ("trail", "", "/dashboards/trail/"),
    ],
)
def test_an_alert_leads_to_the_dashboard_that_draws_its_figure(
    signed_in: SignedIn, loans: UseCase, kind: str, about: str, address: str
) -> None:
    made = an_alert(loans, about, kind=kind)
    client = signed_in("compliance_officer")
    assert client.get(f"/alerts/{made.pk}/").context["shown"].address == address
    (row,) = client.get("/alerts/").context["rows"]
    assert row.shown.address == address


def test_no_dashboard_is_offered_that_would_not_open(signed_in: SignedIn, loans: UseCase) -> None:
    made = an_alert(loans, "", kind="trail")
    assert signed_in("executive").get(f"/alerts/{made.pk}/").context["shown"] is None


def test_an_alert_of_a_limit_leads_to_the_limits_figure(
    signed_in: SignedIn, loans: UseCase
) -> None:
    limit = a_limit(loans, "bias.final.sex.impact_ratio", op="<", value=0.8)
    made = an_alert(loans, str(limit.pk), limit=limit, value=0.7, n=120)
    page = signed_in("executive").get(f"/alerts/{made.pk}/")
    assert page.context["shown"].address.startswith("/dashboards/fairness/")
    text = page.content.decode()
    assert "bias.final.sex.impact_ratio" in text
    assert "n = 120" in text


def test_the_list_costs_the_same_number_of_queries_at_any_length(
    signed_in: SignedIn, loans: UseCase, make_person: Any
) -> None:
    client = signed_in("risk_lead")

    def more(count: int) -> None:
        for n in range(count):
            about = f"{Alert.objects.count()}"
            limit = a_limit(loans, f"accuracy.ai.value.{about}")
            made = an_alert(loans, about, limit=limit)
            alert_acknowledge(actor=make_person(f"p-{about}-{n}").actor, alert=made)

    more(2)
    few = {address: queries_of(client, address) for address in ("/alerts/", "/alerts/limits/")}
    more(6)
    many = {address: queries_of(client, address) for address in few}
    assert many == few


# --- One ------------------------------------------------------------------------------------


def test_an_alert_is_acknowledged_and_resolved_and_its_history_says_by_whom(
    signed_in: SignedIn, loans: UseCase
) -> None:
    made = an_alert(loans)
    client, page = signed_in("supervisor"), f"/alerts/{made.pk}/"
    answer = client.post(f"{page}acknowledge/", {"seen-note": "I ask the desk"}, follow=True)
    assert answer.redirect_chain == [(page, 302)]
    assert answer.context["seen_form"] is None
    answer = client.post(f"{page}resolve/", {"done-note": "a faulty sensor"}, follow=True)
    assert answer.context["done_form"] is None
    told = [(step.status, step.actor, step.note) for step in answer.context["steps"]]
    assert told == [
        ("resolved", "someone", "a faulty sensor"),
        ("acknowledged", "someone", "I ask the desk"),
        ("raised", "alerts", ""),
    ]


def test_resolving_needs_words_and_what_was_typed_is_kept(
    signed_in: SignedIn, loans: UseCase
) -> None:
    made = an_alert(loans)
    client, page = signed_in("supervisor"), f"/alerts/{made.pk}/"
    answer = client.post(f"{page}resolve/", {"done-note": "  "})
    assert (answer.status_code, "note" in answer.context["done_form"].errors) == (400, True)
    made.refresh_from_db()
    assert made.status == "raised"


def test_the_second_of_two_who_resolve_it_is_told_and_keeps_their_words(
    signed_in: SignedIn, loans: UseCase
) -> None:
    made = an_alert(loans)
    client, page = signed_in("supervisor"), f"/alerts/{made.pk}/"
    alert_resolve(actor=SUITE, alert=made, note="done before")
    answer = client.post(f"{page}resolve/", {"done-note": "mine"})
    assert answer.status_code == 409
    assert "resolved already" in answer.content.decode()
    made.refresh_from_db()
    assert made.note == "done before"


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_who_may_not_handle_it_is_offered_nothing_and_refused(
    signed_in: SignedIn, loans: UseCase, role: str
) -> None:
    made = an_alert(loans)
    client, page = signed_in(role), f"/alerts/{made.pk}/"
    may_see, may = (role in ACTIONS[a].roles for a in ("alert.view", "alert.handle"))
    seen = client.get(page)
    assert seen.status_code == (200 if may_see else 403)
    if may_see:
        assert (seen.context["done_form"] is not None) == may
    answer = client.post(f"{page}resolve/", {"done-note": "seen"})
    assert answer.status_code == (302 if may else 403)
    assert (
        AccessEvent.objects.filter(kind="permission_refused", action="alert.handle").exists() != may
    )


def test_a_note_that_no_database_can_hold_is_refused(signed_in: SignedIn, loans: UseCase) -> None:
    made = an_alert(loans)
    answer = signed_in("supervisor").post(f"/alerts/{made.pk}/resolve/", {"done-note": "a\x00b"})
    assert answer.status_code == 400


# --- Limits ---------------------------------------------------------------------------------

GIVEN = {
    "limit-use_case": "loan-approval",
    "limit-metric": "accuracy.combined.value",
    "limit-op": "<",
    "limit-value": "0.9",
    "limit-window_days": "7",
    "limit-in_a_row": "2",
    "limit-smallest": "30",
    "limit-reason": "agreed with the board",
}


def test_a_limit_is_set_shown_in_words_and_retired_with_a_reason(
    signed_in: SignedIn, loans: UseCase
) -> None:
    client = signed_in("risk_lead")
    answer = client.post("/alerts/limits/set/", GIVEN, follow=True)
    (row,) = answer.context["rows"]
    assert (row.bound, row.limit.smallest, row.may_retire) == ("below 0.9", 30, True)
    assert row.shown.address == "/dashboards/accuracy/?use_case=loan-approval"
    retire = f"/alerts/limits/{row.limit.pk}/retire/"
    assert client.post(retire, {"reason": ""}).status_code == 400
    answer = client.post(retire, {"reason": "replaced"}, follow=True)
    assert list(answer.context["rows"]) == []
    (row,) = client.get("/alerts/limits/?state=retired").context["rows"]
    assert (row.limit.active, row.may_retire) == (False, False)
    assert client.post(retire, {"reason": "again"}).status_code == 409


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metric", "nonsense"),
        ("metric", ""),
        ("op", "=="),
        ("value", "much"),
        ("value", "nan"),
        ("window_days", "0"),
        ("in_a_row", "13"),
        ("smallest", "-1"),
        ("use_case", "not-there"),
        ("reason", ""),
    ],
)
def test_a_bad_limit_is_named_at_its_field_and_what_was_typed_is_kept(
    signed_in: SignedIn, loans: UseCase, field: str, value: str
) -> None:
    answer = signed_in("risk_lead").post("/alerts/limits/set/", {**GIVEN, f"limit-{field}": value})
    form = answer.context["set_form"]
    assert (answer.status_code, list(form.errors)) == (400, [field])
    assert form["metric"].value() == (value if field == "metric" else "accuracy.combined.value")
    assert not AlertLimit.objects.exists()


def test_the_same_limit_twice_is_refused_with_what_is_there(
    signed_in: SignedIn, loans: UseCase
) -> None:
    a_limit(loans, "accuracy.combined.value", op="<", value=0.8)
    answer = signed_in("risk_lead").post("/alerts/limits/set/", GIVEN)
    assert answer.status_code == 409
    assert "accuracy.combined.value &lt; 0.8" in answer.content.decode()


def test_limits_are_set_where_the_role_holds_and_nowhere_else(
    signed_in: SignedIn, loans: UseCase, make_use_case: Any
) -> None:
    hidden = a_limit(make_use_case("fraud-triage"))
    client = signed_in("risk_lead", use_case="loan-approval")
    offered = client.get("/alerts/limits/").context["set_form"].fields["use_case"].choices
    assert [slug for slug, _name in offered] == ["loan-approval"]
    elsewhere = {**GIVEN, "limit-use_case": "fraud-triage"}
    assert client.post("/alerts/limits/set/", elsewhere).status_code == 400
    assert client.post(f"/alerts/limits/{hidden.pk}/retire/", {"reason": "x"}).status_code == 404
    looker = signed_in("executive", username="eve")
    assert looker.get("/alerts/limits/").context["set_form"] is None
    assert looker.post("/alerts/limits/set/", GIVEN).status_code == 403
    hidden.refresh_from_db()
    assert hidden.active


def test_a_retired_limit_makes_room_for_a_new_one(signed_in: SignedIn, loans: UseCase) -> None:
    old = a_limit(loans, "accuracy.combined.value", op="<", value=0.8)
    alert_limit_retire(actor=SUITE, limit=old, reason="too low")
    assert signed_in("risk_lead").post("/alerts/limits/set/", GIVEN).status_code == 302
    assert AlertLimit.objects.filter(active=True).get().value == 0.9


def test_every_figure_that_the_form_proposes_is_one() -> None:
    use_case, at = define(), datetime(2026, 3, 1, 12, tzinfo=UTC)
    send(use_case, [label("a", "low", 0.9, decided_at=at.isoformat())])
    turn_out("a", "low")
    looks = Looks(use_case, datetime(2026, 3, 3, tzinfo=UTC))
    for path in PROPOSED:
        looks.figure(path, Window())  # a KeyError where it leads nowhere
