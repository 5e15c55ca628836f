"""What takes effect: the final output of a decision, set by a release or changed by a person."""

from __future__ import annotations

import json
import unicodedata
from decimal import Decimal

from apps.common.errors import BadInput, FieldError
from apps.decisions.domain.checks import check_name, check_number, check_text, read_tree
from apps.decisions.domain.faults import member, pointer_to, shown, unknown_keys
from apps.decisions.domain.outputs import (
    KINDS,
    MAX_FIELDS,
    OutputSchema,
    read_arguments,
    read_label,
)

_FINAL_KEYS = {
    "label": ("label",),
    "number": ("value",),
    "fields": ("fields",),
    "text": ("text",),
    "action": ("name", "arguments"),
}


def final_output(kind: str, output: dict[str, object] | None) -> dict[str, object] | None:
    """What takes effect when an output is released as it is.

    Definition: label: ``{label}``; number: ``{value}``; fields: ``{fields: {NAME: value}}``;
    text: ``{text}``; action: ``{name, arguments}``. Confidence, scores and intervals say how sure
    the AI is and take no effect.
    Parameters: ``kind``; ``output`` in normal form, None when no model has spoken.
    Returns: the final output, None for None. Errors: ValueError for another kind.
    """
    if kind not in _FINAL_KEYS:
        raise ValueError(f"kind is {kind!r}; known are: {', '.join(_FINAL_KEYS)}")
    if output is None:
        return None
    fields = output.get("fields")
    if kind == "fields" and isinstance(fields, dict):
        return {"fields": {name: item["value"] for name, item in fields.items()}}
    return {key: output[key] for key in _FINAL_KEYS[kind]}


def validate_final(
    kind: str, data: object, schema: OutputSchema, *, pointer: str = "/output"
) -> dict[str, object]:
    """A final output given by a person, in normal form.

    Definition: the forms of ``final_output``, held to the same bounds as an AI's output.
    Parameters: ``kind`` of the decision; ``data`` as sent; ``schema`` of the use case; ``pointer``.
    Returns: the final output. Errors: BadInput with all faults.
    """
    errors: list[FieldError] = []
    if kind not in KINDS:
        errors.append(FieldError("/kind", f"kind is {shown(kind)}; known are: {', '.join(KINDS)}"))
    elif not isinstance(data, dict):
        errors.append(FieldError(pointer, f"output is {shown(data)}; an object is allowed"))
    else:
        unknown_keys(errors, pointer, data, frozenset(_FINAL_KEYS[kind]))
        final = _read_final(kind, data, schema, pointer, errors)
        if not errors:
            return final
    raise BadInput(errors)


def _read_final(
    kind: str,
    data: dict[str, object],
    schema: OutputSchema,
    pointer: str,
    errors: list[FieldError],
) -> dict[str, object]:
    if kind == "label":
        label = read_label(errors, pointer, "label", data.get("label"), schema.labels)
        return {"label": label}
    if kind == "number":
        valid = member(errors, pointer, "value", check_number, data.get("value"))
        return {"value": check_number(data.get("value"))} if valid else {}
    if kind == "fields":
        return {"fields": _read_final_fields(data.get("fields"), f"{pointer}/fields", errors)}
    if kind == "text":
        member(errors, pointer, "text", check_text, data.get("text"))
        return {"text": data.get("text")}
    member(errors, pointer, "name", check_name, data.get("name"))
    return {"name": data.get("name"), "arguments": read_arguments(errors, pointer, data)}


def _read_final_fields(named: object, pointer: str, errors: list[FieldError]) -> dict[str, object]:
    if not isinstance(named, dict) or not 0 < len(named) <= MAX_FIELDS:
        detail = f"fields is {shown(named)}; an object of 1 to {MAX_FIELDS} values is allowed"
        errors.append(FieldError(pointer, detail))
        return {}
    return {
        name: read_tree(errors, pointer_to(pointer, name), value, depth=3)
        for name, value in named.items()
        if member(errors, pointer, name, check_name, name)
    }


def equal_outputs(
    kind: str,
    first: dict[str, object] | None,
    second: dict[str, object] | None,
    tolerance: float = 0.0,
) -> bool:
    """Whether two final outputs say the same.

    Definition: label: the same label; number: apart by at most ``tolerance``, computed on the
    decimals as written, so that 1.1 is within 0.1 of 1; fields: the same names, and field by
    field numbers within ``tolerance``, texts as for kind text, all else equal as JSON; text: equal
    after Unicode NFC, one form of line end and no blanks at the ends of lines and of the text;
    action: the same name and arguments equal as JSON, whatever the order of names.
    Parameters: ``kind``; ``first`` and ``second``, final outputs or None; ``tolerance`` >= 0.
    Returns: True or False. Errors: ValueError for another kind or a negative tolerance.
    Source: Unicode Standard Annex 15 (NFC).
    """
    if kind not in _FINAL_KEYS:
        raise ValueError(f"kind is {kind!r}; known are: {', '.join(_FINAL_KEYS)}")
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance!r}; 0 or more is allowed")
    if first is None or second is None:
        return first is second
    if kind == "fields":
        return _equal_fields(first["fields"], second["fields"], tolerance)
    if kind in ("number", "text"):
        key = _FINAL_KEYS[kind][0]
        return _equal_values(first[key], second[key], tolerance)
    return all(_as_json(first[key]) == _as_json(second[key]) for key in _FINAL_KEYS[kind])


def _equal_fields(first: object, second: object, tolerance: float) -> bool:
    if not isinstance(first, dict) or not isinstance(second, dict):
        raise ValueError("the fields of a final output are an object")
    return first.keys() == second.keys() and all(
        _equal_values(first[name], second[name], tolerance) for name in first
    )


def _equal_values(first: object, second: object, tolerance: float) -> bool:
    if isinstance(first, str) and isinstance(second, str):
        return _same_text(first) == _same_text(second)
    if _is_number(first) and _is_number(second):
        return abs(Decimal(str(first)) - Decimal(str(second))) <= Decimal(str(tolerance))
    return _as_json(first) == _as_json(second)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_text(text: str) -> str:
    lines = unicodedata.normalize("NFC", text).splitlines()
    return "\n".join(line.rstrip() for line in lines).rstrip()


def _as_json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
