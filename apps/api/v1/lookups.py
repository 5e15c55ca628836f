"""Finding what a request is about. What the caller may not see is not there, in the same words."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db.models import QuerySet

from apps.accounts.callers import Caller
from apps.accounts.models import User
from apps.common.errors import BadInput, NotFound
from apps.registry.access import require_right
from apps.registry.models import UseCase


def visible_use_cases(caller: Caller, action: str = "use_case.view") -> QuerySet[UseCase]:
    slugs = caller.visible(action)
    found: QuerySet[UseCase] = UseCase.objects.select_related("owner")
    return found if slugs is None else found.filter(slug__in=slugs)


def use_case_for(caller: Caller, slug: str, action: str) -> UseCase:
    """NotFound where the caller may not see the use case, NotPermitted where it may only see it."""
    use_case = visible_use_cases(caller).filter(slug=slug).first()
    if use_case is None:
        raise NotFound(f"there is no use case {slug!r}")
    require_right(caller, action, slug)
    return use_case


def scope_for(caller: Caller, slug: str) -> str:
    """The slug that limits a role, empty for none. It must exist: a mistyped one grants nothing."""
    if slug and not visible_use_cases(caller).filter(slug=slug).exists():
        raise NotFound(f"there is no use case {slug!r}")
    return slug


def person_named(username: str, pointer: str) -> User:
    """A person that a body names."""
    person: User | None = User.objects.filter(username=User.normalize_username(username)).first()
    if person is None:
        raise BadInput(f"there is no person with the login {username!r}", pointer)
    return person


def found_or_404(queryset: QuerySet[Any], words: str, **lookup: Any) -> Any:
    row = queryset.filter(**lookup).first()
    return _missing(words) if row is None else row


def _missing(words: str) -> NoReturn:
    raise NotFound(f"there is no {words}")
