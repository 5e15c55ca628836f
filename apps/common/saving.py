"""Validate and save: faults that Django or the database finds become the platform's errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError

from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict, FieldError
from apps.common.models import TrackedModel

M = TypeVar("M", bound=TrackedModel)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def bad_input_from(error: ValidationError) -> BadInput:
    """Django's field errors as the platform's: one pointer per field."""
    if not hasattr(error, "error_dict"):
        return BadInput([FieldError("", message) for message in error.messages])
    return BadInput(
        FieldError("" if name == "__all__" else f"/{name}", message)
        for name, messages in error.message_dict.items()
        for message in messages
    )


def pointer_to(parent: str, name: object) -> str:
    """The JSON pointer of a member (RFC 6901, section 3)."""
    return f"{parent}/{str(name).replace('~', '~0').replace('/', '~1')}"


def text_faults(value: object, pointer: str) -> Iterator[FieldError]:
    """Texts within ``value`` that not every database can store: NUL, and halves of UTF-16 pairs."""
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            yield FieldError(pointer, f"{value[:80]!a} holds a character that cannot be stored")
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from text_faults(name, pointer)
            yield from text_faults(member, pointer_to(pointer, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from text_faults(member, f"{pointer}/{index}")


def refuse_unstorable(**values: Any) -> None:
    """BadInput for each value that cannot be stored; call it before values go into a query."""
    faults = [fault for name, value in values.items() for fault in text_faults(value, f"/{name}")]
    if faults:
        raise BadInput(faults)


def checked_reason(reason: object, *, required: bool = False) -> str:
    """The reason of a change, as it goes into the trail."""
    if not isinstance(reason, str):
        raise BadInput(f"{reason!r} is not a reason: it must be text", "/reason")
    if required and not reason.strip():
        raise BadInput("a change needs a reason", "/reason")
    refuse_unstorable(reason=reason)
    return reason.strip()


def checked_save(instance: M, *, actor: Actor, reason: str = "") -> M:
    """Validate, then save with history; a fault is a BadInput that names the field.

    A unique row that another transaction wrote since the check is a Conflict.
    """
    reason = checked_reason(reason)
    columns = instance._meta.concrete_fields
    refuse_unstorable(**{f.name: getattr(instance, f.attname) for f in columns})
    try:
        instance.full_clean()
        instance.save(actor=actor, reason=reason)
    except ValidationError as error:
        raise bad_input_from(error) from None
    except IntegrityError as error:
        if not _is_duplicate(error):
            raise
        kind = instance._meta.verbose_name
        raise Conflict(f"the same {kind} was written by somebody else just now") from error
    return instance


def _is_duplicate(error: IntegrityError) -> bool:
    """A unique constraint's refusal, in the words of PostgreSQL or of SQLite."""
    cause = error.__cause__
    sqlite = str(getattr(cause, "sqlite_errorname", ""))
    return getattr(cause, "sqlstate", "") == "23505" or sqlite in {
        "SQLITE_CONSTRAINT_UNIQUE",
        "SQLITE_CONSTRAINT_PRIMARYKEY",
    }
