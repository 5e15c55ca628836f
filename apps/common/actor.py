"""Who acts. Every write names its actor; an unnamed write is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from apps.common.errors import ActorRequired

ActorKind = Literal["person", "program", "system", "command"]
HEADER = "hitl_actor"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a program with a service key, the system itself, or an operator's command.

    ``id`` and ``name`` are copied into the trail as they are now, so that they outlive the account.
    """

    kind: ActorKind
    id: str
    name: str

    def __post_init__(self) -> None:
        if self.kind not in get_args(ActorKind) or not self.id or not self.name:
            raise ActorRequired(f"an actor needs a kind, an id and a name; got {self!r}")

    @classmethod
    def system(cls, part: str) -> Actor:
        return cls("system", f"system:{part}", part)

    @classmethod
    def command(cls, login: str) -> Actor:
        return cls("command", f"command:{login}", login)

    def to_header(self) -> dict[str, str]:
        """As it travels in a Celery message's headers."""
        return {"kind": self.kind, "id": self.id, "name": self.name}

    @classmethod
    def from_header(cls, header: Mapping[str, str] | None) -> Actor:
        if not header:
            raise ActorRequired(f"the message carries no {HEADER} header")
        kind = cast(ActorKind, header.get("kind", ""))
        return cls(kind, header.get("id", ""), header.get("name", ""))


def require_actor(actor: object) -> Actor:
    if not isinstance(actor, Actor):
        raise ActorRequired(f"a write needs an Actor; got {type(actor).__name__}")
    return actor
