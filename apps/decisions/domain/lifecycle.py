"""The life of a decision: lanes, statuses and the one table of legal transitions.

A decision is always in exactly one of four statuses:

* ``pending``: waits for people;
* ``released``: may be acted on, its final output is set;
* ``withheld``: people said no, or the fallback did, or it was blocked;
* ``reversed``: was released, then undone.

The table (``-`` is "does not exist yet")::

    event              from                          to
    -----------------  ----------------------------  --------
    create_pending     -                             pending    lanes review, command
    create_released    -                             released   lanes automatic, supervised, shadow
    create_withheld    -                             withheld   lane blocked
    review_approve     pending                       released
    review_withhold    pending                       withheld
    command_approve    pending                       released
    command_change     pending                       released
    command_withhold   pending                       withheld
    fallback_release   pending                       released
    fallback_withhold  pending                       withheld
    reroute_pending    withheld                      pending    lane was blocked
    reroute_released   withheld                      released   lane was blocked
    reroute_withheld   withheld                      withheld   lane was blocked
    intervene_reverse  released                      reversed
    intervene_change   released                      reversed
    contest_release    released, withheld, reversed  released
    contest_withhold   released, withheld, reversed  withheld
    contest_reverse    released, withheld, reversed  reversed

A pending decision cannot be contested: people have not yet answered. Whether a withheld decision
was withheld by a stop (and so may be rerouted) is seen from its lane, not from its status;
``may_reroute`` answers it.
"""

from __future__ import annotations

from enum import StrEnum


class Lane(StrEnum):
    """Where routing sent a decision."""

    AUTOMATIC = "automatic"
    SUPERVISED = "supervised"
    REVIEW = "review"
    COMMAND = "command"
    BLOCKED = "blocked"
    SHADOW = "shadow"


class Status(StrEnum):
    """What may be done with a decision now."""

    PENDING = "pending"
    RELEASED = "released"
    WITHHELD = "withheld"
    REVERSED = "reversed"


class Event(StrEnum):
    """What happens to a decision."""

    CREATE_PENDING = "create_pending"
    CREATE_RELEASED = "create_released"
    CREATE_WITHHELD = "create_withheld"
    REVIEW_APPROVE = "review_approve"
    REVIEW_WITHHOLD = "review_withhold"
    COMMAND_APPROVE = "command_approve"
    COMMAND_CHANGE = "command_change"
    COMMAND_WITHHOLD = "command_withhold"
    FALLBACK_RELEASE = "fallback_release"
    FALLBACK_WITHHOLD = "fallback_withhold"
    REROUTE_PENDING = "reroute_pending"
    REROUTE_RELEASED = "reroute_released"
    REROUTE_WITHHELD = "reroute_withheld"
    INTERVENE_REVERSE = "intervene_reverse"
    INTERVENE_CHANGE = "intervene_change"
    CONTEST_RELEASE = "contest_release"
    CONTEST_WITHHOLD = "contest_withhold"
    CONTEST_REVERSE = "contest_reverse"


_SETTLED = frozenset({Status.RELEASED, Status.WITHHELD, Status.REVERSED})
_WAITING = frozenset({Status.PENDING})
_OPEN_TO_REROUTE = frozenset({Status.WITHHELD})
_IN_EFFECT = frozenset({Status.RELEASED})
_NONE: frozenset[Status] = frozenset()

# event -> (statuses it may start from, status it ends in); an empty set means "does not exist yet"
TRANSITIONS: dict[Event, tuple[frozenset[Status], Status]] = {
    Event.CREATE_PENDING: (_NONE, Status.PENDING),
    Event.CREATE_RELEASED: (_NONE, Status.RELEASED),
    Event.CREATE_WITHHELD: (_NONE, Status.WITHHELD),
    Event.REVIEW_APPROVE: (_WAITING, Status.RELEASED),
    Event.REVIEW_WITHHOLD: (_WAITING, Status.WITHHELD),
    Event.COMMAND_APPROVE: (_WAITING, Status.RELEASED),
    Event.COMMAND_CHANGE: (_WAITING, Status.RELEASED),
    Event.COMMAND_WITHHOLD: (_WAITING, Status.WITHHELD),
    Event.FALLBACK_RELEASE: (_WAITING, Status.RELEASED),
    Event.FALLBACK_WITHHOLD: (_WAITING, Status.WITHHELD),
    Event.REROUTE_PENDING: (_OPEN_TO_REROUTE, Status.PENDING),
    Event.REROUTE_RELEASED: (_OPEN_TO_REROUTE, Status.RELEASED),
    Event.REROUTE_WITHHELD: (_OPEN_TO_REROUTE, Status.WITHHELD),
    Event.INTERVENE_REVERSE: (_IN_EFFECT, Status.REVERSED),
    Event.INTERVENE_CHANGE: (_IN_EFFECT, Status.REVERSED),
    Event.CONTEST_RELEASE: (_SETTLED, Status.RELEASED),
    Event.CONTEST_WITHHOLD: (_SETTLED, Status.WITHHELD),
    Event.CONTEST_REVERSE: (_SETTLED, Status.REVERSED),
}

_STATUS_OF_LANE: dict[Lane, Status] = {
    Lane.AUTOMATIC: Status.RELEASED,
    Lane.SUPERVISED: Status.RELEASED,
    Lane.SHADOW: Status.RELEASED,
    Lane.REVIEW: Status.PENDING,
    Lane.COMMAND: Status.PENDING,
    Lane.BLOCKED: Status.WITHHELD,
}
_CREATE = {
    Status.PENDING: Event.CREATE_PENDING,
    Status.RELEASED: Event.CREATE_RELEASED,
    Status.WITHHELD: Event.CREATE_WITHHELD,
}
_REROUTE = {
    Status.PENDING: Event.REROUTE_PENDING,
    Status.RELEASED: Event.REROUTE_RELEASED,
    Status.WITHHELD: Event.REROUTE_WITHHELD,
}


class IllegalTransition(ValueError):
    """An event that the decision's status does not admit.

    Attributes: ``event``; ``status`` (None: the decision does not exist yet); ``target``, the
    status the event leads to; ``allowed``, the statuses it may start from (empty: it creates).
    """

    def __init__(self, event: Event, status: Status | None) -> None:
        starts, self.target = TRANSITIONS[event]
        self.event = event
        self.status = status
        self.allowed = starts
        seen = f"is {status.value}" if status else "does not exist yet"
        listed = ", ".join(sorted(starts)) or "a decision that does not exist yet"
        super().__init__(
            f"{event.value} leads to {self.target.value} and starts from {listed}; "
            f"the decision {seen}"
        )


def next_status(event: Event, status: Status | None) -> Status:
    """The status after an event.

    Definition: the third column of the table in this module's description.
    Parameters: ``event``; ``status`` before it, None when the decision does not exist yet.
    Returns: the status after it. Errors: IllegalTransition where the table has no such row.
    """
    starts, target = TRANSITIONS[event]
    legal = status in starts if starts else status is None
    if not legal:
        raise IllegalTransition(event, status)
    return target


def legal_events(status: Status | None) -> frozenset[Event]:
    """The events that a decision in this status admits.

    Definition: the rows of the table that start from ``status``.
    Parameters: ``status``, None when the decision does not exist yet. Returns: a set of events.
    """
    return frozenset(
        event
        for event, (starts, _) in TRANSITIONS.items()
        if (status in starts if starts else status is None)
    )


def creation_event(lane: Lane, *, past: bool = False) -> Event:
    """The event that creates a decision in a lane.

    Definition: automatic, supervised and shadow release; review and command wait; blocked
    withholds. A past decision was acted on before it was recorded and is released in any lane.
    Parameters: ``lane``; ``past``. Returns: one of the three create events.
    """
    return Event.CREATE_RELEASED if past else _CREATE[_STATUS_OF_LANE[lane]]


def reroute_event(lane: Lane) -> Event:
    """The event of a withheld decision that is routed again, by the lane it is sent to.

    Definition: as ``creation_event``, starting from ``withheld``.
    Parameters: ``lane``, the new one. Returns: one of the three reroute events.
    """
    return _REROUTE[_STATUS_OF_LANE[lane]]


def may_reroute(lane: Lane, status: Status) -> bool:
    """Whether a decision was withheld by a stop and so may be routed again.

    Definition: its lane is ``blocked`` and nothing has happened to its status since.
    Parameters: ``lane`` and ``status``, as they are now. Returns: True or False.
    """
    return lane is Lane.BLOCKED and status is Status.WITHHELD
