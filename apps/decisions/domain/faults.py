"""How faults of the input are named: the value seen, the place, what is allowed."""

from __future__ import annotations

from collections.abc import Callable

from apps.common.errors import FieldError


class RefusedError(ValueError):
    """A value that a check does not admit; the text follows the field's name."""


def shown(value: object) -> str:
    """A value as it is named in an error: short, on one line and always printable.

    Parameters: ``value``, anything. Returns: at most about 70 characters; never an error.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and value.bit_length() > 128:
        return "an integer of more than 38 digits"
    text = repr(value[:61] if isinstance(value, str) else value)
    return text if len(text) <= 64 else f"{text[:60]}..."


def pointer_to(parent: str, name: object) -> str:
    """The JSON pointer of a member.

    Definition: ``parent/name`` with ``~`` written ``~0`` and ``/`` written ``~1``; a lone
    surrogate is written as its escape, so that a pointer is always valid UTF-8.
    Parameters: ``parent``, a pointer; ``name``, a key or an index. Source: RFC 6901 section 3.
    """
    text = str(name).replace("~", "~0").replace("/", "~1")
    return f"{parent}/{text.encode('utf-8', 'backslashreplace').decode()}"


def member(
    errors: list[FieldError],
    parent: str,
    name: object,
    check: Callable[[object], object],
    value: object,
) -> bool:
    """Whether a value passes a check; where not, the fault is appended to ``errors``.

    Parameters: ``errors``, appended to; ``parent``, a pointer; ``name`` of the field; ``check``,
    one of this module; ``value``. Returns: True when it passed.
    """
    try:
        check(value)
    except RefusedError as refusal:
        place = pointer_to(parent, name)
        # the name may be a sender's: the end of its pointer is text that can always be sent
        errors.append(FieldError(place, f"{place.rpartition('/')[2]} {refusal}"))
        return False
    return True


def unknown_keys(
    errors: list[FieldError], parent: str, data: dict[str, object], allowed: frozenset[str]
) -> None:
    """Report every key that is not among the allowed ones, by name.

    Parameters: ``errors``, appended to; ``parent``, pointer of ``data``; ``allowed`` names.
    """
    for name in data:
        if name not in allowed:
            listed = ", ".join(sorted(allowed))
            errors.append(
                FieldError(
                    pointer_to(parent, name), f"{shown(name)} is not known; known are: {listed}"
                )
            )
