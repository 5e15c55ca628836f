"""Routing: where each decision goes, by which step, with which chance of having been audited.

Six steps; the first that settles a decision ends its way:

1. the use case is not in service (draft, suspended, retired) or the model version is withdrawn:
   `blocked`, under every level and in pilot too, since what was stopped is never released;
2. level HIC: `automatic` under a mandate, else `command`; nothing after this step applies;
3. a case without an output waits in `review`; then the rules in order, the first that matches
   settles it: `review`, `command`, `automatic`, or `sample`, which sends a random share to review
   and releases the rest. An always-review label takes what the rules would release or sample, or
   leave, to review;
4. confidence below the threshold of the label, else the overall one;
5. the random audit: the case's draw is below the audit rate;
6. the rest is released: `automatic` under HITL, `supervised` under HOTL.

Under HOTL the picks of steps 4, 5 and of `sample` rules are released at once as `supervised` and
marked for a review afterwards; rules that say `review` or `command`, always-review labels and
cases without an output wait. In pilot the lane is `shadow` and the lane of the steps above is kept.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from apps.policies.domain.columns import BoolArray, Columns, FloatArray
from apps.policies.domain.conditions import comparisons
from apps.policies.domain.lanes import (
    NONE,
    Cause,
    Lane,
    RoutingContext,
    RoutingPolicy,
    RoutingResult,
)
from apps.policies.domain.mandates import assign_mandates
from apps.policies.domain.novelty import with_novelty
from apps.policies.domain.sampling import draws

RowIndex = npt.NDArray[np.intp]
_IN_SERVICE: Final = ("pilot", "live")
_WAITING: Final = ("review", "command")
_Scalar = TypeVar("_Scalar", bound=np.generic)


def route(policy: RoutingPolicy, context: RoutingContext, columns: Columns) -> RoutingResult:
    """Return where each decision goes and why.

    Definition: the six steps of the module's text. Rows do not influence each other, save that
    mandates are used up in row order. Equal input gives equal output on every platform.
    Parameters: `policy`; `context`; `columns`, n decisions, one or a million.
    Returns: arrays of n; sentences are made on demand by the reasons module.
    Errors: ValueError when mandates are given without `moment`, or a draw is due and neither
    draws nor an external id per decision are there.
    """
    if context.profile is not None and _asks_novelty(policy, context):
        columns = with_novelty(columns, context.profile)
    way = _Way(policy, context, columns)
    for step in _STEPS:
        step(way)
        if not np.count_nonzero(way.open):
            break
    return way.result()


class _Way:
    """The decisions on their way: `open` marks those that no step has settled."""

    def __init__(self, policy: RoutingPolicy, context: RoutingContext, columns: Columns) -> None:
        self.policy, self.context, self.columns = policy, context, columns
        self.hotl = policy.level == "HOTL"
        self.released = Lane.SUPERVISED if self.hotl else Lane.AUTOMATIC
        self.open = self.filled(np.bool_, True)
        # What no step picks is released within policy: the arrays begin as step 6 leaves them.
        self.lane = self.filled(np.uint8, int(self.released))
        self.cause = np.zeros(columns.n, dtype=np.uint8)
        self.rule = self.filled(np.int16, NONE)
        self.mandate = self.filled(np.int16, NONE)
        self.probability = self.filled(np.float64, np.nan)
        self.after = np.zeros(columns.n, dtype=np.bool_)

    def filled(self, dtype: type[_Scalar], value: float) -> npt.NDArray[_Scalar]:
        # Several times faster than numpy.full for the single decision.
        array = np.empty(self.columns.n, dtype=dtype)
        array.fill(value)
        return array

    def settle(self, rows: BoolArray | RowIndex, lane: Lane, cause: Cause) -> None:
        self.lane[rows] = int(lane)
        self.cause[rows] = int(cause)
        self.open[rows] = False

    def pick(self, rows: BoolArray | RowIndex, cause: Cause) -> None:
        """Send to review what a threshold or a draw picked; under HOTL after its release."""
        self.settle(rows, Lane.SUPERVISED if self.hotl else Lane.REVIEW, cause)
        if self.hotl:
            self.after[rows] = True

    def draw(self, rows: RowIndex, rate: float, drawn: Cause) -> RowIndex:
        """Keep the chance of the draw for the rows that came to it, pick, return the unpicked."""
        self.probability[rows] = rate
        if 0.0 < rate < 1.0:
            picked = self.draws(rows) < rate
            rows, unpicked = rows[picked], rows[~picked]
        else:
            rows, unpicked = (rows, rows[:0]) if rate else (rows[:0], rows)
        if len(rows):
            self.pick(rows, drawn)
        return unpicked

    def draws(self, rows: RowIndex) -> FloatArray:
        if self.context.draws is not None:
            return self.context.draws[rows]
        ids = self.columns.external_ids
        if len(ids) != self.columns.n:
            raise ValueError(f"{self.columns.n} decisions with {len(ids)} external ids")
        wanted = ids if len(rows) == len(ids) else [ids[row] for row in rows.tolist()]
        return draws(self.context.seed, wanted)

    def result(self) -> RoutingResult:
        would_be = self.filled(np.int8, NONE)
        lane = self.lane
        if self.context.lifecycle == "pilot":
            passed = lane != Lane.BLOCKED
            would_be[passed] = lane[passed]
            lane = np.where(passed, Lane.SHADOW, lane).astype(np.uint8)
        return RoutingResult(
            self.policy,
            self.context,
            self.columns,
            lane=lane,
            would_be=would_be,
            sampling_probability=self.probability,
            mandate=self.mandate,
            needs_after_review=self.after,
            cause=self.cause,
            rule=self.rule,
        )


def _block(way: _Way) -> None:
    if way.context.lifecycle not in _IN_SERVICE:
        way.settle(way.open.copy(), Lane.BLOCKED, Cause.OUT_OF_SERVICE)
    elif way.context.withdrawn is not False:
        withdrawn = np.broadcast_to(np.asarray(way.context.withdrawn), way.open.shape)
        way.settle(withdrawn, Lane.BLOCKED, Cause.WITHDRAWN)


def _command(way: _Way) -> None:
    if way.policy.level != "HIC":
        return
    _wait_for_output(way, Lane.COMMAND)
    if way.context.mandates:
        if way.context.moment is None:
            raise ValueError("mandates hold in time: the moment of routing is needed")
        way.mandate = assign_mandates(
            way.context.mandates, way.context.moment, way.columns, way.open
        )
        way.settle(way.mandate >= 0, Lane.AUTOMATIC, Cause.MANDATE)
    way.settle(way.open.copy(), Lane.COMMAND, Cause.NO_MANDATE)


def _wait_for_output(way: _Way, lane: Lane) -> None:
    if way.columns.no_output is not None and np.count_nonzero(way.columns.no_output):
        way.settle(way.columns.no_output & way.open, lane, Cause.NO_OUTPUT)


def _rules(way: _Way) -> None:
    _wait_for_output(way, Lane.REVIEW)
    unmatched = way.open.copy()
    matched: list[tuple[int, RowIndex]] = []
    for index, rule in enumerate(way.policy.rules):
        met = rule.when.mask(way.columns)
        if not np.count_nonzero(met):
            continue
        met = met & unmatched
        matched.append((index, met.nonzero()[0]))
        unmatched ^= met
        if not np.count_nonzero(unmatched):
            break
    # A rule that makes its case wait keeps it; the switch takes all others of its labels.
    for index, rows in matched:
        if way.policy.rules[index].then in _WAITING:
            _apply(way, index, rows)
    _always_review(way)
    for index, rows in matched:
        if way.policy.rules[index].then not in _WAITING:
            _apply(way, index, rows[way.open[rows]])


def _apply(way: _Way, index: int, rows: RowIndex) -> None:
    rule = way.policy.rules[index]
    way.rule[rows] = index
    if rule.then == "sample":
        unpicked = way.draw(rows, rule.rate or 0.0, Cause.DRAWN)
        way.settle(unpicked, way.released, Cause.NOT_DRAWN)
    else:
        way.settle(rows, Lane[rule.then.upper()], Cause.RULE)


def _always_review(way: _Way) -> None:
    if way.policy.always_review_labels:
        held = way.columns.labels().test("in", way.policy.always_review_labels)
        way.settle(held & way.open, Lane.REVIEW, Cause.ALWAYS_REVIEW)


def _thresholds(way: _Way) -> None:
    column = way.columns.number("confidence")
    below = (column.values < _threshold(way)) & way.open
    if not np.count_nonzero(below):
        return
    absent = column.missing()
    way.pick(below & ~absent, Cause.BELOW_THRESHOLD)
    way.pick(below & absent, Cause.CONFIDENCE_MISSING)


def _threshold(way: _Way) -> float | FloatArray:
    overall, by_label = way.policy.confidence_threshold, way.policy.label_thresholds
    if not by_label:
        return overall
    labels = way.columns.labels()
    # The last entry is read by code -1, a missing label.
    table = [*(by_label.get(label, overall) for label in labels.levels), overall]
    thresholds: FloatArray = np.array(table)[labels.codes]
    return thresholds


def _audit(way: _Way) -> None:
    way.draw(way.open.nonzero()[0], way.policy.audit_rate, Cause.AUDIT)


_STEPS: Final[tuple[Callable[[_Way], None], ...]] = (
    _block,
    _command,
    _rules,
    _thresholds,
    _audit,
)


def _asks_novelty(policy: RoutingPolicy, context: RoutingContext) -> bool:
    conditions = [rule.when for rule in policy.rules]
    conditions += [mandate.scope for mandate in context.mandates]
    return any(one.field == "novelty" for condition in conditions for one in comparisons(condition))
