"""Reasons: why a decision went where it went, made from a routing result when asked for.

A routing keeps a cause and a rule index per decision. Most decisions of a batch share a few
reasons, so each distinct one is built, and encoded, once.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, NamedTuple, TypedDict, TypeVar, cast

import numpy as np

from apps.policies.domain.condition_words import (
    comparison_words,
    condition_words,
    novelty_asked,
    percent,
    share,
)
from apps.policies.domain.conditions import Comparison, comparisons
from apps.policies.domain.lanes import NONE, Cause, Lane, RoutingResult, Rule

T = TypeVar("T")


class Reason(TypedDict):
    """A stable code, the rule or threshold, the value that met it, and a sentence."""

    code: str
    rule: str | None
    value: Any
    text: str


class _Facts(NamedTuple):
    """All that the reasons of one decision depend on, besides policy and context."""

    cause: Cause
    rule: int
    would_be: int
    seen: Hashable


def reasons(result: RoutingResult, row: int) -> list[Reason]:
    """Return the reasons of one decision, the deciding one first, save that pilot leads.

    Parameters: `result`; `row`, 0 <= row < n.
    Returns: one reason, or two: `pilot` before the reason of the lane it would have taken, and
    `confidence_missing` before the threshold that the counted 0 is below.
    """
    return _build(result, _facts(result, row))


def encoded_reasons(result: RoutingResult, encode: Callable[[list[Reason]], T]) -> list[T]:
    """Return the encoded reasons of every decision; equal reasons are encoded once.

    Parameters: `result`, n decisions; `encode`, such as canonical JSON.
    Returns: n encodings in row order; rows of equal reasons share one object.
    """
    known: dict[Hashable, int] = {}
    encodings: list[T] = []
    places = np.empty(len(result.lane), dtype=np.int64)
    for group in _groups(result):
        first = _facts(result, int(group[0]))
        see = _SEEN.get(first.cause)
        found = []
        for row in group.tolist() if see else [int(group[0])]:
            facts = first._replace(seen=see(result, row)) if see else first
            place = known.setdefault(_key(facts), len(encodings))
            if place == len(encodings):
                encodings.append(encode(_build(result, facts)))
            found.append(place)
        places[group] = found
    return [encodings[place] for place in places.tolist()]


def _groups(result: RoutingResult) -> Sequence[np.ndarray[Any, np.dtype[np.intp]]]:
    """Return the rows of each combination of cause, rule and lane outside pilot."""
    rules = result.rule.astype(np.int64) - NONE
    packed = (rules * len(Cause) + result.cause) * (len(Lane) + 1) + result.would_be - NONE
    order = np.argsort(packed, kind="stable")
    starts = np.flatnonzero(np.diff(packed[order])) + 1
    return [group for group in np.split(order, starts) if len(group)]


def _key(facts: _Facts) -> Hashable:
    # 1, 1.0 and True are equal in Python and are written differently.
    return facts, repr(facts.seen)


def _facts(result: RoutingResult, row: int) -> _Facts:
    cause = Cause(int(result.cause[row]))
    see = _SEEN.get(cause)
    return _Facts(
        cause,
        int(result.rule[row]),
        int(result.would_be[row]),
        see(result, row) if see else None,
    )


def _build(result: RoutingResult, facts: _Facts) -> list[Reason]:
    found = _BUILDERS[facts.cause](result, facts)
    if facts.would_be == NONE:
        return found
    lane = Lane(facts.would_be).code
    text = f"The use case is in pilot: nothing is held back; the lane would have been '{lane}'."
    return [_reason("pilot", "lifecycle", "pilot", text), *found]


def _reason(code: str, rule: str | None, value: Any, text: str) -> Reason:
    return {"code": code, "rule": rule, "value": value, "text": text}


# What of a row its reasons depend on; causes that are not here read the same in every row.


def _confidence_seen(result: RoutingResult, row: int) -> Hashable:
    return result.columns.number("confidence").value(row), _label_seen(result, row)


def _label_seen(result: RoutingResult, row: int) -> Hashable:
    return cast(Hashable, result.columns.labels().value(row))


def _version_seen(result: RoutingResult, row: int) -> Hashable:
    return cast(Hashable, result.columns.get(("model_version", "text")).value(row))


def _mandate_seen(result: RoutingResult, row: int) -> Hashable:
    return int(result.mandate[row])


def _rule_seen(result: RoutingResult, row: int) -> Hashable:
    when = result.policy.rules[int(result.rule[row])].when
    values = (result.columns.get(one.key).value(row) for one in comparisons(when))
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


_SEEN: Final[dict[Cause, Callable[[RoutingResult, int], Hashable]]] = {
    Cause.WITHDRAWN: _version_seen,
    Cause.MANDATE: _mandate_seen,
    Cause.RULE: _rule_seen,
    Cause.ALWAYS_REVIEW: _label_seen,
    Cause.BELOW_THRESHOLD: _confidence_seen,
    Cause.CONFIDENCE_MISSING: _confidence_seen,
}


def _within_policy(result: RoutingResult, facts: _Facts) -> list[Reason]:
    text = "No rule, threshold or random audit asked for a person."
    return [_reason("within_policy", None, None, text)]


def _not_drawn(result: RoutingResult, facts: _Facts) -> list[Reason]:
    rule = result.policy.rules[facts.rule]
    rate = rule.rate or 0.0
    text = f"Rule '{rule.name}' samples {percent(rate)} of such decisions; this one was not drawn."
    return [_reason("within_policy", rule.name, rate, text)]


def _out_of_service(result: RoutingResult, facts: _Facts) -> list[Reason]:
    lifecycle = result.context.lifecycle
    state = "a draft" if lifecycle == "draft" else lifecycle
    text = f"The use case is {state}: no decision is released."
    return [_reason("use_case_suspended", "lifecycle", lifecycle, text)]


def _withdrawn(result: RoutingResult, facts: _Facts) -> list[Reason]:
    named = f"Model version '{facts.seen}'" if facts.seen is not None else "The model version"
    return [_reason("model_withdrawn", "model_version", facts.seen, f"{named} is withdrawn.")]


def _mandate(result: RoutingResult, facts: _Facts) -> list[Reason]:
    mandate = result.context.mandates[cast(int, facts.seen)]
    text = f"Mandate '{mandate.name or mandate.id}' covers this decision."
    return [_reason("mandate", mandate.id, None, text)]


def _no_mandate(result: RoutingResult, facts: _Facts) -> list[Reason]:
    text = "No mandate in force covers this decision and has room for it."
    return [_reason("no_mandate", None, None, text)]


def _no_output(result: RoutingResult, facts: _Facts) -> list[Reason]:
    text = "No model has answered this case; a person decides."
    return [_reason("no_output", None, None, text)]


_THEN_WORDS: Final = {
    "review": "sends this to review",
    "command": "sends this to the commander",
    "automatic": "releases this",
}


def _rule(result: RoutingResult, facts: _Facts) -> list[Reason]:
    rule = result.policy.rules[facts.rule]
    values = cast(tuple[Any, ...], facts.seen)
    opening = f"Rule '{rule.name}' {_THEN_WORDS[rule.then]}"
    if novelty_asked(rule.when):
        names = list(values[0] or ())
        text = f"{opening}: {', '.join(names)} unlike the reference."
        return [_reason("novelty", rule.name, names, text)]
    words = _met_words(rule, values)
    return [_reason("rule", rule.name, _met_value(rule, values), f"{opening}: {words}.")]


def _met_words(rule: Rule, values: tuple[Any, ...]) -> str:
    if not isinstance(rule.when, Comparison):
        return condition_words(rule.when)
    return comparison_words(rule.when, _value_words(values[0]))


def _value_words(value: Any) -> str | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return f"({value})"


def _met_value(rule: Rule, values: tuple[Any, ...]) -> Any:
    """Return the one value that met the rule, or each value by its field where there are more."""
    fields = [one.field for one in comparisons(rule.when)]
    plain = [list(value) if isinstance(value, tuple) else value for value in values]
    by_field = dict(zip(fields, plain, strict=True))
    return plain[0] if len(by_field) == 1 else by_field or None


def _always_review(result: RoutingResult, facts: _Facts) -> list[Reason]:
    text = f"Every '{facts.seen}' is reviewed."
    return [_reason("always_review_label", "always_review_labels", facts.seen, text)]


def _below_threshold(result: RoutingResult, facts: _Facts) -> list[Reason]:
    confidence, label = cast(tuple[float | None, str | None], facts.seen)
    rule, threshold = "confidence_threshold", result.policy.confidence_threshold
    about = ""
    if label is not None and label in result.policy.label_thresholds:
        rule, threshold = f"label_thresholds.{label}", result.policy.label_thresholds[label]
        about = f" for '{label}'"
    counted = confidence or 0.0
    text = f"Confidence {_short_below(counted, threshold)} is below {share(threshold)}{about}."
    return [_reason("confidence_below_threshold", rule, counted, text)]


def _short_below(confidence: float, threshold: float) -> str:
    """Return a confidence with the fewest decimals, two or more, that still read as below."""
    for decimals in range(2, 17):
        text = f"{confidence:.{decimals}f}"
        if float(text) < threshold:
            return text
    return repr(confidence)


def _confidence_missing(result: RoutingResult, facts: _Facts) -> list[Reason]:
    text = "The output carries no usable confidence; it counts as 0."
    missing = _reason("confidence_missing", None, None, text)
    return [missing, *_below_threshold(result, facts)]


def _audit(result: RoutingResult, facts: _Facts) -> list[Reason]:
    return [audit_reason(result.policy.audit_rate)]


def audit_reason(rate: float) -> Reason:
    """Why a case comes that only shows how well decisions are made; ``rate`` in [0, 1]."""
    text = f"Drawn at random for audit: {percent(rate)} of such decisions are."
    return _reason("random_audit", "audit_rate", rate, text)


def _drawn(result: RoutingResult, facts: _Facts) -> list[Reason]:
    rule = result.policy.rules[facts.rule]
    rate = rule.rate or 0.0
    text = f"Drawn at random: rule '{rule.name}' samples {percent(rate)} of such decisions."
    return [_reason("random_audit", rule.name, rate, text)]


_BUILDERS: Final[dict[Cause, Callable[[RoutingResult, _Facts], list[Reason]]]] = {
    Cause.WITHIN_POLICY: _within_policy,
    Cause.NOT_DRAWN: _not_drawn,
    Cause.OUT_OF_SERVICE: _out_of_service,
    Cause.WITHDRAWN: _withdrawn,
    Cause.MANDATE: _mandate,
    Cause.NO_MANDATE: _no_mandate,
    Cause.NO_OUTPUT: _no_output,
    Cause.RULE: _rule,
    Cause.ALWAYS_REVIEW: _always_review,
    Cause.BELOW_THRESHOLD: _below_threshold,
    Cause.CONFIDENCE_MISSING: _confidence_missing,
    Cause.AUDIT: _audit,
    Cause.DRAWN: _drawn,
}
