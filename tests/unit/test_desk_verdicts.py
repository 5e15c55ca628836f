"""What a stage offers, what a posted form states, and what a blind page can know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from apps.common.errors import BadInput
from apps.web.desk.page import case_page, changes_shown
from apps.web.desk.similar import distance
from apps.web.desk.track_record import count, tenth
from apps.web.desk.verdicts import (
    ALL,
    PAGE_ACTS,
    draft_from,
    read_answer,
    seconds_from,
    verdicts_for,
)

OUTPUT = {"label": "deny", "confidence": 0.62}
WITH_AI = verdicts_for({"output": OUTPUT}, blind=False)
WITHOUT_AI = verdicts_for({"output": None}, blind=False)
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def answer(form: dict[str, str], offered: Any = WITH_AI, output: Any = OUTPUT) -> Any:
    return read_answer(form, "label", output, offered)


def test_each_key_belongs_to_one_act_alone() -> None:
    keys = [verdict.key for verdict in ALL.values()] + [key for _code, key, _words in PAGE_ACTS]
    assert len(keys) == len(set(keys))
    assert not set(keys) & set("123456789")


def test_where_the_ai_is_not_shown_there_is_nothing_to_confirm() -> None:
    assert [v.code for v in WITH_AI][:2] == ["confirm", "change"]
    codes = [v.code for v in verdicts_for({"output": OUTPUT}, blind=True)]
    assert codes[0] == "answer"
    assert not {"confirm", "change"} & set(codes)
    assert [v.code for v in verdicts_for({"verdicts_allowed": ["abstain", "x"]}, blind=True)] == [
        "abstain"
    ]


def test_a_confirmation_needs_nothing_more() -> None:
    given = answer({"verdict": "confirm", "label": "approve", "active_seconds": "12.34"})
    assert (given.verdict, given.output, given.rationale) == ("confirm", None, "")
    assert (given.confidence, given.active_seconds) == (None, 12.3)


def test_a_change_takes_an_output_and_says_why() -> None:
    given = answer({"verdict": "change", "label": "approve", "rationale": " paid \r\n on time "})
    assert (given.output, given.rationale) == ({"label": "approve"}, "paid \n on time")


def test_a_change_to_the_ais_own_label_is_a_confirmation() -> None:
    given = answer({"verdict": "change", "label": "deny"})
    assert (given.verdict, given.output) == ("confirm", None)


def test_everything_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(BadInput) as fault:
        answer({"verdict": "change", "confidence": "2"})
    pointers = [error.pointer for error in fault.value.errors]
    assert pointers == ["/output/label", "/rationale", "/confidence"]


@pytest.mark.parametrize("code", ["withhold", "ask"])
def test_withholding_and_asking_take_words(code: str) -> None:
    with pytest.raises(BadInput, match=r"Say why|Write the question"):
        answer({"verdict": code, "rationale": "  "})


@pytest.mark.parametrize("code", ["", "confirm", "burn"])
def test_a_verdict_that_is_not_offered_is_refused(code: str) -> None:
    with pytest.raises(BadInput, match="Choose a verdict: answer, withhold"):
        answer({"verdict": code}, WITHOUT_AI, None)


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0), ("x", 0), ("nan", 0), ("-1", 0), ("inf", 86_400), ("3.26", 3.3)]
)
def test_active_seconds_that_are_no_time_count_as_none(text: str, seconds: float) -> None:
    assert seconds_from(text) == seconds


def test_a_draft_keeps_what_was_typed_and_no_token() -> None:
    form = {
        "csrfmiddlewaretoken": "t",
        "lease": "l",
        "shown_hash": "h",
        "verdict": "change",
        "rationale": "so",
        "at:/fields/total": "5",
        "new-name-1": "n",
    }
    kept = {"verdict": "change", "rationale": "so", "at:/fields/total": "5", "new-name-1": "n"}
    assert draft_from(form) == kept


DOCUMENT = {
    "external_id": "app-1",
    "kind": "label",
    "question": "Loan approval: approve or deny?",
    "labels": ["approve", "deny"],
    "reasons": [{"code": "selected", "text": "This case was selected for review."}],
    "features": [
        {"name": "net_income", "value": 41000, "protected": False, "hidden": False},
        {"name": "sex", "value": None, "protected": True, "hidden": True},
    ],
    "subject": {"ref": "cust-7", "attributes": []},
    "amount": "25000.00",
    "due_at": "2026-11-20T08:00:00+00:00",
    "information": [
        {"kind": "question", "text": "Which year?"},
        {"kind": "answer", "text": "2025"},
        {"kind": "question", "text": "Gross?"},
    ],
}


def page_of(stage: str = "open", **more: Any) -> Any:
    return case_page(
        {**DOCUMENT, **more},
        task="t",
        lease="l",
        lease_ends=None,
        shown_hash="h",
        stage=stage,
        use_case_name="Loan approval",
        now=NOW,
        kept={},
    )


def test_a_page_counts_what_it_hides_and_says_what_is_late() -> None:
    page = page_of(output=OUTPUT)
    assert [(v.words, v.value) for v in page.values] == [
        ("Subject", "cust-7"),
        ("Net income", "41,000"),
    ]
    assert (page.hidden, page.is_late, page.amount) == (1, True, "25,000.00")
    assert [(c.label, c.key, c.is_ai) for c in page.labels] == [
        ("approve", "1", False),
        ("deny", "2", True),
    ]
    assert [tuple(one.values()) for one in page.exchanges] == [
        ("Which year?", "2025"),
        ("Gross?", ""),
    ]


def test_a_blind_page_has_no_output_to_show() -> None:
    page = page_of("blind")
    assert (page.has_output, page.confidence, page.scores, page.model_name) == (False, None, [], "")
    assert page.verdicts[0].code == "answer"
    assert not any(choice.is_ai for choice in page.labels)


def test_what_changed_is_said_in_words() -> None:
    changes = changes_shown(
        [
            {"pointer": "/binding/model_status", "was": "active", "is": "withdrawn"},
            {"pointer": "", "was": None, "is": "3 more differ"},
        ]
    )
    assert changes[0] == {"what": "Binding model status", "was": "active", "is": "withdrawn"}
    assert changes[1]["what"] == "More"


A, B = UUID(int=1), UUID(int=2)


def test_a_track_record_counts_the_newest_outcome_of_each_decision_of_one_version() -> None:
    rows = [
        (UUID(int=10), True, 0.71, A),
        (UUID(int=10), False, 0.71, A),  # an older outcome of the same decision
        (UUID(int=11), False, 0.79, A),
        (UUID(int=12), True, 0.79, B),  # another version
        (UUID(int=13), None, 0.75, A),  # nobody can tell
        (UUID(int=14), True, None, A),
    ]
    record = count(rows, A)
    such = record.such(0.75)
    assert such is not None
    assert (such.hits, such.n, such.is_enough) == (1, 2, False)
    assert (record.wrong.hits, record.wrong.n) == (1, 3)
    assert record.such(None) is None


def test_of_100_such_so_many_are_right_with_the_interval() -> None:
    record = count([(UUID(int=n), n < 71, 0.7, A) for n in range(100)], A)
    such = record.such(0.74)
    assert such is not None
    # Wilson for 71 of 100: 61.5 % to 79.0 %
    assert (such.is_enough, such.of_100, such.interval) == (True, 71, (61, 79))


@pytest.mark.parametrize(
    ("confidence", "bin_"), [(0, 0), (0.1, 1), (0.3, 3), (0.7, 7), (0.7999, 7), (1, 9)]
)
def test_a_tenth_holds_its_lower_edge(confidence: float, bin_: int) -> None:
    assert tenth(confidence) == bin_


def test_distance_is_the_mean_over_all_features_named() -> None:
    # region equal 0; income |40-60| / 100 = 0.2; "extra" is named by one alone: 1
    one = {"region": "north", "income": 40}
    other = {"region": "north", "income": 60, "extra": 1}
    assert distance(one, other) == pytest.approx((0 + 0.2 + 1) / 3)
    assert distance({}, {}) == 0
    assert distance({"a": True}, {"a": 1}) == 0
