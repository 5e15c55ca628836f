"""Cases read from the rows, and the figures that they make."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.metrics.domain.accuracy import Case
from apps.metrics.first_reading import Window, read_cases
from apps.registry.models import UseCase
from tests.metrics.rows import DAY, decision, define, judge, label, send, turn_out

pytestmark = pytest.mark.django_db


def cases(use_case: UseCase, window: Window | None = None) -> list[Case]:
    return list(read_cases(use_case, window or Window()))


def only(use_case: UseCase) -> Case:
    (case,) = cases(use_case)
    return case


def test_a_decision_without_reviews_and_outcome_is_a_case_without_truth() -> None:
    use_case = define()
    send(use_case, [label("a", "high", 0.7)])
    assert only(use_case) == Case(
        given="high", in_effect="high", confidence=0.7, chance=0.0, unseen=True
    )


def test_the_outcome_recorded_last_is_the_truth_whenever_it_was_observed() -> None:
    use_case = define()
    send(use_case, [label("a", "high")])
    turn_out("a", "high", observed_at=DAY + timedelta(days=9))
    turn_out("a", "low", observed_at=DAY)
    case = only(use_case)
    assert (case.truth, case.right, case.right_in_effect) == ("low", False, False)


def test_each_decision_keeps_its_own_reviews_and_outcomes(make_person: Any) -> None:
    use_case = define()
    people = [make_person(f"p{n}") for n in range(3)]
    names = [f"case-{n}" for n in range(6)]
    send(use_case, [label(name, "high") for name in names])
    for n, name in enumerate(names):
        if n % 2:
            turn_out(name, "low" if n % 3 else "high")
        for person in people[: n % 4]:
            judge(name, person, "high" if n > 2 else "low")
    found = {decision(name).pk: n for n, name in enumerate(names)}
    read = cases(use_case)
    assert len(read) == 6
    for case, (_pk, n) in zip(read, sorted(found.items()), strict=True):
        assert case.truth == (("low" if n % 3 else "high") if n % 2 else None)
        assert case.verdicts == ("high" if n > 2 else "low",) * min(n % 4, 3)


def test_a_first_verdict_is_the_initial_label_else_the_one_given_unseen(make_person: Any) -> None:
    use_case = define()
    send(use_case, [label("a", "high")])
    judge("a", make_person("p1"), "high", saw_ai=True, initial_label="low")
    judge("a", make_person("p2"), "high", saw_ai=False)
    judge("a", make_person("p3"), "low", saw_ai=True)
    judge("a", make_person("p4"), "low", saw_ai=None)
    assert sorted(only(use_case).verdicts) == ["high", "low"]


def test_who_judged_a_case_twice_is_counted_once_by_the_earlier_judgement(make_person: Any) -> None:
    use_case = define()
    send(use_case, [label("a", "high")])
    person = make_person("p1")
    judge("a", person, "low")
    judge("a", person, "high", imported=False)
    assert only(use_case).verdicts == ("low",)


def test_imported_verdicts_take_effect_in_the_review_lane_alone(make_person: Any) -> None:
    use_case = define(confidence_threshold=0.8)
    send(use_case, [label("sure", "high", 0.9), label("unsure", "high", 0.6)])
    for name in ("sure", "unsure"):
        judge(name, make_person(f"p-{name}"), "low")
        turn_out(name, "low")
    by_confidence = {case.confidence: case for case in cases(use_case)}
    assert (by_confidence[0.9].in_effect, by_confidence[0.9].right_in_effect) == ("high", False)
    assert (by_confidence[0.6].in_effect, by_confidence[0.6].right_in_effect) == ("low", True)


def test_a_decision_that_waits_has_no_label_in_effect() -> None:
    use_case = define(confidence_threshold=0.8)
    send(use_case, [label("a", "high", 0.6)], past=False)
    turn_out("a", "high")
    case = only(use_case)
    assert (case.in_effect, case.right, case.right_in_effect) == (None, True, None)


def test_a_case_that_no_model_answered_has_no_label() -> None:
    use_case = define()
    send(use_case, [label("a", None)], past=False)
    turn_out("a", "high")
    case = only(use_case)
    assert (case.given, case.right, case.truth) == (None, None, "high")


def test_other_kinds_of_output_are_right_as_their_outcome_says() -> None:
    use_case = define()
    text = {"kind": "text", "output": {"text": "hello", "confidence": 0.9}}
    send(use_case, [{"external_id": "a", **text}, {"external_id": "b", **text}])
    turn_out("a", None, correct=True)
    read = {case.right: case for case in cases(use_case)}
    assert read.keys() == {True, None}
    assert (read[True].right_in_effect, read[True].in_effect) == (True, None)


def test_the_random_audit_s_chance_and_draw_are_read() -> None:
    use_case = define(audit_rate=0.5)
    send(use_case, [label(f"case-{n}", "low") for n in range(40)])
    read = cases(use_case)
    assert {case.chance for case in read} == {0.5}
    drawn = [case for case in read if case.drawn]
    assert 0 < len(drawn) < 40
    assert not any(case.unseen for case in drawn)
    assert all(case.unseen for case in read if not case.drawn)


@pytest.mark.parametrize(
    ("policy", "chance", "unseen"),
    [
        ({"confidence_threshold": 0.95}, None, False),
        ({"level": "HOTL", "confidence_threshold": 0.95}, None, False),
        ({"level": "HOTL"}, 0.0, True),
        ({"rules": [{"name": "all", "then": "automatic", "when": None}]}, None, True),
    ],
)
def test_a_case_is_unseen_where_its_lane_releases_it_without_a_person(
    policy: dict[str, Any], chance: float | None, unseen: bool
) -> None:
    for rule in policy.get("rules", []):
        rule["when"] = {"field": "confidence", "op": ">", "value": 0.1}
    use_case = define(**policy)
    send(use_case, [label("a", "low", 0.9)])
    case = only(use_case)
    assert (case.chance, case.unseen) == (chance, unseen)


def test_in_pilot_the_lane_that_would_have_been_counts() -> None:
    use_case = define(lifecycle="pilot", audit_rate=0.5, confidence_threshold=0.8)
    send(use_case, [label("sure", "low", 0.9), label("unsure", "low", 0.6)])
    by_confidence = {case.confidence: case for case in cases(use_case)}
    sure, unsure = by_confidence[0.9], by_confidence[0.6]
    assert (sure.chance, sure.drawn != sure.unseen) == (0.5, True)
    assert (unsure.chance, unsure.drawn, unsure.unseen) == (None, False, False)


# --- Windows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (None, None, {0.5, 0.6, 0.7}),
        (0, None, {0.5, 0.6, 0.7}),
        (1, None, {0.6, 0.7}),
        (None, 1, {0.5}),
        (1, 2, {0.6}),
        (3, 4, set()),
    ],
)
def test_a_window_holds_its_beginning_and_not_its_end(
    begin: int | None, end: int | None, expected: set[float]
) -> None:
    use_case = define()
    send(
        use_case,
        [
            label(f"day-{n}", "low", 0.5 + n / 10, decided_at=(DAY + timedelta(days=n)).isoformat())
            for n in range(3)
        ],
    )
    for n in range(3):
        turn_out(f"day-{n}", "low")
    bounds = [None if day is None else DAY + timedelta(days=day) for day in (begin, end)]
    read = cases(use_case, Window(*bounds))
    assert {case.confidence for case in read} == expected
    assert all(case.truth == "low" for case in read)


def test_other_use_cases_are_not_read() -> None:
    loans, cards = define("loans"), define("cards")
    send(loans, [label("a", "low")])
    send(cards, [label("b", "high")])
    turn_out("b", "high")
    assert only(loans).truth is None
    assert only(cards).truth == "high"


def test_the_number_of_queries_does_not_grow_with_the_rows(make_person: Any) -> None:
    use_case = define()
    people = [make_person(f"p{n}") for n in range(3)]
    counted = []
    for size in (4, 40):
        send(use_case, [label(f"{size}-{n}", "low") for n in range(size)])
        for n in range(size):
            turn_out(f"{size}-{n}", "low")
            for person in people:
                judge(f"{size}-{n}", person, "low")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(cases(use_case)) >= size
        counted.append(len(queries))
    assert counted == [3, 3]
