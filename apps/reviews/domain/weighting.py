"""How sure several votes make a value, given how reliable each voter is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import exp, log
from typing import Final

UNKNOWN_ACCURACY: Final = 0.75
LEAST: Final = 0.001  # no reviewer is taken as infallible, and none as never right
_OTHER: Final = "\x00"  # an answer that nobody has named; no canonical text holds a bare NUL

Reliability = float | Sequence[Sequence[float]]


def posterior(
    votes: Iterable[tuple[str, str | None]],
    reliabilities: Mapping[str, Reliability],
    labels: Sequence[str] | None = None,
    prior: Mapping[str, float] | None = None,
) -> dict[str | None, float]:
    """The probability of each value that was named, given independent voters.

    Definition: P(t | votes) is in proportion to P(t) times the product of P(vote | t). The
    candidates t are ``labels``, the values named (None is withhold) and, where the values are open
    or there is one alone, one that nobody named. A voter with accuracy a gives t with probability
    a and each of the other K - 1 candidates with (1 - a)/(K - 1). A voter with a confusion matrix
    gives labels by its row t, scaled to leave each candidate outside of ``labels`` its
    (1 - a)/(K - 1), with a the mean of the diagonal. Every factor is at least LEAST.
    Parameters: ``votes``, pairs of a reliability key and a value; ``reliabilities``, by key an
    accuracy in [0, 1] or a matrix [true][given] of shape (L, L) whose rows sum to 1, in the order
    of ``labels`` (a key that is missing counts as UNKNOWN_ACCURACY); ``prior`` by value, > 0, for
    a value that is missing the smallest given; None: all alike.
    Returns: value to probability in [0, 1], for every candidate that was named or is a label.
    Errors: ValueError for an accuracy outside of [0, 1] or a matrix of another shape.
    Source: A. P. Dawid, A. M. Skene, Appl. Stat. 28 (1979) 20, eq. 2.5.
    """
    given = list(votes)
    candidates = _candidates([value for _, value in given], labels)
    known: dict[str | None, int] = {value: place for place, value in enumerate(labels or ())}
    chances = {
        key: _chance(reliabilities.get(key, UNKNOWN_ACCURACY), key, candidates, known)
        for key in {key for key, _ in given}
    }
    score = {t: log(_prior(t, prior)) for t in candidates}
    for key, value in given:
        for t in candidates:
            score[t] += log(max(LEAST, chances[key](t, value)))
    best = max(score.values())
    total = sum(exp(one - best) for one in score.values())
    return {t: exp(one - best) / total for t, one in score.items() if t != _OTHER}


def _candidates(named: Sequence[str | None], labels: Sequence[str] | None) -> list[str | None]:
    found = list(dict.fromkeys([*(labels or ()), *named]))
    return [*found, _OTHER] if labels is None or len(found) < 2 else found


def _prior(value: str | None, prior: Mapping[str, float] | None) -> float:
    if not prior:
        return 1.0
    return max(LEAST, prior.get(value or "", min(prior.values())))


def _chance(
    voter: Reliability, key: str, candidates: Sequence[str | None], known: Mapping[str | None, int]
) -> Callable[[str | None, str | None], float]:
    """P(given | true) of one voter, as a function of true and given."""
    matrix = None if isinstance(voter, int | float) else _matrix(voter, key, len(known))
    accuracy = _accuracy(voter, key) if matrix is None else _mean_diagonal(matrix)
    miss = (1 - accuracy) / (len(candidates) - 1)
    to_labels = 1 - miss * (len(candidates) - len(known))

    def chance(true: str | None, given: str | None) -> float:
        if matrix is not None and true in known and given in known:
            return matrix[known[true]][known[given]] * to_labels
        return accuracy if true == given else miss

    return chance


def _accuracy(voter: Reliability, key: str) -> float:
    if isinstance(voter, int | float) and 0 <= voter <= 1:
        return float(voter)
    raise ValueError(f"the accuracy of {key!r} is {voter!r}; 0 to 1 is allowed")


def _matrix(rows: Sequence[Sequence[float]], key: str, size: int) -> Sequence[Sequence[float]]:
    if size == 0 or [len(row) for row in rows] != [size] * size:
        shape = [len(row) for row in rows]
        raise ValueError(f"the matrix of {key!r} has rows of {shape}; there are {size} labels")
    return rows


def _mean_diagonal(matrix: Sequence[Sequence[float]]) -> float:
    return sum(row[place] for place, row in enumerate(matrix)) / len(matrix)
