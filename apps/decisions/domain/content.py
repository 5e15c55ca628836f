"""What a decision says, as bytes: the parts that can be disclosed or erased one by one.

Personal content stands in parts, each kept as the bytes it was accepted as and bound by a salted
commitment:

============= =====================================================================
part          content
============= =====================================================================
features      the features object
subject       ``{ref, attributes}``
output        kind label: the scores; every other kind: the whole output
explanation   the explanation object
evidence      the list of evidence
============= =====================================================================

What stays on the decision's row is what rules, mandates and figures need and what names no one:
use case, external id, model and version, kind, label, confidence, margin, amount, decided_at. The
amount stays there since a mandate's limit is a sum over rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

import orjson

from apps.decisions.domain.envelope import ValidDecision

SALT_BYTES = 16
MIN_KEY_BYTES = 16
BLOCK_BYTES = 64  # of SHA-256

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
_TEXT = json.encoder.encode_basestring


def _one_encoder() -> Callable[[object], str]:
    """What ``_ENCODER.encode`` does, by an encoder in C that is made once and not at each call."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _ENCODER.encode
    # no table of the containers it is in: validated content holds no circle, and its depth is bound
    chunks = make(None, _ENCODER.default, _TEXT, None, ":", ",", True, False, False)
    return lambda value: "".join(chunks(value, 0))


_encode = _one_encoder()


def encode_content(value: object) -> bytes:
    """A JSON value as the one sequence of bytes that stands for it here.

    Definition: UTF-8, keys sorted by code point, no blanks, floats as the shortest decimal that
    reads back the same. Validation has turned whole floats into integers, so equal content gives
    equal bytes. It is the standard library's C encoder, several times quicker than full RFC 8785;
    the bytes are kept beside their hash, so that no one needs to make them again.
    Parameters: ``value``, of dicts with text keys, lists, texts, finite numbers, booleans, None.
    Returns: bytes. Errors: ValueError for NaN, infinity or a lone surrogate.
    """
    return _encode(value).encode()


# Digits as one, so that an exponent is found by one search.
_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else byte for byte in range(256))


def encode_checked(value: object) -> bytes:
    """``encode_content`` of what passed its checks: finite numbers, text without lone surrogates.

    orjson writes the same in a fifth of the time, except for numbers where one of the two has an
    exponent: those below 0.0001 and from 1e16 on. Where something in the bytes looks like one, the
    standard library writes them.
    Parameters: ``value``, as for ``encode_content``. Returns: bytes.
    """
    quick = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if b"0.0000" in quick or b"0e" in quick.translate(_DIGITS):
        return encode_content(value)
    return quick


def split_parts(valid: ValidDecision) -> dict[str, bytes]:
    """The personal content of a decision by part.

    Definition: the table of this module; a part without content is left out.
    Parameters: ``valid``. Returns: part name -> bytes of ``encode_content``.
    """
    parts: dict[str, bytes] = {}
    if valid.features:
        parts["features"] = encode_checked(valid.features)
    if valid.subject_ref is not None or valid.subject_attributes:
        subject = {"attributes": valid.subject_attributes, "ref": valid.subject_ref}
        parts["subject"] = encode_checked(subject)
    output = valid.output
    if output is not None and valid.kind == "label":
        output = {"scores": output["scores"]} if "scores" in output else None
    if output is not None:
        parts["output"] = encode_checked(output)
    if valid.explanation:
        parts["explanation"] = encode_checked(valid.explanation)
    if valid.evidence:
        parts["evidence"] = encode_checked(valid.evidence)
    return parts


def join_output(
    kind: str, label: str | None, confidence: float | None, part: bytes | None
) -> dict[str, object] | None:
    """The output again from the row and the output part: the inverse of ``split_parts``.

    Parameters: ``kind``, ``label`` and ``confidence`` of the row; ``part``, None where there is
    none or where it was erased. Returns: the output in normal form; for kind label after an
    erasure without its scores, for other kinds None.
    """
    if kind == "label" and label is None:
        return None
    output: dict[str, object] = {}
    if kind == "label":
        output["label"] = label
        if confidence is not None:
            output["confidence"] = confidence
    if part is not None:
        output.update(orjson.loads(part))
    return output or None


def content_digest(valid: ValidDecision, parts: dict[str, bytes] | None = None) -> str:
    """The hash by which "the same external id with the same content" is told.

    Definition: SHA-256 over the ``encode_content`` of ``{"parts": {NAME: content}, "row": {...}}``,
    put together from the parts' bytes, so that nothing is encoded twice. An amount of 25000 equals
    25000.00, and a time equals the same instant in another zone.
    Parameters: ``valid``; ``parts`` of ``split_parts``, made here when not given.
    Returns: 64 lowercase hexadecimal digits.
    """
    if parts is None:
        parts = split_parts(valid)
    members = b",".join([_MEMBERS[name] % parts[name] for name in sorted(parts)])
    whole = b'{"parts":{%b},"row":%b}' % (members, _encoded_row(valid))
    return hashlib.sha256(whole).hexdigest()


_MEMBERS = {
    name: b'"%b":%%b' % name.encode()
    for name in ("evidence", "explanation", "features", "output", "subject")
}


def _encoded_row(valid: ValidDecision) -> bytes:
    """``encode_content(row_content(valid))``, whose members and their order are known."""
    amount = "null" if valid.amount is None else f'"{_plain_decimal(valid.amount)}"'
    confidence = "null" if valid.confidence is None else repr(valid.confidence)
    decided_at = "null" if valid.decided_at is None else f'"{valid.decided_at.isoformat()}"'
    has_output = "false" if valid.output is None else "true"
    label = "null" if valid.label is None else _TEXT(valid.label)
    return (
        f'{{"amount":{amount},"confidence":{confidence},"decided_at":{decided_at},'
        f'"external_id":{_TEXT(valid.external_id)},"has_output":{has_output},'
        f'"kind":{_TEXT(valid.kind)},"label":{label},"model":{_TEXT(valid.model)},'
        f'"model_version":{_TEXT(valid.model_version)},"use_case":{_TEXT(valid.use_case)}}}'
    ).encode()


def row_content(valid: ValidDecision) -> dict[str, object]:
    """What stands on the decision's row, as JSON values.

    Parameters: ``valid``. Returns: a flat object; amount as a decimal string without trailing
    zeros, decided_at as RFC 3339 in UTC. Margin and label_not_top follow from the scores.
    """
    return {
        "amount": None if valid.amount is None else _plain_decimal(valid.amount),
        "confidence": valid.confidence,
        "decided_at": None if valid.decided_at is None else valid.decided_at.isoformat(),
        "external_id": valid.external_id,
        "has_output": valid.output is not None,
        "kind": valid.kind,
        "label": valid.label,
        "model": valid.model,
        "model_version": valid.model_version,
        "use_case": valid.use_case,
    }


def _plain_decimal(amount: Decimal) -> str:
    text = format(amount, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text).lstrip("0") or "0"


def commitment(salt: bytes, content: bytes) -> str:
    """A salted commitment to one part: it binds the content and says nothing about it.

    Definition: SHA-256(salt || content); the fixed length of the salt makes the split unambiguous.
    Parameters: ``salt``, 16 random bytes of its own for each part; ``content``, the part's bytes.
    Returns: 64 lowercase hexadecimal digits. Errors: ValueError for a salt of another length.
    Source: Halevi and Micali, CRYPTO 1996 (hash commitments).
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"the salt has {len(salt)} bytes; {SALT_BYTES} are needed")
    return hashlib.sha256(salt + content).hexdigest()


def subject_pseudonym(key: bytes, use_case: str, ref: str) -> str:
    """A pseudonym of a data subject: the same within a use case, unlinkable across use cases.

    Definition: HMAC-SHA256(key, use_case || 0x00 || ref) on UTF-8; a slug holds no 0x00.
    Parameters: ``key``, secret, at least 16 bytes; ``use_case``, its slug; ``ref``, as sent.
    Returns: 64 lowercase hexadecimal digits. Errors: ValueError for a short key or a slug with NUL.
    Source: RFC 2104, RFC 4868.
    """
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"the key has {len(key)} bytes; at least {MIN_KEY_BYTES} are needed")
    if "\0" in use_case:
        raise ValueError("the use case's slug holds the character U+0000")
    return keyed_hash(key, use_case.encode() + b"\0" + ref.encode())


def keyed_hash(key: bytes, message: bytes) -> str:
    """HMAC-SHA256, with what depends on the key alone made once: for millions of short messages.

    Parameters: ``key``, secret; ``message``. Returns: 64 lowercase hexadecimal digits.
    Source: RFC 2104 section 4.
    """
    keyed_inner, keyed_outer = _keyed_states(key)
    inner, outer = keyed_inner.copy(), keyed_outer.copy()
    inner.update(message)
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=8)
def _keyed_states(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """SHA-256 over the key's inner and outer pad (RFC 2104 section 2)."""
    short = hashlib.sha256(key).digest() if len(key) > BLOCK_BYTES else key
    block = short.ljust(BLOCK_BYTES, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in block) for pad in (0x36, 0x5C))
    return hashlib.sha256(inner), hashlib.sha256(outer)
