"""Whether a rule can ever match: a search for a decision that meets several conditions at once.

The answer "no" is a proof; "yes" may be given too often (patterns on free text are not compared
with each other, and a search that grows too large gives up), so that no usable rule is refused.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from apps.policies.domain.columns import SCALAR_TESTS
from apps.policies.domain.conditions import AllOf, Comparison, Condition, Not
from apps.policies.domain.schema import FieldType, UseCaseSchema

SEARCH_LIMIT: Final = 2_000
_NEGATED: Final = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "in": "not_in",
    "not_in": "in",
    "between": "not_between",
    "matches": "not_matches",
}
_OPPOSITE_PAIRS: Final = (("matches", "not_matches"), ("==", "!="), ("in", "not_in"))


class _Claim(NamedTuple):
    """Something a decision must fulfil in one field: a comparison, "missing" or "present"."""

    op: str
    value: Any = None


_MISSING: Final = _Claim("missing")
_PRESENT: Final = _Claim("present")
# What every value of these fields fulfils.
_NATURE: Final[dict[str, tuple[_Claim, ...]]] = {
    "confidence": (_Claim(">=", 0.0), _Claim("<=", 1.0)),
    "margin": (_Claim(">=", 0.0),),
    "amount": (_Claim(">=", 0),),
}
_Key = tuple[str, FieldType]
_State = dict[_Key, tuple[_Claim, ...]]
# What is still to be met, as a linked list, so that branches share their tails.
_Pending = tuple[Condition, bool, "_Pending"] | None


def can_match(
    condition: Condition, schema: UseCaseSchema, unlike: Sequence[Condition] = ()
) -> bool:
    """Return False only when no decision meets a condition and none of some others.

    Definition: conditions are opened into alternatives of claims per field, and contradictory
    alternatives are dropped (bounds that exclude each other, a value outside the labels or known
    levels, confidence outside [0, 1], an amount below 0, a value both there and missing).
    Parameters: `condition`; `schema`, labels and levels; `unlike`, conditions that must not hold,
    such as those of the rules before.
    Returns: False is certain; True means that a decision exists or that the search gave up.
    """
    pending: _Pending = (condition, True, None)
    for other in unlike:
        pending = (other, False, pending)
    stack: list[tuple[_Pending, _State]] = [(pending, {})]
    for _ in range(SEARCH_LIMIT):
        if not stack:
            return False
        pending, state = stack.pop()
        if pending is None:
            return True
        stack.extend(_opened(pending, state, schema))
    return True


def _opened(
    pending: tuple[Condition, bool, _Pending], state: _State, schema: UseCaseSchema
) -> list[tuple[_Pending, _State]]:
    condition, holds, rest = pending
    if isinstance(condition, Comparison):
        return _claimed(condition, holds, rest, state, schema)
    if isinstance(condition, Not):
        return [((condition.part, not holds, rest), state)]
    if isinstance(condition, AllOf) != holds:
        return [((part, holds, rest), state) for part in condition.parts]
    for part in condition.parts:
        rest = (part, holds, rest)
    return [(rest, state)]


def _claimed(
    one: Comparison, holds: bool, rest: _Pending, state: _State, schema: UseCaseSchema
) -> list[tuple[_Pending, _State]]:
    found: list[tuple[_Pending, _State]] = []
    for claim in _alternatives(one, holds):
        claims = (*state.get(one.key, ()), claim)
        if _consistent(one, claims, schema):
            found.append((rest, {**state, one.key: claims}))
    return found


def _alternatives(one: Comparison, holds: bool) -> list[_Claim]:
    if one.op == "is_missing":
        return [_MISSING if one.value is holds else _PRESENT]
    if holds:
        return [_Claim(one.op, one.value)]
    claims = [_Claim(_NEGATED[one.op], one.value)]
    if one.op == "between":
        low, high = cast(tuple[Any, Any], one.value)
        claims = [_Claim("<", low), _Claim(">", high)]
    # A missing value fails every comparison; a missing confidence is compared as 0.
    return claims if one.field == "confidence" else [*claims, _MISSING]


def _consistent(one: Comparison, claims: Sequence[_Claim], schema: UseCaseSchema) -> bool:
    if _MISSING in claims:
        if _PRESENT in claims:
            return False
        if one.field != "confidence":
            return all(claim == _MISSING for claim in claims)
        claims = [*claims, _Claim("==", 0.0)]
    tests = [claim for claim in claims if claim not in (_MISSING, _PRESENT)]
    if not tests or _opposed(tests):
        return not tests
    tests += _NATURE.get(one.field, ())
    candidates = _candidates(one, tests, schema)
    if candidates is not None:
        return any(all(_meets(value, claim) for claim in tests) for value in candidates)
    return one.type not in ("number", "amount", "date") or _interval_left(tests)


def _opposed(tests: Sequence[_Claim]) -> bool:
    return any(
        claim.op == positive and _Claim(negative, claim.value) in tests
        for claim in tests
        for positive, negative in _OPPOSITE_PAIRS
    )


def _meets(value: Any, claim: _Claim) -> bool:
    return SCALAR_TESTS[claim.op](value, claim.value)


def _candidates(
    one: Comparison, tests: Sequence[_Claim], schema: UseCaseSchema
) -> Sequence[Any] | None:
    """Return the values that could do, where they can be listed."""
    if one.field in ("label", "output.label"):
        return schema.labels
    if one.type == "boolean":
        return (True, False)
    named = [
        claim.value if claim.op == "in" else (claim.value,)
        for claim in tests
        if claim.op in ("in", "==")
    ]
    if not named:
        return None
    feature = schema.declared.get(one.field)
    # A new level may appear, so known levels bound only the rules that name levels.
    known = feature.levels if feature else None
    return [value for value in named[0] if known is None or value in known]


def _interval_left(tests: Sequence[_Claim]) -> bool:
    """Return whether bounds leave a value; single excluded points matter only at one point."""
    lows = [(claim.value, claim.op == ">") for claim in tests if claim.op in (">", ">=")]
    highs = [(claim.value, claim.op == "<") for claim in tests if claim.op in ("<", "<=")]
    lows += [(claim.value[0], False) for claim in tests if claim.op == "between"]
    highs += [(claim.value[1], False) for claim in tests if claim.op == "between"]
    if not lows or not highs:
        return True
    low = max(value for value, _ in lows)
    high = min(value for value, _ in highs)
    if low != high:
        return bool(low < high)
    return all(_meets(low, claim) for claim in tests)
