"""What mandates object to: a change of a use case that would break or bend the scope of one."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone

from apps.common.errors import FieldError
from apps.policies.domain.condition_parser import parse_condition
from apps.policies.domain.conditions import condition_data
from apps.policies.domain.schema import InvalidDocumentError, UseCaseSchema
from apps.policies.selectors import use_case_schema
from apps.registry.models import UseCase
from apps.supervision.models import Mandate


def mandate_objections(use_case: UseCase) -> Iterator[FieldError]:
    """A fault for each way in which a mandate that may still be used would not hold."""
    schema = use_case_schema(use_case)
    standing = Mandate.objects.filter(
        use_case_id=use_case.pk, revoked_at=None, valid_to__gt=timezone.now()
    )
    for mandate in standing.order_by("issued_at", "pk"):
        for fault in _faults(mandate, schema):
            yield FieldError("", f"the mandate {mandate} would no longer hold: {fault}")


def _faults(mandate: Mandate, schema: UseCaseSchema) -> Iterator[str]:
    try:
        read = condition_data(parse_condition(mandate.scope, schema, "/scope"))
    except InvalidDocumentError as error:
        yield from (f"{place}: {detail}" for place, detail in error.problems)
        return
    if read != mandate.scope:
        yield f"/scope would be read as {read!r:.200}"
