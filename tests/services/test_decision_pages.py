"""The pages of decisions: the list, saved views, the table to take away, one and its whole way."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.audit import sealing
from apps.audit.domain.merkle import leaf_hash, verify_inclusion
from apps.audit.ledger import checked_head
from apps.audit.models import AccessEvent
from apps.decisions.models import Decision
from apps.outcomes.services import outcome_record
from apps.registry.models import UseCase
from apps.web.decisions import listing
from apps.web.models import SavedView
from tests.services.desks import blind, case, decide, desk, opened, person, say
from tests.services.gates import body, gate, policy_in_force, send

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]
CONTENT: dict[str, Any] = {
    "features": {"income": 41000},
    "subject": {"ref": "cust-77", "attributes": {"sex": "F"}},
    "explanation": {"text": "The ratio is high."},
    "evidence": [{"kind": "text", "title": "Statement", "content": "Two instalments were late."}],
    "amount": "25000.00",
}
FEATURES: dict[str, Any] = {
    "features": [{"name": "income", "type": "number"}],
    "subject_attributes": [{"name": "sex", "type": "category", "protected": True}],
}


@pytest.fixture
def signed_in(make_person: Any) -> SignedIn:
    def make(*roles: str, use_case: str = "", username: str = "someone") -> Client:
        client = Client()
        client.force_login(make_person(username, *roles, use_case=use_case))
        return client

    return make


def client_of(who: User) -> Client:
    client = Client()
    client.force_login(who)
    return client


def listed(client: Client, query: str = "") -> list[str]:
    rows = client.get(f"/decisions/?{query}").context["page"].rows
    return [row.decision.external_id for row in rows]


def page_of(client: Client, decision: Decision) -> Any:
    return client.get(f"/decisions/{decision.pk}/")


def only(use_case: UseCase) -> Decision:
    return Decision.objects.get(use_case=use_case)


def queries_of(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


# --- The list -------------------------------------------------------------------------------


@pytest.fixture
def many() -> UseCase:
    loans = gate(policy={"confidence_threshold": 0.7})
    send(loans, *(body(f"app-{n}", confidence=0.5 + n / 20, amount=f"{n}00") for n in range(10)))
    fraud = gate("fraud", labels=["fraud", "fine"])
    send(fraud, body("tx-1", "fraud", 0.95, model_version="2"))
    return loans


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("use_case=fraud", ["tx-1"]),
        ("lane=review", ["app-3", "app-2", "app-1", "app-0"]),
        ("status=pending&sort=oldest", ["app-0", "app-1", "app-2", "app-3"]),
        ("label=fraud", ["tx-1"]),
        ("model_version=2", ["tx-1"]),
        ("q=app-7", ["app-7"]),
        ("q=PP-7", ["app-7"]),
        ("q=nothing", []),
        ("begin=2999-01-01T00:00", []),
        ("end=1999-01-01T00:00", []),
        ("lane=review&sort=unsure", ["app-0", "app-1", "app-2", "app-3"]),
        (
            "use_case=loan&lane=automatic&sort=sure",
            ["app-9", "app-8", "app-7", "app-6", "app-5", "app-4"],
        ),
        ("lane=review&sort=amount", ["app-3", "app-2", "app-1", "app-0"]),
    ],
)
def test_decisions_are_narrowed_and_sorted(
    signed_in: SignedIn, many: UseCase, query: str, expected: list[str]
) -> None:
    assert listed(signed_in("risk_lead"), query) == expected


@pytest.mark.parametrize("sort", sorted(listing.SORTS))
def test_every_order_pages_there_and_back_without_a_gap(
    signed_in: SignedIn, many: UseCase, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(
        listing.decision_page, "__kwdefaults__", {**listing.decision_page.__kwdefaults__, "size": 4}
    )
    client, pages, query = signed_in("risk_lead"), [], f"sort={sort}"
    while True:
        page = client.get(f"/decisions/?{query}").context["page"]
        pages.append([row.decision.external_id for row in page.rows])
        if page.next is None:
            break
        query = f"sort={sort}&after={page.next}"
    together = [one for rows in pages for one in rows]
    assert [len(rows) for rows in pages] == [4, 4, 3]
    assert len(set(together)) == 11
    back = client.get(f"/decisions/?sort={sort}&before={page.previous}").context["page"]
    assert [row.decision.external_id for row in back.rows] == pages[1]
    first = client.get(f"/decisions/?sort={sort}&before={back.previous}").context["page"]
    assert ([row.decision.external_id for row in first.rows], first.previous) == (pages[0], None)


@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_a_rare_match_is_looked_for_stretch_by_stretch_and_none_is_left_out(
    signed_in: SignedIn, many: UseCase, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    """Of 11 decisions 4 went to review: stretches of 3 hold them all between them."""
    monkeypatch.setattr(listing, "STRETCH", 3)
    client, found, query = signed_in("risk_lead"), [], f"lane=review&sort={sort}"
    asked, stretches = query, 0
    while True:
        answer = client.get(f"/decisions/?{asked}")
        page = answer.context["page"]
        found += [row.decision.external_id for row in page.rows]
        stretches += 1
        if page.next is None:
            break
        assert page.partial
        words = "Next looks on" if page.rows else "No match among"
        assert words in answer.content.decode()
        asked = f"{query}&after={page.next}"
    whole = [f"app-{n}" for n in range(4)]
    assert found == (whole[::-1] if sort == "newest" else whole)
    assert stretches == 4  # 3 + 3 + 3 + 2
    assert not client.get("/decisions/?lane=review&status=pending").context["page"].partial


def test_a_malformed_filter_is_named_and_shows_nothing(signed_in: SignedIn, many: UseCase) -> None:
    for query in ("lane=up", "begin=yesterday", "after=x", "use_case=not-there"):
        answer = signed_in("risk_lead", username=query).get(f"/decisions/?{query}")
        assert (answer.status_code, list(answer.context["page"].rows)) == (200, [])
        assert answer.context["form"].errors


def test_someone_limited_to_a_use_case_sees_its_decisions_alone(
    signed_in: SignedIn, many: UseCase
) -> None:
    client = signed_in("supervisor", use_case="fraud")
    assert listed(client) == ["tx-1"]
    assert listed(client, "q=app-7") == []
    hidden = Decision.objects.get(external_id="app-7")
    assert page_of(client, hidden).status_code == 404
    assert client.get(f"/decisions/{hidden.pk}/proof/0/").status_code == 404


def test_an_empty_list_says_what_to_do(signed_in: SignedIn) -> None:
    client = signed_in("executive")
    assert "No decisions yet." in client.get("/decisions/").content.decode()
    assert "No decision matches." in client.get("/decisions/?q=x").content.decode()


def test_the_view_is_taken_out_as_a_table_and_that_is_recorded(
    signed_in: SignedIn, many: UseCase
) -> None:
    send(many, body("=HYPERLINK(1)"))
    answer = signed_in("risk_lead").get("/decisions/decisions.csv?use_case=loan&lane=automatic")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["external_id"] for row in rows][:2] == ["'=HYPERLINK(1)", "app-9"]
    assert rows[1]["confidence"] == "0.95"
    event = AccessEvent.objects.get(kind="decisions_listed")
    assert (event.detail["rows"], event.use_case) == (7, "loan")


def test_a_view_is_kept_under_a_name_replaced_and_removed_by_its_owner_alone(
    signed_in: SignedIn, many: UseCase
) -> None:
    client, other = signed_in("risk_lead", username="a"), signed_in("risk_lead", username="b")
    for query in ("lane=review&after=0&x=1", "lane=review&sort=oldest"):
        client.post("/decisions/views/", {"name": " Waiting  now ", "query": query})
    kept = SavedView.objects.get()
    assert (kept.name, kept.query) == ("Waiting now", "lane=review&sort=oldest")
    assert [view.name for view in client.get("/decisions/").context["views"]] == ["Waiting now"]
    assert other.get("/decisions/").context["views"] == []
    assert other.post(f"/decisions/views/{kept.pk}/remove/").status_code == 404
    client.post(f"/decisions/views/{kept.pk}/remove/")
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_view_without_a_usable_name_is_not_kept(
    signed_in: SignedIn, many: UseCase, name: str
) -> None:
    given = {"name": name, "query": "lane=review"}
    answer = signed_in("risk_lead").post("/decisions/views/", given, follow=True)
    assert "Not kept:" in answer.content.decode()
    assert not SavedView.objects.exists()


def test_a_page_of_the_list_costs_the_same_with_more_decisions(signed_in: SignedIn) -> None:
    loans, client = gate(policy={"confidence_threshold": 0.7}), signed_in("reviewer")
    send(loans, *(body(f"a-{n}", confidence=0.5) for n in range(3)))
    addresses = [f"/decisions/?{q}" for q in ("", "sort=unsure", "q=a", "status=pending")]
    few = [queries_of(client, address) for address in addresses]
    send(loans, *(body(f"b-{n}", confidence=0.5) for n in range(40)))
    assert [queries_of(client, address) for address in addresses] == few


# --- One ------------------------------------------------------------------------------------


def titles(answer: Any) -> list[str]:
    return [step.title for step in answer.context["steps"]]


def test_the_whole_way_of_a_reviewed_decision_is_told_in_order(signed_in: SignedIn) -> None:
    loans = desk(**FEATURES)
    rex = person("rex")
    held = case(loans, **CONTENT)
    decide(rex, "change", output={"label": "deny"}, rationale="the income is not shown")
    outcome_record(actor=rex.actor, decision=held, label="deny")
    sealing.seal_all()
    answer = page_of(signed_in("compliance_officer"), held)
    assert titles(answer)[:3] == ["Came in", "Routed to review", "People are asked"]
    found = titles(answer)
    assert found.index("rex was shown the case") < found.index("Reviewed: changed the output")
    assert "Released" in found
    assert found.index("Outcome known (observed)") > found.index("Released")
    text = answer.content.decode()
    for words in ("Confidence 0.90 is below 0.99", "the income is not shown", "Two instalments"):
        assert words in text
    unsealed = [step.title for step in answer.context["steps"] if step.leaf is None]
    assert unsealed == ["someone opened the content"]  # what this very visit wrote


def test_the_content_is_shown_to_whom_the_matrix_shows_it_and_opening_it_is_recorded(
    signed_in: SignedIn,
) -> None:
    held = case(desk(**FEATURES), **CONTENT)
    for role, shows in [("supervisor", True), ("executive", False), ("administrator", False)]:
        text = page_of(signed_in(role, username=role), held).content.decode()
        assert ("cust-77" in text, "Two instalments" in text, "25,000.00" in text) == (
            shows,
            shows,
            True,
        )
        opened_by = AccessEvent.objects.filter(kind="personal_data_viewed", actor_name=role)
        assert [event.target for event in opened_by] == ([str(held.pk)] if shows else [])


@pytest.mark.parametrize(("policy", "shown"), [({}, False), ({"show_protected": True}, True)])
def test_a_reviewer_sees_protected_attributes_where_the_policy_says_so(
    signed_in: SignedIn, policy: dict[str, Any], shown: bool
) -> None:
    held = case(desk(policy, **FEATURES), **CONTENT)
    content = page_of(signed_in("reviewer"), held).context["content"]
    assert ("Sex" in [value.words for value in content.values], content.hidden) == (
        shown,
        1 - shown,
    )


def test_a_case_that_waits_for_ones_own_blind_answer_says_nothing_of_the_ai(
    signed_in: SignedIn,
) -> None:
    held = case(desk({"blind": True}, **FEATURES), label="deny", **CONTENT)
    rex = person("rex")
    client = client_of(rex)
    sealing.seal_all()
    for address in (f"/decisions/{held.pk}/", "/decisions/"):
        text = client.get(address).content.decode()
        assert "deny" not in text
        assert "0.9" not in text
    assert client.get(f"/decisions/{held.pk}/proof/0/").status_code == 404
    assert listed(client, "label=deny") == []
    assert listed(client, "sort=unsure") == []
    row = next(csv.DictReader(io.StringIO(client.get("/decisions/decisions.csv").content.decode())))
    assert (row["external_id"], row["label"], row["confidence"], row["model"]) == ("a", "", "", "")
    revealed = blind(rex, "approve")
    assert "deny" not in page_of(client, held).content.decode()  # the desk alone shows it meanwhile
    say(rex, revealed, "confirm")
    assert "deny" in page_of(client, held).content.decode()


def test_others_verdicts_stay_closed_to_whoever_may_still_be_asked(signed_in: SignedIn) -> None:
    held = case(desk({"reviews_required": 2, "combination": "unanimous"}))
    rex = person("rex")
    decide(rex, "confirm")
    said = "Reviewed: confirmed the AI’s output"
    assert said not in titles(page_of(signed_in("reviewer"), held))
    assert said in titles(page_of(client_of(rex), held))
    assert said in titles(page_of(signed_in("risk_lead", username="lead"), held))


def test_who_looked_is_told_to_readers_of_the_trail_alone(signed_in: SignedIn) -> None:
    held = case(desk())
    opened(person("rex"))
    assert "rex was shown the case" in titles(page_of(signed_in("compliance_officer"), held))
    assert "rex was shown the case" not in titles(
        page_of(signed_in("executive", username="e"), held)
    )


def test_a_step_proves_itself_with_the_very_bytes_that_were_sealed(signed_in: SignedIn) -> None:
    held = case(desk())
    sealing.seal_all()
    client = signed_in("risk_lead")
    for step in page_of(client, held).context["steps"]:
        if step.leaf is None:  # what this very page recorded
            continue
        sent = client.get(f"/decisions/{held.pk}/proof/{step.leaf}/").json()
        proof = [bytes.fromhex(node) for node in sent["proof"]]
        leaf = leaf_hash(sent["record"].encode())
        root = checked_head().root_hash
        assert verify_inclusion(sent["leaf_index"], sent["tree_size"], leaf, proof, root)
        assert json.loads(sent["record"])["type"] == step.record[0]


def test_a_record_of_something_else_is_not_proved_through_a_decision(signed_in: SignedIn) -> None:
    held = case(desk())
    sealing.seal_all()
    assert signed_in("risk_lead").get(f"/decisions/{held.pk}/proof/0/").status_code == 404


def test_the_page_of_a_decision_costs_the_same_however_long_its_way(signed_in: SignedIn) -> None:
    use_case = desk({"reviews_required": 3, "combination": "unanimous"})
    short, long = case(use_case, "short"), case(use_case, "long")
    client = signed_in("compliance_officer")
    few = queries_of(client, f"/decisions/{short.pk}/")
    for name in ("rex", "lou", "bea"):
        person(name)
    for who in User.objects.filter(username__in=["rex", "lou", "bea"]):
        decide(who, "confirm")
        decide(who, "confirm")
    sealing.seal_all()
    for n in range(3):
        outcome_record(actor=who.actor, decision=long, label=("approve", "deny")[n % 2])
    assert len(page_of(client, long).context["steps"]) > 12
    assert queries_of(client, f"/decisions/{long.pk}/") <= few + 2  # names of people, and of labels


# --- Acts -----------------------------------------------------------------------------------


@pytest.fixture
def on_the_loop() -> Decision:
    watched = gate(policy={"level": "HOTL", "intervention_minutes": 60})
    send(watched, body("a"))
    return only(watched)


def test_a_supervisor_reverses_within_the_window_and_the_way_says_who_and_why(
    signed_in: SignedIn, on_the_loop: Decision
) -> None:
    client = signed_in("supervisor")
    address = f"/decisions/{on_the_loop.pk}/intervene/"
    answer = client.post(address, {"choice": "reverse", "reason": "wrong customer"}, follow=True)
    on_the_loop.refresh_from_db()
    assert on_the_loop.status == "reversed"
    assert "Supervisor reversed it" in titles(answer)
    assert "no more: it was reversed" in answer.content.decode()
    assert "wrong customer" in answer.content.decode()
    again = client.post(address, {"choice": "reverse", "reason": "once more"})
    assert (again.status_code, "the decision is reversed" in again.content.decode().lower()) == (
        409,
        True,
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"choice": "reverse"}, "Say why in a few words."),
        ({"reason": "no"}, "Choose what to do"),
        ({"choice": "change", "label": "perhaps", "reason": "no"}, "perhaps"),
    ],
)
def test_a_refused_step_keeps_what_was_typed_and_says_what_is_missing(
    signed_in: SignedIn, on_the_loop: Decision, given: dict[str, str], words: str
) -> None:
    answer = signed_in("supervisor").post(f"/decisions/{on_the_loop.pk}/intervene/", given)
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert answer.context["act"].kept.get("reason") == given.get("reason")
    on_the_loop.refresh_from_db()
    assert on_the_loop.status == "released"


def test_a_commander_rules_on_what_no_mandate_covers(signed_in: SignedIn) -> None:
    commanded = gate(policy={"level": "HIC"})
    send(commanded, body("a"))
    held = only(commanded)
    assert page_of(signed_in("supervisor", username="s"), held).context["act"] is None
    client = signed_in("commander")
    assert page_of(client, held).context["act"].act == "rule"
    given = {"choice": "change", "label": "deny", "reason": "too much", "from": "command"}
    answer = client.post(f"/decisions/{held.pk}/rule/", given)
    held.refresh_from_db()
    assert (answer.status_code, held.status, held.final_label) == (302, "released", "deny")


def test_an_act_takes_its_role_there_and_a_post(signed_in: SignedIn, on_the_loop: Decision) -> None:
    address = f"/decisions/{on_the_loop.pk}/intervene/"
    given = {"choice": "reverse", "reason": "no"}
    assert signed_in("executive").post(address, given).status_code == 403
    asked = signed_in("supervisor", username="s").get(address)
    assert (asked.status_code, asked["Location"]) == (302, f"/decisions/{on_the_loop.pk}/")


def test_a_past_policy_version_is_named(signed_in: SignedIn, on_the_loop: Decision) -> None:
    policy_in_force(on_the_loop.use_case, level="HITL")
    assert "version 1" in page_of(signed_in("risk_lead"), on_the_loop).content.decode()
