"""The one exception tree. Each class has a stable code; apps/api/problems.py maps it to a status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class PlatformError(Exception):
    """Base of all errors that the platform raises on purpose."""

    code = "error"
    title = "The request could not be carried out"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of the input: a JSON pointer, and a sentence naming the value and what is allowed."""

    pointer: str
    detail: str


class BadInput(PlatformError):
    """The input is malformed; nothing was written."""

    code = "bad_input"
    title = "The input is not valid"

    def __init__(self, errors: Iterable[FieldError] | str, pointer: str = "") -> None:
        self.errors = [FieldError(pointer, errors)] if isinstance(errors, str) else list(errors)
        super().__init__("; ".join(f"{e.pointer or '/'}: {e.detail}" for e in self.errors))


class Conflict(PlatformError):
    """What was asked for collides with what is there; the message names both."""

    code = "conflict"
    title = "The request conflicts with the present state"


class StaleCase(Conflict):
    """A verdict on something else than what is there now; ``difference`` says what changed."""

    code = "stale_case"
    title = "The case has changed since it was shown"

    def __init__(self, detail: str, difference: Iterable[Mapping[str, object]]) -> None:
        self.difference = [dict(entry) for entry in difference]
        super().__init__(detail)


class NotPermitted(PlatformError):
    """The actor may not do this. Carries what was refused, for the trail."""

    code = "not_permitted"
    title = "You may not do this"

    def __init__(self, detail: str, *, action: str, use_case: str | None = None) -> None:
        self.action = action
        self.use_case = use_case
        super().__init__(detail)


class NotFound(PlatformError):
    code = "not_found"
    title = "There is no such thing here"


class ActorRequired(PlatformError):
    """A write without an acting person or program."""

    code = "actor_required"
    title = "A write needs an actor"


class UnrecordedWrite(PlatformError):
    """A write path that would leave no record, or not exactly one."""

    code = "unrecorded_write"
    title = "A write that leaves no record is refused"


class LedgerBroken(PlatformError):
    """The ledger contradicts itself; nothing is sealed until a person has looked."""

    code = "ledger_broken"
    title = "The ledger contradicts itself"


class KeyFileError(PlatformError):
    """A key file that cannot be read or holds the wrong kind of key."""

    code = "key_file"
    title = "A key file cannot be used"
