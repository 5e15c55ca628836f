"""Past human verdicts and true outcomes, one line each, as the imports take them in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TypeVar

from apps.common.errors import BadInput, FieldError
from apps.decisions.domain.checks import (
    check_boolean,
    check_name,
    check_number,
    check_past_time,
    check_unit,
)
from apps.decisions.domain.faults import RefusedError, shown, unknown_keys
from apps.decisions.domain.outputs import read_label

T = TypeVar("T")

OUTCOME_SOURCES = ("observed", "audit", "appeal")
MAX_ACTIVE_SECONDS = 604_800

_REVIEW_KEYS = frozenset(
    {
        "external_id",
        "reviewer",
        "label",
        "reviewed_at",
        "active_seconds",
        "initial_label",
        "saw_ai",
        "confidence",
    }
)
_OUTCOME_KEYS = frozenset({"external_id", "label", "observed_at", "source", "satisfaction"})


class ValidReview(NamedTuple):
    """A past verdict of a person.

    ``label``: the verdict in the end; ``initial_label``: the first answer where it is known apart
    from it; ``saw_ai``: whether the AI's output was visible, None when not known;
    ``active_seconds`` >= 0; ``confidence``: the person's own, in [0, 1]; ``reviewed_at`` in UTC.
    """

    external_id: str
    reviewer: str
    label: str
    reviewed_at: datetime | None
    active_seconds: int | float | None
    initial_label: str | None
    saw_ai: bool | None
    confidence: float | None


class ValidOutcome(NamedTuple):
    """What turned out to be true.

    ``source``: observed, audit or appeal; ``satisfaction``: the subject's, in [0, 1], or None.
    """

    external_id: str
    label: str
    observed_at: datetime | None
    source: str
    satisfaction: float | None


def validate_review(body: object, labels: tuple[str, ...], now: datetime) -> ValidReview:
    """One line of past human verdicts.

    Definition: required are external_id, reviewer and label; unknown keys are refused; null counts
    as not given. The first answer is ``initial_label``, so that saw_ai false with another
    initial_label contradicts itself and is refused: without sight there is one answer.
    Parameters: ``body``, a parsed object; ``labels`` of the use case; ``now``, aware.
    Returns: ValidReview. Errors: BadInput with all faults, each with its JSON pointer.
    """
    errors: list[FieldError] = []
    data = _object(body, _REVIEW_KEYS, errors)
    initial = data.get("initial_label")
    review = ValidReview(
        _required_name(errors, data, "external_id"),
        _required_name(errors, data, "reviewer"),
        read_label(errors, "", "label", data.get("label"), labels),
        _optional(errors, data, "reviewed_at", lambda value: check_past_time(value, now)),
        _optional(errors, data, "active_seconds", _check_seconds),
        None if initial is None else read_label(errors, "", "initial_label", initial, labels),
        _optional(errors, data, "saw_ai", check_boolean),
        _optional(errors, data, "confidence", check_unit),
    )
    if review.saw_ai is False and review.initial_label not in (None, review.label) and not errors:
        detail = (
            f"initial_label is {shown(initial)} and label {shown(review.label)}, "
            "but saw_ai is false; without sight of the AI there is one answer"
        )
        errors.append(FieldError("/initial_label", detail))
    if errors:
        raise BadInput(errors)
    return review


def validate_outcome(body: object, labels: tuple[str, ...], now: datetime) -> ValidOutcome:
    """One line of ground truth.

    Definition: required are external_id and label; source is ``observed`` where not given; unknown
    keys are refused; null counts as not given.
    Parameters: ``body``, a parsed object; ``labels`` of the use case; ``now``, aware.
    Returns: ValidOutcome. Errors: BadInput with all faults, each with its JSON pointer.
    """
    errors: list[FieldError] = []
    data = _object(body, _OUTCOME_KEYS, errors)
    outcome = ValidOutcome(
        _required_name(errors, data, "external_id"),
        read_label(errors, "", "label", data.get("label"), labels),
        _optional(errors, data, "observed_at", lambda value: check_past_time(value, now)),
        _optional(errors, data, "source", _check_source) or "observed",
        _optional(errors, data, "satisfaction", check_unit),
    )
    if errors:
        raise BadInput(errors)
    return outcome


def _object(body: object, keys: frozenset[str], errors: list[FieldError]) -> dict[str, object]:
    if not isinstance(body, dict):
        raise BadInput(f"the line is {shown(body)}; an object is allowed")
    unknown_keys(errors, "", body, keys)
    return body


def _required_name(errors: list[FieldError], data: dict[str, object], name: str) -> str:
    if data.get(name) is None:
        errors.append(FieldError(f"/{name}", f"{name} is required"))
        return ""
    return _optional(errors, data, name, check_name) or ""


def _optional(
    errors: list[FieldError], data: dict[str, object], name: str, check: Callable[[object], T]
) -> T | None:
    value = data.get(name)
    if value is None:
        return None
    try:
        return check(value)
    except RefusedError as refusal:
        errors.append(FieldError(f"/{name}", f"{name} {refusal}"))
        return None


def _check_seconds(value: object) -> int | float:
    seconds = check_number(value)
    if not 0 <= seconds <= MAX_ACTIVE_SECONDS:
        raise RefusedError(f"is {shown(value)}; 0 to {MAX_ACTIVE_SECONDS:,} seconds are allowed")
    return seconds


def _check_source(value: object) -> str:
    if isinstance(value, str) and value in OUTCOME_SOURCES:
        return value
    raise RefusedError(f"is {shown(value)}; allowed are: {', '.join(OUTCOME_SOURCES)}")
