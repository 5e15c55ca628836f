"""What a use case says about the decisions it takes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from apps.common.errors import BadInput, FieldError
from apps.decisions.domain.checks import VALUE_CHECKS
from apps.decisions.domain.faults import pointer_to, shown
from apps.decisions.domain.outputs import KINDS, OutputSchema

UnknownFields = Literal["refuse", "keep"]


class FieldSpec(NamedTuple):
    """A feature or a subject attribute: its name and its type.

    ``type`` is number, category, boolean, text or date.
    """

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class DecisionSchema:
    """The bounds of one use case's decisions.

    ``use_case``: its slug; ``kinds``: kinds of output; ``labels``: the label set, in order;
    ``features`` and ``subject_attributes``: the declared fields; ``unknown_features`` and
    ``unknown_attributes``: whether a field that is not declared is refused or kept as it is.
    """

    use_case: str
    labels: tuple[str, ...]
    kinds: tuple[str, ...] = ("label",)
    features: tuple[FieldSpec, ...] = ()
    subject_attributes: tuple[FieldSpec, ...] = ()
    unknown_features: UnknownFields = "refuse"
    unknown_attributes: UnknownFields = "refuse"

    def __post_init__(self) -> None:
        for name in self.kinds:
            if name not in KINDS:
                raise ValueError(f"kind {name!r} is not known; known are: {', '.join(KINDS)}")
        for spec in (*self.features, *self.subject_attributes):
            if spec.type not in VALUE_CHECKS:
                known = ", ".join(VALUE_CHECKS)
                raise ValueError(f"{spec.name} has the type {spec.type!r}; known are: {known}")

    @property
    def outputs(self) -> OutputSchema:
        """The part of the schema that bounds outputs."""
        return OutputSchema(self.kinds, self.labels)


def schema_from_document(use_case: Mapping[str, object]) -> DecisionSchema:
    """The schema of a use case document: ``{slug, labels, kinds?, features?, ...}``.

    Definition: features and subject attributes are lists of ``{name, type, ...}``. A use case that
    declares no features at all keeps what it is sent, one that declares some refuses others,
    unless ``unknown_features`` says otherwise; likewise ``unknown_attributes``.
    Parameters: ``use_case``, the document. Returns: DecisionSchema. Errors: BadInput.
    """
    errors: list[FieldError] = []
    features = _read_specs(errors, use_case, "features")
    attributes = _read_specs(errors, use_case, "subject_attributes")
    labels = _read_words(errors, use_case, "labels")
    kinds = _read_words(errors, use_case, "kinds") or ("label",)
    slug = use_case.get("slug")
    if not isinstance(slug, str) or not slug:
        errors.append(FieldError("/slug", f"slug is {shown(slug)}; text is allowed"))
    unknown = [
        _read_unknown(errors, use_case, "unknown_features", features),
        _read_unknown(errors, use_case, "unknown_attributes", attributes),
    ]
    if errors:
        raise BadInput(errors)
    try:
        return DecisionSchema(str(slug), labels, kinds, features, attributes, *unknown)
    except ValueError as fault:
        raise BadInput(str(fault)) from None


def _read_specs(
    errors: list[FieldError], document: Mapping[str, object], key: str
) -> tuple[FieldSpec, ...]:
    items = document.get(key) or []
    if not isinstance(items, list):
        errors.append(FieldError(f"/{key}", f"{key} is {shown(items)}; a list is allowed"))
        return ()
    specs: dict[str, FieldSpec] = {}
    for index, item in enumerate(items):
        name, kind = (item.get("name"), item.get("type")) if isinstance(item, dict) else (None, "")
        place = pointer_to(f"/{key}", index)
        if not isinstance(name, str) or not isinstance(kind, str) or kind not in VALUE_CHECKS:
            known = ", ".join(VALUE_CHECKS)
            detail = f"name is {shown(name)} and type {shown(kind)}; types are: {known}"
            errors.append(FieldError(place, detail))
        elif name in specs:
            errors.append(FieldError(place, f"{shown(name)} is declared twice"))
        else:
            specs[name] = FieldSpec(name, kind)
    return tuple(specs.values())


def _read_words(
    errors: list[FieldError], document: Mapping[str, object], key: str
) -> tuple[str, ...]:
    items = document.get(key) or []
    if isinstance(items, list) and all(isinstance(item, str) for item in items):
        return tuple(items)
    errors.append(FieldError(f"/{key}", f"{key} is {shown(items)}; a list of texts is allowed"))
    return ()


def _read_unknown(
    errors: list[FieldError],
    document: Mapping[str, object],
    key: str,
    declared: tuple[FieldSpec, ...],
) -> UnknownFields:
    value = document.get(key, "refuse" if declared else "keep")
    if value == "refuse":
        return "refuse"
    if value != "keep":
        errors.append(FieldError(f"/{key}", f"{key} is {shown(value)}; refuse or keep is allowed"))
    return "keep"
