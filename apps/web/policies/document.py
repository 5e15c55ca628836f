"""A policy's document as the inputs of the editor, and the inputs as a document. Pure.

Reading never fails: what cannot be a value stays text, for the policy's own rules to name the fault.
``Sent.places`` says which input each JSON pointer means, so that a fault stands at its field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from apps.policies.domain.schema import UseCaseSchema
from apps.web.desk.outputs import number_from
from apps.web.policies import builder

Form = Mapping[str, str]
# How each key is entered; rules, thresholds by label and tripwires are rows of their own.
NUMBERS: Final = (
    "confidence_threshold",
    "audit_rate",
    "reviews_required",
    "known_answer_rate",
    "min_weekly_cases",
    "lease_minutes",
    "ask_limit_minutes",
)
OPTIONAL_NUMBERS: Final = (
    "known_answer_floor",
    "sla_minutes",
    "intervention_minutes",
    "reviews_max",
    "posterior_level",
    "daily_limit",
    "streak_limit",
    "practice_days",
)
FLAGS: Final = ("blind", "senior_sees_verdicts", "feedback", "show_protected")
CHOICES: Final = ("level", "combination", "fallback")
LISTS: Final = ("skills", "escalation")
TRIPWIRE: Final = ("metric", "op", "value", "action")
NEW_RULE: Final = "New rule"


@dataclass(slots=True)
class Sent:
    """The document that a form states, and the input that each JSON pointer of it means."""

    document: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)


# --- A document as a form -------------------------------------------------------------------


def form_of(document: Mapping[str, Any]) -> dict[str, str]:
    """The inputs that state a normal document."""
    found = {name: str(document[name]) for name in CHOICES}
    found |= {name: written(document[name]) for name in (*NUMBERS, *OPTIONAL_NUMBERS)}
    found |= {name: "on" for name in FLAGS if document[name]}
    found |= {name: "\n".join(document[name]) for name in LISTS}
    found["justification"] = (document["unreviewed_release"] or {}).get("justification", "")
    for label, threshold in document["label_thresholds"].items():
        found[f"threshold:{label}"] = written(threshold)
    for label in document["always_review_labels"]:
        found[f"always:{label}"] = "on"
    for number, rule in enumerate(document["rules"]):
        found |= _rule_form(rule, f"rules.{number}")
    for number, tripwire in enumerate(document["tripwires"]):
        found |= {f"tripwires.{number}.{key}": written(tripwire[key]) for key in TRIPWIRE}
    return found


def _rule_form(rule: Mapping[str, Any], place: str) -> dict[str, str]:
    return {
        f"{place}.name": rule["name"],
        f"{place}.then": rule["then"],
        f"{place}.rate": written(rule.get("rate")),
        **builder.form_of(rule["when"], f"{place}.when"),
    }


def written(value: Any) -> str:
    """A figure as it is typed: 0.8, 240; nothing for none."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


# --- A form as a document -------------------------------------------------------------------


def document_from(form: Form, schema: UseCaseSchema) -> Sent:
    """The document that the editor's inputs state."""
    sent = Sent()
    document = sent.document
    document |= {name: form.get(name, "") for name in CHOICES}
    document |= {name: _number(form.get(name, "")) for name in (*NUMBERS, *OPTIONAL_NUMBERS)}
    document |= {name: "" for name in NUMBERS if document[name] is None}  # a fault, at its input
    document |= {name: form.get(name) == "on" for name in FLAGS}
    document |= {name: _lines(form.get(name, "")) for name in LISTS}
    words = form.get("justification", "").strip()
    document["unreviewed_release"] = {"justification": words} if words else None
    sent.places["/unreviewed_release"] = "justification"
    _labels(form, schema, sent)
    _rules(form, schema, sent)
    _tripwires(form, sent)
    return sent


def _number(text: str) -> Any:
    plain = text.strip().replace(",", ".")
    if not plain:
        return None
    number = number_from(plain)
    return text if number is None else number


def _lines(text: str) -> list[str]:
    parts = text.replace(",", "\n").splitlines()
    return [part.strip() for part in parts if part.strip()]


def _labels(form: Form, schema: UseCaseSchema, sent: Sent) -> None:
    thresholds: dict[str, Any] = {}
    for label in schema.labels:
        name = f"threshold:{label}"
        number = _number(form.get(name, ""))
        if number is not None:
            thresholds[label] = number
            sent.places[f"/label_thresholds/{_escaped(label)}"] = name
    chosen = [label for label in schema.labels if form.get(f"always:{label}") == "on"]
    sent.document["label_thresholds"] = thresholds
    sent.document["always_review_labels"] = chosen


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def rows_of(form: Form, name: str) -> list[int]:
    """The numbers of the rows ``rules`` or ``tripwires``, in order."""
    start = f"{name}."
    numbers = {key[len(start) :].partition(".")[0] for key in form if key.startswith(start)}
    return sorted(int(number) for number in numbers if number.isascii() and number.isdigit())


def _rules(form: Form, schema: UseCaseSchema, sent: Sent) -> None:
    rules = []
    for place, number in enumerate(rows_of(form, "rules")):
        own, pointer = f"rules.{number}", f"/rules/{place}"
        found = builder.read(form, f"{own}.when", schema, f"{pointer}/when")
        then = form.get(f"{own}.then", "")
        rule = {"name": form.get(f"{own}.name", "").strip(), "when": found.condition, "then": then}
        if then == "sample":
            rule["rate"] = _number(form.get(f"{own}.rate", ""))
        rules.append(rule)
        sent.places |= {f"{pointer}/{key}": f"{own}.{key}" for key in ("name", "then", "rate")}
        sent.places |= found.places
        sent.places[pointer] = f"{own}.name"
    sent.document["rules"] = rules


def _tripwires(form: Form, sent: Sent) -> None:
    tripwires = []
    for place, number in enumerate(rows_of(form, "tripwires")):
        own = f"tripwires.{number}"
        tripwire: dict[str, Any] = {key: form.get(f"{own}.{key}", "").strip() for key in TRIPWIRE}
        tripwire["value"] = _number(tripwire["value"])
        tripwires.append(tripwire)
        sent.places |= {f"/tripwires/{place}/{key}": f"{own}.{key}" for key in TRIPWIRE}
    sent.document["tripwires"] = tripwires


# --- Faults ---------------------------------------------------------------------------------


def faults_by_input(
    faults: Iterator[tuple[str, str]] | Sequence[tuple[str, str]], places: Mapping[str, str]
) -> dict[str, list[str]]:
    """What is wrong, by the name of the input where it stands; under "" what belongs to none."""
    found: dict[str, list[str]] = {}
    for pointer, detail in faults:
        found.setdefault(_place_of(pointer, places), []).append(detail)
    return found


def _place_of(pointer: str, places: Mapping[str, str]) -> str:
    """The input of a pointer, or of the nearest one above it."""
    while pointer:
        if pointer in places:
            return places[pointer]
        head, _slash, last = pointer.rpartition("/")
        if not head:
            return last
        pointer = head
    return ""


# --- What a button does ---------------------------------------------------------------------


def changed(form: Form, act: str, path: str, schema: UseCaseSchema) -> dict[str, str]:
    """The form after a button: add-rule, add-tripwire, drop, up, down, or one of the builder."""
    made = dict(form)
    if act == "add-rule":
        number = max(rows_of(form, "rules"), default=-1) + 1
        place = f"rules.{number}"
        return {
            **made,
            f"{place}.name": f"{NEW_RULE} {number + 1}",
            f"{place}.then": "review",
            f"{place}.rate": "",
            f"{place}.when.kind": "all",
            **builder.changed({}, "test", f"{place}.when", schema),
        }
    if act == "add-tripwire":
        number = max(rows_of(form, "tripwires"), default=-1) + 1
        row = {"metric": "", "op": ">", "value": "", "action": "alert"}
        return {**made, **{f"tripwires.{number}.{key}": value for key, value in row.items()}}
    if act == "drop":
        return builder.without(made, path)
    if act in ("up", "down"):
        return _swapped(made, path, -1 if act == "up" else 1)
    return builder.changed(made, act, path, schema)


def _swapped(form: dict[str, str], path: str, step: int) -> dict[str, str]:
    """The form with the row at ``path`` (``rules.2``) and its neighbour in each other's place."""
    name, _dot, text = path.partition(".")
    numbers = rows_of(form, name)
    if not text.isdigit() or int(text) not in numbers:
        return form
    place = numbers.index(int(text)) + step
    if not 0 <= place < len(numbers):
        return form
    mine, other = f"{path}.", f"{name}.{numbers[place]}."
    swapped = {}
    for key, value in form.items():
        if key.startswith(mine):
            key = other + key[len(mine) :]
        elif key.startswith(other):
            key = mine + key[len(other) :]
        swapped[key] = value
    return swapped
