"""What policies object to: a change of a use case that would break or bend one that stands."""

from __future__ import annotations

from collections.abc import Iterator

from apps.common.errors import FieldError
from apps.policies.domain.schema import InvalidDocumentError, UseCaseSchema
from apps.policies.domain.validation import validate_policy
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.policies.selectors import use_case_schema
from apps.registry.models import UseCase

STANDING = (PolicyStatus.ACTIVE, PolicyStatus.APPROVED, PolicyStatus.PROPOSED)


def policy_objections(use_case: UseCase) -> Iterator[FieldError]:
    """A fault for each way in which a standing version would not hold under ``use_case``."""
    schema = use_case_schema(use_case)
    standing = PolicyVersion.objects.filter(use_case_id=use_case.pk, status__in=STANDING)
    for policy in standing.order_by("number"):
        named = f"policy version {policy.number}, which is {policy.status},"
        for fault in _faults(policy, schema):
            yield FieldError("", f"{named} would no longer hold: {fault}")


def _faults(policy: PolicyVersion, schema: UseCaseSchema) -> Iterator[str]:
    try:
        read = validate_policy(policy.document, schema).document
    except InvalidDocumentError as error:
        yield from (f"{place or '/'}: {detail}" for place, detail in error.problems)
        return
    for key in read:
        if read[key] != policy.document[key]:
            yield f"/{key} would be read as {read[key]!r:.200}"
