"""The pages of policies: versions in plain words, the editor, two at once, what a draft would do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.policies.models import PolicyVersion
from apps.policies.selectors import use_case_schema
from apps.policies.services import policy_draft
from apps.registry.models import UseCase
from apps.web.policies import builder
from apps.web.policies.document import document_from, form_of
from tests.services.gates import LEAD, body, gate, policy_in_force, send
from tests.services.oversight import loans, proposed

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]
HERE = "/use-cases/loan/policies/"
NESTED: dict[str, Any] = {
    "all": [
        {"field": "amount", "op": ">", "value": "5000.00"},
        {
            "any": [
                {"field": "feature.region", "op": "in", "value": ["north", "east"]},
                {"not": {"field": "feature.income", "op": "between", "value": [1, 20.5]}},
                {
                    "not": {
                        "all": [
                            {"field": "label", "op": "==", "value": "deny"},
                            {"field": "novelty", "op": "==", "value": True},
                        ]
                    }
                },
            ]
        },
    ]
}
FULL: dict[str, Any] = {
    "level": "HITL",
    "confidence_threshold": 0.8,
    "label_thresholds": {"deny": 0.95},
    "rules": [
        {"name": "large", "when": NESTED, "then": "review"},
        {
            "name": "tenth",
            "when": {"field": "feature.region", "op": "==", "value": "north"},
            "then": "sample",
            "rate": 0.1,
        },
    ],
    "always_review_labels": ["deny"],
    "audit_rate": 0.05,
    "reviews_required": 2,
    "combination": "majority",
    "blind": True,
    "skills": ["credit"],
    "sla_minutes": 240,
    "escalation": ["senior_reviewer", "risk_lead"],
    "intervention_minutes": 60,
    "reviews_max": 5,
    "posterior_level": 0.9,
    "tripwires": [{"metric": "drift.psi.max", "op": ">", "value": 0.25, "action": "alert"}],
}


@pytest.fixture
def signed_in(make_person: Any) -> SignedIn:
    def make(*roles: str, use_case: str = "", username: str = "someone") -> Client:
        client = Client()
        client.force_login(make_person(username, *roles, use_case=use_case))
        return client

    return make


@pytest.fixture
def loan() -> UseCase:
    made = gate(
        policy={"confidence_threshold": 0.7},
        features=[{"name": "income", "type": "number"}, {"name": "region", "type": "category"}],
    )
    assert isinstance(made, UseCase)
    return made


def draft(use_case: UseCase, **document: Any) -> PolicyVersion:
    return policy_draft(actor=LEAD, use_case=use_case, document={"level": "HITL", **document})


def filled(policy: PolicyVersion, **more: str) -> dict[str, str]:
    policy.refresh_from_db()
    return {**form_of(policy.document), "seen": policy.content_hash, "do": "save", **more}


def queries_of(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


# --- A document as a form and back ----------------------------------------------------------


def test_a_policy_with_everything_in_it_comes_back_from_its_form_as_it_was(loan: UseCase) -> None:
    policy = draft(loan, **FULL)
    sent = document_from(form_of(policy.document), use_case_schema(loan))
    assert sent.document == policy.document


@pytest.mark.parametrize(
    "condition",
    [
        {"all": []},
        {"field": "confidence", "op": "<", "value": 0.5},
        {"all": [{"field": "confidence", "op": "<", "value": 0.5}]},
        {"not": {"field": "amount", "op": "is_missing", "value": True}},
        {"not": {"not": {"field": "label", "op": "==", "value": "deny"}}},
        {"field": "feature.region", "op": "matches", "value": "^no"},
        {"field": "model_version", "op": "not_in", "value": ["1", "2"]},
        NESTED,
    ],
)
def test_a_condition_comes_back_from_its_rows_as_it_was(loan: UseCase, condition: Any) -> None:
    form = builder.form_of(condition, "when")
    assert builder.read(form, "when", use_case_schema(loan)).condition == condition


def test_what_is_nested_deeper_than_the_rows_is_json_and_comes_back_too(loan: UseCase) -> None:
    condition: dict[str, Any] = {"field": "label", "op": "==", "value": "deny"}
    for _ in range(8):
        condition = {"any": [condition, {"field": "margin", "op": "<", "value": 0.1}]}
    form = builder.form_of(condition, "when")
    assert "json" in form.values()
    assert builder.read(form, "when", use_case_schema(loan)).condition == condition


# --- Versions -------------------------------------------------------------------------------


def test_versions_say_in_plain_words_what_each_changes(signed_in: SignedIn, loan: UseCase) -> None:
    policy_in_force(loan, confidence_threshold=0.9)
    rows = signed_in("executive").get(HERE).context["rows"]
    assert [(row.policy.number, row.policy.status) for row in rows] == [
        (2, "active"),
        (1, "superseded"),
    ]
    assert rows[0].changes == ["The confidence threshold rises from 0.70 to 0.90."]
    assert rows[1].changes == ["The first version."]


def test_a_version_that_no_longer_fits_the_use_case_is_shown_and_says_so(
    signed_in: SignedIn, loan: UseCase
) -> None:
    from apps.registry.services import use_case_update

    rule = {
        "name": "r",
        "when": {"field": "feature.region", "op": "==", "value": "n"},
        "then": "review",
    }
    old = draft(loan, rules=[rule])
    use_case_update(actor=LEAD, slug="loan", reason="gone", features=[])
    client = signed_in("risk_lead")
    assert "no longer fits" in client.get(f"{HERE}{old.number}/").content.decode()
    assert "no longer fits" in client.get(HERE).content.decode()


def test_a_draft_is_begun_from_what_is_in_force_edited_proposed_and_approved_by_another(
    signed_in: SignedIn, loan: UseCase
) -> None:
    rita, cora = signed_in("risk_lead", username="rita"), signed_in("commander", username="cora")
    begun = rita.post(f"{HERE}new/")
    assert begun["Location"] == f"{HERE}2/edit/"
    made = PolicyVersion.objects.get(number=2)
    assert made.document["confidence_threshold"] == 0.7
    rita.post(f"{HERE}2/edit/", filled(made, confidence_threshold="0.85", reason="too lax"))
    rita.post(f"{HERE}2/propose/", {"reason": "as agreed"})
    page = rita.get(f"{HERE}2/")
    assert (page.context["moves"].approve, page.context["moves"].is_own) == (False, True)
    assert page.context["changes"] == ["The confidence threshold rises from 0.70 to 0.85."]
    assert rita.post(f"{HERE}2/approve/").status_code == 403
    cora.post(f"{HERE}2/approve/", {"reason": "agreed"})
    made.refresh_from_db()
    assert (made.status, made.document["confidence_threshold"]) == ("active", 0.85)
    assert "too lax" in cora.get(f"{HERE}2/").content.decode()


def test_a_draft_can_begin_from_any_version_and_is_begun_anew_where_that_no_longer_fits(
    signed_in: SignedIn, loan: UseCase
) -> None:
    from apps.registry.services import use_case_update

    rule = {
        "name": "r",
        "when": {"field": "feature.region", "op": "==", "value": "n"},
        "then": "review",
    }
    old = draft(loan, audit_rate=0.3, rules=[rule])
    client = signed_in("risk_lead")
    client.post(f"{HERE}new/", {"from": str(old.number)})
    assert PolicyVersion.objects.get(number=3).document == old.document
    use_case_update(actor=LEAD, slug="loan", reason="gone", features=[])
    answer = client.post(f"{HERE}new/", {"from": str(old.number)}, follow=True)
    assert "Begun anew" in answer.content.decode()
    assert PolicyVersion.objects.get(number=4).document["audit_rate"] == 0
    assert client.post(f"{HERE}new/", {"from": "99"}).status_code == 404


def test_an_approval_can_wait_for_its_moment_and_be_taken_back_before(
    signed_in: SignedIn, loan: UseCase
) -> None:
    policy = proposed(loan)
    client = signed_in("commander")
    moment = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    client.post(f"{HERE}2/approve/", {"effective_from": moment})
    policy.refresh_from_db()
    assert (policy.status, policy.effective_from.strftime("%Y-%m-%dT%H:%M")) == ("approved", moment)
    assert client.post(f"{HERE}2/reject/", {}).status_code == 400
    client.post(f"{HERE}2/reject/", {"reason": "not yet"})
    policy.refresh_from_db()
    assert policy.status == "rejected"


@pytest.mark.parametrize("moment", ["2001-01-01T00:00", "soon", "2026-13-45T00:00"])
def test_a_moment_that_is_none_or_past_is_refused_and_the_reason_stays(
    signed_in: SignedIn, loan: UseCase, moment: str
) -> None:
    policy = proposed(loan)
    given = {"effective_from": moment, "reason": "as agreed"}
    answer = signed_in("commander").post(f"{HERE}2/approve/", given)
    assert (answer.status_code, "as agreed" in answer.content.decode()) == (400, True)
    policy.refresh_from_db()
    assert policy.status == "proposed"


def test_the_overview_puts_first_what_waits_for_approval(
    signed_in: SignedIn, loan: UseCase
) -> None:
    other = loans(slug="zebra", name="Zebra")
    proposed(other)
    rows = signed_in("commander").get("/policies/").context["rows"]
    assert [(row.slug, row.standing is None) for row in rows] == [("zebra", True), ("loan", False)]


# --- The editor -----------------------------------------------------------------------------


def test_the_editor_shows_every_key_of_the_document(signed_in: SignedIn, loan: UseCase) -> None:
    policy = draft(loan, **FULL)
    text = signed_in("risk_lead").get(f"{HERE}{policy.number}/edit/").content.decode()
    shown_otherwise = {
        "label_thresholds": "threshold:deny",
        "always_review_labels": "always:deny",
        "unreviewed_release": "justification",
        "rules": "rules.0.name",
        "tripwires": "tripwires.0.metric",
    }
    for key in policy.document:
        assert f'name="{shown_otherwise.get(key, key)}"' in text


def test_faults_stand_at_their_fields_and_nothing_is_saved(
    signed_in: SignedIn, loan: UseCase
) -> None:
    policy = draft(loan, **FULL)
    wrong = {
        "confidence_threshold": "1.5",
        "threshold:deny": "high",
        "rules.0.name": "",
        "rules.0.when.0.value": "many",
        "rules.0.when.1.2.0.value": "perhaps",
        "rules.1.rate": "2",
        "tripwires.0.value": "",
        "escalation": "nobody",
        "reviews_required": "",
    }
    given = filled(policy, **wrong)
    answer = signed_in("risk_lead").post(f"{HERE}{policy.number}/edit/", given)
    context = answer.context
    assert (answer.status_code, list(context["loose"])) == (400, [])
    by_name = {
        one.name: one for group in ("routing", "reviewing", "timing") for one in context[group]
    }
    for name in ("confidence_threshold", "escalation", "reviews_required"):
        assert by_name[name].errors, name
    assert by_name["confidence_threshold"].value == "1.5"
    rule = context["rules"][0]
    assert rule.name_errors
    assert rule.when.parts[0].errors
    assert rule.when.parts[1].parts[2].parts[0].errors
    assert context["rules"][1].rate_errors
    assert context["tripwires"][0].errors
    assert [one["errors"] != () for one in context["labels"]] == [False, True]
    before = policy.content_hash
    policy.refresh_from_db()
    assert policy.content_hash == before


def test_rows_come_go_and_change_places_by_buttons_and_nothing_is_saved(
    signed_in: SignedIn, loan: UseCase
) -> None:
    policy = draft(loan, **FULL)
    client, address = signed_in("risk_lead"), f"{HERE}{policy.number}/edit/"

    def rules(do: str) -> list[str]:
        return [rule.name for rule in client.post(address, filled(policy, do=do)).context["rules"]]

    assert rules("add-rule:") == ["large", "tenth", "New rule 3"]
    assert rules("drop:rules.0") == ["tenth"]
    assert rules("down:rules.0") == ["tenth", "large"]
    assert rules("up:rules.0") == ["large", "tenth"]
    answer = client.post(address, filled(policy, do="add-tripwire:"))
    assert len(answer.context["tripwires"]) == 2
    partial = client.post(address, filled(policy, do="add-rule:"), headers={"HX-Request": "true"})
    assert "<html" not in partial.content.decode()
    assert PolicyVersion.objects.get(pk=policy.pk).content_hash == policy.content_hash


def test_a_button_with_nonsense_changes_nothing(signed_in: SignedIn, loan: UseCase) -> None:
    policy = draft(loan, **FULL)
    client, address = signed_in("risk_lead"), f"{HERE}{policy.number}/edit/"
    for do in (
        "up:rules.x",
        "drop:nothing",
        "rows:rules.9.when",
        "burn",
        "json:",
        "test:rules.77.when",
    ):
        assert client.post(address, filled(policy, do=do)).status_code == 200


def test_the_later_of_two_who_edit_one_draft_is_told_what_changed(
    signed_in: SignedIn, loan: UseCase
) -> None:
    policy = draft(loan)
    rita, cora = signed_in("risk_lead", username="rita"), signed_in("risk_lead", username="cora")
    address = f"{HERE}{policy.number}/edit/"
    opened = filled(policy)
    rita.post(address, {**opened, "audit_rate": "0.1"})
    answer = cora.post(address, {**opened, "confidence_threshold": "0.6"})
    moved = answer.context["moved"]
    assert (answer.status_code, moved.by) == (409, "rita")
    assert list(moved.changes) == ["The random audit rate rises from 0 % to 10 %."]
    assert 'value="0.6"' in answer.content.decode()
    policy.refresh_from_db()
    assert policy.document["confidence_threshold"] == 0
    cora.post(address, {**opened, "confidence_threshold": "0.6", "seen": answer.context["seen"]})
    policy.refresh_from_db()
    assert (policy.document["confidence_threshold"], policy.document["audit_rate"]) == (0.6, 0)


def test_what_is_proposed_is_edited_no_more(signed_in: SignedIn, loan: UseCase) -> None:
    policy = proposed(loan)
    client, address = signed_in("risk_lead"), f"{HERE}{policy.number}/edit/"
    assert client.get(address)["Location"] == f"{HERE}{policy.number}/"
    assert client.post(address, filled(policy, audit_rate="0.5")).status_code == 302
    assert PolicyVersion.objects.get(pk=policy.pk).document["audit_rate"] == 0


@pytest.mark.parametrize("role", ["commander", "supervisor", "executive"])
def test_drafting_takes_the_role(signed_in: SignedIn, loan: UseCase, role: str) -> None:
    policy = draft(loan)
    client = signed_in(role)
    assert client.get(f"{HERE}{policy.number}/edit/").status_code == 403
    assert client.post(f"{HERE}new/").status_code == 403
    assert client.post(f"{HERE}{policy.number}/propose/").status_code == 403


def test_someone_limited_to_another_use_case_finds_nothing_here(
    signed_in: SignedIn, loan: UseCase
) -> None:
    loans(slug="other")
    client = signed_in("risk_lead", use_case="other")
    assert [client.get(f"{HERE}{part}").status_code for part in ("", "1/", "1/edit/")] == [404] * 3


# --- What if --------------------------------------------------------------------------------


def test_what_if_says_what_the_form_as_it_stands_would_have_done(
    signed_in: SignedIn, loan: UseCase
) -> None:
    send(loan, *(body(f"a-{n}", confidence=0.5 + n / 20) for n in range(10)))
    policy = draft(loan)
    client, address = signed_in("risk_lead"), f"{HERE}{policy.number}/what-if/"
    # in force: below 0.7 is reviewed (4 of 10); with 0.9: 0.5 to 0.85 are (8 of 10)
    found = client.post(address, filled(policy, confidence_threshold="0.9")).context["found"]
    lanes = {one.words: (one.now, one.then) for one in found.lanes}
    assert lanes["review"] == ("40.0% (4)", "80.0% (8)")
    assert (found.changed, found.routed) == (4, 10)
    assert {one["external_id"] for one in found.first} == {f"a-{n}" for n in (4, 5, 6, 7)}
    assert not PolicyVersion.objects.get(pk=policy.pk).document["confidence_threshold"]


def test_what_if_of_a_form_with_faults_says_so(signed_in: SignedIn, loan: UseCase) -> None:
    policy = draft(loan)
    given = filled(policy, confidence_threshold="x", audit_rate="y")
    answer = signed_in("risk_lead").post(f"{HERE}{policy.number}/what-if/", given)
    assert "It has 2 faults." in answer.content.decode()


# --- Cost -----------------------------------------------------------------------------------


def test_the_pages_of_policies_cost_the_same_with_more_versions(
    signed_in: SignedIn, loan: UseCase
) -> None:
    client = signed_in("risk_lead")
    draft(loan, audit_rate=0.1)
    addresses = [HERE, "/policies/", f"{HERE}1/", f"{HERE}2/edit/"]
    few = [queries_of(client, address) for address in addresses]
    for n in range(8):
        draft(loan, audit_rate=n / 10)
    assert [queries_of(client, address) for address in addresses] == few
