"""How long cases wait for a team of this size, and the team that would hold the service level."""

from __future__ import annotations

from math import exp, inf
from typing import Final, NamedTuple

MAX_PEOPLE: Final = 1_000_000


class Waiting(NamedTuple):
    """What a queue comes to.

    ``probability`` that a case waits; ``expected_wait_minutes`` over all cases, None where the
    queue grows without end, and then ``why`` says so; ``utilisation``: offered work over people,
    1 or more in overload.
    """

    probability: float
    expected_wait_minutes: float | None
    utilisation: float
    why: str | None = None


def erlang_c(arrivals_per_hour: float, minutes_per_case: float, people: int) -> Waiting:
    """The waiting of cases that come at random to people who take the first in line.

    Definition: with offered work A = arrivals_per_hour * minutes_per_case / 60 and c people,
    P(wait) = c B / (c - A (1 - B)), B Erlang's loss probability, and the expected wait
    P(wait) * minutes_per_case / (c - A). Arrivals are taken as Poisson, times per case as
    exponential, nobody leaves the queue, and everybody can take every case.
    Parameters: ``arrivals_per_hour`` >= 0; ``minutes_per_case`` > 0; ``people`` in
    0..MAX_PEOPLE. Lower waits are better.
    Returns: Waiting; for A >= c everybody waits and the wait has no bound. Without arrivals nobody
    waits. Time O(people). Errors: ValueError for numbers out of range.
    Source: A. K. Erlang (1917); R. B. Cooper, Introduction to Queueing Theory (1981), sec. 3.5.
    """
    work = _work(arrivals_per_hour, minutes_per_case)
    if not 0 <= people <= MAX_PEOPLE:
        raise ValueError(f"people={people}; 0 to {MAX_PEOPLE:,} are allowed")
    if work == 0:
        return Waiting(0.0, 0.0, 0.0)
    if work >= people:
        why = f"{work:.2f} people's work comes to {people}: the queue grows without end"
        return Waiting(1.0, None, work / people if people else inf, why)
    wait = _wait_probability(work, people, _inverse_loss(work, people))
    return Waiting(wait, wait * minutes_per_case / (people - work), work / people)


def staffing_for(
    arrivals_per_hour: float, minutes_per_case: float, sla_minutes: float, share: float = 0.95
) -> int:
    """The fewest people with whom so large a share of the cases is taken up in time.

    Definition: the smallest c > A with P(wait <= T) = 1 - P(wait) exp(-(c - A) T /
    minutes_per_case) >= ``share``, T = sla_minutes - minutes_per_case: what is left of the limit
    when a case of mean length is to be decided within it. Assumptions as for ``erlang_c``.
    Parameters: as for ``erlang_c``; ``sla_minutes`` >= minutes_per_case, from arrival to verdict;
    ``share`` in (0, 1).
    Returns: people >= 0, 0 without arrivals.
    Errors: ValueError for numbers out of range, among them a limit shorter than a case, and where
    it would take more than MAX_PEOPLE.
    Source: as ``erlang_c``.
    """
    work = _work(arrivals_per_hour, minutes_per_case)
    if not 0 < share < 1:
        raise ValueError(f"share={share}; a number between 0 and 1 is allowed")
    if not sla_minutes >= minutes_per_case:
        raise ValueError(
            f"sla_minutes={sla_minutes:g}: a case takes {minutes_per_case:g} minutes, so that no "
            "number of people can hold it"
        )
    if work == 0:
        return 0
    if work >= MAX_PEOPLE:
        raise ValueError(f"more than {MAX_PEOPLE:,} people would be needed")
    limit = (sla_minutes - minutes_per_case) / minutes_per_case
    people = int(work) + 1
    inverse = _inverse_loss(work, people)
    while 1 - _wait_probability(work, people, inverse) * exp(-(people - work) * limit) < share:
        people += 1
        inverse = 1 + inverse * people / work
    return people


def _work(arrivals_per_hour: float, minutes_per_case: float) -> float:
    if not (0 <= arrivals_per_hour < inf and 0 < minutes_per_case < inf):
        raise ValueError(
            f"arrivals_per_hour={arrivals_per_hour}, minutes_per_case={minutes_per_case}; "
            "finite, at least 0 and above 0 are allowed"
        )
    return arrivals_per_hour * minutes_per_case / 60


def _inverse_loss(work: float, people: int) -> float:
    """1 / B by the recursion 1/B(c) = 1 + (c/A) / B(c-1), whose terms are all positive.

    inf where B is below what a double holds, which makes the probability to wait exactly 0.
    """
    inverse = 1.0
    for count in range(1, people + 1):
        inverse = 1 + inverse * count / work
    return inverse


def _wait_probability(work: float, people: int, inverse: float) -> float:
    return people / (work + (people - work) * inverse)
