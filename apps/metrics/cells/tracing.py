"""Whether a routing can be traced: each decision routed again from its recorded inputs.

The same pure function that routed it gets the policy version, the seed, the mandates and the time
that are on record, and must come to the lane, the chance of the draw, the mandate and the reasons
that are on record too. All of these are rows that never change, so that the answer is the day's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

import numpy as np

from apps.common.errors import PlatformError
from apps.decisions.domain.content import join_output
from apps.decisions.models import Payload
from apps.metrics.cells.among import Among, Keys
from apps.metrics.cells.columns import SCALE
from apps.metrics.cells.reading import Chunk
from apps.metrics.domain.compliance import Breach
from apps.metrics.whatif.reading import needed_content
from apps.policies.domain.lanes import NONE, Lane, Lifecycle, RoutingContext, RoutingResult
from apps.policies.domain.mandates import Mandate
from apps.policies.domain.reasons import encoded_reasons
from apps.policies.domain.routing import route
from apps.policies.domain.rows import columns_from_decisions
from apps.policies.seeds import stored_seed
from apps.policies.selectors import PolicyInForce, compiled_policy
from apps.registry.models import ModelVersion, UseCase
from apps.supervision.selectors import mandates_as_they_stood

IN_SERVICE: Final = "active"
SAME, OTHER, ERASED = "same", "other", "erased"


class Inputs(NamedTuple):
    """What decisions must share to be routed together; ``left``: JSON of the mandates then."""

    policy: str
    lifecycle: str
    year: int
    left: str | None


class Recorded(NamedTuple):
    """What a routing came to."""

    lane: str
    would_be: str | None
    chance: float | None
    mandate: str | None
    reasons: str


NAMES: Final = ("lane", "lane outside pilot", "chance of the audit", "mandate", "reasons")


@dataclass(frozen=True, slots=True)
class Traced:
    """``breaches``: decisions that come out otherwise; ``counts``: SAME, OTHER and ERASED (what
    routing reads of their content is gone, so that it cannot be told) -> decisions."""

    breaches: list[Breach]
    counts: Mapping[str, int]


@dataclass(slots=True)
class Tracer:
    """Routes decisions of a use case again; policies and seeds are read once for a build."""

    use_case: UseCase
    policies: dict[str, PolicyInForce | str] = field(default_factory=dict)
    seeds: dict[int, bytes | None] = field(default_factory=dict)

    def trace(self, chunk: Chunk) -> Traced:
        groups: dict[Inputs, list[int]] = defaultdict(list)
        rows = chunk.decisions
        for place, inputs in enumerate(
            zip(rows.policy, rows.lifecycle, rows.year, rows.mandates_left, strict=True)
        ):
            groups[Inputs(*inputs)].append(place)
        said = {
            place: why
            for inputs, places in groups.items()
            for place, why in self._differences(chunk, inputs, places)
        }
        breaches = [
            Breach("untraceable", str(UUID(rows.key[place])), why)
            for place, why in said.items()
            if why is not None
        ]
        erased = len(said) - len(breaches)
        same = len(chunk) - len(said)
        return Traced(breaches, {SAME: same, OTHER: len(breaches), ERASED: erased})

    def _differences(
        self, chunk: Chunk, inputs: Inputs, places: Sequence[int]
    ) -> Iterator[tuple[int, str | None]]:
        """(place, what differs) of those that do not come out the same; None: it was erased."""
        policy = self._policy(inputs.policy)
        if isinstance(policy, str):
            yield from ((place, policy) for place in places)
            return
        mandates = _mandates(inputs.left)
        parts = needed_content(self.use_case, policy.routing, mandates)
        contents = _contents(chunk, places, parts)
        told = [place for place in places if not parts or place in contents]
        yield from ((place, None) for place in places if parts and place not in contents)
        drawn = [
            place for place in told if 0 < (chunk.decisions.sampling_probability[place] or 0) < 1
        ]
        seed = self._seed(inputs.year)
        if drawn and seed is None:
            why = f"there is no seed of {inputs.year} on record, with which its draw was made"
            yield from ((place, why) for place in drawn)
            told = sorted(set(told) - set(drawn))
        if told:
            sent = [_sent(chunk, place, contents.get(place, {})) for place in told]
            context = _context(chunk, inputs, told, seed or b"", mandates)
            result = route(policy.routing, context, columns_from_decisions(sent))
            yield from _compared(chunk, told, result)

    def _policy(self, key: str) -> PolicyInForce | str:
        """A policy version, ready to route; why not, where it cannot be read."""
        if key not in self.policies:
            try:
                self.policies[key] = compiled_policy(UUID(key))
            except PlatformError as error:
                self.policies[key] = f"its policy version cannot be read: {error}"
        return self.policies[key]

    def _seed(self, year: int) -> bytes | None:
        if year not in self.seeds:
            self.seeds[year] = stored_seed(self.use_case.slug, year)
        return self.seeds[year]


def _mandates(left: str | None) -> tuple[Mandate, ...]:
    return mandates_as_they_stood(json.loads(left) if left else [])


def _contents(
    chunk: Chunk, places: Sequence[int], parts: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """Place -> part -> content, of those whose content is there."""
    if not parts:
        return {}
    keys = Keys([chunk.decisions.key[place] for place in places])
    at = {chunk.decisions.key[place]: place for place in places}
    rows = Payload.objects.filter(Among("decision", keys)).values_list("decision", *parts)
    spelled = {UUID(key): place for key, place in at.items()}
    return {spelled[key]: dict(zip(parts, texts, strict=True)) for key, *texts in rows}


@lru_cache(maxsize=4_096)  # a version keeps its name
def bare_version(key: str) -> str:
    """A model version as conditions name it, without its system: "2.3.1"."""
    return str(ModelVersion.objects.values_list("version", flat=True).get(pk=key))


def _sent(chunk: Chunk, place: int, content: Mapping[str, Any]) -> dict[str, Any]:
    """A decision in the form that conditions read."""
    rows = chunk.decisions
    amount, output = rows.scaled[place], content.get("output")
    return {
        "external_id": rows.external_id[place],
        "model_version": bare_version(rows.version[place]),
        "kind": rows.kind[place],
        "output": join_output(
            rows.kind[place],
            rows.label[place],
            rows.confidence[place],
            None if output is None else output.encode(),
        ),
        "amount": None if amount is None else Decimal(amount) / SCALE,
        "features": json.loads(content.get("features") or "{}"),
        "subject": json.loads(content.get("subject") or "{}"),
    }


def _context(
    chunk: Chunk,
    inputs: Inputs,
    places: Sequence[int],
    seed: bytes,
    mandates: tuple[Mandate, ...],
) -> RoutingContext:
    rows = chunk.decisions
    withdrawn = [rows.model_status[place] != IN_SERVICE for place in places]
    return RoutingContext(
        lifecycle=cast(Lifecycle, inputs.lifecycle),
        seed=seed,
        moment=rows.moment[places[0]],
        mandates=mandates,
        withdrawn=np.array(withdrawn, dtype=bool),
    )


def _compared(
    chunk: Chunk, places: Sequence[int], result: RoutingResult
) -> Iterator[tuple[int, str]]:
    rows = chunk.decisions
    lanes = [Lane(lane).code for lane in result.lane.tolist()]
    outside = [None if lane == NONE else Lane(lane).code for lane in result.would_be.tolist()]
    chances = [None if one != one else one for one in result.sampling_probability.tolist()]
    issued = [None if m < 0 else result.context.mandates[m].id for m in result.mandate.tolist()]
    codes = encoded_reasons(result, _codes)
    for place, *again in zip(places, lanes, outside, chances, issued, codes, strict=True):
        mandate = rows.mandate[place]
        recorded = Recorded(
            rows.lane[place],
            rows.would_be[place],
            rows.sampling_probability[place],
            None if mandate is None else str(UUID(mandate)),
            rows.reason_codes[place],
        )
        if recorded != Recorded(*again):
            yield place, _sentence(recorded, Recorded(*again))


def _codes(reasons: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(dict.fromkeys(reason["code"] for reason in reasons))


def _sentence(recorded: Recorded, again: Recorded) -> str:
    """What differs, in words; codes and figures alone, no content."""
    found = [
        f"{name} {was!r} comes out as {now!r}"
        for name, was, now in zip(NAMES, recorded, again, strict=True)
        if was != now
    ]
    return "; ".join(found)
