"""How reliable each rater is, and what is true of each case, from their labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

SMOOTHING: Final = 1.0
MAX_ITERATIONS: Final = 500
TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Model:
    """What a fit found, for R raters, K labels and N cases.

    ``class_prior``: shape (K,), sums to 1; ``confusion``: shape (R, K, K), [r, k, l] the
    probability that rater r gives l where k is true, rows sum to 1; ``posterior``: shape (N, K),
    of each case's true label; ``log_likelihood`` of the labels under these; ``iterations`` made;
    ``converged``: False where they were used up.
    """

    class_prior: Floats
    confusion: Floats
    posterior: Floats
    log_likelihood: float
    iterations: int
    converged: bool

    def accuracy(self) -> Floats:
        """Each rater's probability to be right on a case drawn by the class prior: shape (R,)."""
        return np.asarray(np.einsum("k,rkk->r", self.class_prior, self.confusion))


def fit(
    cases: ArrayLike,
    raters: ArrayLike,
    labels: ArrayLike,
    n_labels: int,
    *,
    prior: ArrayLike | None = None,
    smoothing: float = SMOOTHING,
    max_iterations: int = MAX_ITERATIONS,
    tolerance: float = TOLERANCE,
) -> Model:
    """The raters' confusion matrices and the cases' true labels by expectation maximisation.

    Definition: given the true label k of a case, each label given to it is independent of the
    others and is l with probability confusion[rater, k, l]. Start: the share of votes for each
    label of a case. Then in turn class_prior and confusion from the posterior (eq. 2.3, 2.4 with
    ``smoothing`` imagined labels in each row, spread evenly) and the posterior from these (eq.
    2.5), until no posterior moves by more than ``tolerance``. There is no randomness.
    A row that rests on nothing (smoothing 0, a label never true where the rater spoke) is even.
    A solution is a local maximum near the majority: where most raters are worse than chance, it is
    the wrong one.
    Parameters: ``cases``, ``raters``, ``labels``: whole numbers of shape (M,), one row a label
    given, repeats allowed; cases and raters counted from 0 without large gaps, labels in
    0..n_labels-1; a case without a row keeps the prior. ``prior``: shape (K,), > 0, sums to 1,
    held fixed; None: estimated. ``smoothing`` >= 0, 0 as published; ``max_iterations`` >= 1;
    ``tolerance`` > 0, in probability.
    Returns: Model; with no rows, an even prior and no cases. Time and memory: O(M K) an iteration.
    Errors: ValueError naming what is out of range.
    Source: A. P. Dawid, A. M. Skene, Appl. Stat. 28 (1979) 20.
    """
    rows = _rows(cases, raters, labels, n_labels)
    fixed = None if prior is None else _checked_prior(prior, n_labels)
    if smoothing < 0 or max_iterations < 1 or tolerance <= 0:
        raise ValueError(
            f"smoothing={smoothing}, max_iterations={max_iterations}, tolerance={tolerance}; "
            "at least 0, at least 1 and above 0 are allowed"
        )
    truth = _vote_shares(rows)
    moved, done = np.inf, 0
    while moved > tolerance and done < max_iterations:
        class_prior, confusion = _maximise(rows, truth, fixed, smoothing)
        before, (truth, likelihood) = truth, _expect(rows, class_prior, confusion)
        moved = float(np.abs(truth - before).max(initial=0.0))
        done += 1
    return Model(class_prior, confusion, truth, likelihood, done, moved <= tolerance)


def posterior_of(model: Model, votes: Sequence[tuple[int, int]]) -> Floats:
    """What is true of one case, given votes by raters of the model.

    Definition: class_prior[k] times the product of confusion[rater, k, label], scaled to sum 1.
    Parameters: ``votes``: pairs of rater and label by their numbers in the model; none gives the
    prior. Returns: shape (K,). Errors: ValueError for a rater or label that the model lacks.
    Where the model (fitted without smoothing) calls the votes impossible, the result is even.
    Source: as ``fit``, eq. 2.5.
    """
    n_raters, n_labels, _ = model.confusion.shape
    for rater, label in votes:
        if not (0 <= rater < n_raters and 0 <= label < n_labels):
            raise ValueError(f"rater={rater}, label={label}: there are {n_raters} and {n_labels}")
    with np.errstate(divide="ignore"):
        score = np.log(model.class_prior) + sum(
            (np.log(model.confusion[rater, :, label]) for rater, label in votes),
            start=np.zeros(n_labels),
        )
    if not np.isfinite(score.max()):
        return np.full(n_labels, 1 / n_labels)
    weights = np.exp(score - score.max())
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True, slots=True)
class _Rows:
    """The labels given, sorted by case; ``starts``: where each case that has any begins."""

    cases: Whole
    codes: Whole  # rater * n_labels + label
    labels: Whole
    starts: Whole
    heard: Whole  # the cases that have any, and how many
    sizes: Whole
    n_cases: int
    n_raters: int
    n_labels: int


def _rows(cases: ArrayLike, raters: ArrayLike, labels: ArrayLike, n_labels: int) -> _Rows:
    if n_labels < 1:
        raise ValueError(f"n_labels={n_labels}; at least 1 is needed")
    case, rater, label = (
        _whole(values, name)
        for values, name in ((cases, "cases"), (raters, "raters"), (labels, "labels"))
    )
    if not len(case) == len(rater) == len(label):
        raise ValueError(f"{len(case)} cases, {len(rater)} raters, {len(label)} labels")
    if label.size and label.max() >= n_labels:
        raise ValueError(f"labels hold {label.max()}; 0 to {n_labels - 1} are allowed")
    order = np.argsort(case, kind="stable")
    case, rater, label = case[order], rater[order], label[order]
    starts = np.flatnonzero(np.diff(case, prepend=-1))
    n_cases, n_raters = (int(ids.max(initial=-1)) + 1 for ids in (case, rater))
    heard, sizes = case[starts], np.diff(starts, append=len(case))
    codes = rater * n_labels + label
    return _Rows(case, codes, label, starts, heard, sizes, n_cases, n_raters, n_labels)


def _whole(values: ArrayLike, name: str) -> Whole:
    array: NDArray[Any] = np.asarray(values)
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.min() < 0:
        raise ValueError(f"{name}: whole numbers from 0, of shape (M,), are needed")
    return array.astype(np.int64)


def _checked_prior(prior: ArrayLike, n_labels: int) -> Floats:
    found = np.asarray(prior, dtype=np.float64)
    if found.shape != (n_labels,) or not (found > 0).all() or abs(found.sum() - 1) > 1e-9:
        raise ValueError(f"prior={found.tolist()}; {n_labels} numbers above 0 of sum 1 are needed")
    return found


def _vote_shares(rows: _Rows) -> Floats:
    k = rows.n_labels
    counts = np.bincount(rows.cases * k + rows.labels, minlength=rows.n_cases * k)
    counts = counts.reshape(rows.n_cases, k)
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), 1 / k)


def _maximise(
    rows: _Rows, truth: Floats, fixed: Floats | None, smoothing: float
) -> tuple[Floats, Floats]:
    """Equations 2.3 and 2.4: the parameters under which the posterior is most likely."""
    r, k = rows.n_raters, rows.n_labels
    confusion = np.empty((r, k, k))
    for true in range(k):
        weights = np.repeat(truth[rows.heard, true], rows.sizes)
        confusion[:, true] = np.bincount(rows.codes, weights, minlength=r * k).reshape(r, k)
    confusion += smoothing / k
    total = confusion.sum(axis=2, keepdims=True)
    even = np.full_like(confusion, 1 / k)
    confusion = np.divide(confusion, total, out=even, where=total > 0)
    return (_shares_of(truth, rows) if fixed is None else fixed), confusion


def _shares_of(truth: Floats, rows: _Rows) -> Floats:
    if rows.n_cases == 0:
        return np.full(rows.n_labels, 1 / rows.n_labels)
    return np.asarray(truth[rows.heard].mean(axis=0))


def _expect(rows: _Rows, class_prior: Floats, confusion: Floats) -> tuple[Floats, float]:
    """Equation 2.5: the posterior under the parameters; and the log-likelihood (eq. 2.7)."""
    with np.errstate(divide="ignore"):  # what never happened has the logarithm -inf, and weight 0
        log_confusion, score = np.log(confusion), np.log(class_prior)
    score = np.repeat(score[None, :], rows.n_cases, axis=0)
    if rows.n_cases == 0:
        return score, 0.0
    for true in range(rows.n_labels):
        given = np.take(log_confusion[:, true].ravel(), rows.codes)
        score[rows.heard, true] += np.add.reduceat(given, rows.starts)
    best = score.max(axis=1, keepdims=True)
    weights = np.exp(score - best)
    total = weights.sum(axis=1, keepdims=True)
    likelihood = float((np.log(total) + best)[rows.heard].sum())
    return weights / total, likelihood
