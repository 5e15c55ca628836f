"""What reports are about: the use cases that a caller may have them of."""

from __future__ import annotations

from apps.accounts.callers import Caller
from apps.common.errors import NotFound
from apps.common.saving import refuse_unstorable
from apps.registry.access import require_right
from apps.registry.models import UseCase


def use_cases_to_report(caller: Caller, slug: str | None) -> list[UseCase]:
    """The one named, or all in which ``caller`` may run reports.

    Raises:
        NotFound: there is no such use case. NotPermitted: not in this one, or nowhere.
    """
    if slug is None:
        caller.require("report.run")
        allowed = caller.visible("report.run")
        every = UseCase.objects.order_by("slug")
        return list(every if allowed is None else every.filter(slug__in=allowed))
    refuse_unstorable(use_case=slug)
    found = UseCase.objects.filter(slug=slug).first()
    if found is None:
        raise NotFound(f"there is no use case {slug!r}")
    require_right(caller, "report.run", slug)
    return [found]
