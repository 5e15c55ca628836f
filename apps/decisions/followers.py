"""What follows a move of a decision in parts that stand above decisions, which do not know them.

Each such part registers when its app is ready, and acts in the transaction of the move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from apps.common.actor import Actor
from apps.decisions.domain.lifecycle import Event
from apps.decisions.models import Decision


class Follower(Protocol):
    """``hold`` is called before an intervention locks decisions: who locks rows of its own and a
    decision takes its own rows first everywhere, so that no two wait for each other."""

    def hold(self, decisions: Sequence[UUID]) -> None: ...

    def follow(self, actor: Actor, decision: Decision, event: Event) -> None: ...


_followers: list[Follower] = []


def follow_moves(follower: Follower) -> None:
    if follower not in _followers:
        _followers.append(follower)


def hold_for(decisions: Sequence[UUID]) -> None:
    """Lock what a move of these decisions will change besides."""
    for follower in _followers:
        follower.hold(decisions)


def moved(actor: Actor, decision: Decision, event: Event) -> None:
    """Let the others follow; the decision is saved and locked."""
    for follower in _followers:
        follower.follow(actor, decision, event)
