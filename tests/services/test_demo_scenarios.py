"""What the demonstration tells once it is loaded: each use case, and each story, is in its data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from apps.accounts.domain.matrix import PEOPLE as ROLES_OF_PEOPLE
from apps.accounts.domain.matrix import ROLES
from apps.accounts.models import RoleGrant, ServiceKey, User
from apps.accounts.services import service_key_find
from apps.audit.findings import Findings
from apps.audit.reconciliation import find_live_differences
from apps.decisions.domain.lifecycle import Lane, Status
from apps.decisions.models import Decision, Payload
from apps.outcomes.models import Outcome
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.registry.models import AISystem, DecisionRight, ModelVersion, UseCase
from apps.reviews.models import KnownAnswer, Review, ReviewTask
from apps.supervision.models import Intervention, Mandate, Ruling, Stop
from apps.supervision.selectors import (
    InterventionFilter,
    counter_differences,
    mandate_account,
    open_to_intervention,
)
from fixtures import loading
from fixtures.loading import KEY_FILE, STUDIES, arrive_today, load, load_scenario
from fixtures.people import COLLEAGUES, PASSWORD, PEOPLE, PROGRAM
from fixtures.scenario import Scenario
from fixtures.tables import table_of
from fixtures.use_cases import SCENARIOS
from fixtures.use_cases.control_room_setpoints import SCENARIO as SETPOINTS
from fixtures.use_cases.fraud_triage import NEW_CHANNEL
from fixtures.use_cases.fraud_triage import SCENARIO as FRAUD
from fixtures.use_cases.invoice_extraction import SCENARIO as INVOICES
from fixtures.use_cases.loan_approval import SCENARIO as LOANS
from tests import databases
from tests.services.stories import each, favoured

SMALL = 0.01
TOLD_WHOLE = 0.15  # of loan approval, whose figures are looked at


def quiet(words: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def demonstration(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The whole demonstration, small, on a database of its own; tests look at it."""
    with django_db_blocker.unblock(), databases.fresh_copy():
        for person in (*PEOPLE, *COLLEAGUES):
            loading._load_person(person)
        loading._load_program()
        assert load_scenario(LOANS, scale=TOLD_WHOLE)
        assert load(scale=SMALL, progress=quiet) == len(SCENARIOS) - 1
        yield


# --- People ---------------------------------------------------------------------------------


def test_every_role_of_people_has_a_login_that_works(demonstration: None) -> None:
    assert set(RoleGrant.objects.values_list("role", flat=True)) == ROLES_OF_PEOPLE
    for person in PEOPLE:
        found = User.objects.get(username=person.login)
        assert found.check_password(PASSWORD)
        assert found.email == person.email


def test_the_tenth_role_is_a_programs_whose_key_lies_in_the_data_folder(
    demonstration: None,
) -> None:
    path = Path(settings.DATA_DIR) / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    found = service_key_find(path.read_text().strip())
    assert found is not None
    assert (found.name, found.role) == (PROGRAM, "integration")
    assert {*RoleGrant.objects.values_list("role", flat=True), found.role} == set(ROLES)


def test_colleagues_of_before_cannot_sign_in(demonstration: None) -> None:
    for person in COLLEAGUES:
        found = User.objects.get(username=person.login)
        assert not found.signs_in
        assert not found.has_usable_password()


# --- Use cases ------------------------------------------------------------------------------


@each
def test_every_use_case_has_decisions_reviews_and_outcomes(
    demonstration: None, scenario: Scenario
) -> None:
    use_case = UseCase.objects.get(slug=scenario.slug)
    decisions = Decision.objects.filter(use_case=use_case)
    assert decisions.filter(past=True).count() >= 60
    assert decisions.filter(past=False).exists()
    assert Review.objects.filter(use_case=use_case, imported=True).exists()
    assert Outcome.objects.filter(use_case=use_case, correct=True).exists()
    past = decisions.filter(past=True).values_list("decided_at", flat=True)
    days = [at for at in past if at is not None]
    assert max(days) - min(days) > timedelta(days=90)
    assert use_case.reference_from is not None
    assert use_case.reference_from <= min(days).date()


@each
def test_every_use_case_has_a_system_a_version_in_use_and_reasons(
    demonstration: None, scenario: Scenario
) -> None:
    system = AISystem.objects.get(name=scenario.system.name)
    withdrawn = {v.number for v in scenario.system.versions if v.withdrawn}
    versions = ModelVersion.objects.filter(system=system)
    assert set(versions.filter(status="withdrawn").values_list("version", flat=True)) == withdrawn
    assert versions.filter(status="active").exists()
    history = UseCase.history.filter(slug=scenario.slug)
    stopped = 2 * Stop.objects.filter(use_case_id=scenario.slug).count()
    changes = len(scenario.moves) + len(scenario.changes) + len(STUDIES) + stopped
    assert history.count() == 1 + changes
    assert all(row.history_change_reason for row in history)
    rights = DecisionRight.objects.filter(use_case_id=scenario.slug).count()
    assert rights == sum(len(logins) for logins in scenario.rights.values())


@each
def test_every_policy_was_proposed_by_one_and_approved_by_another(
    demonstration: None, scenario: Scenario
) -> None:
    rows = table_of(scenario.slug).rows("policies")
    policies = list(PolicyVersion.objects.filter(use_case_id=scenario.slug).order_by("number"))
    assert len(policies) == len(rows)
    in_force = [p for p in policies if p.status == PolicyStatus.ACTIVE]
    assert [p.level for p in in_force] == [scenario.level]
    for policy in policies:
        if policy.status != PolicyStatus.PROPOSED:
            assert policy.approved_by
            assert policy.approved_by != policy.proposed_by


def test_two_proposals_wait_for_another_person(demonstration: None) -> None:
    waiting = PolicyVersion.objects.filter(status=PolicyStatus.PROPOSED)
    assert set(waiting.values_list("use_case_id", flat=True)) == {LOANS.slug, FRAUD.slug}


def test_every_lane_and_every_status_occurs(demonstration: None) -> None:
    assert set(Decision.objects.values_list("lane", flat=True)) == set(Lane)
    assert set(Decision.objects.values_list("status", flat=True)) == set(Status)


def test_every_kind_of_output_is_there_but_a_bare_number(demonstration: None) -> None:
    kinds = set(Decision.objects.values_list("kind", flat=True))
    assert kinds == {"label", "fields", "text", "action"}


def test_everything_reconciles(demonstration: None) -> None:
    findings = Findings()
    find_live_differences(findings)
    assert findings.items == []
    assert counter_differences() == []


def test_no_write_is_unnamed(demonstration: None) -> None:
    """The command sets up; what people and programs do bears their own names."""
    for model in (User, RoleGrant, UseCase, AISystem, DecisionRight):
        actors = set(model.history.values_list("history_user_id", flat=True))
        people = {str(pk) for pk in User.objects.values_list("pk", flat=True)}
        assert actors <= {"command:demo", *people}, model
    sender = str(ServiceKey.objects.get(name=PROGRAM).pk)
    assert set(Decision.objects.values_list("submitted_by", flat=True)) == {sender}


# --- The same story every time --------------------------------------------------------------


def test_a_second_load_writes_nothing(demonstration: None) -> None:
    before = Decision.objects.count(), UseCase.history.count(), User.history.count()
    assert load(scale=SMALL, progress=quiet) == 0
    assert all(arrive_today(scenario, scale=SMALL) == 0 for scenario in SCENARIOS)
    assert (Decision.objects.count(), UseCase.history.count(), User.history.count()) == before


def test_on_a_later_day_new_decisions_arrive_and_wait(
    demonstration: None, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tomorrow:
        @staticmethod
        def now() -> datetime:
            return timezone.now() + timedelta(days=1)

    monkeypatch.setattr(loading, "timezone", Tomorrow)
    before = ReviewTask.objects.filter(use_case_id=LOANS.slug, status="open").count()
    assert arrive_today(LOANS, scale=1) == table_of(LOANS.slug).part("live")["count"]
    assert ReviewTask.objects.filter(use_case_id=LOANS.slug, status="open").count() > before
    assert arrive_today(LOANS, scale=1) == 0


def test_a_load_that_breaks_off_leaves_nothing_of_its_use_case(
    demonstration: None, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(living: Any) -> None:
        raise KeyboardInterrupt

    another = replace(
        INVOICES, slug="invoices-again", system=replace(INVOICES.system, name="reader-2")
    )
    monkeypatch.setattr(loading, "table_of", lambda slug: table_of(INVOICES.slug))
    monkeypatch.setattr(loading, "usual_day", fall)
    with pytest.raises(KeyboardInterrupt):
        load_scenario(another, scale=SMALL)
    assert not UseCase.objects.filter(slug="invoices-again").exists()
    assert not AISystem.objects.filter(name="reader-2").exists()
    monkeypatch.undo()
    monkeypatch.setattr(loading, "table_of", lambda slug: table_of(INVOICES.slug))
    assert load_scenario(another, scale=SMALL)


# --- Bias, and what review makes of it ------------------------------------------------------


def test_what_was_loaded_of_loans_has_the_smaller_gap_after_review(demonstration: None) -> None:
    rows = Decision.objects.filter(use_case_id=LOANS.slug, past=True)
    reviewed = dict(
        Review.objects.filter(use_case_id=LOANS.slug, imported=True, saw_ai=True).values_list(
            "decision_id", "label"
        )
    )
    ai, final = [], []
    for key, label in rows.values_list("pk", "label"):
        subject = json.loads(Payload.objects.get(decision=key).subject or "{}")
        group = subject["attributes"]["nationality"]
        ai.append((group, label == "approve"))
        final.append((group, reviewed.get(key, label) == "approve"))
    assert 0 < favoured(final) < favoured(ai)


# --- People and their mistakes --------------------------------------------------------------


def test_the_hasty_reviewer_confirms_nearly_all_and_within_seconds(demonstration: None) -> None:
    seen = Review.objects.filter(imported=True, saw_ai=True, use_case_id=LOANS.slug)
    seen = seen.select_related("decision", "reviewer")
    confirmed: dict[bool, list[bool]] = {True: [], False: []}
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for review in seen:
        hasty = review.reviewer.username == "hasty-reviewer"
        confirmed[hasty].append(review.label == review.decision.label)
        seconds[hasty].append(review.active_seconds or 0)
    assert len(confirmed[True]) > 10
    assert mean(confirmed[True]) > 0.93
    assert mean(confirmed[False]) < 0.9
    assert median(seconds[True]) < 10 < 60 < median(seconds[False])


# --- Drift, late outcomes -------------------------------------------------------------------


def test_the_drift_shows_in_what_was_loaded(demonstration: None) -> None:
    rows: Any = Decision.objects.filter(use_case_id=FRAUD.slug, past=True)
    begin = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=28)
    after: dict[bool, list[bool]] = {True: [], False: []}
    for key, at in rows.values_list("pk", "decided_at"):
        features = json.loads(Payload.objects.get(decision=key).features or "{}")
        after[at >= begin].append(features["channel"] == NEW_CHANNEL)
    assert not any(after[False])
    assert mean(after[True]) > 0.1


def test_outcomes_come_late_and_some_are_corrected(demonstration: None) -> None:
    stated = Outcome.objects.filter(use_case_id=LOANS.slug, decision__past=True)
    rows: list[Any] = list(stated.select_related("decision").order_by("id"))
    late = [row.observed_at - row.decision.decided_at for row in rows]
    assert max(late) > timedelta(days=35)
    newest = Decision.objects.filter(use_case_id=LOANS.slug, past=True).order_by("-decided_at")[:5]
    assert not Outcome.objects.filter(decision__in=list(newest)).exists()
    twice = [key for key, n in Counter(row.decision_id for row in rows).items() if n == 2]
    appeals = {row.decision_id for row in rows if row.source == "appeal"}
    assert appeals
    assert set(twice) == appeals


# --- Deep stories ---------------------------------------------------------------------------


def test_mandates_are_in_force_used_up_revoked_and_scheduled(demonstration: None) -> None:
    now, mandates = timezone.now(), Mandate.objects.filter(use_case_id=SETPOINTS.slug)
    states = {row.name: mandate_account(row, now).state for row in mandates}
    assert set(states.values()) >= {"in_force", "revoked", "scheduled"}
    used = [mandate_account(row, now).used_count for row in mandates]
    assert (
        sum(used) == Decision.objects.filter(use_case_id=SETPOINTS.slug, lane="automatic").count()
    )
    assert max(used) > 0
    assert {row.issued_by.username for row in mandates if row.issued_by} == {"commander"}
    waiting = Decision.objects.filter(use_case_id=SETPOINTS.slug, lane="command", status="pending")
    assert waiting.exists()
    assert Ruling.objects.filter(use_case_id=SETPOINTS.slug).exists()


def test_who_stopped_a_use_case_did_not_resume_it(demonstration: None) -> None:
    stops = list(Stop.objects.order_by("use_case_id"))
    assert [row.use_case_id for row in stops] == ["alert-response", "customer-replies"]
    assert all(row.resumed_by not in ("", row.stopped_by) for row in stops)
    assert {row.withheld for row in stops} == {"reroute", "leave"}
    left = Decision.objects.filter(use_case_id="customer-replies", lane="blocked")
    assert left.count() == 8
    assert not Decision.objects.filter(use_case_id="alert-response", lane="blocked").exists()


# --- Now ------------------------------------------------------------------------------------


def test_cases_wait_now_and_windows_are_open_now(demonstration: None) -> None:
    now = timezone.now()
    waiting = ReviewTask.objects.filter(status="open", kind="before")
    assert waiting.count() >= 5  # drawn at random, with a key that each installation makes anew
    soon = waiting.filter(due_at__lte=now + timedelta(hours=4))
    later = waiting.filter(due_at__gt=now + timedelta(hours=6))
    assert soon.exists()
    assert later.exists()
    for slug in ("customer-replies", "visual-inspection", "alert-response", "route-changes"):
        assert open_to_intervention(InterventionFilter(slug), now).exists()


def test_people_were_at_the_desk_today(demonstration: None) -> None:
    done = Review.objects.filter(imported=False, final=True)
    assert {"confirm", "change"} <= set(done.values_list("verdict", flat=True))
    assert done.filter(task__status="closed").exists()
    assert KnownAnswer.objects.filter(status="active", source="entered").exists()
    assert Intervention.objects.exists()
