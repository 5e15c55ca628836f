"""Faults that the pure core finds in a document, as the platform's error."""

from __future__ import annotations

from apps.common.errors import BadInput, FieldError
from apps.policies.domain.schema import InvalidDocumentError


def as_bad_input(error: InvalidDocumentError) -> BadInput:
    """The same pointers and sentences."""
    return BadInput(FieldError(place, detail) for place, detail in error.problems)
