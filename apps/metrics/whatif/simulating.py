"""A whole policy over stored decisions: each is routed again, and what that changes is counted.

The decisions are read in chunks; nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from django.utils import timezone

from apps.metrics.cells.attributes import protected_parts
from apps.metrics.domain.cell_levels import Answers
from apps.metrics.domain.frontier import Prices
from apps.metrics.domain.simulation import Known, Part, Way, way_report
from apps.metrics.first_reading import Window
from apps.metrics.whatif.basis import (
    Looked,
    answers_of,
    inputs_of,
    policy_standing,
    price_notes,
    prices_of,
    written,
)
from apps.metrics.whatif.groups import groups_of_rows
from apps.metrics.whatif.knowing import cases_of
from apps.metrics.whatif.reading import Stored, needed_content, read_chunks, window_of
from apps.policies.domain.conditions import comparisons
from apps.policies.domain.lanes import Lane, RoutingContext, RoutingResult
from apps.policies.domain.mandates import Mandate, after_use
from apps.policies.domain.reasons import reasons
from apps.policies.domain.routing import route
from apps.policies.domain.rows import columns_from_decisions
from apps.policies.domain.sampling import draws
from apps.policies.seeds import stored_seed
from apps.registry.models import UseCase
from apps.supervision.selectors import mandates_in_force

SHOWN: Final = 100
IN_SERVICE: Final = ("pilot", "live")
PART_OF: Final = {
    "automatic": Part.UNSEEN,
    "supervised": Part.UNSEEN,
    "shadow": Part.UNSEEN,
    "review": Part.PEOPLE,
    "command": Part.PEOPLE,
    "blocked": Part.BLOCKED,
}


@dataclass(slots=True)
class _Sums:
    """What has been added up so far."""

    known: Known = field(default_factory=Known)
    now: Way = field(default_factory=Way)
    then: Way = field(default_factory=Way)
    routed: int = 0
    erased: int = 0
    lanes_now: Counter[str] = field(default_factory=Counter)
    lanes_then: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class _Run:
    """What the chunks of one simulation share."""

    use_case: UseCase
    looked: Looked
    answers: Answers
    attributes: dict[str, str]
    parts: tuple[str, ...]
    moment: datetime
    mandates: tuple[Mandate, ...]
    seeds: dict[int, bytes] = field(default_factory=dict)
    sums: _Sums = field(default_factory=_Sums)

    def seed(self, year: int) -> bytes:
        """The seed of a year's draws. A decision that was routed has one; for one that was written
        by another way any draws will do, since none was ever made."""
        if year not in self.seeds:
            self.seeds[year] = stored_seed(self.use_case.slug, year) or b""
        return self.seeds[year]


def simulate(
    use_case: UseCase, looked: Looked, window: Window, *, most: int | None = None
) -> dict[str, Any]:
    """What a policy would have done with the decisions of a window, beside what was done.

    ``most``: of more decisions only the newest so many are routed, and the document says so.
    """
    run = _run_of(use_case, looked)
    decisions = window_of(use_case, window)
    total = decisions.count()
    if most is not None and total > most:
        first = decisions.order_by("-pk").values_list("pk", flat=True)[most - 1]
        decisions = decisions.filter(pk__gte=first)
    for chunk in read_chunks(decisions, run.parts):
        _add(run, chunk)
    return _document(run, window, total)


def _run_of(use_case: UseCase, looked: Looked) -> _Run:
    now = timezone.now()
    commands = looked.routing.level == "HIC"
    mandates = mandates_in_force(use_case.slug, now) if commands else ()
    attributes = protected_parts(use_case)
    parts = needed_content(use_case, looked.routing, mandates, attributes.values())
    return _Run(use_case, looked, answers_of(use_case), attributes, parts, now, tuple(mandates))


def _add(run: _Run, chunk: Sequence[Stored]) -> None:
    """One chunk more: routed, compared, added up."""
    stored = [one for one in chunk if one.sent is not None]
    run.sums.erased += len(chunk) - len(stored)
    run.sums.routed += len(stored)
    if not stored:
        return
    result = _route(run, stored)
    lanes = [Lane(lane).code for lane in result.lane.tolist()]
    before = [one.row.would_be or one.row.lane for one in stored]
    cases = cases_of(stored, run.answers, groups_of_rows(stored, run.attributes))
    run.sums.known.add(cases)
    run.sums.now.add(cases, _parts(before), np.array([one.row.after_review for one in stored]))
    run.sums.then.add(cases, _parts(lanes), result.needs_after_review)
    run.sums.lanes_now.update(before)
    run.sums.lanes_then.update(lanes)
    _compare(run.sums, stored, before, lanes, result)


def _parts(lanes: Sequence[str]) -> Any:
    return np.array([PART_OF[lane] for lane in lanes], dtype=np.int64)


def _route(run: _Run, stored: Sequence[Stored]) -> RoutingResult:
    """The chunk under the policy; mandates are used up from chunk to chunk.

    As if live: a pilot's lanes are those that it would take. What a stop blocked stays blocked.
    """
    blocked = [
        one.row.model_status != "active" or one.row.lifecycle not in IN_SERVICE for one in stored
    ]
    context = RoutingContext(
        lifecycle="live",
        moment=run.moment,
        mandates=run.mandates,
        withdrawn=np.array(blocked, dtype=bool),
        draws=_draws(run, stored),
    )
    columns = columns_from_decisions([one.sent or {} for one in stored])
    result = route(run.looked.routing, context, columns)
    uses = zip(run.mandates, result.mandate_use(), strict=True)
    run.mandates = tuple(after_use(mandate, use) for mandate, use in uses)
    return result


def _draws(run: _Run, stored: Sequence[Stored]) -> Any:
    """Each case's own draw, the same under every policy."""
    years = np.array([one.row.routed_at.astimezone(UTC).year for one in stored])
    found = np.zeros(len(stored))
    for year in np.unique(years).tolist():
        rows = (years == year).nonzero()[0]
        ids = [stored[row].row.external_id for row in rows.tolist()]
        found[rows] = draws(run.seed(year), ids)
    return found


def _compare(
    sums: _Sums,
    stored: Sequence[Stored],
    before: Sequence[str],
    lanes: Sequence[str],
    result: RoutingResult,
) -> None:
    """The decisions that would go another way. Reasons by code and rule: their values are content."""
    for place, (one, was, then) in enumerate(zip(stored, before, lanes, strict=True)):
        if was == then:
            continue
        sums.moves[was, then] += 1
        if len(sums.first) < SHOWN:
            why = [{"code": r["code"], "rule": r["rule"]} for r in reasons(result, place)]
            sums.first.append(
                {
                    "id": str(one.row.id),
                    "external_id": one.row.external_id,
                    "from": was,
                    "to": then,
                    "was": one.row.reason_codes.split(),
                    "reasons": why,
                }
            )


def _document(run: _Run, window: Window, total: int) -> dict[str, Any]:
    sums, standing = run.sums, policy_standing(run.use_case)
    prices = prices_of(run.use_case, run.looked)
    moves = sorted(sums.moves.items(), key=lambda one: (-one[1], one[0]))
    return {
        "use_case": run.use_case.slug,
        "from": written(window.begin),
        "to": written(window.end),
        "policy": run.looked.named(),
        "decisions": total,
        "routed": sums.routed,
        "erased": sums.erased,
        "lanes": {"now": _shares(sums.lanes_now), "then": _shares(sums.lanes_then)},
        "changes": {
            "n": sum(sums.moves.values()),
            "by_lane": [{"from": was, "to": then, "n": n} for (was, then), n in moves],
            "first": sums.first,
        },
        "now": way_report(sums.now, sums.known, prices_of(run.use_case, standing)),
        "then": way_report(sums.then, sums.known, prices),
        "inputs": inputs_of(run.use_case, prices),
        "assumed": _assumed(run, total, prices),
    }


def _shares(lanes: Counter[str]) -> dict[str, dict[str, Any]]:
    total = sum(lanes.values())
    return {lane: {"n": n, "share": n / total} for lane, n in sorted(lanes.items())}


def _assumed(run: _Run, total: int, prices: Prices) -> list[str]:
    sums, routed, rules = run.sums, run.sums.routed, run.looked.routing.rules
    known, judged = int(sums.known.known.sum()), int(sums.known.judged.sum())
    notes = price_notes(prices)
    if total > routed + sums.erased:
        notes.append(f"of {total} decisions the newest {routed + sums.erased} were routed")
    if sums.erased:
        notes.append(
            f"{sums.erased} decisions are left out: their content was erased, and the policy or the "
            "groups read it"
        )
    if known < routed:
        notes.append(
            f"{routed - known} of {routed} decisions have no outcome: unseen, they are taken to be "
            "like those of their confidence bin that have one"
        )
    if judged < routed:
        notes.append(
            f"{routed - judged} of {routed} decisions have no first verdict with an outcome: seen by "
            "people, they are taken to go as those of their confidence bin"
        )
    if run.looked.routing.level == "HIC":
        notes.append("the mandates are those in force now, with what is left of each")
    if any(one.field == "novelty" for rule in rules for one in comparisons(rule.when)):
        notes.append("novelty is judged as missing: no reference profile is read")
    return notes
