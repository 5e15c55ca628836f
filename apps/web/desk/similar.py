"""Past cases like the one at hand: the same label, the nearest confidence, then the features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apps.decisions.models import Decision
from apps.decisions.selectors import final_of, output_of, part_of, with_content
from apps.outcomes.models import Outcome
from apps.web.desk.outputs import headline

SHOWN: Final = 5
LOOKED_AT: Final = 12  # on either side of the confidence


@dataclass(frozen=True, slots=True)
class PastCase:
    """A case that people decided: what the AI said, what took effect, what turned out."""

    external_id: str
    said: str
    confidence: float | None
    settled_at: Any
    status: str
    took_effect: str
    was_changed: bool
    outcome: bool | None


def similar_cases(decision: Decision) -> list[PastCase]:
    """At most SHOWN cases of the use case that people have decided, the likest first."""
    found = _near_in_confidence(decision)
    features = part_of(decision, "features") or {}
    near = with_content(found)
    near.sort(key=lambda other: distance(features, part_of(other, "features") or {}))
    chosen = near[:SHOWN]
    truth = _newest_outcomes(chosen)
    return [_past_case(other, truth.get(other.pk)) for other in chosen]


def _near_in_confidence(decision: Decision) -> list[Decision]:
    decided = Decision.objects.filter(
        use_case=decision.use_case_id,
        label=decision.label,
        lane="review",
        settled_at__isnull=False,
    ).exclude(pk=decision.pk)
    # what reviewers are tested with must not be read off another case
    decided = decided.exclude(known_answers__status="active")
    if decision.confidence is None:
        return list(decided.filter(confidence__isnull=True)[:LOOKED_AT])
    sure = decision.confidence
    above = decided.filter(confidence__gte=sure).order_by("confidence")[:LOOKED_AT]
    below = decided.filter(confidence__lt=sure).order_by("-confidence")[:LOOKED_AT]
    return sorted([*above, *below], key=lambda other: abs((other.confidence or 0) - sure))


def distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """How unlike two cases are, 0 to 1.

    Definition: the mean over all features named by either of 0 for equal values, |a - b| /
    (|a| + |b|) for numbers, else 1. Source: J. C. Gower, Biometrics 27 (1971) 857, with the
    Canberra distance (G. N. Lance, W. T. Williams, Comput. J. 9 (1966) 60) for numbers.
    """
    names = {*one, *other}
    if not names:
        return 0.0
    return sum(_apart(one.get(name), other.get(name)) for name in names) / len(names)


def _apart(first: object, second: object) -> float:
    if first == second:
        return 0.0
    if _is_number(first) and _is_number(second):
        return abs(first - second) / (abs(first) + abs(second))  # type: ignore[operator, arg-type]
    return 1.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _newest_outcomes(decisions: list[Decision]) -> dict[Any, bool | None]:
    rows = Outcome.objects.filter(decision__in=[decision.pk for decision in decisions])
    return dict(rows.order_by("id").values_list("decision_id", "correct"))


def _past_case(decision: Decision, outcome: bool | None) -> PastCase:
    final = final_of(decision)
    took_effect = headline(decision.kind, final) if final else decision.status
    spoken = headline(decision.kind, output_of(decision))
    return PastCase(
        decision.external_id,
        spoken,
        decision.confidence,
        decision.settled_at,
        decision.status,
        took_effect,
        took_effect != spoken,
        outcome,
    )
