"""Amounts of money with their ranges, and the cost model of a use case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from apps.metrics.domain.estimates import LEVEL, wilson

CENT: Final = Decimal("0.01")
FINE: Final = Decimal("0.0001")
ZERO: Final = Decimal(0)
RANGE: Final = "interval_arithmetic"


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount with the range that its inputs' 95 % intervals leave it.

    ``value``, ``low``, ``high``: Decimal, None where there is not enough; ``n``: the cases it rests
    on; ``why``: the reason of a missing value. A sum of ranges holds at 95 % or more.
    """

    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    n: int
    why: str | None = None

    def document(self, unit: Decimal = CENT) -> dict[str, Any]:
        """The amount as a JSON object; money as decimal text, rounded to ``unit``.

        Returns: value, low, high, n, method, and ``why`` where the value is null.
        """
        ends = {name: getattr(self, name) for name in ("value", "low", "high")}
        shown = {name: None if x is None else rounded(x, unit) for name, x in ends.items()}
        why = {} if self.why is None else {"why": self.why}
        return {**shown, "n": self.n, "method": RANGE, **why}


def rounded(amount: Decimal, unit: Decimal = CENT) -> str:
    """An amount as text, to the even neighbour at the half; never "-0.00"."""
    return str(amount.quantize(unit, ROUND_HALF_EVEN) + ZERO)


def known(amount: Decimal, n: int = 0) -> Amount:
    """An amount that is no estimate: its range is itself."""
    return Amount(amount, amount, amount, n)


def lacking(why: str, n: int = 0) -> Amount:
    """An amount that cannot be had, and why."""
    return Amount(None, None, None, n, f"not enough data (n = {n}): {why}")


def added(one: Amount, other: Amount) -> Amount:
    """The sum of two amounts; null where either is, with its reason."""
    return _combined(one, other, 1)


def less(one: Amount, other: Amount) -> Amount:
    """The difference of two amounts: from the least less the largest to the reverse.

    Returns: Amount; null where either is, with its reason.
    """
    return _combined(one, other, -1)


def _combined(one: Amount, other: Amount, sign: int) -> Amount:
    missing = one if one.value is None else other
    if one.value is None or other.value is None:
        return Amount(None, None, None, missing.n, missing.why)
    assert one.low is not None and one.high is not None
    assert other.low is not None and other.high is not None
    low, high = (other.low, other.high) if sign > 0 else (-other.high, -other.low)
    n = min((x.n for x in (one, other) if x.n), default=0)
    return Amount(one.value + sign * other.value, one.low + low, one.high + high, n)


def scaled(one: Amount, factor: Decimal) -> Amount:
    """An amount times a factor >= 0; null stays null."""
    if one.value is None or one.low is None or one.high is None:
        return one
    return Amount(one.value * factor, one.low * factor, one.high * factor, one.n)


@dataclass(frozen=True, slots=True)
class CostModel:
    """What a use case's handling and errors cost; amounts in ``currency``.

    ``errors``: (true, given) -> cost of one such error; pairs that are not in it cost nothing.
    """

    currency: str = "EUR"
    baseline: str = "human_only"
    ai_cost_per_decision: Decimal = ZERO
    review_cost_per_hour: Decimal = ZERO
    review_minutes_default: Decimal = ZERO
    human_minutes_per_decision: Decimal = ZERO
    setup_cost: Decimal = ZERO
    fixed_cost_per_month: Decimal = ZERO
    errors: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)


AMOUNTS: Final = (
    "ai_cost_per_decision",
    "review_cost_per_hour",
    "review_minutes_default",
    "human_minutes_per_decision",
    "setup_cost",
    "fixed_cost_per_month",
)


def cost_model(document: Mapping[str, Any]) -> CostModel:
    """The cost model as a use case stores it.

    Parameters: ``document``: decimals as text, ``error_costs`` a list of true, given, cost; all
    optional, 0 where absent. It was checked when it was stored.
    Returns: CostModel.
    """
    amounts = {name: Decimal(document.get(name, "0")) for name in AMOUNTS}
    errors = {
        (row["true"], row["given"]): Decimal(row["cost"]) for row in document.get("error_costs", [])
    }
    return CostModel(
        currency=document.get("currency", "EUR"),
        baseline=document.get("baseline", "human_only"),
        errors=errors,
        **amounts,
    )


def error_cost(
    pairs: Mapping[tuple[str, str], int], costs: Mapping[tuple[str, str], Decimal], why: str
) -> Amount:
    """What the errors cost per decision.

    Definition: sum over error types of cost x share of cases. Its range takes each type's Wilson
    interval at 1 - 0.05 / (types), so that all hold together at 95 % or more. Without a cost no
    error costs anything, known or not. Lower is better; 0 is neutral.
    Parameters: ``pairs``, (true, given) -> cases with an outcome; ``costs``; ``why``, said where
    there are none.
    Returns: Amount per decision, n the cases; null without a case.
    """
    priced = {pair: cost for pair, cost in costs.items() if cost > 0 and pair[0] != pair[1]}
    n = sum(pairs.values())
    if not priced:
        return known(ZERO, n)
    if not n:
        return lacking(why)
    level = 1 - (1 - LEVEL) / len(priced)
    value = sum((cost * pairs.get(pair, 0) for pair, cost in priced.items()), ZERO) / n
    ends = {pair: wilson(pairs.get(pair, 0), n, level) for pair in priced}
    low, high = (
        sum((cost * Decimal(ends[pair][i]) for pair, cost in priced.items()), ZERO) for i in (0, 1)
    )
    return Amount(value, low, high, n)
