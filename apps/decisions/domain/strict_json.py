"""Strict JSON: what two readers could understand differently is refused.

RefusedError: bytes that are not UTF-8, a name twice in one object, NaN and Infinity, numbers that
overflow, integers beyond ±(2^53 - 1), lone surrogates, NUL, more than 32 levels, too many bytes.

The quick way reads with orjson, which keeps the last of two equal names. Names are therefore
counted: with blanks taken out each name is followed by ``":``, so that the number of ``":`` in the
bytes is at least the number of names written, which is at least the number kept. Where the first
and the last agree, no name was dropped. Anything else (a duplicate, a text that holds ``":``) goes
the slow way, which reads with the standard library and finds every fault.
"""

from __future__ import annotations

import json
from typing import Final

import orjson

from apps.common.errors import BadInput, FieldError
from apps.decisions.domain.checks import (
    MAX_DEPTH,
    MAX_SAFE_INTEGER,
    MIN_SAFE_INTEGER,
    check_clean,
    check_number,
)
from apps.decisions.domain.faults import RefusedError, pointer_to, shown

MAX_BYTES: Final = 1_048_576

_BLANKS = b" \t\n\r"


def parse_json(raw: bytes, *, max_bytes: int = MAX_BYTES) -> object:
    """One JSON document, read strictly.

    Parameters: ``raw``, UTF-8; ``max_bytes``, largest size in bytes.
    Returns: dict, list, str, int, float, bool or None.
    Errors: BadInput with a JSON pointer for each fault that has a place.
    Source: RFC 8259, RFC 7493 (I-JSON) sections 2.1 to 2.3.
    """
    if len(raw) > max_bytes:
        raise BadInput(f"the body has {len(raw):,} bytes; at most {max_bytes:,} are allowed")
    try:
        value: object = orjson.loads(raw)
    except ValueError:
        return _parse_slowly(raw)
    if _is_sound(raw, value):
        return value
    return _parse_slowly(raw)


def parse_object(raw: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, object]:
    """One JSON object, read strictly.

    Parameters, errors and source: as ``parse_json``; another value than an object is BadInput.
    Returns: a dict.
    """
    value = parse_json(raw, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise BadInput(f"the body is {shown(value)}; an object is allowed")
    return value


class _DoubtfulError(Exception):
    """Something that the quick way leaves to the slow way to name."""


def _is_sound(raw: bytes, value: object) -> bool:
    # looking for one byte is ten times quicker than for six, and escapes are rare
    if b"\\" in raw and b"\\u0000" in raw:
        return False
    try:
        return _count_names(value, MAX_DEPTH) == raw.translate(None, _BLANKS).count(b'":')
    except _DoubtfulError:
        return False


def _count_names(value: object, levels_left: int) -> int:
    """Names in a tree, checking its numbers and depth on the way: one walk instead of three."""
    if not levels_left:
        raise _DoubtfulError
    if type(value) is dict:
        names, children = len(value), list(value.values())
    elif type(value) is list:
        names, children = 0, value
    else:
        raise _DoubtfulError
    for child in children:
        kind = type(child)
        if kind is float or kind is int:
            # floats above the bound, infinity included, are left to the slow way to tell apart
            if not MIN_SAFE_INTEGER <= child <= MAX_SAFE_INTEGER:
                raise _DoubtfulError
        elif kind is dict or kind is list:
            names += _count_names(child, levels_left - 1)
    return names


class _Pairs(list[tuple[str, object]]):
    """An object as it was written: its names in order, equal ones included."""


class _NonFinite(str):
    """The word NaN, Infinity or -Infinity where a value should be."""

    __slots__ = ()


_EXPLAINER = json.JSONDecoder(object_pairs_hook=_Pairs, parse_constant=_NonFinite)


def _parse_slowly(raw: bytes) -> object:
    written = _decode(_text_of(raw))
    errors: list[FieldError] = []
    value = _plain(written, "", errors, 0)
    if errors:
        raise BadInput(errors)
    return value


def _text_of(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as fault:
        raise BadInput(
            f"the body is not UTF-8: byte {fault.object[fault.start]:#04x} at offset {fault.start}"
        ) from None


def _decode(text: str) -> object:
    try:
        return _EXPLAINER.decode(text)
    except json.JSONDecodeError as fault:
        raise BadInput(_explained(fault, text)) from None
    except RecursionError:
        raise BadInput(f"the body is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        raise BadInput("the body holds an integer of more than 4,300 digits") from None


def _explained(fault: json.JSONDecodeError, text: str) -> str:
    if not text.strip():
        return "the body is empty; a JSON object is expected"
    if text.startswith("\ufeff"):
        return "the body begins with a byte order mark, which JSON does not allow"
    unfinished = fault.msg.startswith("Unterminated") or fault.pos >= len(text.rstrip())
    if unfinished:
        return f"the JSON is cut off: it ends at character {len(text)} before it is complete"
    return f"the body is not JSON: {fault.msg} at character {fault.pos}"


def _plain(value: object, pointer: str, errors: list[FieldError], depth: int) -> object:
    """The tree as dicts and lists, reporting what the written form alone shows."""
    if isinstance(value, _NonFinite):
        errors.append(FieldError(pointer, f"is {value}, which JSON does not allow as a number"))
        return None
    if not isinstance(value, list):
        _report_scalar(value, pointer, errors)
        return value
    if depth >= MAX_DEPTH:
        errors.append(FieldError(pointer, f"is nested deeper than {MAX_DEPTH} levels"))
        return None
    if not isinstance(value, _Pairs):
        return [
            _plain(item, f"{pointer}/{index}", errors, depth + 1)
            for index, item in enumerate(value)
        ]
    return _plain_object(value, pointer, errors, depth)


def _plain_object(
    pairs: _Pairs, pointer: str, errors: list[FieldError], depth: int
) -> dict[str, object]:
    result: dict[str, object] = {}
    for name, item in pairs:
        place = pointer_to(pointer, name)
        _report_scalar(name, place, errors)
        if name in result:
            errors.append(FieldError(place, f"{shown(name)} is given twice in one object"))
        result[name] = _plain(item, place, errors, depth + 1)
    return result


def _report_scalar(value: object, pointer: str, errors: list[FieldError]) -> None:
    try:
        if isinstance(value, str):
            check_clean(value)
        elif value is not None and not isinstance(value, bool):
            check_number(value)
    except RefusedError as refusal:
        errors.append(FieldError(pointer, f"the value {refusal}"))
