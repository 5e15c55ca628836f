"""What the demonstration tells: every use case loads, and each story is in its data."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
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
from apps.web.desk.evidence import pieces_of
from fixtures import loading
from fixtures.behaviour import Judgement, judge
from fixtures.history import DAYS, SEED, Told, cases_of
from fixtures.loading import KEY_FILE, STUDIES, arrive_today, load, load_scenario
from fixtures.people import BY_LOGIN, COLLEAGUES, PASSWORD, PEOPLE, PROGRAM, Habits
from fixtures.scenario import Case, Period, Scenario
from fixtures.tables import table_of
from fixtures.tour import TOUR, guide
from fixtures.use_cases import SCENARIOS
from fixtures.use_cases.candidate_screening import SCENARIO as CANDIDATES
from fixtures.use_cases.control_room_setpoints import SCENARIO as SETPOINTS
from fixtures.use_cases.diagnosis_support import SCENARIO as DIAGNOSIS
from fixtures.use_cases.diagnosis_support import trained
from fixtures.use_cases.fraud_triage import NEW_CHANNEL
from fixtures.use_cases.fraud_triage import SCENARIO as FRAUD
from fixtures.use_cases.invoice_extraction import SCENARIO as INVOICES
from fixtures.use_cases.loan_approval import SCENARIO as LOANS
from tests import databases

SMALL = 0.01
TOLD_WHOLE = 0.15  # of loan approval, whose figures are looked at
TODAY = datetime(2026, 9, 14, tzinfo=UTC)


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


def each(test: Any) -> Any:
    return pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.slug)(test)


def story(scenario: Scenario, count: int, *, live: bool = False) -> list[Case]:
    """Cases as they are made, evenly over the history; no database."""
    begin = TODAY - timedelta(days=DAYS)
    times = [begin + n * (TODAY - begin) / count for n in range(count)]
    told = Told(scenario, table_of(scenario.slug), loading.ACTOR, TODAY, {})
    return cases_of(told, Period(times, begin, TODAY, Random(SEED), "case", live=live))


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


@each
def test_all_evidence_can_be_shown(scenario: Scenario) -> None:
    live = story(scenario, 40, live=True)
    shown = [piece for case in live for piece in pieces_of(case.body.get("evidence"))]
    assert shown
    assert {piece.kind for piece in shown} <= {"text", "table", "image"}


def test_castings_are_pictures_and_clauses_have_marked_words() -> None:
    by_slug = {scenario.slug: scenario for scenario in SCENARIOS}
    castings = [
        piece
        for case in story(by_slug["visual-inspection"], 120, live=True)
        for piece in pieces_of(case.body["evidence"])
    ]
    assert {piece.kind for piece in castings} == {"image"}
    assert any(piece.boxes for piece in castings)
    clauses = [
        piece
        for case in story(by_slug["contract-review"], 60, live=True)
        if case.truth == "deviating"
        for piece in pieces_of(case.body["evidence"])[:1]
    ]
    assert all(len(piece.notes) == 1 for piece in clauses)
    assert clauses


def test_every_scenario_states_its_origin_and_licence() -> None:
    for scenario in SCENARIOS:
        assert scenario.origin
        assert scenario.licence
        assert scenario.level in {"HITL", "HOTL", "HIC"}


# --- The same story every time --------------------------------------------------------------


@each
def test_the_same_story_is_told_every_time(scenario: Scenario) -> None:
    first, second = story(scenario, 50), story(scenario, 50)
    assert first == second
    assert len({json.dumps(case.body) for case in first}) == 50


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


def favoured(pairs: list[tuple[str, bool]]) -> float:
    """The largest difference of the shares given the favourable label, between groups."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for group, given in pairs:
        groups[group].append(given)
    shares = [mean(found) for found in groups.values()]
    return max(shares) - min(shares)


@pytest.mark.parametrize(
    ("scenario", "attribute"), [(LOANS, "nationality"), (CANDIDATES, "sex")], ids=["loan", "job"]
)
def test_people_take_most_of_the_bias_away(scenario: Scenario, attribute: str) -> None:
    """Every unfavourable output is reviewed: so the gap of what takes effect is the smaller."""
    favourable = scenario.definition["favourable_label"]
    ai, final, true = [], [], []
    for case in story(scenario, 3000):
        group = case.body["subject"]["attributes"][attribute]
        said = case.ai
        if said != favourable:
            said = judged(case, scenario, BY_LOGIN["p.nair"].habits).label
        ai.append((group, case.ai == favourable))
        final.append((group, said == favourable))
        true.append((group, case.truth == favourable))
    assert favoured(true) < 0.05
    assert favoured(ai) > 0.12
    assert favoured(final) < favoured(ai) / 2


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


def judged(case: Case, scenario: Scenario, habits: Habits, **more: Any) -> Judgement:
    given = {"minutes": 5, "tired": 0.3, "random": Random(case.external_id), **more}
    return judge(case, scenario.definition["labels"], habits, "open", **given)


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


def test_the_tired_err_more_and_faster() -> None:
    cases, habits = story(LOANS, 2000), Habits(0.1, 0.2)
    fresh = [judged(case, LOANS, habits, tired=0.0) for case in cases]
    tired = [judged(case, LOANS, habits, tired=1.0) for case in cases]

    def wrong(said: list[Judgement]) -> float:
        return mean(one.label != case.truth for one, case in zip(said, cases, strict=True))

    assert wrong(tired) > 1.4 * wrong(fresh)
    assert mean(j.seconds for j in tired) < 0.8 * mean(j.seconds for j in fresh)


def test_people_who_see_the_ai_follow_it_when_it_is_wrong() -> None:
    wrong = [case for case in story(LOANS, 3000) if case.ai != case.truth]
    habits = Habits(0.05, 0.4)
    alone = [
        judge(
            case,
            LOANS.definition["labels"],
            habits,
            "alone",
            minutes=5,
            tired=0.3,
            random=Random(case.external_id),
        )
        for case in wrong
    ]
    seeing = [judged(case, LOANS, habits) for case in wrong]
    pairs = [zip(said, wrong, strict=True) for said in (alone, seeing)]
    right = [mean(one.label == case.truth for one, case in both) for both in pairs]
    assert right[0] > right[1] + 0.1


# --- Drift, late outcomes -------------------------------------------------------------------


def test_fraud_drifts_from_its_day_on() -> None:
    begin = TODAY - timedelta(days=table_of(FRAUD.slug).part("drift")["days_ago"])
    cases = story(FRAUD, 6000)
    new = [case.at for case in cases if case.body["features"]["channel"] == NEW_CHANNEL]
    assert begin <= min(new) < begin + timedelta(days=1)
    right = {
        after: mean(case.ai == case.truth for case in cases if (case.at >= begin) is after)
        for after in (False, True)
    }
    assert right[True] < right[False] - 0.01


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


def test_the_diagnosis_model_is_a_real_one_and_is_wrong_now_and_then() -> None:
    made = trained()
    assert len(made.unseen) == 569 - 227
    cases = story(DIAGNOSIS, 1000)
    assert 0.85 < mean(case.ai == case.truth for case in cases) < 0.97
    sure = [case for case in cases if case.body["output"]["confidence"] > 0.95]
    assert mean(case.ai == case.truth for case in sure) > 0.97
    for case in cases[:50]:
        scores = case.body["output"]["scores"]
        assert max(scores, key=lambda label: scores[label]) == case.ai


def test_invoices_add_up_and_are_misread_more_on_bad_paper() -> None:
    cases = story(INVOICES, 2500)
    for case in cases:
        assert case.right is not None
        printed = case.right["fields"]
        total = printed["net_amount"] + printed["vat_amount"]
        assert total == pytest.approx(printed["gross_amount"], abs=0.005)
        read = {name: field["value"] for name, field in case.body["output"]["fields"].items()}
        assert (read == printed) is (case.truth == "acceptable")

    def misread(by_hand: bool) -> float:
        found = [c for c in cases if c.body["features"]["handwriting"] is by_hand]
        return mean(case.truth != "acceptable" for case in found)

    assert 2 * misread(False) < misread(True)
    assert misread(False) > 0.01


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
    assert waiting.count() >= 10
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


def test_the_guide_names_every_login_and_pages_that_there_are(client: Any) -> None:
    said = guide("http://127.0.0.1:8000")
    assert all(person.email in said for person in PEOPLE)
    assert PASSWORD in said
    assert len(TOUR) == 5
    for step in TOUR:
        assert f"http://127.0.0.1:8000{step.path}" in said
        assert step.path != "/"
