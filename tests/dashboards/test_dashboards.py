"""The dashboards: whom they open to, what a forged request gets, what each says of little data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import role_grant
from apps.audit.models import AccessEvent
from apps.common.actor import Actor
from apps.decisions.models import Decision
from apps.metrics.cells.refreshing import cells_refresh
from apps.outcomes.services import outcome_record
from apps.registry.models import UseCase
from dashboards.executive.data import Process
from dashboards.executive.sentences import sentences
from dashboards.frame import page
from tests.services.gates import body, gate, send

pytestmark = pytest.mark.django_db
ROOT = Actor.command("root")
FIGURES = ("executive", "accuracy", "fairness", "drift", "people", "oversight")
EVERY = (*FIGURES, "trail")
SEX = {"subject_attributes": [{"name": "sex", "type": "category", "protected": True}]}
Person = Callable[..., Client]


@pytest.fixture
def person(make_person: Any) -> Person:
    def made(
        *roles: str, use_case: str = "", username: str = "someone", csrf: bool = False
    ) -> Client:
        user: User = make_person(username)
        for role in roles:
            role_grant(actor=ROOT, user=user, role=role, use_case=use_case, reason="for the suite")
        client = Client(enforce_csrf_checks=csrf)
        client.force_login(user)
        return client

    return made


def decided(slug: str = "loan", count: int = 40) -> UseCase:
    """A use case with decisions of two groups, most of them with an outcome, and its cells."""
    use_case = gate(slug, favourable_label="approve", **SEX)
    sent = []
    for i in range(count):
        sex = "F" if i % 2 else "M"
        label = "approve" if i % 3 else "deny"
        at = (timezone.now() - timedelta(days=i % 5)).isoformat()
        more = {"subject": {"ref": f"p{i}", "attributes": {"sex": sex}}, "decided_at": at}
        sent.append(body(f"{slug}-{i}", label, 0.55 + 0.01 * (i % 40), **more))
    send(use_case, *sent)
    for i, decision in enumerate(
        Decision.objects.filter(use_case=use_case).order_by("external_id")
    ):
        if i % 4:
            true = decision.label if i % 5 else "deny"
            outcome_record(actor=ROOT, decision=decision, label=true)
    cells_refresh(use_case)
    return use_case


def asked(client: Client, slug: str, search: str = "", **headers: str) -> Any:
    """The callback that draws a dashboard, as its page would send it."""
    sent = {
        "output": "content.children",
        "outputs": {"id": "content", "property": "children"},
        "inputs": [
            {"id": "at", "property": "search", "value": search},
            {"id": "theme", "property": "data", "value": "light"},
        ],
        "changedPropIds": ["at.search"],
    }
    return client.post(
        f"/dashboards/{slug}/_dash-update-component",
        data=json.dumps(sent),
        content_type="application/json",
        headers=headers,
    )


def shown(answer: Any) -> str:
    assert answer.status_code == 200, answer.content[:500]
    return str(json.loads(answer.content)["response"]["content"]["children"])


@pytest.mark.parametrize("slug", EVERY)
def test_a_dashboard_opens_to_its_roles_alone(person: Person, slug: str) -> None:
    address = f"/dashboards/{slug}/"
    assert Client().get(address).status_code == 302
    assert asked(Client(), slug).status_code == 401
    reviewer = person("reviewer")
    assert reviewer.get(address).status_code == 403
    assert asked(reviewer, slug).status_code == 403
    refused = AccessEvent.objects.filter(kind="permission_refused")
    assert set(refused.values_list("action", flat=True)) == {
        "audit.view" if slug == "trail" else "report.view"
    }
    officer = person("compliance_officer", username="officer")
    page = officer.get(address)
    assert page.status_code == 200
    assert b"_dash-config" in page.content
    assert "style-src 'self' 'nonce-" in page["Content-Security-Policy"]


def test_a_callback_without_the_token_is_refused(person: Person) -> None:
    client = person("executive", csrf=True)
    assert asked(client, "executive").status_code == 403
    page = client.get("/dashboards/executive/")
    token = page.cookies["csrftoken"].value
    assert asked(client, "executive", **{"X-CSRFToken": token}).status_code == 200


@pytest.mark.parametrize("slug", FIGURES)
def test_a_forged_use_case_is_refused_and_recorded(person: Person, slug: str) -> None:
    decided("loan")
    decided("secret")
    client = person("executive", use_case="loan")
    assert "You may not see this" not in shown(asked(client, slug, "?use_case=loan"))
    answer = shown(asked(client, slug, "?use_case=secret"))
    assert "You may not see this" in answer
    last = AccessEvent.objects.filter(kind="permission_refused").latest("id")
    assert (last.action, last.use_case) == ("report.view", "secret")


def test_all_at_once_shows_the_own_use_cases_alone(person: Person) -> None:
    decided("loan")
    decided("secret")
    answer = shown(asked(person("executive", use_case="loan"), "executive"))
    assert "use_case=loan" in answer
    assert "secret" not in answer


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("?use_case=nothing", "there is no use case"),
        ("?from=2026-13-01", "from='2026-13-01' is no day"),
        ("?from=2026-02-01&to=2026-01-01", "the period would hold nothing"),
        ("?from=0001-01-01&to=2026-01-01", "at most"),
        ("?use_case=%00", "cannot be shown"),
    ],
)
def test_a_bad_filter_says_what_is_wrong(person: Person, search: str, said: str) -> None:
    decided()
    assert said in shown(asked(person("executive"), "accuracy", search))


@pytest.mark.parametrize("slug", FIGURES)
@pytest.mark.parametrize(
    "search", ["", "?use_case=loan&from=2016-01-01", "?use_case=loan&to=2020-01-01"]
)
def test_every_dashboard_answers_whatever_the_period(
    person: Person, slug: str, search: str
) -> None:
    decided()
    answer = shown(asked(person("executive"), slug, search))
    if "2020" in search:
        assert "No decision in this period" in answer or "empty" in answer
    else:
        assert "/decisions/?" in answer or "Nothing to compare with" in answer


@pytest.mark.parametrize("slug", EVERY)
def test_every_dashboard_answers_without_a_use_case(person: Person, slug: str) -> None:
    assert shown(asked(person("compliance_officer"), slug))


def test_one_decision_is_enough_for_every_dashboard(person: Person) -> None:
    use_case = gate("loan")
    send(use_case, body("only"))
    cells_refresh(use_case)
    client = person("executive")
    for slug in FIGURES:
        assert "not enough data" in shown(asked(client, slug)) or slug in (
            "drift",
            "fairness",
            "oversight",
        )


def test_version_and_group_narrow_the_figures(person: Person) -> None:
    decided()
    client = person("executive")
    whole = shown(asked(client, "accuracy", "?use_case=loan"))
    half = shown(asked(client, "accuracy", "?use_case=loan&group=sex%3DF"))
    none = shown(asked(client, "accuracy", "?use_case=loan&version=scorer+9"))
    assert "30 of 40 decisions have an" in whole
    assert "of 20 decisions have an" in half
    assert "No decision in this period" in none


@pytest.mark.parametrize("slug", FIGURES)
def test_figures_that_are_not_counted_apart_stay_whole_and_say_so(
    person: Person, slug: str
) -> None:
    decided()  # 40, of which 20 are of the group
    client = person("executive")
    answer = shown(asked(client, slug, "?use_case=loan&group=sex%3DF"))
    says = "of every group: they are not counted apart"
    assert (says in answer) == (slug in {"executive", "oversight", "people"})
    assert says not in shown(asked(client, slug, "?use_case=loan"))
    if slug == "executive":
        whole = shown(asked(client, slug, "?use_case=loan"))
        share = re.compile(r"points on the period before|n = 40")
        assert share.findall(answer) == share.findall(whole) != []


def test_the_filter_offers_what_the_decisions_hold(person: Person) -> None:
    decided()
    page = person("executive").get("/dashboards/accuracy/?use_case=loan").content.decode()
    assert "<option>scorer 1</option>" in page
    assert "<option>sex=F</option>" in page


@pytest.mark.parametrize("slug", FIGURES)
def test_queries_do_not_grow_with_the_decisions(person: Person, slug: str) -> None:
    client = person("executive")
    counts = []
    for name, count in (("small", 20), ("large", 200)):
        decided(name, count)
        search = f"?use_case={name}"
        with CaptureQueriesContext(connection) as seen:
            shown(asked(client, slug, search))
        counts.append(len(seen))
    assert counts[1] <= counts[0] + 1


def process(name: str, now: dict[str, Any], before: dict[str, Any], alerts: int = 0) -> Process:
    def side(values: dict[str, Any]) -> dict[str, Any]:
        gain = values.get("gain", (None, None))
        return {
            "accuracy": {
                "ai": {"value": values.get("ai")},
                "combined": {"value": values.get("combined")},
                "team": {"beats_the_better": None if gain[0] is None else gain[0] > 0},
                "team_gain": {"low": gain[0], "high": gain[1]},
            },
            "operations": {"decisions": 10, "automation_rate": {"value": values.get("automatic")}},
            "compliance": {"decisions_with_breaches": values.get("breaches", 0)},
        }

    return Process(UseCase(slug=name, name=name), side(now), side(before), alerts, "HITL")


def test_the_sentences_say_what_changed_and_why() -> None:
    fell = process(
        "Loans",
        {"ai": 0.80, "combined": 0.85, "gain": (-0.03, -0.01), "breaches": 3},
        {"ai": 0.90, "combined": 0.93},
    )
    rose = process(
        "Fraud", {"ai": 0.8, "combined": 0.9, "gain": (0.01, 0.04)}, {"combined": 0.89}, 2
    )
    told = sentences([fell, rose])
    assert told[0] == (
        "People and AI together beat the better of the two in Fraud; they do worse in Loans, where "
        "the policy should be looked at."
    )
    assert told[1] == (
        "The accuracy of what took effect fell most in Loans, by 8.0 percentage points to 85.0 %: the AI alone went "
        "from 90.0 % to 80.0 %."
    )
    assert told[2] == (
        "3 decisions were not handled as their policy demanded, most of them in Loans and 2 alerts "
        "are open, most in Fraud."
    )
    quiet = sentences([process("Loans", {"combined": 0.9}, {"combined": 0.9})])
    assert "cannot be told yet" in quiet[0]
    assert "has not changed" in quiet[1]
    assert quiet[2] == "Every decision was handled as its policy demanded, and no alert is open."


def test_the_scripts_of_a_dashboard_are_served_before_its_page_was_written() -> None:
    """All pages take them from one of the dashboards, which another process may have written."""
    fresh = page("fresh", "Fresh", "", lambda wanted, theme: None)
    listed = fresh._generate_scripts_html()
    scripts = re.findall(r'src="([^"]+)"', listed)
    unwritten = page("fresh", "Fresh", "", lambda wanted, theme: None)
    assert len(scripts) > 3
    for address in scripts:
        assert unwritten.server.test_client().get(address).status_code == 200, address
