"""What the desk objects to: a calendar that no clock can run on."""

from __future__ import annotations

from collections.abc import Iterator

from apps.common.errors import BadInput, FieldError
from apps.registry.models import UseCase
from apps.reviews.domain.calendar_reading import parse_calendar


def calendar_objections(use_case: UseCase) -> Iterator[FieldError]:
    """A fault for each mistake in the use case's business hours; none means round the clock."""
    if use_case.calendar is None:
        return
    try:
        parse_calendar(use_case.calendar)
    except BadInput as error:
        for fault in error.errors:
            yield FieldError(f"/calendar{fault.pointer}", fault.detail)
