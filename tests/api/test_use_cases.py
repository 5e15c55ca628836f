"""use-cases/: definition, lifecycle, history, and who sees which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.registry.models import UseCase

BODY = {
    "slug": "fraud-triage",
    "name": "Fraud triage",
    "labels": ["genuine", "fraud"],
    "positive_label": "fraud",
    "features": [{"name": "amount", "type": "number"}],
    "subject_attributes": [{"name": "sex", "type": "category", "protected": True}],
    "cost_model": {
        "currency": "USD",
        "review_cost_per_hour": "40.00",
        "error_costs": [{"true": "fraud", "given": "genuine", "cost": "500"}],
    },
    "tolerance": "0.5",
    "reference_from": "2026-01-01",
    "reference_to": "2026-03-31",
    "reason": "the bank asked for it",
}


def test_a_new_use_case_is_answered_with_its_address_and_defaults(administrator: Any) -> None:
    response = administrator.post("use-cases/", BODY)
    assert response.status_code == 201
    assert response["Location"] == "/api/v1/use-cases/fraud-triage/"
    made = response.json()
    assert made == administrator.get("use-cases/fraud-triage/").json()
    assert made["lifecycle"] == "draft"
    assert made["risk_tier"] == "limited"
    assert made["favourable_label"] == "genuine"
    assert made["models"] == "open"
    assert made["tolerance"] == "0.5000"
    assert made["cost_model"] == BODY["cost_model"]
    assert made["features"] == BODY["features"]


def test_the_change_is_recorded_under_the_program_with_its_reason(administrator: Any) -> None:
    administrator.post("use-cases/", BODY)
    row = UseCase.history.get(slug="fraud-triage")
    assert (row.history_user_kind, row.history_user_name) == ("program", "administrator ")
    assert row.history_change_reason == "the bank asked for it"


def test_a_slug_that_is_taken_is_a_conflict(administrator: Any) -> None:
    administrator.post("use-cases/", BODY)
    response = administrator.post("use-cases/", BODY)
    assert response.status_code == 409
    assert "'fraud-triage'" in response.json()["detail"]


@pytest.mark.parametrize(
    ("key", "value", "pointer"),
    [
        ("slug", "Fraud Triage", "/slug"),
        ("slug", "x" * 81, "/slug"),
        ("slug", None, "/slug"),
        ("name", "", "/name"),
        ("name", "x" * 201, "/name"),
        ("name", 5, "/name"),
        ("description", "x" * 20_001, "/description"),
        ("industry", ["banking"], "/industry"),
        ("risk_tier", "medium", "/risk_tier"),
        ("lifecycle", "suspended", "/lifecycle"),
        ("goal", "profit", "/goal"),
        ("owner", "nobody", "/owner"),
        ("kinds", [], "/kinds"),
        ("kinds", ["label", "image"], "/kinds/1"),
        ("kinds", 5, "/kinds"),
        ("labels", ["one"], "/labels"),
        ("labels", ["genuine", "fraud", "fraud"], "/labels/2"),
        ("labels", ["genuine", 7], "/labels/1"),
        ("favourable_label", "approve", "/favourable_label"),
        ("positive_label", "approve", "/positive_label"),
        ("features", {"amount": "number"}, "/features"),
        ("features", [{"name": "a", "type": "complex"}], "/features/0/type"),
        ("features", [{"type": "number"}], "/features/0/name"),
        ("features", [{"name": "a", "type": "number", "unit": "EUR"}], "/features/0/unit"),
        (
            "features",
            [{"name": "a", "type": "number", "protected": "yes"}],
            "/features/0/protected",
        ),
        ("subject_attributes", [5], "/subject_attributes/0"),
        ("unknown_features", "ignore", "/unknown_features"),
        ("models", "closed", "/models"),
        ("tolerance", 0.5, "/tolerance"),
        ("tolerance", "0.12345", "/tolerance"),
        ("tolerance", "-1", "/tolerance"),
        ("cost_model", {"review_cost_per_hour": "cheap"}, "/cost_model/review_cost_per_hour"),
        ("cost_model", {"price": "1"}, "/cost_model/price"),
        ("cost_model", {"error_costs": [{"true": "fraud"}]}, "/cost_model/error_costs/0/given"),
        ("reference_from", "01/02/2026", "/reference_from"),
        ("reference_from", "2026-02-30", "/reference_from"),
        ("reference_to", "2025-01-01", "/reference_to"),
        ("retention_days", 0, "/retention_days"),
        ("retention_days", "365", "/retention_days"),
        ("retention_days", True, "/retention_days"),
        ("reason", "", "/reason"),
        ("reason", "   ", "/reason"),
        ("reason", "x" * 2_001, "/reason"),
        ("colour", "blue", "/colour"),
        ("name", "a\x00b", "/name"),
        ("name", "a\ud800b", "/name"),
    ],
)
def test_each_bad_field_is_named_by_its_pointer_and_nothing_is_written(
    key: str, value: Any, pointer: str, administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    assert pointer in pointers(administrator.post("use-cases/", {**BODY, key: value}))
    assert not UseCase.objects.exists()


@pytest.mark.parametrize("key", ["slug", "reason"])
def test_a_required_key_that_is_missing_is_named(
    key: str, administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    body = {name: value for name, value in BODY.items() if name != key}
    assert pointers(administrator.post("use-cases/", body)) == [f"/{key}"]


def test_a_fault_names_the_value_and_what_is_allowed(administrator: Any) -> None:
    response = administrator.post("use-cases/", {**BODY, "risk_tier": "medium", "colour": 1})
    risk_tier, colour = response.json()["errors"]
    assert "'medium'" in risk_tier["detail"]
    assert "'minimal', 'limited' or 'high'" in risk_tier["detail"]
    assert colour["detail"].startswith("unknown key; allowed: calendar, cost_model, description")


def test_all_faults_are_reported_at_once(
    administrator: Any, pointers: Callable[[Any], list[str]]
) -> None:
    bad = {**BODY, "risk_tier": "medium", "goal": "profit", "labels": "fraud"}
    assert pointers(administrator.post("use-cases/", bad)) == ["/risk_tier", "/goal", "/labels"]


def test_a_change_touches_only_the_keys_that_were_sent(
    administrator: Any, make_person: Any
) -> None:
    make_person("ada", "risk_lead")
    before = administrator.post("use-cases/", BODY).json()
    response = administrator.patch(
        "use-cases/fraud-triage/", {"risk_tier": "high", "owner": "ADA", "reason": "reviewed"}
    )
    assert response.status_code == 200
    assert response.json() == {**before, "risk_tier": "high", "owner": "ada"}


def test_an_owner_can_be_taken_away(administrator: Any, make_person: Any) -> None:
    make_person("ada", "risk_lead")
    administrator.post("use-cases/", {**BODY, "owner": "ada"})
    response = administrator.patch("use-cases/fraud-triage/", {"owner": None, "reason": "left"})
    assert response.json()["owner"] is None


@pytest.mark.parametrize("body", [{"name": "New"}, {"slug": "other", "reason": "x"}, [], "x", None])
def test_a_change_needs_an_object_with_a_reason_and_cannot_move_the_slug(
    body: Any, administrator: Any, make_use_case: Any
) -> None:
    make_use_case()
    assert administrator("patch", "use-cases/loan-approval/", body).status_code == 400


def test_a_use_case_moves_through_its_lifecycle(administrator: Any, make_use_case: Any) -> None:
    make_use_case()
    response = administrator.post(
        "use-cases/loan-approval/lifecycle/", {"to": "pilot", "reason": "compare first"}
    )
    assert response.status_code == 200
    assert response.json()["lifecycle"] == "pilot"


def test_a_move_that_the_lifecycle_does_not_know_is_a_conflict(
    administrator: Any, make_use_case: Any
) -> None:
    make_use_case()
    body = {"to": "draft", "reason": "back"}
    response = administrator.post("use-cases/loan-approval/lifecycle/", body)
    assert response.status_code == 409
    assert "allowed: pilot, retired" in response.json()["detail"]


@pytest.mark.parametrize("to", ["suspended", "gone", "", None, 5])
def test_the_stop_button_is_not_an_edit(
    to: Any, administrator: Any, make_use_case: Any, pointers: Callable[[Any], list[str]]
) -> None:
    make_use_case()
    body = {"to": to, "reason": "stop"}
    assert pointers(administrator.post("use-cases/loan-approval/lifecycle/", body)) == ["/to"]


def test_the_history_says_who_changed_what_and_why_newest_first(
    administrator: Any, make_use_case: Any
) -> None:
    make_use_case()
    change = {"risk_tier": "high", "reason": "law"}
    administrator.patch("use-cases/loan-approval/", change)
    newest, first = administrator.get("use-cases/loan-approval/history/").json()["results"]
    assert newest["change"] == "changed"
    assert newest["reason"] == "law"
    assert newest["actor"]["kind"] == "program"
    assert newest["changes"] == [{"field": "risk_tier", "before": "limited", "after": "high"}]
    assert first["change"] == "created"
    assert first["actor"] == {"kind": "command", "id": "command:suite", "name": "suite"}
    assert {"field": "slug", "before": None, "after": "loan-approval"} in first["changes"]


def test_a_page_of_history_is_compared_with_the_row_before_it(
    administrator: Any, make_use_case: Any
) -> None:
    make_use_case()
    for name in ("One", "Two"):
        administrator.patch("use-cases/loan-approval/", {"name": name, "reason": "r"})
    page = administrator.get("use-cases/loan-approval/history/", page_size=1).json()
    assert page["results"][0]["changes"] == [{"field": "name", "before": "One", "after": "Two"}]


def test_the_list_is_filtered(administrator: Any, make_use_case: Any) -> None:
    make_use_case("a", industry="banking", risk_tier="high")
    make_use_case("b", industry="banking", lifecycle="pilot")
    make_use_case("c")

    def slugs(**params: Any) -> list[str]:
        found = administrator.get("use-cases/", **params).json()["results"]
        return [row["slug"] for row in found]

    assert slugs() == ["a", "b", "c"]
    assert slugs(industry="banking") == ["a", "b"]
    assert slugs(lifecycle="pilot") == ["b"]
    assert slugs(industry="banking", risk_tier="high") == ["a"]
    assert slugs(industry="", risk_tier="") == ["a", "b", "c"]


def test_who_is_limited_to_a_use_case_sees_that_one_alone(
    program: Callable[..., Any], make_use_case: Any
) -> None:
    make_use_case("loans")
    make_use_case("fraud")
    lead = program("risk_lead", "loans")
    assert [row["slug"] for row in lead.get("use-cases/").json()["results"]] == ["loans"]
    assert lead.get("use-cases/loans/").status_code == 200
    assert lead.patch("use-cases/loans/", {"name": "L", "reason": "r"}).status_code == 200
    assert lead.post("use-cases/", BODY).status_code == 403


def test_an_unseen_use_case_and_one_that_is_not_there_are_told_apart_by_nothing(
    program: Callable[..., Any], make_use_case: Any
) -> None:
    make_use_case("fraud")
    lead = program("risk_lead", "loans")
    calls = [
        lambda slug: lead.get(f"use-cases/{slug}/"),
        lambda slug: lead.get(f"use-cases/{slug}/history/"),
        lambda slug: lead.patch(f"use-cases/{slug}/", {"name": "x", "reason": "r"}),
        lambda slug: lead.post(f"use-cases/{slug}/lifecycle/", {"to": "pilot", "reason": "r"}),
    ]
    for call in calls:
        unseen, missing = call("fraud"), call("nothing")
        assert unseen.status_code == missing.status_code == 404
        assert unseen.content == missing.content.replace(b"nothing", b"fraud")


def test_who_sees_a_use_case_but_may_not_change_it_gets_403(
    program: Callable[..., Any], make_use_case: Any
) -> None:
    make_use_case("loans")
    reviewer = program("reviewer", "loans")
    assert reviewer.get("use-cases/loans/").status_code == 200
    response = reviewer.patch("use-cases/loans/", {"name": "x", "reason": "r"})
    assert response.status_code == 403
    assert "administrator, risk lead" in response.json()["detail"]
