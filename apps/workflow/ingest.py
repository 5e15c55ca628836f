"""Decisions from a file: checked line by line, routed and recorded chunk by chunk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from apps.common.actor import Actor
from apps.common.errors import FieldError
from apps.policies.selectors import policy_in_force
from apps.registry.models import UseCase
from apps.workflow.arrivals import Arrival, arrival, packed, unpacked, validator_of
from apps.workflow.intake import take_in
from apps.workflow.known import digests_reading
from apps.workflow.lines import Packing
from apps.workflow.routing import make_ready
from apps.workflow.taken import Taken
from apps.workflow.versions import undeclared


class DecisionIntake:
    """Lines become arrivals; ``past``: they were acted on before they were recorded here.

    Raises:
        Conflict: the use case has no policy in force to route by.
    """

    reads_all = False
    packing: Packing | None = Packing(packed, unpacked)

    def __init__(self, use_case: UseCase, *, past: bool) -> None:
        self.variant = "past" if past else "present"
        self._use_case, self._past = use_case, past
        self._now = timezone.now()
        self._validate = validator_of(use_case).validate
        self._previewed: dict[bytes, str] = {}
        policy_in_force(use_case, self._now)

    def check(self, line: int, body: dict[str, Any]) -> Arrival:
        body.setdefault("use_case", self._use_case.slug)
        return arrival(line, self._validate(body, self._now))

    def make_ready(self) -> None:
        """A stop then waits for no chunk."""
        make_ready(self._use_case, timezone.now())

    def take(self, actor: Actor, records: Sequence[tuple[int, Arrival]]) -> list[Taken]:
        arrivals = [one for _line, one in records]
        return take_in(
            actor=actor, use_case=self._use_case.slug, arrivals=arrivals, past=self._past
        )

    def preview(self, records: Sequence[tuple[int, Arrival]]) -> list[Taken]:
        arrivals = [one for _line, one in records]
        ids = [one.valid.external_id for one in arrivals]
        known = digests_reading(self._use_case.slug, ids).now()
        refused = dict(undeclared(self._use_case, arrivals))
        return [self._preview(one, known, refused.get(one.position)) for one in arrivals]

    def _preview(
        self, one: Arrival, known: dict[str, tuple[str, str | None]], refusal: FieldError | None
    ) -> Taken:
        external_id = one.valid.external_id
        # Kept as short hashes: a dry run remembers every line of its file.
        key = hashlib.blake2b(external_id.encode(), digest_size=16).digest()
        if external_id in known or key in self._previewed:
            digest = known[external_id][1] if external_id in known else self._previewed[key]
            if digest == one.digest:
                return Taken(one.position, "duplicate", external_id)
            refusal = FieldError("/external_id", f"{external_id!r} is given with other content")
        if refusal is not None:
            return Taken(one.position, "rejected", external_id, errors=(refusal,))
        self._previewed[key] = one.digest
        return Taken(one.position, "accepted", external_id)
