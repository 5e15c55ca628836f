"""run_reports: the accuracy of one use case or of all, on the command line."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.callers import caller_of_user
from apps.common.errors import BadInput, NotFound, NotPermitted
from apps.metrics.reports import read_window, run_reports
from tests.metrics.rows import define, judge, label, send, turn_out

pytestmark = pytest.mark.django_db
FIGURES = (
    "ai",
    "human",
    "human_consensus",
    "combined",
    "automatic_lane",
    "team_gain",
    "ece",
    "brier",
)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("run_reports", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def document(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


@pytest.fixture
def judged(make_person: Any) -> None:
    """Four decisions: the AI right in three, two people right in three of five judgements."""
    use_case = define(confidence_threshold=0.8)
    send(use_case, [label(name, "high", 0.9) for name in "abc"] + [label("d", "low", 0.6)])
    for name, truth in zip("abcd", ("high", "high", "low", "low"), strict=True):
        turn_out(name, truth)
    ann, ben = make_person("p1"), make_person("p2")
    for name, person, said in [
        ("a", ann, "high"),
        ("a", ben, "low"),
        ("b", ann, "high"),
        ("c", ann, "high"),
        ("d", ben, "low"),
    ]:
        judge(name, person, said)


def test_one_use_case_is_one_document(judged: None) -> None:
    found = document("--use-case", "loans")
    assert (found["use_case"], found["from"], found["to"]) == ("loans", None, None)
    accuracy = found["accuracy"]
    assert (accuracy["ai"]["value"], accuracy["ai"]["n"]) == (0.75, 4)
    assert (accuracy["human"]["value"], accuracy["human"]["n"]) == (0.6, 5)
    # a: a tie, which goes to low, the favourable one, and is wrong; b right, c wrong, d right
    assert accuracy["human_consensus"]["value"] == 0.5
    # d alone is in the review lane, where the imported verdict took effect: as the AI's, right
    assert accuracy["combined"]["value"] == 0.75
    assert (accuracy["team_gain"]["value"], accuracy["team_gain"]["against"]) == (0.0, "ai")


def test_every_estimate_says_value_interval_number_and_method(judged: None) -> None:
    accuracy = document("--use-case", "loans")["accuracy"]
    for name in FIGURES:
        assert {"value", "low", "high", "n", "method"} <= accuracy[name].keys()
        if accuracy[name]["value"] is not None:
            assert accuracy[name]["low"] <= accuracy[name]["value"] <= accuracy[name]["high"]
    assert accuracy["automatic_lane"]["method"] == "audit_weighted"
    assert "nothing was audited" in accuracy["automatic_lane"]["why"]
    assert accuracy["ece"]["bins"]
    assert accuracy["per_class"].keys() == {"low", "high"}
    assert accuracy["confusion"]["ai"]["counts"] == [[1, 1], [0, 2]]


def test_without_a_use_case_there_is_a_list_of_all() -> None:
    define("loans")
    define("cards")
    assert [one["use_case"] for one in document()] == ["cards", "loans"]


def test_without_any_use_case_the_list_is_empty() -> None:
    assert document() == []


def test_without_data_each_figure_says_so_and_the_report_is_made() -> None:
    define()
    accuracy = document("--use-case", "loans")["accuracy"]
    for name in FIGURES:
        assert accuracy[name]["value"] is None
        assert accuracy[name]["why"].startswith("not enough data (n = 0): ")


def test_the_window_is_said_in_the_document_and_holds_for_the_figures(judged: None) -> None:
    found = document(
        "--use-case", "loans", "--from", "2026-03-01", "--to", "2026-03-02T00:00:00+02:00"
    )
    assert (found["from"], found["to"]) == ("2026-03-01T00:00:00Z", "2026-03-01T22:00:00Z")
    assert found["accuracy"]["decisions"] == {"n": 4, "with_outcome": 4}
    later = document("--use-case", "loans", "--from", "2026-03-02")
    assert later["accuracy"]["decisions"] == {"n": 0, "with_outcome": 0}


@pytest.mark.parametrize(
    ("begin", "end", "pointers"),
    [
        ("2026-02-30", None, ["/from"]),
        (None, "yesterday", ["/to"]),
        ("2026-03-02T10:00:00", None, ["/from"]),
        ("", "soon enough, I hope", ["/from", "/to"]),
        ("2026-03-02", "2026-03-02", ["/to"]),
        ("2026-03-02", "2026-03-01", ["/to"]),
    ],
)
def test_a_window_that_cannot_be_is_refused_by_its_bound(
    begin: str | None, end: str | None, pointers: list[str]
) -> None:
    with pytest.raises(BadInput) as caught:
        read_window(begin, end)
    assert [fault.pointer for fault in caught.value.errors] == pointers


def test_another_kind_is_refused_and_the_allowed_ones_are_named() -> None:
    define()
    with pytest.raises(
        CommandError, match="'horoscope' is not a kind of report; allowed: accuracy"
    ):
        run("--kind", "accuracy,horoscope")


def test_a_kind_named_twice_is_run_once() -> None:
    define()
    assert document("--kind", "accuracy, accuracy")[0].keys() == {
        "use_case",
        "from",
        "to",
        "accuracy",
    }


def test_a_use_case_that_is_not_there_is_said_to_be_so() -> None:
    with pytest.raises(CommandError, match="there is no use case 'nowhere'"):
        run("--use-case", "nowhere")


def test_people_read_a_line_a_figure(judged: None) -> None:
    lines = run("--use-case", "loans").splitlines()
    assert lines[0] == "loans, from the beginning to now"
    (ai,) = [line for line in lines if "accuracy.ai " in line]
    assert ai.split(None, 1)[1] == "0.7500 [0.3006, 0.9544] n = 4 (wilson)"
    assert any("accuracy.automatic_lane" in line and "not enough data" in line for line in lines)


def test_who_may_not_run_reports_is_refused(make_person: Any) -> None:
    define()
    reviewer = caller_of_user(make_person("rita", "reviewer"))
    for slug in ("loans", None):
        with pytest.raises(NotPermitted, match="run reports"):
            run_reports(caller=reviewer, use_case=slug)
    with pytest.raises(NotFound):
        run_reports(caller=reviewer, use_case="nowhere")


def test_a_risk_lead_of_one_use_case_has_reports_of_that_one(make_person: Any) -> None:
    define("loans")
    define("cards")
    lead = caller_of_user(make_person("lea", "risk_lead", use_case="cards"))
    assert [one["use_case"] for one in run_reports(caller=lead)] == ["cards"]
    with pytest.raises(NotPermitted):
        run_reports(caller=lead, use_case="loans")
