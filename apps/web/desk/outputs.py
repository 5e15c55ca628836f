"""An output as a reviewer sees it and as they change it: form inputs out, an output in. Pure.

Nested values become one input a leaf, named by its JSON pointer, so that nobody edits raw data; an
input keeps the type that its value had.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from apps.common.errors import BadInput, FieldError
from apps.web.desk.evidence import cell

LEAF: Final = "at:"
NEW_NAME: Final = "new-name-"
NEW_VALUE: Final = "new-value-"
NEW_ROWS: Final = 3
LONG: Final = 80
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a form. ``type`` is text, number or boolean; ``was``, the value that stands;
    ``beside``, what the AI said there, where that is another."""

    name: str
    words: str
    type: str
    value: str
    was: str = ""
    confidence: float | None = None
    is_long: bool = False
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an output as it is read: what, its value, how sure the AI is of it."""

    words: str
    value: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A class and its score, as a share and in per cent for the meter."""

    label: str
    score: float
    percent: str


# --- Shown ----------------------------------------------------------------------------------


def headline(kind: str, output: Mapping[str, Any] | None) -> str:
    """The output in one line."""
    if output is None:
        return "No AI output yet"
    if kind == "fields":
        count = len(output.get("fields") or {})
        return f"{count} field{'' if count == 1 else 's'}"
    value = output.get({"number": "value", "action": "name"}.get(kind, kind))
    return cell(value)


def lines_of(kind: str, output: Mapping[str, Any] | None) -> list[Line]:
    """What the headline does not say, line by line: an interval, the fields, the arguments."""
    if output is None:
        return []
    if kind == "number" and (output.get("low") is not None or output.get("high") is not None):
        return [Line("Interval", f"{cell(output.get('low'))} to {cell(output.get('high'))}")]
    if kind == "fields":
        return [
            Line(leaf.words, leaf.value or "–", leaf.confidence)
            for leaf in _inputs_of_fields(output.get("fields") or {})
        ]
    if kind == "action":
        return [
            Line(leaf.words, leaf.value or "–")
            for leaf in _inputs(output.get("arguments") or {}, "/arguments", "")
        ]
    return []


def scores_of(output: Mapping[str, Any] | None) -> list[Score]:
    """Scores by class, the highest first."""
    scores = (output or {}).get("scores") or {}
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [Score(label, score, f"{score:.0%}") for label, score in ranked]


# --- Forms ----------------------------------------------------------------------------------


def inputs_for(
    kind: str, output: Mapping[str, Any] | None, names: Sequence[Any] = ()
) -> list[Input]:
    """The inputs with which a person changes ``output``, or gives one where the AI's is not shown.

    Parameters: ``names``, the fields to fill where there is no output: names, or objects of name
    and type. Labels are no input: they are buttons.
    """
    if kind == "number":
        return [Input("value", "Value", "number", _written((output or {}).get("value")))]
    if kind == "text":
        return [Input("text", "Text", "text", str((output or {}).get("text") or ""), is_long=True)]
    if kind == "fields":
        fields = (output or {}).get("fields")
        return _inputs_of_fields(fields) if fields else [_empty_field(name) for name in names]
    if kind == "action":
        name = Input("name", "Action", "text", str((output or {}).get("name") or ""))
        return [name, *_inputs((output or {}).get("arguments") or {}, "/arguments", "")]
    return []


def takes_new_rows(kind: str, output: Mapping[str, Any] | None, names: Sequence[Any] = ()) -> bool:
    """Whether the person names values of their own: nothing says which there are."""
    return (kind == "action" and not output) or (kind == "fields" and not output and not names)


def filled(
    inputs: Sequence[Input], kept: Mapping[str, str], said: Sequence[Input] = ()
) -> list[Input]:
    """The inputs with what was typed before, as a draft kept it, and what the AI ``said`` beside."""
    by_name = {one.name: one for one in said}
    return [_filled(one, kept.get(one.name, one.value), by_name.get(one.name)) for one in inputs]


def _filled(one: Input, value: str, said: Input | None) -> Input:
    beside = said.value if said is not None and said.value != value else ""
    sure = said.confidence if said is not None else one.confidence
    return replace(one, value=value, beside=beside, confidence=sure)


def _inputs_of_fields(fields: Mapping[str, Any]) -> list[Input]:
    found = []
    for name, item in fields.items():
        held = item if isinstance(item, Mapping) and "value" in item else {"value": item}
        pointer = f"/fields/{_escaped(name)}"
        sure = held.get("confidence")
        found += _inputs(held["value"], pointer, _words(name), sure)
    return found


def _empty_field(field: Any) -> Input:
    named = field if isinstance(field, Mapping) else {"name": field}
    name, kind = str(named.get("name")), str(named.get("type") or "text")
    kind = kind if kind in ("number", "boolean") else "text"
    return Input(f"{LEAF}/fields/{_escaped(name)}", _words(name), kind, "")


def _inputs(value: Any, pointer: str, words: str, sure: float | None = None) -> list[Input]:
    if isinstance(value, Mapping) and value:
        parts = [(str(name), item) for name, item in value.items()]
    elif isinstance(value, list) and value:
        parts = [(str(place), item) for place, item in enumerate(value)]
    else:
        text = _written(value)
        kind = _type_of(value)
        return [Input(f"{LEAF}{pointer}", words, kind, text, text, sure, len(text) > LONG)]
    within = isinstance(value, list)
    return [
        leaf
        for name, item in parts
        for leaf in _inputs(
            item,
            f"{pointer}/{_escaped(name)}",
            _joined(words, str(int(name) + 1) if within else _words(name)),
            sure,
        )
    ]


def _joined(before: str, word: str) -> str:
    return f"{before}: {word}" if before else word


def _words(name: str) -> str:
    spaced = name.replace("_", " ").strip() or name
    return spaced[:1].upper() + spaced[1:]


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text"


def _written(value: object) -> str:
    if value is None or isinstance(value, Mapping | list):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def form_of(kind: str, final: Mapping[str, Any]) -> dict[str, str]:
    """What a form holds that states this final output: what an undone verdict is filled in from."""
    if kind == "label":
        return {"label": str(final.get("label") or "")}
    shape = as_output(kind, final)
    return {one.name: one.value for one in inputs_for(kind, shape)}


def as_output(kind: str, final: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A person's answer in the shape of an output."""
    if final is None or kind != "fields":
        return final
    return {"fields": {name: {"value": v} for name, v in (final.get("fields") or {}).items()}}


# --- Read -----------------------------------------------------------------------------------


def output_from(
    kind: str,
    form: Mapping[str, str],
    output: Mapping[str, Any] | None,
    names: Sequence[Any] = (),
) -> dict[str, Any]:
    """The final output that a form states.

    Parameters: ``form``, what was posted; ``output``, what the form was made from, None where the
    person answers by themselves; ``names`` as in ``inputs_for``.
    Errors: BadInput naming each input that cannot be read, and what is allowed.
    """
    errors: list[FieldError] = []
    made = _READERS[kind](form, output, names, errors)
    if errors:
        raise BadInput(errors)
    return made


_Form = Mapping[str, str]
_Errors = list[FieldError]


def _label(form: _Form, _output: Any, _names: Any, errors: _Errors) -> dict[str, Any]:
    if not form.get("label"):
        errors.append(FieldError("/output/label", "Choose a label."))
    return {"label": form.get("label")}


def _number(form: _Form, _output: Any, _names: Any, errors: _Errors) -> dict[str, Any]:
    value = _read(form.get("value", ""), "number", "/output/value", "value", errors)
    if value is None and not errors:
        errors.append(FieldError("/output/value", "Give a number."))
    return {"value": value}


def _text(form: _Form, _output: Any, _names: Any, errors: _Errors) -> dict[str, Any]:
    text = form.get("text", "").replace("\r\n", "\n")
    if not text.strip():
        errors.append(FieldError("/output/text", "Write the text."))
    return {"text": text}


def _fields(form: _Form, output: Any, names: Any, errors: _Errors) -> dict[str, Any]:
    given = (output or {}).get("fields") or {}
    values = {
        name: copy.deepcopy(item["value"])
        if isinstance(item, Mapping) and "value" in item
        else copy.deepcopy(item)
        for name, item in given.items()
    }
    made: dict[str, Any] = {"fields": values}
    _set_leaves(made, form, inputs_for("fields", output, names), bool(given), errors)
    values.update(_new_rows(form))
    if not values:
        errors.append(FieldError("/output/fields", "Give at least one field a value."))
    return made


def _action(form: _Form, output: Any, names: Any, errors: _Errors) -> dict[str, Any]:
    name = form.get("name", "").strip()
    if not name:
        errors.append(FieldError("/output/name", "Name the action."))
    made: dict[str, Any] = {"arguments": copy.deepcopy((output or {}).get("arguments") or {})}
    leaves = [leaf for leaf in inputs_for("action", output, names) if leaf.name.startswith(LEAF)]
    _set_leaves(made, form, leaves, True, errors)
    made["arguments"].update(_new_rows(form))
    return {"name": name, "arguments": made["arguments"]}


def _set_leaves(
    root: Any, form: _Form, leaves: Sequence[Input], kept: bool, errors: _Errors
) -> None:
    """Write each posted leaf to its place; one that was not touched keeps its very value, where
    there was one to be ``kept``."""
    for leaf in leaves:
        given = form.get(leaf.name, leaf.value).replace("\r\n", "\n")
        pointer = leaf.name.removeprefix(LEAF)
        if kept and given == leaf.was:
            continue
        value = _read(given, leaf.type, f"/output{pointer}", leaf.words, errors)
        _put(root, pointer, value)


def _put(root: Any, pointer: str, value: Any) -> None:
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in way:
        root = root[int(part)] if isinstance(root, list) else root[part]
    if isinstance(root, list):
        root[int(last)] = value
        return
    held = root.get(last)
    if not (value is None and isinstance(held, Mapping | list)):  # an empty one stays as it is
        root[last] = value


def _read(text: str, kind: str, pointer: str, words: str, errors: _Errors) -> Any:
    if text.strip() == "":
        return None
    if kind == "boolean":
        return text.strip() == "true"
    if kind != "number":
        return text
    number = number_from(text)
    if number is None:
        errors.append(
            FieldError(pointer, f"{words} is {text!r}; a number such as 1200.50 is allowed")
        )
    return number


def number_from(text: str) -> int | float | None:
    """A number as it was written, whole where it is; None for anything else."""
    plain = text.strip().replace("\u2212", "-").replace(" ", "")
    found = _NUMBER.fullmatch(plain)
    if found is None:
        return None
    number = float(plain) if found[1] or found[2] else int(plain)
    return number if math.isfinite(number) else None


def _new_rows(form: _Form) -> dict[str, Any]:
    """Values that the person named: a row without a name is no row."""
    found: dict[str, Any] = {}
    for key, name in form.items():
        if key.startswith(NEW_NAME) and name.strip():
            value = form.get(f"{NEW_VALUE}{key.removeprefix(NEW_NAME)}", "")
            found[name.strip()] = value if value.strip() else None
    return found


_READERS: Final = {
    "label": _label,
    "number": _number,
    "text": _text,
    "fields": _fields,
    "action": _action,
}
