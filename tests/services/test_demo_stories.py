"""What the demonstration tells before it is loaded: bias, mistakes, drift and evidence in its cases."""

from __future__ import annotations

import json
from datetime import timedelta
from random import Random
from statistics import mean
from typing import Any

import pytest

from apps.web.desk.evidence import pieces_of
from fixtures.behaviour import Judgement, judge
from fixtures.people import BY_LOGIN, PASSWORD, PEOPLE, Habits
from fixtures.scenario import Case, Scenario
from fixtures.tables import table_of
from fixtures.tour import TOUR, guide
from fixtures.use_cases import SCENARIOS
from fixtures.use_cases.candidate_screening import SCENARIO as CANDIDATES
from fixtures.use_cases.diagnosis_support import SCENARIO as DIAGNOSIS
from fixtures.use_cases.diagnosis_support import trained
from fixtures.use_cases.fraud_triage import NEW_CHANNEL
from fixtures.use_cases.fraud_triage import SCENARIO as FRAUD
from fixtures.use_cases.invoice_extraction import SCENARIO as INVOICES
from fixtures.use_cases.loan_approval import SCENARIO as LOANS
from tests.services.stories import TODAY, each, favoured, story

# --- Told the same every time, with evidence ------------------------------------------------


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


@each
def test_the_same_story_is_told_every_time(scenario: Scenario) -> None:
    first, second = story(scenario, 50), story(scenario, 50)
    assert first == second
    assert len({json.dumps(case.body) for case in first}) == 50


# --- Bias, people and their mistakes --------------------------------------------------------


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


def judged(case: Case, scenario: Scenario, habits: Habits, **more: Any) -> Judgement:
    given = {"minutes": 5, "tired": 0.3, "random": Random(case.external_id), **more}
    return judge(case, scenario.definition["labels"], habits, "open", **given)


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


# --- Drift, and deep stories ----------------------------------------------------------------


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


# --- The guide ------------------------------------------------------------------------------


def test_the_guide_names_every_login_and_pages_that_there_are(client: Any) -> None:
    said = guide("http://127.0.0.1:8000")
    assert all(person.email in said for person in PEOPLE)
    assert PASSWORD in said
    assert len(TOUR) == 5
    for step in TOUR:
        assert f"http://127.0.0.1:8000{step.path}" in said
        assert step.path != "/"
