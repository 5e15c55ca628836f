"""Rulings: what several verdicts come to, rule by rule, and what holds under all of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.policies.domain.validation import COMBINATIONS
from apps.reviews.domain.consensus import VERDICTS, Ruling, Vote, combine

DENY, APPROVE, REFER = "deny", "approve", "refer"
LABELS = (APPROVE, DENY, REFER)


def said(reviewer: str, value: str | None, **more: Any) -> Vote:
    """A person's own answer; None is a withhold."""
    verdict = "withhold" if value is None else "answer"
    return Vote(reviewer, more.pop("verdict", verdict), value, more.pop("human", True), **more)


def machine(name: str, value: str | None) -> Vote:
    return said(name, value, human=False)


def rule(combination: str, required: int, *votes: Vote, **more: Any) -> Ruling:
    return combine(votes, combination=combination, required=required, **more)


def state(ruling: Ruling) -> tuple[str, str | None, str | None, int]:
    return ruling[:4]


def test_every_combination_of_the_policies_has_a_rule() -> None:
    for combination in COMBINATIONS:
        assert rule(combination, 2).state == "open"


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_without_a_vote_that_counts_nothing_is_settled(combination: str) -> None:
    abstained = Vote("a", "abstain", None, True)
    assert state(rule(combination, 2)) == ("open", None, None, 2)
    assert state(rule(combination, 2, abstained)) == ("open", None, None, 2)


def test_single_is_settled_by_one_person() -> None:
    assert state(rule("single", 1, said("a", DENY))) == ("settled", "release", DENY, 0)


def test_a_withhold_is_an_answer_of_its_own() -> None:
    assert state(rule("single", 1, said("a", None))) == ("settled", "withhold", None, 0)
    assert state(rule("unanimous", 2, said("a", None), said("b", None)))[1] == "withhold"
    assert rule("unanimous", 2, said("a", None), said("b", DENY)).state == "disagreement"


def test_a_confirm_without_a_value_stands_for_the_output_of_the_ai() -> None:
    confirm = Vote("a", "confirm", None, True)
    assert rule("single", 1, confirm, ai_value=DENY).value == DENY
    with pytest.raises(ValueError, match="the confirm of 'a' has no value"):
        rule("single", 1, confirm)


def test_unanimous_waits_for_all_and_gives_up_at_the_first_difference() -> None:
    two = (said("a", DENY), said("b", DENY))
    assert state(rule("unanimous", 3, *two)) == ("open", None, None, 1)
    assert state(rule("unanimous", 3, *two, said("c", DENY)))[:3] == ("settled", "release", DENY)
    assert state(rule("unanimous", 3, said("a", DENY), said("b", APPROVE)))[0] == "disagreement"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([DENY], ("open", None, None, 1)),  # one more deny is 2 of 3
        ([DENY, DENY], ("settled", "release", DENY, 0)),  # the third cannot turn it
        ([DENY, APPROVE], ("open", None, None, 1)),
        ([DENY, APPROVE, DENY], ("settled", "release", DENY, 0)),
        ([DENY, APPROVE, REFER], ("disagreement", None, None, 0)),
        (
            [DENY, APPROVE, None, None],
            ("disagreement", None, None, 0),
        ),  # 2 of 4 is not more than half
    ],
)
def test_majority_of_three_seats(values: list[str | None], expected: tuple[Any, ...]) -> None:
    votes = [said(f"r{place}", value) for place, value in enumerate(values)]
    assert state(rule("majority", 3, *votes)) == expected


def test_machines_break_a_tie_of_people_but_fill_no_seat() -> None:
    tie = (said("a", DENY), said("b", APPROVE))
    assert rule("majority", 2, *tie).state == "disagreement"
    assert rule("majority", 2, *tie, machine("m", DENY)).value == DENY  # 2 of 3
    assert rule("majority", 2, said("a", DENY), machine("m", DENY)).state == "open"
    assert rule("majority", 3, said("a", DENY), *[machine(f"m{i}", DENY) for i in range(9)])[0] == (
        "open"
    )


@pytest.mark.parametrize("combination", ["majority", "weighted"])
def test_machines_cannot_outvote_the_people(combination: str) -> None:
    votes = [said("a", DENY), *[machine(f"m{i}", APPROVE) for i in range(3)]]
    assert rule(combination, 1, *votes, labels=LABELS).state == "disagreement"


def test_machines_hold_back_an_early_majority() -> None:
    # 2 of 3 people, but of 3 + 2 votes 3 are needed
    votes = [said("a", DENY), said("b", DENY), machine("m", APPROVE), machine("n", APPROVE)]
    assert state(rule("majority", 3, *votes)) == ("open", None, None, 1)


def test_two_persons_each_give_the_same_even_where_one_is_asked() -> None:
    first = Vote("a", "change", APPROVE, True)
    confirmed = Vote("b", "confirm", APPROVE, True)
    assert state(rule("two_person", 1, first, ai_value=DENY)) == ("open", None, None, 1)
    assert rule("two_person", 2, first, confirmed, ai_value=DENY).value == APPROVE
    of_the_ai = Vote("b", "confirm", None, True)
    assert rule("two_person", 2, first, of_the_ai, ai_value=DENY).state == "disagreement"
    assert rule("two_person", 2, first, machine("m", APPROVE)).state == "open"


def test_an_escalation_is_a_disagreement_at_once_and_says_so() -> None:
    ruling = rule(
        "majority", 3, said("a", DENY), said("b", DENY), Vote("c", "escalate", None, True)
    )
    assert state(ruling) == ("disagreement", None, None, 0)
    assert "escalated" in ruling.why


def test_an_adjudication_settles_a_disagreement() -> None:
    differ = (said("a", DENY), said("b", APPROVE))
    assert rule("unanimous", 2, *differ, said("s", REFER, senior=True)).value == REFER
    both = (said("s", REFER, senior=True), said("t", DENY, senior=True))
    assert rule("unanimous", 2, *differ, *both).state == "disagreement"
    up = Vote("s", "escalate", None, True, senior=True)
    assert rule("unanimous", 2, *differ, up).why == "The adjudicator escalated the case."
    aside = Vote("s", "abstain", None, True, senior=True)
    assert rule("unanimous", 2, *differ, aside).state == "disagreement"


def test_an_adjudication_releases_by_two_persons_only_with_a_second_one() -> None:
    differ = (said("a", DENY), said("b", APPROVE))
    assert rule("two_person", 2, *differ, said("s", DENY, senior=True)).value == DENY
    new = said("s", REFER, senior=True)
    assert state(rule("two_person", 2, *differ, new)) == ("open", None, None, 1)
    assert rule("two_person", 2, *differ, new, said("t", REFER)).value == REFER
    assert rule("two_person", 2, *differ, said("s", None, senior=True)).outcome == "withhold"


# two labels, even prior: 0.9 against 0.8 gives 0.9 * 0.2 / (0.9 * 0.2 + 0.1 * 0.8) = 9/13
CREDIBLE = {"a": 0.9, "b": 0.8, "c": 0.8}


def test_weighted_follows_the_more_reliable_of_two() -> None:
    two = (said("a", DENY), said("b", APPROVE))
    ruling = rule("weighted", 2, *two, reliabilities=CREDIBLE, labels=(APPROVE, DENY))
    assert state(ruling) == ("settled", "release", DENY, 0)
    assert "0.692" in ruling.why  # 9/13


def test_weighted_does_not_settle_a_tie() -> None:
    two = (said("b", DENY), said("c", APPROVE))
    ruling = rule("weighted", 2, *two, reliabilities=CREDIBLE, labels=(APPROVE, DENY))
    assert ruling.state == "disagreement"


def test_weighted_collects_until_confident_and_no_longer_than_the_most() -> None:
    more: dict[str, Any] = {
        "reliabilities": CREDIBLE,
        "labels": (APPROVE, DENY),
        "posterior_level": 0.95,
        "maximum": 3,
    }
    two, c = (said("a", DENY), said("b", APPROVE)), said("c", DENY)
    assert state(rule("weighted", 2, said("a", DENY), **more)) == ("open", None, None, 1)
    assert state(rule("weighted", 2, *two, **more)) == ("open", None, None, 1)
    # 0.9 * 0.2 * 0.8 / (0.9 * 0.2 * 0.8 + 0.1 * 0.8 * 0.2) = 0.144 / 0.160 = 0.9
    assert rule("weighted", 2, *two, c, **more).state == "disagreement"
    assert rule("weighted", 2, *two, c, **{**more, "posterior_level": 0.9 - 1e-9}).value == DENY
    # 0.9 * 0.8 / (0.9 * 0.8 + 0.1 * 0.2) = 0.973
    assert rule("weighted", 2, said("a", DENY), said("b", DENY), **more).value == DENY


def test_weighted_reads_the_reliability_under_its_key() -> None:
    votes = [said("x", DENY, weight_key="a"), said("y", APPROVE, weight_key="b")]
    ruling = rule("weighted", 2, *votes, reliabilities=CREDIBLE, labels=(APPROVE, DENY))
    assert ruling.value == DENY


def test_a_level_makes_the_other_rules_collect_as_well() -> None:
    more: dict[str, Any] = {"labels": (APPROVE, DENY), "posterior_level": 0.95, "maximum": 3}
    known = dict.fromkeys("abc", 0.8)
    # 0.8; 0.64 / (0.64 + 0.04) = 0.941; 0.512 / 0.520 = 0.985
    votes = [said(name, DENY) for name in "abc"]
    for count, expected in ((1, "open"), (2, "open"), (3, "settled")):
        ruling = rule("single", 1, *votes[:count], reliabilities=known, **more)
        assert ruling.state == expected
    assert rule("majority", 2, *votes[:2], reliabilities=known, **more).needed == 1
    tie = (said("a", DENY), said("b", APPROVE))
    assert rule("majority", 2, *tie, reliabilities=known, **more).needed == 1
    assert rule("majority", 2, *tie, said("c", DENY), reliabilities=known, **more).state == (
        "disagreement"  # 2 against 1 of the same reliability is 0.8
    )


def test_a_reviewer_counts_once() -> None:
    with pytest.raises(ValueError, match="reviewer='a' comes 2 times"):
        rule("majority", 2, said("a", DENY), said("a", APPROVE))


@pytest.mark.parametrize(
    ("votes", "more", "message"),
    [
        ([], {"combination": "loudest"}, "combination='loudest'; allowed are: single"),
        ([], {"required": 0}, "required=0"),
        ([], {"maximum": 1}, "maximum=1 is below required=2"),
        ([], {"posterior_level": 1.0}, "posterior_level=1.0"),
        ([Vote("a", "shrug", None, True)], {}, "verdict='shrug'; allowed are: confirm"),
        ([Vote("a", "change", None, True)], {}, "the change of 'a' has no value"),
        ([Vote("m", "answer", DENY, False, senior=True)], {}, "'m' is a machine"),
    ],
)
def test_what_cannot_be_a_vote_is_refused(
    votes: list[Vote], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        combine(votes, **{"combination": "majority", "required": 2, **more})


@st.composite
def ballots(draw: st.DrawFn) -> list[Vote]:
    """Up to six votes of different reviewers, people and machines."""
    found = []
    for reviewer in draw(st.sets(st.sampled_from("abcdef"))):
        verdict = draw(st.sampled_from(VERDICTS if draw(st.integers(0, 4)) == 0 else ("answer",)))
        value = (
            draw(st.sampled_from(LABELS)) if verdict in ("confirm", "change", "answer") else None
        )
        human = draw(st.booleans())
        found.append(Vote(reviewer, verdict, value, human, human and draw(st.integers(0, 9)) == 0))
    return found


RULES = st.fixed_dictionaries(
    {
        "combination": st.sampled_from(COMBINATIONS),
        "required": st.integers(1, 4),
        "labels": st.sampled_from([LABELS, None]),
        "reliabilities": st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1)),
    },
    optional={"maximum": st.integers(4, 6), "posterior_level": st.floats(0.5, 0.99)},
)


@given(ballots(), RULES, st.randoms())
def test_the_order_of_the_votes_does_not_matter(
    votes: list[Vote], rules: dict[str, Any], random: Any
) -> None:
    mixed = random.sample(votes, len(votes))
    assert combine(votes, **rules) == combine(mixed, **rules)


@given(ballots(), RULES)
def test_machines_never_satisfy_a_human_requirement(
    votes: list[Vote], rules: dict[str, Any]
) -> None:
    """What people alone leave open stays open or becomes a disagreement, whatever machines add."""
    people = [vote for vote in votes if vote.human]
    full = len([v for v in people if v.verdict not in ("abstain", "escalate")]) >= rules["required"]
    if combine(people, **rules).state == "open" and not full:
        assert combine(votes, **rules).state != "settled"


@given(ballots(), RULES)
def test_what_is_settled_was_named_by_a_person(votes: list[Vote], rules: dict[str, Any]) -> None:
    ruling = combine(votes, **rules)
    if ruling.state == "settled":
        named = {
            ("withhold" if v.verdict == "withhold" else "release", v.value)
            for v in votes
            if v.human and v.verdict not in ("abstain", "escalate")
        }
        assert (ruling.outcome, ruling.value) in named
    assert (ruling.needed > 0) == (ruling.state == "open")
    assert ruling.why.endswith(".")


@given(ballots(), RULES)
def test_an_abstention_changes_nothing(votes: list[Vote], rules: dict[str, Any]) -> None:
    aside = Vote("z", "abstain", None, True)
    assert combine([*votes, aside], **rules) == combine(votes, **rules)


@given(ballots(), st.integers(1, 4), st.sampled_from(["single", "unanimous", "majority"]))
def test_fewer_people_than_needed_settle_nothing(
    votes: list[Vote], required: int, combination: str
) -> None:
    """Searched: no row of ``needed - 1`` further people, of any minds, settles what is open."""
    rules = {"combination": combination, "required": required}
    ruling = combine(votes, **rules)
    further: list[list[Vote]] = [[]]
    for nth in range(ruling.needed - 1):
        further = [
            [*row, said(f"n{nth}", value)] for row in further for value in (*LABELS, "new", None)
        ]
    for row in further if ruling.state == "open" else []:
        assert combine([*votes, *row], **rules).state != "settled"
