"""Decisions as columns: one typed array per field, with what is missing marked.

Three column types answer the same questions (`test`, `missing`, `value`), so that a condition does
not know how its field is stored: numbers as doubles, amounts as exact scaled integers, everything
else as codes into a list of distinct levels, so that a test runs once per level and not per row.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from apps.policies.domain.schema import FieldType

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# ISO 4217 gives no currency more than four decimals.
AMOUNT_DECIMALS: Final = 4
_MISSING_AMOUNT: Final = int(np.iinfo(np.int64).min)
_FEW: Final = 16


class Column(Protocol):
    """One field of n decisions."""

    def test(self, op: str, value: Any) -> BoolArray:
        """Return which rows meet the comparison; a missing value never does. Shape (n,)."""

    def missing(self) -> BoolArray:
        """Return which rows have no value. Shape (n,)."""

    def value(self, row: int) -> Any:
        """Return the value of one row as a JSON value, None when it is missing."""


def _between(values: Any, bounds: Any) -> Any:
    return (values >= bounds[0]) & (values <= bounds[1])


def _is_in(values: Any, wanted: Any) -> Any:
    if len(wanted) > _FEW:
        return np.isin(values, np.array(wanted, dtype=values.dtype))
    found = values == wanted[0]
    for one in wanted[1:]:
        found |= values == one
    return found


_ARRAY_TESTS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "in": _is_in,
    "not_in": lambda values, wanted: ~_is_in(values, wanted),
    "between": _between,
}

SCALAR_TESTS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "in": lambda value, wanted: value in wanted,
    "not_in": lambda value, wanted: value not in wanted,
    "between": lambda value, bounds: bool(bounds[0] <= value <= bounds[1]),
    "not_between": lambda value, bounds: not bounds[0] <= value <= bounds[1],
    "matches": lambda value, pattern: pattern.search(value),
    "not_matches": lambda value, pattern: not pattern.search(value),
}


class NumberColumn:
    """Doubles; NaN is missing unless `missing` says which rows are."""

    def __init__(self, values: FloatArray, missing: BoolArray | None = None) -> None:
        self.values = values
        self._missing = missing

    def test(self, op: str, value: Any) -> BoolArray:
        met: BoolArray = _ARRAY_TESTS[op](self.values, value)
        if op in ("!=", "not_in"):
            met = met & (self.values == self.values)  # NaN differs from everything
        return met

    def missing(self) -> BoolArray:
        return np.isnan(self.values) if self._missing is None else self._missing

    def value(self, row: int) -> float | None:
        value = float(self.values[row])
        absent = math.isnan(value) if self._missing is None else self._missing[row]
        return None if absent else value


def confidence_column(values: FloatArray) -> NumberColumn:
    """Return a confidence as a column: what is missing or not finite counts as 0.

    Comparisons see the 0; `is_missing` still tells which rows gave no confidence.
    Parameters: `values`, shape (n,), share in [0, 1], NaN or infinite where there is none.
    """
    absent = ~np.isfinite(values)
    return NumberColumn(np.where(absent, 0.0, values), absent)


class AmountColumn:
    """Money as int64 counts of 1/10,000 of the currency's unit."""

    def __init__(self, scaled: IntArray) -> None:
        self.scaled = scaled

    def test(self, op: str, value: Any) -> BoolArray:
        many = isinstance(value, tuple)
        operand = [scale_amount(one) for one in value] if many else scale_amount(value)
        met: BoolArray = _ARRAY_TESTS[op](self.scaled, operand)
        if op in ("!=", "<", "<=", "not_in"):
            met = met & (self.scaled != _MISSING_AMOUNT)
        return met

    def missing(self) -> BoolArray:
        absent: BoolArray = self.scaled == _MISSING_AMOUNT
        return absent

    def value(self, row: int) -> str | None:
        scaled = int(self.scaled[row])
        return None if scaled == _MISSING_AMOUNT else amount_text(unscale_amount(scaled))

    def exact(self) -> list[int | None]:
        """Return every amount in 1/10,000, None where it is missing."""
        return [None if one == _MISSING_AMOUNT else one for one in self.scaled.tolist()]


class LevelColumn:
    """Codes into distinct levels; code -1 is missing. `uniform`: every row has the one level."""

    def __init__(
        self, codes: npt.NDArray[np.integer[Any]], levels: Sequence[Any], uniform: bool = False
    ) -> None:
        self.codes = codes
        self.levels = levels
        self.uniform = uniform

    def test(self, op: str, value: Any) -> BoolArray:
        check = SCALAR_TESTS[op]
        if not self.uniform:
            return self.spread([check(level, value) for level in self.levels])
        met = np.empty(len(self.codes), dtype=np.bool_)
        met.fill(check(self.levels[0], value))
        return met

    def spread(self, by_level: list[bool]) -> BoolArray:
        """Return each row's entry of a table over levels; False where the row is missing."""
        # Code -1 reads the last entry, which stands for the missing value.
        met: BoolArray = np.array([*by_level, False])[self.codes]
        return met

    def missing(self) -> BoolArray:
        absent: BoolArray = self.codes < 0
        return absent

    def value(self, row: int) -> Any:
        code = int(self.codes[row])
        level = None if code < 0 else self.levels[code]
        return amount_text(level) if isinstance(level, Decimal) else level


def level_column(values: Iterable[Hashable | None]) -> LevelColumn:
    """Return values as a column of codes and distinct levels in order of first sight.

    Parameters: `values`, one per row, None where missing. Values of unequal type stay apart only
    as far as Python tells them apart (True == 1), so a column holds one type.
    """
    codes: dict[Hashable | None, int] = {}
    rows = [codes.setdefault(value, len(codes)) for value in values]
    if len(codes) == 1 and None not in codes:
        return LevelColumn(np.zeros(len(rows), dtype=np.int32), list(codes), uniform=True)
    array = np.array(rows, dtype=np.int32)
    if None not in codes:
        return LevelColumn(array, list(codes))
    # Missing takes -1, the codes above its place move down by one.
    gap = codes.pop(None)
    array = np.where(array == gap, -1, array - (array > gap)).astype(np.int32)
    return LevelColumn(array, list(codes))


def scale_amount(amount: Decimal) -> int:
    """Return an amount of at most four decimals in 1/10,000, exactly.

    Errors: ValueError when the amount has more than four decimals.
    """
    numerator, denominator = amount.as_integer_ratio()
    scaled, rest = divmod(numerator * 10**AMOUNT_DECIMALS, denominator)
    if rest:
        raise ValueError(f"{amount} has more than {AMOUNT_DECIMALS} decimals")
    return scaled


def unscale_amount(scaled: int) -> Decimal:
    """Return the amount of a count of 1/10,000, exactly."""
    sign, digits, _ = Decimal(scaled).as_tuple()
    return Decimal((sign, digits, -AMOUNT_DECIMALS))


def amount_text(amount: Decimal) -> str:
    """Return an amount as a decimal string with at least two decimals and no spare zeros."""
    text = format(amount, "f")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def amount_column(amounts: Sequence[Decimal | None]) -> AmountColumn | LevelColumn:
    """Return amounts as a column that compares them exactly.

    Scaled 64-bit integers where every amount fits (four decimals, below 9.2e14), else codes into
    the distinct decimals, which are slower and exact as well.
    """
    try:
        scaled = [_MISSING_AMOUNT if one is None else scale_amount(one) for one in amounts]
        return AmountColumn(np.array(scaled, dtype=np.int64))
    except (ValueError, OverflowError):
        return level_column(amounts)


class PresenceColumn:
    """Only whether a value is there: for `is_missing` on a field whose type is open."""

    def __init__(self, absent: BoolArray) -> None:
        self._absent = absent

    def test(self, op: str, value: Any) -> BoolArray:
        return np.zeros(len(self._absent), dtype=np.bool_)

    def missing(self) -> BoolArray:
        return self._absent

    def value(self, row: int) -> None:
        return None


class Columns:
    """n decisions as columns, each made when a condition first asks for it, then kept.

    Parameters: `n`; `ready`, columns by (field, type); `load`, makes a column on demand;
    `external_ids`, the senders' ids, for the random draw; `no_output`, shape (n,), which rows are
    cases that no model has answered yet (None: every row has an output).
    A field that is neither ready nor loadable is missing in every row.
    """

    __slots__ = ("_kept", "_load", "external_ids", "n", "no_output")

    def __init__(
        self,
        n: int,
        ready: Mapping[tuple[str, FieldType], Column] | None = None,
        load: Callable[[str, FieldType], Column | None] | None = None,
        external_ids: Sequence[str] = (),
        no_output: BoolArray | None = None,
    ) -> None:
        self.n = n
        self.external_ids = external_ids
        self.no_output = no_output
        self._kept: dict[tuple[str, FieldType], Column] = dict(ready or {})
        self._load = load

    def get(self, key: tuple[str, FieldType]) -> Column:
        """Return the column of a field and type."""
        column = self._kept.get(key)
        if column is None:
            column = self._kept[key] = self._made(key)
        return column

    def _made(self, key: tuple[str, FieldType]) -> Column:
        column = self._load(*key) if self._load else None
        return PresenceColumn(np.ones(self.n, dtype=np.bool_)) if column is None else column

    def number(self, name: str) -> NumberColumn:
        """Return a number column; all missing where the decisions do not carry the field."""
        column = self.get((name, "number"))
        if isinstance(column, NumberColumn):
            return column
        values = np.full(self.n, np.nan)
        return confidence_column(values) if name == "confidence" else NumberColumn(values)

    def labels(self) -> LevelColumn:
        """Return the output's label of each row."""
        column = self.get(("label", "category"))
        if isinstance(column, LevelColumn):
            return column
        return LevelColumn(np.full(self.n, -1, dtype=np.int32), ())

    def having(self, key: tuple[str, FieldType], column: Column) -> "Columns":
        """Return the same decisions with one column put in place; the others are shared."""
        kept = {**self._kept, key: column}
        return Columns(self.n, kept, self._load, self.external_ids, self.no_output)
