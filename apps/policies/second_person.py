"""Another person than before: what one has done, the same one may not confirm or undo.

One person can act under several ids: signed in, by a command of the machine's operator, under a
key. An id tells a person or a program apart; whose hand holds a key, the key says if it was issued to
somebody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from apps.accounts.models import ServiceKey, User
from apps.common.actor import Actor, ActorKind
from apps.common.errors import NotPermitted

UUID_TEXT = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # a person's or a key's id


class Known(NamedTuple):
    """Who stands behind an actor's id; ``holder``: the login of the person who holds a key;
    ``called``: what people call them, where that is known."""

    kind: ActorKind
    name: str
    holder: str = ""
    called: str = ""

    @property
    def words(self) -> str:
        """For a reader."""
        return self.called or self.name

    @property
    def logins(self) -> set[str]:
        """Under which logins this one may be known."""
        names = {self.name, self.holder} - {""} if self.kind != "system" else set()
        return {User.normalize_username(name) for name in names}


def actors_known(ids: Iterable[str]) -> dict[str, Known]:
    """Actor id -> kind and login (a program's: its key's name). Two queries for any number."""
    wanted = {one for one in ids if one}
    keys = [one for one in wanted if UUID_TEXT.fullmatch(one)]
    people = User.objects.filter(pk__in=keys).values_list("pk", "username", "name")
    programs = ServiceKey.objects.filter(pk__in=keys).values_list(
        "pk", "name", "issued_to__username"
    )
    found = {str(pk): Known("person", login, called=name) for pk, login, name in people}
    found |= {str(pk): Known("program", name, holder or "") for pk, name, holder in programs}
    for one in wanted - found.keys():
        kind, _, name = one.partition(":")
        found[one] = Known("system" if kind == "system" else "command", name or one)
    return found


def require_another(actor: Actor, first: str, *, did: str, action: str, use_case: str) -> None:
    """NotPermitted when ``actor`` is, or may be, the one with the id ``first`` who ``did`` it.

    The same id, the same login, a key that was issued to the other, and a program after a person:
    it may act for that very person.
    """
    known = actors_known([first, actor.id])
    before, now = known[first], Known(actor.kind, actor.name, known[actor.id].holder)
    if actor.id == first or before.logins & now.logins:
        detail = f"{actor.name} {did}: it takes another person"
    elif before.kind == "person" and actor.kind == "program":
        detail = f"{before.name} {did}: it takes another person, and a key may be in anyone's hand"
    else:
        return
    raise NotPermitted(detail, action=action, use_case=use_case)
