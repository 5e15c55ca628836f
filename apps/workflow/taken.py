"""What became of one arrival."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

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


class Asked(NamedTuple):
    """The task that a decision opened when it arrived."""

    pk: str
    due_at: datetime | None
    reviews_required: int


class Written(NamedTuple):
    """A decision as it was written a moment ago: its first answer is made of this, and is the one
    that would be made of its rows. ``output`` and ``reasons``: the bytes that are stored."""

    id: str
    use_case_id: str
    external_id: str
    kind: str
    label: str | None
    confidence: float | None
    lane: str
    would_be: str | None
    status: str
    policy_id: UUID
    sampling_probability: float | None
    created_at: datetime
    output: bytes | None
    reasons: bytes
    task: Asked | None
