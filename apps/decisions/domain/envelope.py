"""One decision as it is sent in, checked whole and brought to its normal form.

Everything that is wrong with a body is reported at once, each fault with its JSON pointer. The
checks are written out by hand because this is the hot path of bulk ingest: text for an error is
only made once something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from apps.common.errors import BadInput, FieldError
from apps.decisions.domain.attachments import read_evidence, read_explanation
from apps.decisions.domain.checks import (
    MAX_SAFE_INTEGER,
    VALUE_CHECKS,
    check_amount,
    check_category,
    check_name,
    check_number,
    check_past_time,
    check_scalar,
)
from apps.decisions.domain.faults import RefusedError, pointer_to, shown, unknown_keys
from apps.decisions.domain.outputs import read_output
from apps.decisions.domain.schema import DecisionSchema, FieldSpec, UnknownFields
from apps.decisions.domain.strict_json import MAX_BYTES, parse_object

MAX_UNKNOWN_FIELDS = 1_000
MAX_LEVELS = 1_000
LARGE = float(MAX_SAFE_INTEGER)

FeatureValue = int | float | str | bool
_Check = Callable[[object], FeatureValue]

_REQUIRED = ("use_case", "external_id", "model", "model_version", "kind", "output")
_KEYS = frozenset(
    {*_REQUIRED, "amount", "features", "subject", "explanation", "evidence", "decided_at"}
)
_SUBJECT_KEYS = frozenset({"ref", "attributes"})


class ValidDecision(NamedTuple):
    """A decision that passed, in normal form. A named tuple: immutable, and quick to make.

    ``output``: as sent, normalised, None when no model has spoken; ``label``, ``confidence``,
    ``margin``, ``label_not_top``: as in NormalOutput; ``amount``: exact; ``features`` and
    ``subject_attributes``: without the missing ones; ``decided_at``: aware, in UTC.
    """

    use_case: str
    external_id: str
    model: str
    model_version: str
    kind: str
    output: dict[str, object] | None
    label: str | None
    confidence: float | None
    margin: float | None
    label_not_top: bool
    amount: Decimal | None
    features: dict[str, FeatureValue]
    subject_ref: str | None
    subject_attributes: dict[str, FeatureValue]
    explanation: dict[str, object] | None
    evidence: list[dict[str, object]] | None
    decided_at: datetime | None


class DecisionValidator:
    """The compiled checks of one use case; build it once, use it for every decision."""

    def __init__(self, schema: DecisionSchema) -> None:
        self.schema = schema
        self._outputs = schema.outputs
        self._features = _FieldReader("feature", schema.features, schema.unknown_features)
        self._attributes = _FieldReader(
            "subject attribute", schema.subject_attributes, schema.unknown_attributes
        )

    def read(self, raw: bytes, now: datetime, *, max_bytes: int = MAX_BYTES) -> ValidDecision:
        """One decision from its bytes.

        Parameters: ``raw``, a JSON object in UTF-8; ``now``, aware; ``max_bytes``.
        Returns: ValidDecision. Errors: BadInput with all faults.
        """
        return self.validate(parse_object(raw, max_bytes=max_bytes), now)

    def validate(self, body: dict[str, object], now: datetime) -> ValidDecision:
        """One decision from its parsed body.

        Definition: required are use_case, external_id, model, model_version, kind and output;
        unknown keys are refused; an optional key that is null counts as not given.
        Parameters: ``body``; ``now``, aware, the bound of decided_at (with 5 minutes of slack).
        Returns: ValidDecision. Errors: BadInput with all faults, each with its JSON pointer.
        """
        errors: list[FieldError] = []
        if not body.keys() <= _KEYS:
            unknown_keys(errors, "", body, _KEYS)
        get = body.get
        external_id = _required_name("external_id", get("external_id"), errors)
        model = _required_name("model", get("model"), errors)
        model_version = _required_name("model_version", get("model_version"), errors)
        self._check_route(body, errors)
        output = read_output(get("kind"), get("output"), self._outputs, "/output", errors)
        if "output" not in body:
            errors.append(FieldError("/output", "output is required; null says there is none yet"))
        ref, attributes = self._read_subject(get("subject"), errors)
        features = self._features.read(get("features"), "/features", errors)
        amount = _read_amount(get("amount"), errors)
        decided_at = _read_decided_at(get("decided_at"), now, errors)
        explanation = read_explanation(errors, "/explanation", get("explanation"))
        evidence = read_evidence(errors, "/evidence", get("evidence"))
        if errors:
            raise BadInput(errors)
        return ValidDecision(
            self.schema.use_case,
            external_id,
            model,
            model_version,
            str(get("kind")),
            *output,
            amount,
            features,
            ref,
            attributes,
            explanation,
            evidence,
            decided_at,
        )

    def _check_route(self, body: dict[str, object], errors: list[FieldError]) -> None:
        use_case = body.get("use_case")
        if use_case != self.schema.use_case:
            detail = f"use_case is {shown(use_case)}; {self.schema.use_case!r} is allowed here"
            errors.append(FieldError("/use_case", detail))

    def _read_subject(
        self, subject: object, errors: list[FieldError]
    ) -> tuple[str | None, dict[str, FeatureValue]]:
        if subject is None:
            return None, {}
        if not isinstance(subject, dict):
            detail = f"subject is {shown(subject)}; an object is allowed"
            errors.append(FieldError("/subject", detail))
            return None, {}
        if not subject.keys() <= _SUBJECT_KEYS:
            unknown_keys(errors, "/subject", subject, _SUBJECT_KEYS)
        attributes = self._attributes.read(subject.get("attributes"), "/subject/attributes", errors)
        ref = subject.get("ref")
        if ref is None:
            return None, attributes
        return _required_name("ref", ref, errors, "/subject"), attributes


def compile_validator(schema: DecisionSchema) -> DecisionValidator:
    """The validator of a use case.

    Parameters: ``schema`` of the use case. Returns: DecisionValidator, safe to share and to cache.
    """
    return DecisionValidator(schema)


class _FieldReader:
    """Reads an object of named values against the declared fields."""

    def __init__(self, word: str, specs: tuple[FieldSpec, ...], unknown: UnknownFields) -> None:
        self._word = word
        self._checks: dict[str, _Check] = {spec.name: VALUE_CHECKS[spec.type] for spec in specs}
        self._keeps_unknown = unknown == "keep"
        self._levels: set[FeatureValue] = set()  # levels of categories that passed

    def read(self, data: object, pointer: str, errors: list[FieldError]) -> dict[str, FeatureValue]:
        values: dict[str, FeatureValue] = {}
        if data is None:
            return values
        if not isinstance(data, dict):
            detail = f"{pointer.rpartition('/')[2]} is {shown(data)}; an object is allowed"
            errors.append(FieldError(pointer, detail))
            return values
        if len(data) > len(self._checks) + MAX_UNKNOWN_FIELDS:
            detail = f"has {len(data):,} {self._word}s, more than are declared and 1,000 besides"
            errors.append(FieldError(pointer, detail))
            return values
        find, known = self._checks.get, self._levels
        for name, value in data.items():
            check = find(name)
            # What most values are is told without a call: a fraction, a level that passed before.
            if check is check_number:
                if type(value) is float and -LARGE < value < LARGE and value % 1:
                    values[name] = value
                    continue
            elif check is check_category:
                if type(value) is str and value in known:
                    values[name] = value
                    continue
            elif check is None:
                check = self._check_of_unknown(name, pointer, errors)
            if check is None or value is None:
                continue
            try:
                values[name] = check(value)
            except RefusedError as refusal:
                detail = f"{self._word} {shown(name)} {refusal}"
                errors.append(FieldError(pointer_to(pointer, name), detail))
            else:
                if check is check_category and len(known) < MAX_LEVELS:
                    known.add(values[name])
        return values

    def _check_of_unknown(self, name: str, pointer: str, errors: list[FieldError]) -> _Check | None:
        if self._keeps_unknown:
            try:
                check_name(name)
            except RefusedError as refusal:
                detail = f"the name of {self._word} {shown(name)} {refusal}"
                errors.append(FieldError(pointer_to(pointer, name), detail))
                return None
            return check_scalar
        known = ", ".join(self._checks) or "none"
        detail = f"{self._word} {shown(name)} is not known; known are: {known}"
        errors.append(FieldError(pointer_to(pointer, name), detail))
        return None


def _required_name(name: str, value: object, errors: list[FieldError], parent: str = "") -> str:
    if value is None:
        errors.append(FieldError(f"{parent}/{name}", f"{name} is required"))
        return ""
    try:
        return check_name(value)
    except RefusedError as refusal:
        errors.append(FieldError(f"{parent}/{name}", f"{name} {refusal}"))
        return ""


def _read_amount(value: object, errors: list[FieldError]) -> Decimal | None:
    if value is None:
        return None
    try:
        return check_amount(value)
    except RefusedError as refusal:
        errors.append(FieldError("/amount", f"amount {refusal}"))
        return None


def _read_decided_at(value: object, now: datetime, errors: list[FieldError]) -> datetime | None:
    if value is None:
        return None
    try:
        return check_past_time(value, now)
    except RefusedError as refusal:
        errors.append(FieldError("/decided_at", f"decided_at {refusal}"))
        return None
