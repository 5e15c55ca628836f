"""Witnesses: places outside the database that keep checkpoints, so that no rewrite goes unseen.

A witness takes a checkpoint only with a proof that it extends the last one it holds. The sealer
never waits for one: what a witness has not received is delivered later, in order, from the
checkpoints themselves and its receipts.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Witnessed(NamedTuple):
    """The last checkpoint that a witness holds."""

    tree_size: int
    root_hash: bytes
    note: str


class WitnessRefused(Exception):
    """The checkpoint does not extend what the witness holds: the ledger was forked or rolled back."""


class WitnessDown(Exception):
    """The witness cannot be reached now; nothing is lost."""


class Witness(Protocol):
    """One place outside the database. Implementations: one module each in this folder."""

    name: str

    def latest(self) -> Witnessed | None:
        """The last checkpoint held, or None; WitnessDown when it cannot be asked."""

    def all(self) -> list[Witnessed]:
        """Every checkpoint held, oldest first; WitnessDown when it cannot be asked."""

    def accept(self, checkpoint: Witnessed, consistency: list[bytes]) -> None:
        """Keep ``checkpoint``; ``consistency`` proves that it extends ``latest()``."""
