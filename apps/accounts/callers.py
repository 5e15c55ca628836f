"""The one who calls: an actor and what it may do. Pages, API and commands all make one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from apps.accounts.domain.matrix import ACTIONS, ROLES, Grant, may, visible_use_cases
from apps.common.actor import Actor
from apps.common.errors import NotPermitted

if TYPE_CHECKING:
    from apps.accounts.models import ServiceKey, User


@dataclass(frozen=True, slots=True)
class Caller:
    """An actor with its grants. ``user`` or ``key`` is set for a person or a program."""

    actor: Actor
    grants: tuple[Grant, ...]
    user: User | None = field(default=None, compare=False)
    key: ServiceKey | None = field(default=None, compare=False)

    def may(self, action: str, use_case: str | None = None) -> bool:
        return may(self.grants, action, use_case)

    def require(self, action: str, use_case: str | None = None) -> None:
        """NotPermitted, naming who would have to be asked, unless the caller may."""
        if not self.may(action, use_case):
            roles = ", ".join(r.replace("_", " ") for r in ROLES if r in ACTIONS[action].roles)
            where = f" in {use_case}" if use_case else ""
            raise NotPermitted(
                f"{self.actor.name} may not {ACTIONS[action].words}{where}: "
                f"it takes one of {roles}",
                action=action,
                use_case=use_case,
            )

    def visible(self, action: str) -> frozenset[str] | None:
        """Slugs in which the caller may do ``action``; None means all."""
        return visible_use_cases(self.grants, action)


def caller_of_user(user: User) -> Caller:
    return Caller(user.actor, tuple(user.grants()), user=user)


def caller_of_key(key: ServiceKey) -> Caller:
    return Caller(key.actor, tuple(key.grants()), key=key)


def caller_of_command(login: str) -> Caller:
    """The operator of the machine: may do everything, and is named in the trail."""
    return Caller(Actor.command(login), tuple(Grant(role) for role in ROLES))
