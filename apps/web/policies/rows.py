"""The condition builder as it is shown: nested rows with what can be chosen in each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from apps.policies.domain.condition_parser import OPS_OF_TYPE
from apps.policies.domain.schema import PLAIN_FIELDS, UseCaseSchema
from apps.web.policies.builder import DEEPEST, GROUPS, JSON_TEXT, LISTED, TEST, Form, parts_of

OP_WORDS: Final = {
    "==": "is",
    "!=": "is not",
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
    "in": "is one of",
    "not_in": "is none of",
    "between": "is between",
    "is_missing": "is missing",
    "matches": "matches the pattern",
}
FIELD_WORDS: Final = {
    "confidence": "confidence",
    "margin": "margin between the two best",
    "label": "the AI’s label",
    "amount": "amount at stake",
    "model_version": "model version",
    "novelty": "novelty",
}


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    words: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the form shows it. ``input``: how its value is entered: number, text, date, list,
    boolean, choice or none."""

    path: str
    kind: str
    parts: Sequence[Node] = ()
    groups: Sequence[Option] = ()
    field: str = ""
    fields: Sequence[tuple[str, Sequence[Option]]] = ()
    ops: Sequence[Option] = ()
    op: str = ""
    input: str = ""
    choices: Sequence[Option] = ()
    value: str = ""
    value2: str = ""
    text: str = ""
    plain: bool = False
    may_nest: bool = False
    is_root: bool = False
    errors: Sequence[str] = ()


def node_of(
    form: Form,
    path: str,
    schema: UseCaseSchema,
    errors: Mapping[str, Sequence[str]] | None = None,
    depth: int = 1,
) -> Node:
    """The node at ``path`` with all below it; ``errors`` by the names of inputs."""
    faults = errors or {}
    kind = form.get(f"{path}.kind", "all")
    own: list[str] = [
        one for part in ("", ".field", ".op", ".value") for one in faults.get(f"{path}{part}", ())
    ]
    root = depth == 1
    if kind == JSON_TEXT:
        text = form.get(f"{path}.text", "")
        return Node(path, kind, text=text, errors=own, is_root=root)
    if kind in GROUPS:
        parts = [
            node_of(form, f"{path}.{number}", schema, faults, depth + 1)
            for number in parts_of(form, path)
        ]
        groups = [Option(code, words, code == kind) for code, words in GROUPS.items()]
        return Node(
            path,
            kind,
            parts,
            groups,
            plain=bool(form.get(f"{path}.plain")),
            may_nest=depth < DEEPEST,
            errors=own,
            is_root=root,
        )
    return _test_node(form, path, schema, own)


def _test_node(form: Form, path: str, schema: UseCaseSchema, errors: Sequence[str]) -> Node:
    name = form.get(f"{path}.field", "")
    kind = schema.field_type(name) or "any"
    allowed = OPS_OF_TYPE[kind]
    op = form.get(f"{path}.op", "")
    op = op if op in allowed else allowed[0]
    value = form.get(f"{path}.value", "")
    how, choices = _input_of(name, kind, op, schema, value)
    return Node(
        path,
        TEST,
        field=name,
        fields=_field_options(schema, name),
        ops=[Option(one, OP_WORDS[one], one == op) for one in allowed],
        op=op,
        input=how,
        choices=choices,
        value=value,
        value2=form.get(f"{path}.value2", ""),
        errors=errors,
    )


def _input_of(
    name: str, kind: str, op: str, schema: UseCaseSchema, value: str
) -> tuple[str, list[Option]]:
    yes_no = [Option("true", "yes", value != "false"), Option("false", "no", value == "false")]
    if op == "is_missing" or (kind == "boolean" and op in ("==", "!=")):
        return "choice", yes_no
    if op in LISTED:
        return "list", []
    if name in ("label", "output.label") and op in ("==", "!="):
        return "choice", [Option(label, label, label == value) for label in schema.labels]
    if kind in ("number", "amount"):
        return "number", []
    return ("date" if kind == "date" else "text"), []


def _field_options(schema: UseCaseSchema, chosen: str) -> list[tuple[str, list[Option]]]:
    """Fields by where they come from; one that the definition no longer has stays to be seen."""
    names = schema.field_names()
    names = names if chosen in names or not chosen else [*names, chosen]
    places: dict[str, list[Option]] = {}
    for name in names:
        prefix, _dot, rest = name.partition(".")
        group = {"feature": "Features", "subject": "Subject", "output": "Output"}.get(
            prefix, "Case"
        )
        words = FIELD_WORDS.get(name, name) if name in PLAIN_FIELDS else rest.replace("_", " ")
        places.setdefault(group, []).append(Option(name, words or name, name == chosen))
    return list(places.items())
