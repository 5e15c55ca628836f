"""What arrives, before anything is written: content as bytes, its keyed digest, and what binds it."""

from __future__ import annotations

import os
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from django.conf import settings

from apps.decisions.domain.content import (
    SALT_BYTES,
    commitment,
    content_digest,
    join_output,
    keyed_hash,
    split_parts,
    subject_pseudonym,
)
from apps.decisions.domain.envelope import DecisionValidator, ValidDecision, compile_validator
from apps.decisions.domain.schema import DecisionSchema, FieldSpec
from apps.decisions.models import PARTS
from apps.registry.models import UseCase

SALTS_BYTES = SALT_BYTES * len(PARTS)
SALT_OF = {part: slice(SALT_BYTES * n, SALT_BYTES * (n + 1)) for n, part in enumerate(PARTS)}
# What is there before the routing gives its reasons.
GIVEN = [part for part in PARTS if part != "reasons"]
GIVEN_SALTS = [(part, SALT_OF[part]) for part in GIVEN]


class Arrival(NamedTuple):
    """A decision that passed its checks: where it stood in its file or batch, and its content.

    ``salt``: random bytes for each of PARTS, in their order; ``commitments``: to the parts in their
    order, None where there is none, without the reasons; ``pseudonym``: of the subject.
    """

    position: int
    valid: ValidDecision
    parts: dict[str, bytes]
    digest: str
    salt: bytes
    commitments: tuple[str | None, ...]
    pseudonym: str | None


def arrival(position: int, valid: ValidDecision) -> Arrival:
    """Bring a valid decision to what is stored."""
    parts, salt, ref = split_parts(valid), os.urandom(SALTS_BYTES), valid.subject_ref
    key = settings.PSEUDONYM_KEY.encode()
    return Arrival(
        position,
        valid,
        parts,
        keyed_digest(content_digest(valid, parts)),
        salt,
        tuple(
            [
                commitment(salt[at], parts[part]) if part in parts else None
                for part, at in GIVEN_SALTS
            ]
        ),
        None if ref is None else subject_pseudonym(key, valid.use_case, ref),
    )


def keyed_digest(digest: str) -> str:
    """Content may be guessed from a plain hash; under the installation's key it cannot."""
    return keyed_hash(settings.PSEUDONYM_KEY.encode(), digest.encode())


Packed = tuple[Any, ...]


def packed(arrival: Arrival) -> Packed:
    """An arrival as few plain values, for another process: its content as the bytes alone."""
    v = arrival.valid
    return (
        arrival.position,
        v.use_case,
        v.external_id,
        v.model,
        v.model_version,
        v.kind,
        v.output is not None,
        v.label,
        v.confidence,
        v.margin,
        v.label_not_top,
        None if v.amount is None else str(v.amount),
        v.subject_ref,
        None if v.decided_at is None else v.decided_at.isoformat(),
        *arrival[2:],
    )


def unpacked(sent: Packed) -> Arrival:
    """What was packed."""
    position, *row, has_output, label, confidence, margin, not_top, amount, ref, at, parts = sent[
        :15
    ]
    output = join_output(row[-1], label, confidence, parts.get("output")) if has_output else None
    subject = _content(parts, "subject")
    valid = (
        *row,
        output,
        label,
        confidence,
        margin,
        not_top,
        None if amount is None else Decimal(amount),
        _content(parts, "features") or {},
        ref,
        subject["attributes"] if subject else {},
        _content(parts, "explanation"),
        _content(parts, "evidence"),
        None if at is None else datetime.fromisoformat(at),
    )
    return Arrival(position, ValidDecision._make(valid), *sent[14:])


def _content(parts: dict[str, bytes], part: str) -> Any:
    return orjson.loads(parts[part]) if part in parts else None


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
