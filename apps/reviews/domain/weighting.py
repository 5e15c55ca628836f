"""How sure several votes make a value, given how reliable each voter is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    (1 - a)/(K - 1), with a the mean of the diagonal. Every probability is at least LEAST.
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
    known = {value: place for place, value in enumerate(labels or ())}
    tables = {
        key: _table(reliabilities.get(key, UNKNOWN_ACCURACY), key, candidates, known)
        for key in {key for key, _ in given}
    }
    score = {t: log(_prior(t, prior)) for t in candidates}
    for key, value in given:
        for t in candidates:
            score[t] += log(max(LEAST, tables[key](t, value)))
    best = max(score.values())
    total = sum(exp(one - best) for one in score.values())
    return {t: exp(one - best) / total for t, one in score.items() if t != _OTHER}
