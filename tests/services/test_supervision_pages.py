"""The pages of those above the AI: the monitor, stops and resumes, command, mandates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.decisions.models import Decision
from apps.policies.models import PolicyVersion
from apps.registry.models import UseCase
from apps.registry.services import decision_right_grant
from apps.supervision.mandates import mandate_issue
from apps.supervision.models import Mandate, Stop
from apps.supervision.stops import resume, stop
from tests.services.gates import LEAD, SECOND, body, gate, send
from tests.services.oversight import decision, in_force, loans

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]
WATCHED = {"level": "HOTL", "intervention_minutes": 60}


@pytest.fixture
def signed_in(make_person: Any) -> SignedIn:
    def make(*roles: str, use_case: str = "", username: str = "someone") -> Client:
        client = Client()
        client.force_login(make_person(username, *roles, use_case=use_case))
        return client

    return make


def queries_of(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


def on_the_monitor(client: Client, query: str = "") -> list[str]:
    rows = client.get(f"/supervision/?{query}").context["rows"]
    return [row.decision.external_id for row in rows]


# --- The monitor ----------------------------------------------------------------------------


def test_what_can_still_be_undone_is_listed_with_what_was_picked_for_a_look_first(
    signed_in: SignedIn,
) -> None:
    watched = gate(policy={**WATCHED, "confidence_threshold": 0.8})
    send(watched, body("unsure", confidence=0.6), body("sure-1"), body("sure-2", "deny"))
    client = signed_in("supervisor")
    assert on_the_monitor(client) == ["unsure", "sure-2", "sure-1"]
    assert on_the_monitor(client, "label=deny") == ["sure-2"]
    (stream,) = client.get("/supervision/").context["streams"]
    assert (stream.open, stream.picked) == (3, 1)
    assert "confidence below threshold" in client.get("/supervision/").content.decode()


def test_a_closed_window_and_what_was_acted_on_before_are_not_on_the_monitor(
    signed_in: SignedIn,
) -> None:
    policy: PolicyVersion = in_force(loans(), **WATCHED)
    now = timezone.now()
    decision(policy, external_id="open", routed_at=now - timedelta(minutes=59))
    decision(policy, external_id="closed", routed_at=now - timedelta(minutes=61))
    decision(policy, external_id="past", past=True)
    assert on_the_monitor(signed_in("supervisor")) == ["open"]


def test_what_was_routed_again_after_a_stop_is_on_the_monitor_however_old_it_is(
    signed_in: SignedIn,
) -> None:
    from apps.common.ids import uuid7

    use_case = loans()
    policy = in_force(use_case, **WATCHED)
    then = timezone.now() - timedelta(days=3)
    old = uuid7(int(then.timestamp() * 1000))
    decision(policy, id=old, external_id="old", created_at=then, routed_at=timezone.now())
    client = signed_in("supervisor")
    assert on_the_monitor(client) == []
    stop(actor=LEAD, use_case=use_case, reason="look at it")
    resume(actor=SECOND, use_case=use_case, reason="fine", withheld="reroute")
    assert on_the_monitor(client) == ["old"]


def test_the_stream_alone_is_answered_to_htmx(signed_in: SignedIn) -> None:
    send(gate(policy=WATCHED), body("a"))
    text = (
        signed_in("supervisor")
        .get("/supervision/", headers={"HX-Request": "true"})
        .content.decode()
    )
    assert ("<html" in text, ">a</a>" in text) == (False, True)


def test_all_that_match_are_counted_first_and_undone_when_that_is_confirmed(
    signed_in: SignedIn,
) -> None:
    watched = gate(policy=WATCHED)
    send(watched, body("a"), body("b"), body("c", "deny"))
    client = signed_in("supervisor")
    given = {"use_case": "loan", "label": "approve", "choice": "reverse", "reason": "bad feed"}
    answer = client.post("/supervision/all/", given)
    assert (answer.status_code, answer.context["counted"]) == (200, 2)
    assert "bad feed" in answer.content.decode()
    # the stream renews itself from the monitor, not from where the form was sent
    assert (
        'hx-get="/supervision/?use_case=loan&amp;label=approve&amp;page=1"'
        in answer.content.decode()
    )
    assert not Decision.objects.filter(status="reversed").exists()
    client.post("/supervision/all/", {**given, "sure": "yes"})
    undone = Decision.objects.filter(status="reversed").order_by("external_id")
    assert [one.external_id for one in undone] == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "status"),
    [({"use_case": "loan"}, 400), ({"use_case": "nowhere", "choice": "reverse"}, 404)],
)
def test_a_step_for_all_without_a_reason_or_a_place_is_refused(
    signed_in: SignedIn, given: dict[str, str], status: int
) -> None:
    send(gate(policy=WATCHED), body("a"))
    assert signed_in("supervisor").post("/supervision/all/", given).status_code == status


def test_the_monitor_costs_the_same_with_more_on_it(signed_in: SignedIn) -> None:
    watched, client = gate(policy=WATCHED), signed_in("supervisor")
    send(watched, body("a"), body("b"))
    few = queries_of(client, "/supervision/")
    send(watched, *(body(f"c-{n}") for n in range(40)))
    assert queries_of(client, "/supervision/") == few


# --- Stop and resume ------------------------------------------------------------------------


def test_one_person_stops_and_another_one_resumes(signed_in: SignedIn) -> None:
    gate()
    first, second = signed_in("risk_lead", username="rita"), signed_in("risk_lead", username="cora")
    first.post("/supervision/stops/stop/", {"use_case": "loan", "reason": "wrong prices"})
    assert UseCase.objects.get().lifecycle == "suspended"
    page = first.get("/supervision/stops/")
    assert [(one.by, one.reason, one.is_own) for one in page.context["stopped"]] == [
        ("rita", "wrong prices", True)
    ]
    own = first.post("/supervision/stops/resume/", {"use_case": "loan", "reason": "mine"})
    assert own.status_code == 403
    second.post("/supervision/stops/resume/", {"use_case": "loan", "reason": "prices are right"})
    assert UseCase.objects.get().lifecycle == "live"
    (past,) = second.get("/supervision/stops/").context["past"]
    assert (past.stopped_by, past.resumed_by, past.why) == ("rita", "cora", "prices are right")


def test_what_a_stop_withheld_is_counted_and_routed_again_where_that_is_chosen(
    signed_in: SignedIn,
) -> None:
    loan = gate()
    stop(actor=LEAD, use_case=loan, reason="wrong prices")
    send(loan, body("a"), body("b"))
    client = signed_in("commander")
    assert [one.blocked for one in client.get("/supervision/stops/").context["stopped"]] == [2]
    given = {"use_case": "loan", "reason": "right again", "withheld": "reroute"}
    answer = client.post("/supervision/stops/resume/", given, follow=True)
    assert "2 decisions were routed again." in answer.content.decode()
    assert set(Decision.objects.values_list("status", flat=True)) == {"released"}


def test_a_stop_without_a_reason_is_refused_and_one_twice_says_so(signed_in: SignedIn) -> None:
    gate()
    client = signed_in("supervisor")
    assert client.post("/supervision/stops/stop/", {"use_case": "loan"}).status_code == 400
    given = {"use_case": "loan", "reason": "once"}
    statuses = [client.post("/supervision/stops/stop/", given).status_code for _ in range(2)]
    assert (statuses, Stop.objects.count()) == ([302, 409], 1)


def test_who_may_stop_is_offered_it_where_the_right_is_theirs(
    signed_in: SignedIn, make_person: Any
) -> None:
    loan = gate()
    client = signed_in("supervisor")
    assert [one.may_stop for one in client.get("/supervision/stops/").context["running"]] == [True]
    holder = make_person("holder", "supervisor")
    decision_right_grant(actor=LEAD, use_case=loan, right="stop", person=holder, reason="named")
    assert [one.may_stop for one in client.get("/supervision/stops/").context["running"]] == [False]
    refused = client.post("/supervision/stops/stop/", {"use_case": "loan", "reason": "no"})
    assert refused.status_code == 403


# --- Command --------------------------------------------------------------------------------


def test_what_no_mandate_covers_waits_for_the_commander_the_oldest_first(
    signed_in: SignedIn,
) -> None:
    send(gate(policy={"level": "HIC"}), body("a"), body("b"))
    client = signed_in("commander")
    page = client.get("/supervision/command/")
    assert [one.external_id for one in page.context["page"]] == ["a", "b"]
    assert [(one.slug, one.n) for one in page.context["waiting"]] == [("loan", 2)]
    held = Decision.objects.get(external_id="a")
    given = {"choice": "approve", "reason": "fine", "from": "command"}
    answer = client.post(f"/decisions/{held.pk}/rule/", given)
    assert answer["Location"] == "/supervision/command/"
    left = client.get("/supervision/command/").context["page"]
    assert [one.external_id for one in left] == ["b"]


def test_someone_limited_to_a_use_case_sees_its_part_of_supervision_alone(
    signed_in: SignedIn,
) -> None:
    send(gate(policy={"level": "HIC"}), body("a"))
    send(gate("other", policy=WATCHED), body("b"))
    client = signed_in("supervisor", use_case="other")
    assert list(client.get("/supervision/command/").context["page"]) == []
    assert on_the_monitor(client) == ["b"]
    assert [one.use_case.slug for one in client.get("/supervision/stops/").context["running"]] == [
        "other"
    ]


def test_the_command_queue_costs_the_same_with_more_in_it(signed_in: SignedIn) -> None:
    commanded, client = gate(policy={"level": "HIC"}), signed_in("commander")
    send(commanded, body("a"))
    few = queries_of(client, "/supervision/command/")
    send(commanded, *(body(f"b-{n}") for n in range(30)))
    assert queries_of(client, "/supervision/command/") == few


# --- Mandates -------------------------------------------------------------------------------


def local(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M")


def mandate_given(**more: str) -> dict[str, str]:
    return {
        "use_case": "loan",
        "scope.kind": "all",
        "scope.0.kind": "test",
        "scope.0.field": "amount",
        "scope.0.op": "<",
        "scope.0.value": "5000.00",
        "name": "small ones",
        "max_count": "2",
        "max_amount": "",
        "valid_from": "",
        "valid_to": local(timezone.now() + timedelta(days=1)),
        "reason": "routine",
        "do": "issue",
        **more,
    }


def test_a_mandate_is_issued_by_rows_used_shown_and_revoked(signed_in: SignedIn) -> None:
    commanded = gate(policy={"level": "HIC"})
    client = signed_in("commander")
    assert client.post("/supervision/mandates/issue/", mandate_given()).status_code == 302
    send(commanded, body("small", amount="100.00"), body("large", amount="9000.00"))
    (row,) = client.get("/supervision/mandates/").context["rows"]
    assert row.scope == "where the amount is below 5000.00"
    assert (row.account.used_count, row.count_share, row.may_revoke) == (1, 0.5, True)
    client.post(f"/supervision/mandates/{row.mandate.pk}/revoke/", {"reason": "enough"})
    assert client.get("/supervision/mandates/").context["rows"] == []
    (over,) = client.get("/supervision/mandates/?state=over").context["rows"]
    assert over.account.state == "revoked"


def test_the_buttons_of_the_builder_add_and_remove_rows_and_issue_nothing(
    signed_in: SignedIn,
) -> None:
    gate(policy={"level": "HIC"})
    client, address = signed_in("commander"), "/supervision/mandates/issue/"
    node = client.post(address, mandate_given(do="group:scope")).context["node"]
    assert [part.kind for part in node.parts] == ["test", "any"]
    node = client.post(address, mandate_given(do="remove:scope.0")).context["node"]
    assert list(node.parts) == []
    node = client.post(address, mandate_given(do="json:scope")).context["node"]
    assert '"field": "amount"' in node.text
    assert not Mandate.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"scope.0.value": "much"}, "is not a decimal string"),
        ({"max_count": "0"}, "is not a whole number of 1 to"),
        ({"max_amount": "-5"}, "is not an amount above 0"),
        ({"valid_to": "2001-01-01T00:00"}, "lies in the past"),
        ({"reason": ""}, "This field is required."),
    ],
)
def test_a_fault_of_a_mandate_stands_at_its_field_and_what_was_typed_stays(
    signed_in: SignedIn, wrong: dict[str, str], words: str
) -> None:
    gate(policy={"level": "HIC"})
    given = mandate_given(
        **{**({"valid_from": "2000-01-01T00:00"} if "valid_to" in wrong else {}), **wrong}
    )
    answer = signed_in("commander").post("/supervision/mandates/issue/", given)
    text = answer.content.decode()
    assert answer.status_code == 400
    assert words in text
    assert "small ones" in text
    assert not Mandate.objects.exists()


def test_mandates_are_seen_by_overseers_and_issued_by_commanders_alone(
    signed_in: SignedIn,
) -> None:
    gate(policy={"level": "HIC"})
    client = signed_in("supervisor")
    assert client.get("/supervision/mandates/").status_code == 200
    assert client.post("/supervision/mandates/issue/", mandate_given()).status_code == 403


def test_the_mandates_cost_the_same_with_more_of_them(signed_in: SignedIn) -> None:
    commanded, client = gate(policy={"level": "HIC"}), signed_in("commander")

    def more(count: int) -> None:
        for _ in range(count):
            end = timezone.now() + timedelta(days=1)
            mandate_issue(
                actor=LEAD, use_case=commanded, scope={"all": []}, valid_to=end, reason="x"
            )

    more(1)
    few = queries_of(client, "/supervision/mandates/")
    more(9)
    assert queries_of(client, "/supervision/mandates/") == few
