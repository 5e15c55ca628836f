"""What an AI system may put out: five kinds, each checked and brought to one normal form.

====== ======================================== =====================
kind   output                                   takes effect
====== ======================================== =====================
label  label, confidence?, scores?              label
number value, low?, high?, confidence?          value
fields fields: {NAME: {value, confidence?}}     fields: {NAME: value}
text   text, confidence?                        text
action name, arguments?, confidence?            name, arguments
====== ======================================== =====================

``null`` stands for "no model has spoken yet" under any kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from apps.common.errors import BadInput, FieldError
from apps.decisions.domain.checks import check_name, check_number, check_text, check_unit, read_tree
from apps.decisions.domain.faults import RefusedError, member, pointer_to, shown, unknown_keys

MAX_FIELDS = 500
# Scores are often rounded to two or three digits before they are sent.
SCORE_SUM_TOLERANCE = 0.01


class OutputSchema(NamedTuple):
    """What a use case says about outputs: its kinds and its label set, in order."""

    kinds: tuple[str, ...] = ("label",)
    labels: tuple[str, ...] = ()


class NormalOutput(NamedTuple):
    """An output that passed, in normal form.

    ``data``: the output, None when no model has spoken; ``label``: for kind label alone;
    ``confidence``: in [0, 1], None when not given (for kind fields the lowest, a missing one
    counting as 0); ``margin``: difference of the two largest scores, in [0, 1] and rounded to
    12 decimals, None with fewer than two; ``label_not_top``: another class has a higher score.
    """

    data: dict[str, object] | None
    label: str | None
    confidence: float | None
    margin: float | None
    label_not_top: bool


NO_OUTPUT = NormalOutput(None, None, None, None, False)

_Reader = Callable[[dict[str, object], OutputSchema, str, list[FieldError]], NormalOutput]


def validate_output(
    kind: object, data: object, schema: OutputSchema, *, pointer: str = "/output"
) -> NormalOutput:
    """An output of a kind in its normal form.

    Definition: the table of this module; scores lie in [0, 1], name known labels and sum to 1
    within 0.01; the label need not have the best score, and confidence need not equal a score.
    Parameters: ``kind`` and ``data`` as sent; ``schema`` of the use case; ``pointer`` of the data.
    Returns: NormalOutput. Errors: BadInput with all faults.
    """
    errors: list[FieldError] = []
    output = read_output(kind, data, schema, pointer, errors)
    if errors:
        raise BadInput(errors)
    return output


def read_output(
    kind: object, data: object, schema: OutputSchema, pointer: str, errors: list[FieldError]
) -> NormalOutput:
    """As ``validate_output``, appending faults to ``errors`` instead of raising.

    Returns: NormalOutput; meaningless once a fault was appended.
    """
    if not isinstance(kind, str) or kind not in schema.kinds or kind not in _READERS:
        listed = ", ".join(schema.kinds)
        errors.append(FieldError("/kind", f"kind is {shown(kind)}; the use case has: {listed}"))
        return NO_OUTPUT
    if data is None:
        return NO_OUTPUT
    if not isinstance(data, dict):
        errors.append(FieldError(pointer, f"output is {shown(data)}; an object or null is allowed"))
        return NO_OUTPUT
    return _READERS[kind](data, schema, pointer, errors)


def effective_confidence(output: NormalOutput) -> float:
    """The confidence that thresholds are held against.

    Definition: the sender's own; for kind fields the lowest; a missing one counts as 0.
    Parameters: ``output``. Returns: a number in [0, 1].
    """
    return 0.0 if output.confidence is None else output.confidence


_LABEL_KEYS = frozenset({"label", "confidence", "scores"})
_NUMBER_KEYS = frozenset({"value", "low", "high", "confidence"})
_FIELDS_KEYS = frozenset({"fields"})
_FIELD_KEYS = frozenset({"value", "confidence"})
_TEXT_KEYS = frozenset({"text", "confidence"})
_ACTION_KEYS = frozenset({"name", "arguments", "confidence"})


def _read_label(
    data: dict[str, object], schema: OutputSchema, pointer: str, errors: list[FieldError]
) -> NormalOutput:
    if not data.keys() <= _LABEL_KEYS:
        unknown_keys(errors, pointer, data, _LABEL_KEYS)
    label = read_label(errors, pointer, "label", data.get("label"), schema.labels)
    confidence = read_confidence(errors, pointer, data)
    normal: dict[str, object] = {"label": label}
    if confidence is not None:
        normal["confidence"] = confidence
    if data.get("scores") is None:
        return NormalOutput(normal, label, confidence, None, False)
    scores = _read_scores(data["scores"], schema.labels, f"{pointer}/scores", errors)
    normal["scores"] = scores
    ranked = sorted(scores.values(), reverse=True)
    # rounded, so that 0.95 - 0.05 meets a rule's 0.9
    margin = round(ranked[0] - ranked[1], 12) if len(ranked) > 1 else None
    # an unscored label is not the best scored one
    not_top = bool(ranked) and scores.get(label, -1.0) < ranked[0]
    return NormalOutput(normal, label, confidence, margin, not_top)


def read_label(
    errors: list[FieldError], pointer: str, name: str, value: object, labels: tuple[str, ...]
) -> str:
    """A label of the use case's set; another value is appended to ``errors``.

    Parameters: ``pointer`` of the object that holds it; ``name`` of its key; ``labels`` allowed.
    Returns: the label, or "" once a fault was appended.
    """
    if isinstance(value, str) and value in labels:
        return value
    listed = ", ".join(shown(label) for label in labels)
    said = "is required" if value is None else f"is {shown(value)}"
    errors.append(FieldError(f"{pointer}/{name}", f"{name} {said}; allowed are: {listed}"))
    return ""


def read_confidence(
    errors: list[FieldError], pointer: str, data: dict[str, object]
) -> float | None:
    """The optional confidence of an object; a fault is appended to ``errors``.

    Parameters: ``pointer`` of ``data``. Returns: a number in [0, 1], or None where not given.
    """
    value = data.get("confidence")
    if value is None:
        return None
    try:
        return check_unit(value)
    except RefusedError as refusal:
        errors.append(FieldError(f"{pointer}/confidence", f"confidence {refusal}"))
        return None


def _read_scores(
    data: object, labels: tuple[str, ...], pointer: str, errors: list[FieldError]
) -> dict[str, float]:
    scores: dict[str, float] = {}
    if not isinstance(data, dict) or not data:
        errors.append(FieldError(pointer, f"scores is {shown(data)}; one score a label is allowed"))
        return scores
    before = len(errors)
    for name, value in data.items():
        if name not in labels:
            listed = ", ".join(shown(label) for label in labels)
            detail = f"{shown(name)} is not a label; allowed are: {listed}"
            errors.append(FieldError(pointer_to(pointer, name), detail))
            continue
        try:
            scores[name] = check_unit(value)
        except RefusedError as refusal:
            errors.append(FieldError(pointer_to(pointer, name), f"the score of {name} {refusal}"))
    total = sum(scores.values())
    # the bound is widened by the rounding of the sum itself, so that 0.99 is within 0.01 of 1
    if len(errors) == before and abs(total - 1) > SCORE_SUM_TOLERANCE + 1e-9:
        errors.append(FieldError(pointer, f"scores sum to {total:.6g}; 1 within 0.01 is allowed"))
    return scores


def _read_number(
    data: dict[str, object], schema: OutputSchema, pointer: str, errors: list[FieldError]
) -> NormalOutput:
    unknown_keys(errors, pointer, data, _NUMBER_KEYS)
    before = len(errors)
    numbers: dict[str, int | float] = {}
    for name in ("value", "low", "high"):
        given = data.get(name)
        if name != "value" and given is None:
            continue
        if member(errors, pointer, name, check_number, given):
            numbers[name] = check_number(given)
    if len(errors) == before:
        _check_interval(numbers, pointer, errors)
    confidence = read_confidence(errors, pointer, data)
    normal: dict[str, object] = dict(numbers)
    if confidence is not None:
        normal["confidence"] = confidence
    return NormalOutput(normal, None, confidence, None, False)


def _check_interval(
    numbers: dict[str, int | float], pointer: str, errors: list[FieldError]
) -> None:
    value = numbers["value"]
    low, high = numbers.get("low", value), numbers.get("high", value)
    if low > value:
        errors.append(FieldError(f"{pointer}/low", f"low is {low}, above value {value}"))
    if high < value:
        errors.append(FieldError(f"{pointer}/high", f"high is {high}, below value {value}"))


def _read_fields(
    data: dict[str, object], schema: OutputSchema, pointer: str, errors: list[FieldError]
) -> NormalOutput:
    unknown_keys(errors, pointer, data, _FIELDS_KEYS)
    named = data.get("fields")
    place = f"{pointer}/fields"
    if not isinstance(named, dict) or not 0 < len(named) <= MAX_FIELDS:
        detail = f"fields is {shown(named)}; an object of 1 to {MAX_FIELDS} fields is allowed"
        errors.append(FieldError(place, detail))
        return NO_OUTPUT
    fields = {
        name: _read_field(name, item, pointer_to(place, name), errors)
        for name, item in named.items()
        if member(errors, place, name, check_name, name)
    }
    confidences = [item.get("confidence") for item in fields.values()]
    lowest = min((c if isinstance(c, float) else 0.0 for c in confidences), default=0.0)
    return NormalOutput({"fields": fields}, None, lowest, None, False)


def _read_field(
    name: str, item: object, pointer: str, errors: list[FieldError]
) -> dict[str, object]:
    if not isinstance(item, dict) or "value" not in item:
        detail = f'{name} is {shown(item)}; {{"value", "confidence"}} with a value is allowed'
        errors.append(FieldError(pointer, detail))
        return {}
    unknown_keys(errors, pointer, item, _FIELD_KEYS)
    # /output/fields/NAME/value stands below three objects and the body
    field: dict[str, object] = {
        "value": read_tree(errors, f"{pointer}/value", item["value"], depth=4)
    }
    confidence = read_confidence(errors, pointer, item)
    if confidence is not None:
        field["confidence"] = confidence
    return field


def _read_text(
    data: dict[str, object], schema: OutputSchema, pointer: str, errors: list[FieldError]
) -> NormalOutput:
    unknown_keys(errors, pointer, data, _TEXT_KEYS)
    member(errors, pointer, "text", check_text, data.get("text"))
    confidence = read_confidence(errors, pointer, data)
    normal: dict[str, object] = {"text": data.get("text")}
    if confidence is not None:
        normal["confidence"] = confidence
    return NormalOutput(normal, None, confidence, None, False)


def _read_action(
    data: dict[str, object], schema: OutputSchema, pointer: str, errors: list[FieldError]
) -> NormalOutput:
    unknown_keys(errors, pointer, data, _ACTION_KEYS)
    member(errors, pointer, "name", check_name, data.get("name"))
    normal: dict[str, object] = {
        "name": data.get("name"),
        "arguments": read_arguments(errors, pointer, data),
    }
    confidence = read_confidence(errors, pointer, data)
    if confidence is not None:
        normal["confidence"] = confidence
    return NormalOutput(normal, None, confidence, None, False)


def read_arguments(errors: list[FieldError], pointer: str, data: dict[str, object]) -> object:
    """The arguments of an action, an empty object where not given.

    Parameters: ``pointer`` of ``data``, the action. Returns: a normalised object.
    """
    arguments = data.get("arguments")
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        detail = f"arguments is {shown(arguments)}; an object is allowed"
        errors.append(FieldError(f"{pointer}/arguments", detail))
        return {}
    return read_tree(errors, f"{pointer}/arguments", arguments, depth=2)


_READERS: dict[str, _Reader] = {
    "label": _read_label,
    "number": _read_number,
    "fields": _read_fields,
    "text": _read_text,
    "action": _read_action,
}
KINDS = tuple(_READERS)
