"""What a use case declares, as far as policies need it: labels, features, attributes, risk tier."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

FieldType = Literal["number", "category", "boolean", "text", "date", "amount", "any"]
RiskTier = Literal["minimal", "limited", "high"]

PLAIN_FIELDS: dict[str, FieldType] = {
    "confidence": "number",
    "margin": "number",
    "label": "category",
    "amount": "amount",
    "model_version": "text",
    "novelty": "boolean",
}
# What each kind of output lets a condition test, as `output.NAME`. For `fields` the names are the
# sender's own, for `action` they are the arguments' names: their type is that of the value
# they are compared with.
OUTPUT_FIELDS: dict[str, dict[str, FieldType]] = {
    "label": {"label": "category"},
    "number": {"value": "number", "low": "number", "high": "number"},
    "fields": {},
    "text": {"text": "text"},
    "action": {"name": "text"},
}
OPEN_KINDS = frozenset({"fields", "action"})
_OUTPUT_SCORE = re.compile(r"scores\.(?P<label>.+)", re.DOTALL)


class Problem(NamedTuple):
    """One fault of a document: where it is (JSON pointer, RFC 6901) and what is wrong there."""

    pointer: str
    detail: str


class InvalidDocumentError(ValueError):
    """A policy or a condition has faults; `problems` lists every one of them."""

    code = "invalid_document"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{place}: {detail}" for place, detail in self.problems))


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature or subject attribute; `levels` are the known ones where the use case lists any."""

    name: str
    type: FieldType
    protected: bool = False
    levels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class UseCaseSchema:
    """What a policy of a use case may refer to.

    `labels` in the order of the use case; `favourable_label` is good for the subject; `kinds`
    are the output kinds its models may send; `features` and `subject_attributes` as declared.
    """

    labels: tuple[str, ...]
    favourable_label: str | None = None
    kinds: tuple[str, ...] = ("label",)
    risk_tier: RiskTier = "limited"
    features: tuple[Feature, ...] = ()
    subject_attributes: tuple[Feature, ...] = ()

    @cached_property
    def declared(self) -> dict[str, Feature]:
        """Features and attributes by the name that a condition uses for them."""
        named = {f"feature.{feature.name}": feature for feature in self.features}
        return named | {f"subject.{item.name}": item for item in self.subject_attributes}

    @cached_property
    def fixed_outputs(self) -> dict[str, FieldType]:
        """Output fields with a fixed type, by the name that a condition uses for them."""
        return {
            f"output.{name}": kind_type
            for kind in self.kinds
            for name, kind_type in OUTPUT_FIELDS.get(kind, {}).items()
        }

    def field_type(self, name: str) -> FieldType | None:
        """Return the type of a condition's field, or None when there is no such field here.

        Definition: confidence, margin, label, amount, model_version and novelty have fixed types;
        `feature.NAME` and `subject.NAME` the declared one; `output.NAME` that of the output kind,
        `any` for a named field or an argument of an action.
        Parameters: `name`, as written in a condition.
        Returns: the type, or None for an unknown name (label needs the kind `label`).
        """
        if name in PLAIN_FIELDS:
            usable = name != "label" or "label" in self.kinds
            return PLAIN_FIELDS[name] if usable else None
        if name in self.declared:
            return self.declared[name].type
        return self._output_type(name)

    def _output_type(self, name: str) -> FieldType | None:
        if name in self.fixed_outputs:
            return self.fixed_outputs[name]
        prefix, _, rest = name.partition(".")
        if prefix != "output" or not rest:
            return None
        score = _OUTPUT_SCORE.fullmatch(rest)
        if score and "label" in self.kinds and score["label"] in self.labels:
            return "number"
        return "any" if OPEN_KINDS & set(self.kinds) else None

    def field_names(self) -> list[str]:
        """Return the names a condition may use, in the order a form would offer them."""
        plain = [name for name in PLAIN_FIELDS if self.field_type(name)]
        return [*plain, *self.declared, *self.fixed_outputs]
