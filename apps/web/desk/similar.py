"""Past cases like the one at hand: the same label, the nearest confidence, then the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from apps.common.columns import ModelColumns, fetched
from apps.decisions.models import Decision, Payload
from apps.decisions.selectors import final_of, output_of, part_of, with_later_content
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


# Of the use case, with the same label: what people decided, but for what reviewers are tested with,
# which must not be read off another case. Asked with each case page, so written out
# (apps.common.columns).
COLUMNS: Final = ModelColumns(
    Decision,
    *("id", "external_id", "kind", "label", "confidence", "status", "settled_at"),
    *("final_label", "final_commitment"),
)
CONTENT: Final = ModelColumns(Payload, "features", "output")
DECIDED: Final = """
    SELECT * FROM (
        SELECT {columns}, {content}
        FROM decisions_decision d LEFT JOIN decisions_payload p ON p.decision = d.id
        WHERE d.use_case_id = %s AND d.label {label} AND d.lane = 'review'
        AND d.settled_at IS NOT NULL AND d.id <> %s AND d.confidence {side}
        AND NOT EXISTS (
            SELECT 1 FROM reviews_knownanswer k WHERE k.decision_id = d.id AND k.status = 'active')
        ORDER BY d.confidence {order} LIMIT {most}
    ) AS {name}
"""


def similar_cases(decision: Decision) -> list[PastCase]:
    """At most SHOWN cases of the use case that people have decided, the likest first."""
    features = part_of(decision, "features") or {}
    near = _near_in_confidence(decision)
    near.sort(key=lambda other: distance(features, part_of(other, "features") or {}))
    chosen = near[:SHOWN] if decision.kind == "label" else with_later_content(near[:SHOWN])
    truth = _newest_outcomes(chosen)
    return [_past_case(other, truth.get(other.pk)) for other in chosen]


def _near_in_confidence(decision: Decision) -> list[Decision]:
    """With the features and the output of each; the nearest first."""
    key = _as_kept(Decision, "id", decision.pk)
    label = [] if decision.label is None else [decision.label]
    parameters = [decision.use_case_id, *label, key]
    if decision.confidence is None:
        rows = fetched(_decided("alike", "IS NULL", "", label), parameters)
        return [_past_decision(row) for row in rows]
    sure = decision.confidence
    sides = (("above", ">= %s", "ASC"), ("below", "< %s", "DESC"))
    sql = " UNION ALL ".join(_decided(*side, label) for side in sides)
    rows = fetched(sql, [*parameters, sure, *parameters, sure])
    found = [_past_decision(row) for row in rows]
    return sorted(found, key=lambda other: abs((other.confidence or 0) - sure))


def _decided(name: str, side: str, order: str, label: Sequence[str]) -> str:
    return DECIDED.format(
        columns=COLUMNS.of("d"),
        content=CONTENT.of("p"),
        label="= %s" if label else "IS NULL",
        side=side,
        order=order,
        most=LOOKED_AT,
        name=name,
    )


def _as_kept(model: Any, name: str, value: Any) -> Any:
    return model._meta.get_field(name).get_db_prep_value(value, connection)


def _past_decision(row: Sequence[Any]) -> Decision:
    own = len(COLUMNS.fields)
    decision = COLUMNS.instance(row[:own])
    decision._payload = CONTENT.instance(row[own:])
    return decision


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
