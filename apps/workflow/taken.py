"""What became of one arrival."""

from __future__ import annotations

from typing import Literal, NamedTuple

from apps.common.errors import FieldError


class Taken(NamedTuple):
    """``id`` is the decision's, of an accepted or a known one; ``conflict``: known, but different."""

    position: int
    state: Literal["accepted", "duplicate", "rejected"]
    external_id: str
    id: str | None = None
    lane: str | None = None
    status: str | None = None
    final_output: dict[str, object] | None = None
    errors: tuple[FieldError, ...] = ()
    conflict: bool = False
