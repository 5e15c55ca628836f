"""What oversight is worth: costs by component, against people alone and the AI alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from apps.metrics.domain.estimates import Estimate, not_enough, share
from apps.metrics.domain.money import (
    FINE,
    RANGE,
    ZERO,
    Amount,
    CostModel,
    added,
    error_cost,
    known,
    lacking,
    less,
    rounded,
    scaled,
)
from apps.metrics.domain.proportions import NEWCOMBE, Part, newcombe

SECONDS: Final = Decimal(3600)
MINUTES: Final = Decimal(60)
DAYS_IN_MONTH: Final = Decimal("30.4375")  # 365.25 / 12

Pairs = Mapping[tuple[str, str], int]

WHY: Final = {
    "ai": "no decision has an outcome and a label of the AI, and errors have a cost",
    "human": "no decision has an outcome and a first verdict of a person, and errors have a cost",
    "combined": "no decision has an outcome and a label in effect, and errors have a cost",
}


@dataclass(frozen=True, slots=True)
class Volume:
    """How much was handled in a window.

    ``decisions``; ``automatic``: of these, released without a person; ``review_seconds``: active
    time of the reviews that state it; ``untimed_reviews``: reviews that do not; ``days``: the
    window's length, > 0.
    """

    decisions: int
    automatic: int
    review_seconds: int
    untimed_reviews: int
    days: Decimal

    @property
    def months(self) -> Decimal:
        """The window's length in months of 30.4375 days."""
        return self.days / DAYS_IN_MONTH


def review_cost(model: CostModel, volume: Volume) -> Decimal:
    """What the reviews' time cost.

    Definition: rate x (stated seconds / 3600 + reviews without a time x default minutes / 60).
    Returns: in the model's currency, >= 0.
    """
    hours = Decimal(volume.review_seconds) / SECONDS
    hours += volume.untimed_reviews * model.review_minutes_default / MINUTES
    return model.review_cost_per_hour * hours


def costs(model: CostModel, volume: Volume, pairs: Mapping[str, Pairs]) -> dict[str, Any]:
    """The cost of the window as it was, by people alone and by the AI alone, by component.

    Definition: actual = AI + review + errors of what took effect; human_only = decisions x minutes
    x rate + errors at the human rate; ai_only = AI + errors of the AI. Error rates come from the
    cases with an outcome and are taken for all decisions of the window.
    Parameters: ``model``; ``volume``; ``pairs`` by side (ai, human, combined).
    Returns: way -> {"total", "handling", "errors"} as Amounts.
    """
    n = Decimal(volume.decisions)
    ai = model.ai_cost_per_decision * n
    by_hand = n * model.human_minutes_per_decision / MINUTES * model.review_cost_per_hour
    ways = {
        "actual": (ai + review_cost(model, volume), "combined"),
        "human_only": (by_hand, "human"),
        "ai_only": (ai, "ai"),
    }
    found = {}
    for way, (handling, side) in ways.items():
        errors = scaled(error_cost(pairs[side], model.errors, WHY[side]), n)
        found[way] = {
            "total": added(known(handling), errors),
            "handling": known(handling),
            "errors": errors,
        }
    return found


def net_value(baseline: Amount, actual: Amount, fixed: Decimal) -> Amount:
    """What was gained over a baseline.

    Definition: cost(baseline) - cost(actual) - fixed cost of the window. Its range is that of the
    difference of the two ranges, which is wider than need be where both rest on the same cases.
    Neutral value: 0; higher is better.
    Returns: Amount; null where a cost is, and why.
    """
    return less(less(baseline, actual), known(fixed))


def roi(net: Amount, invested: Decimal) -> dict[str, Any]:
    """The return on what was invested.

    Definition: net_value / (setup_cost + fixed cost of the window). Neutral value: 0; higher is
    better.
    Parameters: ``net``; ``invested``. Returns: value, low, high as numbers, n, method; null where
    nothing was invested or the net value is, and why.
    """
    if not invested:
        return _ratio(lacking("nothing was invested: setup and fixed cost are 0", net.n))
    return _ratio(scaled(net, 1 / invested))


def payback_months(net: Amount, setup: Decimal, months: Decimal) -> dict[str, Any]:
    """After how many months the setup cost is earned back.

    Definition: setup_cost / (net_value / months of the window): at the window's pace. 0 without a
    setup cost. The range's upper end is null where the pace may be 0 or below. Lower is better.
    Parameters: ``net``; ``setup`` >= 0; ``months`` > 0.
    Returns: value, low, high as numbers, n, method; null, and why, where the window gained nothing.
    """
    if not setup:
        return _ratio(known(ZERO, net.n))
    if net.value is None:
        return _ratio(net)
    if net.value <= 0:
        return _ratio(lacking("at this window's pace the setup cost is never earned back", net.n))
    assert net.low is not None and net.high is not None
    late = setup * months / net.low if net.low > 0 else None
    pace = setup * months
    return _ratio(Amount(pace / net.value, pace / net.high, late, net.n))


def _ratio(amount: Amount) -> dict[str, Any]:
    """An amount that is a plain number, not money."""
    ends = {name: getattr(amount, name) for name in ("value", "low", "high")}
    shown = {name: None if x is None else float(x) for name, x in ends.items()}
    why = {} if amount.why is None else {"why": amount.why}
    return {**shown, "n": amount.n, "method": RANGE, **why}


def errors_avoided(ai: Pairs, combined: Pairs, decisions: int) -> dict[str, Any]:
    """How many of the AI's errors did not take effect, less those that people added.

    Definition: (error rate of the AI - error rate of what took effect) x decisions. Above 0 review
    helps. Parameters: ``pairs`` of both; ``decisions`` of the window.
    Newcombe's interval of two independent shares, wider than need be for the same cases.
    Returns: an estimate's object with both error rates; null, and why, without cases.
    """
    parts = []
    for side, pairs in (("ai", ai), ("combined", combined)):
        wrong = sum(count for (true, given), count in pairs.items() if true != given)
        parts.append(Part(wrong, sum(pairs.values())))
        if not parts[-1].n:
            why = WHY[side].removesuffix(", and errors have a cost")
            return not_enough(why, NEWCOMBE).document()
    one, other = parts
    low, high = (end * decisions for end in newcombe(one, other))
    rates = {"ai_error_rate": one.rate, "combined_error_rate": other.rate}
    n = min(one.n, other.n)
    value = (one.rate - other.rate) * decisions
    return Estimate(value, low, high, n, NEWCOMBE, more=rates).document()


def false_alarms(model: CostModel, combined: Pairs, positive: str, decisions: int) -> Amount:
    """What wrongly giving the positive label cost in the window.

    Definition: error_cost over the errors whose given label is ``positive``, times the decisions.
    Returns: Amount; null without a case with an outcome.
    """
    priced = {pair: cost for pair, cost in model.errors.items() if pair[1] == positive}
    per_decision = error_cost(combined, priced, WHY["combined"])
    return scaled(per_decision, Decimal(decisions))


def value_report(
    model: CostModel, volume: Volume, pairs: Mapping[str, Pairs], positive: str
) -> dict[str, Any]:
    """Every figure of value of a window.

    Definition: see ``costs``, ``net_value``, ``roi``, ``payback_months``, ``errors_avoided``,
    ``false_alarms``; cost_per_decision = cost(actual) / decisions; automation_rate is the share
    released without a person. The inputs are part of the report, so that each can be changed.
    Parameters: ``model``; ``volume``; ``pairs``: side (ai, human, combined) -> (true, given) ->
    cases with an outcome; ``positive`` label.
    Returns: a JSON object, money as decimal text. A figure without data is null and says why.
    """
    found = costs(model, volume, pairs)
    fixed = model.fixed_cost_per_month * volume.months
    against = {
        way: net_value(found[way]["total"], found["actual"]["total"], fixed)
        for way in ("human_only", "ai_only")
    }
    net = against[model.baseline] if volume.decisions else lacking("there are no decisions")
    ai, combined = pairs["ai"], pairs["combined"]
    return {
        "currency": model.currency,
        "baseline": model.baseline,
        "decisions": volume.decisions,
        "months": float(volume.months),
        "fixed_cost": rounded(fixed),
        "cost": {
            way: {name: part.document() for name, part in parts.items()}
            for way, parts in found.items()
        },
        "net_value": net.document(),
        "net_value_against": {way: one.document() for way, one in against.items()},
        "roi": roi(net, model.setup_cost + fixed),
        "payback_months": payback_months(net, model.setup_cost, volume.months),
        "cost_per_decision": per_decision(found["actual"]["total"], volume.decisions),
        "automation_rate": share(
            volume.automatic, volume.decisions, "there are no decisions"
        ).document(),
        "errors_avoided": errors_avoided(ai, combined, volume.decisions),
        "value_of_errors_avoided": less(
            found["ai_only"]["errors"], found["actual"]["errors"]
        ).document(),
        "cost_of_false_alarms": false_alarms(
            model, combined, positive, volume.decisions
        ).document(),
        "inputs": inputs(model, volume),
    }


def per_decision(total: Amount, decisions: int) -> dict[str, Any]:
    """A cost divided by the decisions, to a hundredth of a cent; null without a decision."""
    if not decisions:
        return lacking("there are no decisions").document()
    return scaled(total, 1 / Decimal(decisions)).document(FINE)


def inputs(model: CostModel, volume: Volume) -> dict[str, Any]:
    """What the report was made from, money as decimal text."""
    amounts = {name: str(getattr(model, name)) for name in model.__slots__[2:-1]}
    errors = [
        {"true": true, "given": given, "cost": str(cost)}
        for (true, given), cost in sorted(model.errors.items())
    ]
    return amounts | {
        "error_costs": errors,
        "review_seconds": volume.review_seconds,
        "untimed_reviews": volume.untimed_reviews,
    }
