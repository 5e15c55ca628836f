"""Guards of a use case: the lock on its row, and the objections of what is built on its definition.

Policies and mandates are read against the definition but stand above the registry, which does not
know them: each registers its check when its app is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from apps.common.errors import FieldError, NotFound
from apps.common.saving import refuse_unstorable
from apps.registry.models import UseCase

Check = Callable[[UseCase], Iterable[FieldError]]

_checks: list[Check] = []


def guard_definition(check: Check) -> None:
    """Ask ``check`` before every change of a definition: it is given the use case as it would be."""
    if check not in _checks:
        _checks.append(check)


def objections(use_case: UseCase) -> list[FieldError]:
    """What would no longer hold if ``use_case`` were saved as it is in memory."""
    return [fault for check in _checks for fault in check(use_case)]


def use_case_lock(slug: str) -> UseCase:
    """The use case, locked until the transaction ends. Rows that refer to it can still be added."""
    refuse_unstorable(slug=slug)
    try:
        found: UseCase = UseCase.objects.select_for_update(no_key=True).get(slug=slug)
    except UseCase.DoesNotExist:
        raise NotFound(f"there is no use case {slug!r}") from None
    return found
