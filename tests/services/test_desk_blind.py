"""What a blind reviewer is shown: the case, and no trace of what the AI made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.accounts.callers import caller_of_user
from apps.decisions.models import Decision
from apps.reviews.domain.display import BLIND, SELECTED
from apps.workflow.desk.blindness import hidden_from
from apps.workflow.desk.opening import review_reveal
from tests.services.desks import blind, case, desk, opened, person, say

# Found nowhere else in the suite: where one of them shows, what it marks shows.
TOLD = {
    "explanation": {
        "text": "MARK-EXPLANATION-TEXT",
        "top_features": [{"name": "MARK-TOP-FEATURE", "weight": 0.4321}],
    },
    "model": "MARK-MODEL-NAME",
    "model_version": "MARK-VERSION",
}
EVIDENCE = [
    {
        "kind": "text",
        "title": "Letter",
        "content": "please lend me money",
        "regions": [{"start": 0, "end": 6, "note": "MARK-REGION"}],
    }
]
SENT: dict[str, tuple[Any, list[str]]] = {
    # kind: the AI's output and what shows it
    "label": (
        {"label": "deny", "confidence": 0.6123, "scores": {"approve": 0.3877, "deny": 0.6123}},
        ["0.6123", "0.3877", "scores"],
    ),
    "number": ({"value": 765.4321, "low": 700.125, "high": 800.125}, ["765.4321", "700.125"]),
    "fields": ({"fields": {"iban": {"value": "MARK-FIELD"}}}, ["MARK-FIELD"]),
    "text": ({"text": "MARK-OUTPUT-TEXT"}, ["MARK-OUTPUT-TEXT"]),
    "action": ({"name": "MARK-ACTION", "arguments": {"MARK-ARG": 1}}, ["MARK-ACTION", "MARK-ARG"]),
}
FEATURES = {
    "features": [
        {"name": "income", "type": "number"},
        {"name": "religion", "type": "category", "protected": True},
    ],
    "subject_attributes": [{"name": "sex", "type": "category", "protected": True}],
}
VALUES = {
    "features": {"income": 41000, "religion": "MARK-RELIGION"},
    "subject": {"ref": "cust-77", "attributes": {"sex": "MARK-SEX"}},
}


def blind_case_of(kind: str, **policy: Any) -> Decision:
    use_case = desk({"blind": True, **policy}, kinds=list(SENT), **FEATURES)
    return case(use_case, kind=kind, output=SENT[kind][0], evidence=EVIDENCE, **{**TOLD, **VALUES})


@pytest.mark.parametrize("kind", SENT)
def test_a_blind_case_holds_no_trace_of_the_output(db: None, kind: str) -> None:
    blind_case_of(kind)
    at = opened(person("ann"))
    text = json.dumps(at.case.document)
    for mark in ("MARK-", *SENT[kind][1], "confidence_", "below", "scorer"):
        assert mark not in text, mark
    assert at.case.document.keys() <= BLIND.keys()
    assert at.case.document["reasons"] == [SELECTED]
    # what the decision is about is there
    assert at.case.document["features"][0]["value"] == 41000
    assert at.case.document["evidence"][0]["content"] == "please lend me money"
    assert at.case.document["subject"]["ref"] == "cust-77"


@pytest.mark.parametrize("kind", SENT)
def test_the_reveal_shows_what_was_hidden(db: None, kind: str) -> None:
    blind_case_of(kind)
    ann = person("ann")
    first = opened(ann)
    answer = {
        "label": {"label": "approve"},
        "number": {"value": 1},
        "fields": {"fields": {"iban": "A"}},
        "text": {"text": "A"},
        "action": {"name": "wait"},
    }[kind]
    say(ann, first, "answer", output=answer)
    seen = review_reveal(actor=ann.actor, person=ann, task_id=first.task.pk, lease=first.lease)
    text = json.dumps(seen.case.document)
    for mark in (*SENT[kind][1], "MARK-EXPLANATION-TEXT", "MARK-TOP-FEATURE", "MARK-REGION"):
        assert mark in text, mark
    assert "MARK-MODEL-NAME" in text
    assert seen.case.document["reasons"][0]["code"] != "selected"
    # the protected attributes stay hidden: the policy does not show them
    assert "MARK-RELIGION" not in text
    assert "MARK-SEX" not in text


def test_protected_attributes_are_named_and_shown_only_where_the_policy_shows_them(
    db: None,
) -> None:
    blind_case_of("label", show_protected=True)
    document = opened(person("ann")).case.document
    assert document["features"][1] == {
        "name": "religion",
        "value": "MARK-RELIGION",
        "type": "category",
        "protected": True,
        "hidden": False,
    }
    assert document["subject"]["attributes"][0]["value"] == "MARK-SEX"


def test_peers_verdicts_are_shown_to_seniors_alone_and_only_where_the_policy_says(
    db: None,
) -> None:
    for slug, sees in (("one", True), ("two", False)):
        policy = {"reviews_required": 2, "combination": "unanimous", "senior_sees_verdicts": sees}
        case(desk(policy, slug=slug), slug, label="deny", confidence=0.5)
    people = [person(name) for name in ("ann", "ben")]
    senior = person("sue", "senior_reviewer")
    for slug, sees in (("one", True), ("two", False)):
        say(people[0], opened(people[0], use_case=slug), "confirm", rationale="as MARK-WHY says")
        second = opened(people[1], use_case=slug)
        assert "MARK-WHY" not in json.dumps(second.case.document)
        say(people[1], second, "change", output={"label": "approve"})
        at = opened(senior, use_case=slug)
        assert at.case.stage == "adjudication"
        shown = [(v["reviewer"], v["verdict"], v["output"]) for v in at.case.document["verdicts"]]
        expected = [
            ("Reviewer 1", "confirm", {"label": "deny"}),
            ("Reviewer 2", "change", {"label": "approve"}),
        ]
        assert shown == (expected if sees else [])
        assert ("MARK-WHY" in json.dumps(at.case.document)) is sees
        assert "ann" not in json.dumps(at.case.document["verdicts"])


def test_elsewhere_too_the_output_is_hidden_until_the_answer_is_given(db: None) -> None:
    decision, ann = blind_case_of("label"), person("ann")
    lead, ben = person("lea", "risk_lead"), person("ben")
    keys = [decision.pk]
    assert hidden_from(caller_of_user(ann), keys) == {decision.pk}
    assert hidden_from(caller_of_user(lead), keys) == set()
    at = blind(ann, "approve")
    assert hidden_from(caller_of_user(ann), keys) == {decision.pk}  # her answer is not final yet
    assert hidden_from(caller_of_user(ben), keys) == {decision.pk}  # may still be asked
    say(ann, at, "confirm")
    assert hidden_from(caller_of_user(ann), keys) == set()


def test_what_is_not_blind_is_hidden_from_whoever_holds_it_alone(db: None) -> None:
    decision = case(desk(), label="deny", confidence=0.5)
    ann, ben = person("ann"), person("ben")
    assert hidden_from(caller_of_user(ann), [decision.pk]) == set()
    at = opened(ann)
    assert hidden_from(caller_of_user(ann), [decision.pk]) == {decision.pk}
    assert hidden_from(caller_of_user(ben), [decision.pk]) == set()
    say(ann, at, "confirm")
    assert hidden_from(caller_of_user(ann), [decision.pk]) == set()
