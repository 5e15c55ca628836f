"""Conditions in plain words."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from apps.policies.domain.columns import amount_text
from apps.policies.domain.conditions import AllOf, Comparison, Condition, Not
from apps.policies.domain.patterns import SafePattern

_PLAIN_NAMES: Final = {"model_version": "the model version"}


def _listed(values: Any) -> str:
    return ", ".join(quoted(value) for value in values)


_OP_WORDS: Final[dict[str, Callable[[Any], str]]] = {
    "==": lambda value: f"is {quoted(value)}",
    "!=": lambda value: f"is not {quoted(value)}",
    "<": lambda value: f"is below {quoted(value)}",
    "<=": lambda value: f"is at most {quoted(value)}",
    ">": lambda value: f"is above {quoted(value)}",
    ">=": lambda value: f"is at least {quoted(value)}",
    "in": lambda value: f"is one of {_listed(value)}",
    "not_in": lambda value: f"is none of {_listed(value)}",
    "between": lambda value: f"is between {quoted(value[0])} and {quoted(value[1])}",
    "matches": lambda value: f"matches {quoted(value)}",
    "is_missing": lambda value: "is missing" if value else "is given",
}


def share(value: float) -> str:
    """Return a share with at least two decimals, and more only where two would not be exact."""
    text = f"{value:.2f}"
    return text if float(text) == value else repr(value)


def percent(value: float) -> str:
    """Return a share in [0, 1] as per cent with at most four decimals: 0.05 gives "5 %"."""
    return f"{value * 100:.4f}".rstrip("0").rstrip(".") + " %"


def quoted(value: object) -> str:
    """Return a value as a sentence shows it: text in quotes, numbers and amounts bare."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, Decimal):
        return amount_text(value)
    return f"'{value.source if isinstance(value, SafePattern) else value}'"


def field_words(name: str) -> str:
    """Return a condition's field as a sentence names it.

    Parameters: `name`, such as `feature.income`; gives "feature 'income'".
    """
    prefix, _, rest = name.partition(".")
    if not rest:
        return _PLAIN_NAMES.get(name, f"the {name}")
    return f"{'subject attribute' if prefix == 'subject' else prefix} '{rest}'"


def novelty_asked(condition: Condition) -> bool:
    """Return whether a condition is nothing but the test that a decision is novel."""
    if not isinstance(condition, Comparison) or condition.field != "novelty":
        return False
    return (condition.op, condition.value) in (("==", True), ("!=", False))


def comparison_words(one: Comparison, value: str | None = None) -> str:
    """Return a comparison in words, with the decision's own value after the field when given."""
    if novelty_asked(one):
        return "the case is unlike the reference"
    named = field_words(one.field) + (f" {value}" if value is not None else "")
    return f"{named} {_OP_WORDS[one.op](one.value)}"


def condition_words(condition: Condition) -> str:
    """Return a condition in plain words.

    Definition: comparisons joined by "and" and "or"; a mixed inner condition stands in brackets.
    Parameters: `condition`, any condition.
    Returns: a phrase without a capital or full stop, such as "the amount is above 50000.00".
    """
    if isinstance(condition, Comparison):
        return comparison_words(condition)
    if isinstance(condition, Not):
        return f"it is not so that {_inner(condition.part)}"
    if not condition.parts:
        return "always"
    word = " and " if isinstance(condition, AllOf) else " or "
    return word.join(_inner(part) for part in condition.parts)


def _inner(condition: Condition) -> str:
    words = condition_words(condition)
    alone = isinstance(condition, Comparison) or words == "always"
    return words if alone else f"({words})"
