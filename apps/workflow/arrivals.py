"""What arrives, before anything is written: content as bytes, and its keyed digest."""

from __future__ import annotations

import copyreg
from typing import Any, NamedTuple

from django.conf import settings

from apps.decisions.domain.content import content_digest, keyed_hash, split_parts
from apps.decisions.domain.envelope import DecisionValidator, ValidDecision, compile_validator
from apps.decisions.domain.schema import DecisionSchema, FieldSpec
from apps.registry.models import UseCase


class Arrival(NamedTuple):
    """A decision that passed its checks: where it stood in its file or batch, and its content."""

    position: int
    valid: ValidDecision
    parts: dict[str, bytes]
    digest: str


def arrival(position: int, valid: ValidDecision) -> Arrival:
    """Bring a valid decision to what is stored."""
    parts = split_parts(valid)
    return Arrival(position, valid, parts, keyed_digest(content_digest(valid, parts)))


def keyed_digest(digest: str) -> str:
    """Content may be guessed from a plain hash; under the installation's key it cannot."""
    return keyed_hash(settings.PSEUDONYM_KEY.encode(), digest.encode())


def _as_tuple(record: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple.__new__, (record.__class__, tuple(record))


# The reading process sends thousands: the way that named tuples go by themselves costs twice that.
copyreg.pickle(Arrival, _as_tuple)
copyreg.pickle(ValidDecision, _as_tuple)


_compiled: dict[tuple[str, str], DecisionValidator] = {}
MOST_COMPILED = 256


def validator_of(use_case: UseCase) -> DecisionValidator:
    """The compiled checks of a use case as it is defined now."""
    schema = decision_schema(use_case)
    key = (use_case.slug, repr(schema))
    if key not in _compiled:
        if len(_compiled) >= MOST_COMPILED:
            _compiled.clear()
        _compiled[key] = compile_validator(schema)
    return _compiled[key]


def decision_schema(use_case: UseCase) -> DecisionSchema:
    """What the use case takes in; one that declares no features keeps what it is sent."""
    keeps = use_case.unknown_features == "keep" or not use_case.features
    return DecisionSchema(
        use_case.slug,
        tuple(use_case.labels),
        tuple(use_case.kinds),
        tuple(FieldSpec(entry["name"], entry["type"]) for entry in use_case.features),
        tuple(FieldSpec(entry["name"], entry["type"]) for entry in use_case.subject_attributes),
        "keep" if keeps else "refuse",
        "refuse" if use_case.subject_attributes else "keep",
    )
