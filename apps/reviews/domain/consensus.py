"""Several verdicts, one ruling: what the people of a task have decided together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from apps.reviews.domain.weighting import Reliability, posterior

VERDICTS: Final = ("confirm", "change", "answer", "withhold", "abstain", "escalate")
WITHHOLD: Final = None  # the value of a withheld output, beside the texts of released ones
MORE_LIKELY_THAN_NOT: Final = 0.5 + 1e-9


class Vote(NamedTuple):
    """One reviewer's standing verdict on a task.

    ``reviewer``: the id of the account or the machine, never a spelling of a name; ``verdict``:
    one of VERDICTS; ``value``: the canonical text of the output that this vote stands for, None
    for withhold, abstain and escalate; ``human``: False for a machine; ``senior``: given to settle
    a disagreement (a senior who fills an ordinary seat votes with False); ``weight_key``: the key
    of the voter's reliability where it is not ``reviewer``.
    """

    reviewer: str
    verdict: str
    value: str | None
    human: bool
    senior: bool = False
    weight_key: str | None = None


class Ruling(NamedTuple):
    """Where a task stands.

    ``state``: open, settled or disagreement; ``outcome``: release or withhold once settled;
    ``value``: the canonical text to release; ``needed``: how many further human reviews it takes
    at least, 0 when settled and 0 in a disagreement, which takes an adjudication instead; ``why``:
    one sentence.
    """

    state: str
    outcome: str | None
    value: str | None
    needed: int
    why: str


class _Ballot(NamedTuple):
    """The votes that count, as the rules read them; a value of WITHHOLD stands for withhold."""

    people: Mapping[str, str | None]
    machines: Mapping[str, str | None]
    seats: int
    maximum: int
    level: float | None
    reliabilities: Mapping[str, Reliability]
    prior: Mapping[str, float] | None
    labels: Sequence[str] | None
    keys: Mapping[str, str]

    @property
    def everyone(self) -> dict[str, str | None]:
        return {**self.people, **self.machines}

    @property
    def missing(self) -> int:
        return self.seats - len(self.people)


def combine(
    votes: Sequence[Vote],
    *,
    combination: str,
    required: int,
    maximum: int | None = None,
    posterior_level: float | None = None,
    reliabilities: Mapping[str, Reliability] | None = None,
    ai_value: str | None = None,
    labels: Sequence[str] | None = None,
    prior: Mapping[str, float] | None = None,
) -> Ruling:
    """Where a task stands after these votes, in whatever order they came.

    Definition: abstentions do not count. A standing adjudication (a senior's vote) decides;
    without one an escalation is a disagreement at once; else the rule of ``combination`` speaks:

    - ``single`` and ``unanimous``: all ``required`` people give the same value; two that differ
      are a disagreement at once.
    - ``two_person``: the same with two people at least, so that a change by the first stands only
      if the second gives it too; an adjudication that releases needs a second person as well.
    - ``majority``: a value with more than half of all seats (``required`` people, or as many as
      have voted, and the machines). Before the last person has voted it also needs more than half
      of the people's seats, so that what is missing cannot turn it. A tie at the end is a
      disagreement.
    - ``weighted``: the value whose posterior under the reviewers' reliabilities is at least
      ``posterior_level`` (where not given: above one half), once ``required`` people have voted.

    ``posterior_level`` with ``maximum`` asks any rule but two_person to collect until confident: a
    value that is not as sure waits for a further review, up to ``maximum``; then it is a
    disagreement. Machines add to the value in ``majority`` and ``weighted`` alone, never to the
    reviews required, and a value that no person named is a disagreement, never a ruling. Without a
    vote that counts nothing is settled.
    Parameters: ``votes``, one each reviewer; ``required`` >= 1; ``maximum`` >= required, where not
    given equal to it; ``posterior_level`` in (0, 1); ``reliabilities`` by weight key or reviewer
    and ``prior`` as for ``weighting.posterior``; ``ai_value``, what a confirm without a value
    stands for; ``labels``, all values there can be, None where they are open.
    Returns: Ruling. Errors: ValueError for a reviewer who comes twice, an unknown combination or
    verdict, a vote without its value, a machine as senior, numbers out of range.
    """
    if combination not in _RULES:
        raise ValueError(f"combination={combination!r}; allowed are: {', '.join(_RULES)}")
    _check_numbers(required, maximum, posterior_level)
    standing = [_with_value(vote, ai_value) for vote in votes]
    _check_votes(standing)
    seats = max(2, required) if combination == "two_person" else required
    counted = [vote for vote in standing if vote.verdict not in ("abstain", "escalate")]
    people = {vote.reviewer: vote.value for vote in counted if vote.human}
    ballot = _Ballot(
        people,
        {vote.reviewer: vote.value for vote in counted if not vote.human},
        max(seats, len(people)),
        max(seats, maximum or 0),
        posterior_level,
        reliabilities or {},
        prior,
        labels,
        {vote.reviewer: vote.weight_key or vote.reviewer for vote in counted},
    )
    return (
        _adjudicated(standing, ballot, combination)
        or _escalated(standing)
        or _until_confident(_RULES[combination](ballot), ballot, combination)
    )


def _check_numbers(required: int, maximum: int | None, level: float | None) -> None:
    if required < 1:
        raise ValueError(f"required={required}; at least 1 review is needed")
    if maximum is not None and maximum < required:
        raise ValueError(f"maximum={maximum} is below required={required}")
    if level is not None and not 0 < level < 1:
        raise ValueError(f"posterior_level={level}; a number between 0 and 1 is allowed")


def _with_value(vote: Vote, ai_value: str | None) -> Vote:
    if vote.verdict not in VERDICTS:
        raise ValueError(f"verdict={vote.verdict!r}; allowed are: {', '.join(VERDICTS)}")
    if vote.verdict in ("withhold", "abstain", "escalate"):
        return vote._replace(value=WITHHOLD)
    value = ai_value if vote.value is None and vote.verdict == "confirm" else vote.value
    if value is None:
        raise ValueError(f"the {vote.verdict} of {vote.reviewer!r} has no value")
    return vote._replace(value=value)


def _check_votes(votes: Sequence[Vote]) -> None:
    reviewer, count = next(iter(Counter(v.reviewer for v in votes).most_common(1)), ("", 0))
    if count > 1:
        raise ValueError(f"reviewer={reviewer!r} comes {count} times; a reviewer counts once")
    for vote in votes:
        if vote.senior and not vote.human:
            raise ValueError(f"reviewer={vote.reviewer!r} is a machine; a senior is a person")


def _settled(value: str | None, why: str) -> Ruling:
    return Ruling("settled", "withhold" if value is WITHHOLD else "release", value, 0, why)


def _open(needed: int, why: str) -> Ruling:
    return Ruling("open", None, None, needed, why)


def _disagreement(why: str) -> Ruling:
    return Ruling("disagreement", None, None, 0, why)


def _reviews(count: int) -> str:
    return "1 review" if count == 1 else f"{count} reviews"


def _adjudicated(votes: Sequence[Vote], ballot: _Ballot, combination: str) -> Ruling | None:
    """The seniors' word, where one has spoken."""
    seniors = [vote for vote in votes if vote.senior and vote.verdict != "abstain"]
    if not seniors:
        return None
    if any(vote.verdict == "escalate" for vote in seniors):
        return _disagreement("The adjudicator escalated the case.")
    values = {vote.value for vote in seniors}
    if len(values) > 1:
        return _disagreement(f"{len(seniors)} adjudicators differ.")
    (value,) = values
    alone = list(ballot.people.values()).count(value) < 2
    if combination == "two_person" and value is not WITHHOLD and alone:
        return _open(1, "A release by two persons needs a second person beside the adjudicator.")
    return _settled(value, "An adjudicator decided.")


def _escalated(votes: Sequence[Vote]) -> Ruling | None:
    count = sum(vote.verdict == "escalate" for vote in votes)
    who = "1 reviewer" if count == 1 else f"{count} reviewers"
    return _disagreement(f"{who} escalated the case.") if count else None


def _all_alike(ballot: _Ballot) -> Ruling:
    values = set(ballot.people.values())
    if len(values) > 1:
        return _disagreement(f"{_reviews(len(ballot.people))} give {len(values)} answers.")
    if ballot.missing:
        return _open(ballot.missing, f"{_reviews(ballot.missing)} still to come.")
    (value,) = values
    return _settled(value, f"{_reviews(len(ballot.people))} of {ballot.seats} agree.")


def _majority(ballot: _Ballot) -> Ruling:
    own, all_votes = Counter(ballot.people.values()), Counter(ballot.everyone.values())
    total = ballot.seats + len(ballot.machines)
    for value, count in own.items():
        firm = ballot.missing == 0 or 2 * count > ballot.seats
        if firm and 2 * all_votes[value] > total:
            return _settled(value, f"{all_votes[value]} of {total} votes agree.")
    if ballot.missing:
        needed = _to_majority(own, all_votes, ballot, total)
        return _open(needed, f"No majority yet: {_reviews(ballot.missing)} still to come.")
    return _disagreement(f"No answer that a person gave has more than half of {total} votes.")


def _to_majority(
    own: Counter[str | None], all_votes: Counter[str | None], ballot: _Ballot, total: int
) -> int:
    """The fewest further people who, all of one mind, would settle it before the seats are full."""
    short = [
        max(ballot.seats // 2 + 1 - own[value], total // 2 + 1 - count, 1)
        for value, count in all_votes.items()
    ]
    return min(ballot.missing, *short, total // 2 + 1)


def _weighted(ballot: _Ballot) -> Ruling:
    if ballot.missing:
        return _open(ballot.missing, f"{_reviews(ballot.missing)} still to come.")
    sure = _posterior(ballot)
    # the name breaks a tie the same way every time; a tie is below any level
    best = max(sorted(set(ballot.people.values()), key=str), key=lambda value: sure[value])
    level = ballot.level or MORE_LIKELY_THAN_NOT
    if sure[best] >= level:
        return _settled(best, f"The answer is {sure[best]:.3f} sure; {level:.3g} is asked.")
    return _unsure(sure[best], level, ballot)


def _posterior(ballot: _Ballot) -> dict[str | None, float]:
    votes = [(ballot.keys[reviewer], value) for reviewer, value in ballot.everyone.items()]
    return posterior(sorted(votes, key=str), ballot.reliabilities, ballot.labels, ballot.prior)


def _unsure(sure: float, level: float, ballot: _Ballot) -> Ruling:
    why = f"The answer is {sure:.3f} sure; {level:.3g} is asked"
    if len(ballot.people) < ballot.maximum:
        return _open(1, f"{why}, so that a further review is.")
    return _disagreement(f"{why}, and {_reviews(len(ballot.people))} are the most there can be.")


def _until_confident(ruling: Ruling, ballot: _Ballot, combination: str) -> Ruling:
    """Hold back what a rule without a posterior settled, or tied, until it is sure enough."""
    if ballot.level is None or combination in ("weighted", "two_person"):
        return ruling
    if ruling.state == "settled" and ballot.missing:
        return _open(ballot.missing, f"{_reviews(ballot.missing)} still to come.")
    if ruling.state == "settled":
        sure = _posterior(ballot)[ruling.value]
        return ruling if sure >= ballot.level else _unsure(sure, ballot.level, ballot)
    if (
        ruling.state == "disagreement"
        and combination == "majority"
        and len(ballot.people) < ballot.maximum
    ):
        return _open(1, f"{ruling.why} A further review is asked.")
    return ruling


_RULES: Final[dict[str, Callable[[_Ballot], Ruling]]] = {
    "single": _all_alike,
    "unanimous": _all_alike,
    "majority": _majority,
    "weighted": _weighted,
    "two_person": _all_alike,
}
