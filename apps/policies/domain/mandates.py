"""Mandates: what a commander lets the AI release by itself, and how far."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from apps.policies.domain.columns import (
    AMOUNT_DECIMALS,
    AmountColumn,
    BoolArray,
    Columns,
    LevelColumn,
    unscale_amount,
)
from apps.policies.domain.conditions import Condition
from apps.policies.domain.schema import FieldType

_SCALE = 10**AMOUNT_DECIMALS
_AMOUNT_KEY: tuple[str, FieldType] = ("amount", "amount")


@dataclass(frozen=True, slots=True)
class Mandate:
    """A mandate and what is left of it when routing begins.

    `scope` says which decisions it covers; it holds from `valid_from` until before `valid_to`
    (aware times; None is open); `left_count` decisions and `left_amount` of money in all may still
    be released under it (None is unlimited).
    """

    id: str
    scope: Condition
    left_count: int | None = None
    left_amount: Decimal | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    name: str = ""

    def valid_at(self, moment: datetime) -> bool:
        """Return whether the mandate's window holds at a moment (aware)."""
        begun = self.valid_from is None or self.valid_from <= moment
        return begun and (self.valid_to is None or moment < self.valid_to)


@dataclass(frozen=True, slots=True)
class MandateUse:
    """What a routing took from one mandate."""

    count: int
    amount: Decimal


def assign_mandates(
    mandates: Sequence[Mandate], moment: datetime, columns: Columns, open_rows: BoolArray
) -> npt.NDArray[np.int16]:
    """Return, by row, which mandate releases it.

    Definition: rows in order; a row goes to the first mandate in order that is valid, covers it
    and has room for it. A row too large for what is left does not close the mandate for smaller
    ones after it. Under a mandate with an amount limit a row without an amount has no room.
    Parameters: `mandates`, in order; `moment`, the time of routing, aware; `columns`, n
    decisions; `open_rows`, shape (n,), which rows may be given to a mandate.
    Returns: int16 array of shape (n,): index into `mandates`, -1 where none has room.
    """
    assigned = np.full(columns.n, -1, dtype=np.int16)
    # A row takes the first mandate with room, and room depends on earlier takers of that mandate
    # alone, so the mandates can be filled one after the other.
    for index, mandate in enumerate(mandates):
        if not mandate.valid_at(moment):
            continue
        covered = (mandate.scope.mask(columns) & open_rows & (assigned < 0)).nonzero()[0]
        assigned[_with_room(mandate, columns, covered)] = index
    return assigned


def _with_room(
    mandate: Mandate, columns: Columns, rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    count = len(rows) if mandate.left_count is None else max(mandate.left_count, 0)
    if mandate.left_amount is None:
        return rows[:count]
    left = Fraction(mandate.left_amount) * _SCALE
    amounts = _exact_amounts(columns)
    taken: list[int] = []
    for row in rows.tolist():
        amount = amounts[row]
        if len(taken) == count:
            break
        if amount is not None and 0 <= amount <= left:
            left -= amount
            taken.append(row)
    return np.array(taken, dtype=np.intp)


def _exact_amounts(columns: Columns) -> Sequence[int | Fraction | None]:
    """Return every amount in 1/10,000, exactly, None where it is missing."""
    column = columns.get(_AMOUNT_KEY)
    if isinstance(column, AmountColumn):
        return column.exact()
    if not isinstance(column, LevelColumn):
        return [None] * columns.n
    levels = [Fraction(level) * _SCALE for level in column.levels]
    return [None if code < 0 else levels[code] for code in column.codes.tolist()]


def mandate_uses(
    mandates: Sequence[Mandate], assigned: npt.NDArray[np.int16], columns: Columns
) -> tuple[MandateUse, ...]:
    """Return what the given rows take from each mandate.

    Parameters: `mandates`; `assigned`, shape (m,), m <= n, index of each leading row's mandate;
    `columns`, n decisions.
    Returns: one use per mandate, amounts summed exactly; a row without an amount adds none.
    """
    taken = (assigned >= 0).nonzero()[0].tolist()
    counts = [0] * len(mandates)
    sums: list[int | Fraction] = [0] * len(mandates)
    amounts = _exact_amounts(columns) if taken else ()
    for row in taken:
        index = int(assigned[row])
        counts[index] += 1
        sums[index] += amounts[row] or 0
    return tuple(
        MandateUse(count, _decimal(total)) for count, total in zip(counts, sums, strict=True)
    )


def _decimal(scaled: int | Fraction) -> Decimal:
    """Return 1/10,000 as a Decimal, exactly: the denominator of a sum of decimals divides 10^k."""
    value = Fraction(scaled)
    places = 0
    while value.denominator != 1:
        value *= 10
        places += 1
    sign, digits, _ = unscale_amount(value.numerator).as_tuple()
    return Decimal((sign, digits, -AMOUNT_DECIMALS - places))


def after_use(mandate: Mandate, use: MandateUse) -> Mandate:
    """Return a mandate with a use taken off what was left of it.

    Parameters: `mandate`; `use`, of this mandate.
    Returns: the mandate with smaller limits, exactly; unlimited stays unlimited.
    """
    count = None if mandate.left_count is None else mandate.left_count - use.count
    if mandate.left_amount is None:
        return replace(mandate, left_count=count)
    left = Fraction(mandate.left_amount) - Fraction(use.amount)
    return replace(mandate, left_count=count, left_amount=_decimal(left * _SCALE))
