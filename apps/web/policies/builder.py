"""The condition builder: a condition as nested rows of a form, and a form as a condition. Pure.

A node of the form is named by its place: ``when`` is the root, ``when.0`` its first part. A node is a
test, a group, or a piece of JSON (whatever is nested deeper than the form shows, and what somebody
would rather write). Reading a form never fails: what cannot be a value stays text, so that the
policy's own rules name the fault, at the place that ``Read.places`` gives for its JSON pointer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from apps.policies.domain.condition_parser import OPS_OF_TYPE
from apps.policies.domain.schema import UseCaseSchema
from apps.web.desk.outputs import number_from

DEEPEST: Final = 4  # levels of groups that the form shows
TEST, JSON_TEXT = "test", "json"
GROUPS: Final = {
    "all": "all of these hold",
    "any": "at least one of these holds",
    "none": "none of these holds",
    "not_all": "not all of these hold",
}
LISTED: Final = ("in", "not_in")
Form = Mapping[str, str]


@dataclass(slots=True)
class Read:
    """A condition read from a form, and which input each JSON pointer of it means."""

    condition: Any
    places: dict[str, str] = field(default_factory=dict)


# --- A condition as a form ------------------------------------------------------------------


def form_of(condition: Any, path: str) -> dict[str, str]:
    """The inputs that state ``condition``. A single test is shown in a group of its own, so that
    more can join it; ``plain`` remembers that the group was not there."""
    if _taken_apart(condition)[0] == TEST:
        alone = {f"{path}.kind": "all", f"{path}.plain": "1"}
        return alone | _test_form(condition, f"{path}.0")
    return _form_of(condition, path, 1)


def _form_of(condition: Any, path: str, depth: int) -> dict[str, str]:
    kind, parts = _taken_apart(condition)
    if kind == TEST:
        return _test_form(condition, path)
    if kind == JSON_TEXT or depth > DEEPEST:
        text = json.dumps(condition, ensure_ascii=False, indent=1)
        return {f"{path}.kind": JSON_TEXT, f"{path}.text": text}
    found = {f"{path}.kind": kind}
    for number, part in enumerate(parts):
        found |= _form_of(part, f"{path}.{number}", depth + 1)
    return found


def _taken_apart(condition: Any) -> tuple[str, list[Any]]:
    if not isinstance(condition, Mapping):
        return JSON_TEXT, []
    if "field" in condition:
        return TEST, []
    for word in ("all", "any"):
        if isinstance(condition.get(word), list):
            return word, condition[word]
    inner = condition.get("not")
    if not isinstance(inner, Mapping):
        return JSON_TEXT, []
    if isinstance(inner.get("any"), list):
        return "none", inner["any"]
    if isinstance(inner.get("all"), list):
        return "not_all", inner["all"]
    return "none", [inner]


def _test_form(condition: Mapping[str, Any], path: str) -> dict[str, str]:
    op, value = str(condition.get("op", "")), condition.get("value")
    found = {f"{path}.kind": TEST, f"{path}.field": str(condition["field"]), f"{path}.op": op}
    if op == "between" and isinstance(value, list) and len(value) == 2:
        return {**found, f"{path}.value": _written(value[0]), f"{path}.value2": _written(value[1])}
    if op in LISTED and isinstance(value, list):
        return {**found, f"{path}.value": "\n".join(map(_written, value))}
    return {**found, f"{path}.value": _written(value)}


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# --- A form as a condition ------------------------------------------------------------------


def read(form: Form, path: str, schema: UseCaseSchema, pointer: str = "") -> Read:
    """The condition that the inputs under ``path`` state, at ``pointer`` of its document."""
    found = Read(None)
    found.condition = _read(form, path, schema, pointer, found.places)
    return found


def _read(
    form: Form, path: str, schema: UseCaseSchema, pointer: str, places: dict[str, str]
) -> Any:
    places[pointer] = path
    kind = form.get(f"{path}.kind", "all")
    if kind == JSON_TEXT:
        return _read_json(form.get(f"{path}.text", ""))
    if kind not in GROUPS:
        return _read_test(form, path, schema, pointer, places)
    numbers = parts_of(form, path)
    plain = {"none": "any", "not_all": "all"}.get(kind, kind)
    if kind == "all" and len(numbers) == 1 and form.get(f"{path}.plain"):
        return _read(form, f"{path}.{numbers[0]}", schema, pointer, places)
    if kind == "none" and len(numbers) == 1:
        inner = _read(form, f"{path}.{numbers[0]}", schema, f"{pointer}/not", places)
        return {"not": inner}
    within = pointer if kind == plain else f"{pointer}/not"
    places[within] = path
    parts = [
        _read(form, f"{path}.{number}", schema, f"{within}/{plain}/{place}", places)
        for place, number in enumerate(numbers)
    ]
    group = {plain: parts}
    return group if kind == plain else {"not": group}


def parts_of(form: Form, path: str) -> list[int]:
    """The numbers of the parts of a group, in order; a removed part leaves a gap."""
    start = f"{path}."
    found = {
        name[len(start) :].partition(".")[0]
        for name in form
        if name.startswith(start) and name.endswith(".kind")
    }
    return sorted(int(number) for number in found if number.isascii() and number.isdigit())


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _read_test(
    form: Form, path: str, schema: UseCaseSchema, pointer: str, places: dict[str, str]
) -> dict[str, Any]:
    name, op = form.get(f"{path}.field", ""), form.get(f"{path}.op", "")
    for part in ("field", "op", "value"):
        places[f"{pointer}/{part}"] = f"{path}.{part}"
    kind = schema.field_type(name) or "any"
    text, second = form.get(f"{path}.value", ""), form.get(f"{path}.value2", "")
    if op == "is_missing":
        return {"field": name, "op": op, "value": text.strip() != "false"}
    if op == "matches":
        return {"field": name, "op": op, "value": text}
    if op == "between":
        return {"field": name, "op": op, "value": [_value(text, kind), _value(second, kind)]}
    if op in LISTED:
        values = [_value(line.strip(), kind) for line in text.splitlines() if line.strip()]
        return {"field": name, "op": op, "value": values}
    return {"field": name, "op": op, "value": _value(text, kind)}


def _value(text: str, kind: str) -> Any:
    plain = text.strip()
    if kind == "number":
        number = number_from(plain)
        return plain if number is None else number
    if kind in ("amount", "date"):
        return plain
    if kind in ("boolean", "any") and plain in ("true", "false"):
        return plain == "true"
    if kind == "any":
        number = number_from(plain)
        return text if number is None else number
    return text


# --- What a button does ---------------------------------------------------------------------


def changed(form: Form, act: str, path: str, schema: UseCaseSchema) -> dict[str, str]:
    """The form after a button of the builder: test, group, json, rows or remove, at ``path``."""
    made = dict(form)
    if act in ("test", "group"):
        number = max(parts_of(form, path), default=-1) + 1
        place = f"{path}.{number}"
        if act == "group":
            return {**made, f"{place}.kind": "any", **_empty_test(f"{place}.0", schema)}
        return {**made, **_empty_test(place, schema)}
    if act == "json":
        condition = read(form, path, schema).condition
        text = json.dumps(condition, ensure_ascii=False, indent=1)
        return {**without(made, path), f"{path}.kind": JSON_TEXT, f"{path}.text": text}
    if act == "rows":
        condition = read(form, path, schema).condition
        depth = sum(part.isdigit() for part in path.rpartition("when")[2].split(".")) + 1
        if isinstance(condition, Mapping):
            stated = form_of(condition, path) if depth == 1 else _form_of(condition, path, depth)
            return {**without(made, path), **stated}
    if act == "remove":
        return without(made, path)
    return made


def _empty_test(path: str, schema: UseCaseSchema) -> dict[str, str]:
    name = schema.field_names()[0]
    op = OPS_OF_TYPE[schema.field_type(name) or "any"]
    first = "<" if "<" in op else op[0]
    return {f"{path}.kind": TEST, f"{path}.field": name, f"{path}.op": first, f"{path}.value": ""}


def without(form: Form, path: str) -> dict[str, str]:
    """The form without a node and all below it."""
    start = f"{path}."
    return {name: value for name, value in form.items() if not name.startswith(start)}
