"""Who sits at a seat: a person, or a program, which has a row of its own that cannot sign in."""

from __future__ import annotations

from typing import Final

from apps.accounts.callers import Caller
from apps.accounts.models import ServiceKey, User
from apps.common.actor import Actor
from apps.common.errors import NotPermitted
from apps.common.saving import checked_save

PROGRAM: Final = "program:"


def reviewer_of(caller: Caller) -> User:
    """The person, or the row of the program that calls; made when it first reviews."""
    if caller.user is not None:
        return caller.user
    if caller.key is None:
        raise NotPermitted(f"{caller.actor.name} is no reviewer", action="review.take")
    return User.objects.filter(username=login_of(caller.key)).first() or _made(
        caller.actor, caller.key
    )


def _made(actor: Actor, key: ServiceKey) -> User:
    row = User(username=login_of(key), name=key.name, signs_in=False)
    row.set_unusable_password()
    return checked_save(row, actor=actor, reason="a program that reviews")


def login_of(key: ServiceKey) -> str:
    return f"{PROGRAM}{key.pk}"


def is_machine(person: User) -> bool:
    """Its votes count and are measured; a review that a policy asks of people they never are."""
    return person.username.startswith(PROGRAM) and not person.signs_in
