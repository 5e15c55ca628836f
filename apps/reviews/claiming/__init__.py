"""Which seat a claim takes. One module per database: how rows are locked differs, the rules do not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import ModuleType
from typing import Any, NamedTuple

from django.db import connection

from apps.common.columns import ModelColumns
from apps.reviews.models import Seat

SEAT = ModelColumns(Seat)

# Of a seat s, its task t and its decision d. Not twice at one task, not a case reviewed before (a
# case that comes back to its own reviewer is assigned to them), not one's own case.
ELIGIBLE = """
    s.state = 'free' AND t.status = 'open' AND (s.not_before IS NULL OR s.not_before <= {now})
    AND NOT EXISTS (
        SELECT 1 FROM reviews_seat o
        WHERE o.task_id = s.task_id AND o.holder_id = {person} AND o.id <> s.id)
    AND NOT EXISTS (
        SELECT 1 FROM reviews_review r
        WHERE r.decision_id = t.decision_id AND r.reviewer_id = {person}
        AND NOT (r.task_id IS NOT NULL AND r.task_id = t.id AND s.assigned_to_id = {person}))
    AND d.submitted_by <> {actor}
    AND (d.subject_pseudonym IS NULL OR d.subject_pseudonym NOT IN ({pseudonyms}))
"""
JOINED = """
    reviews_seat s
    JOIN reviews_reviewtask t ON t.id = s.task_id
    JOIN decisions_decision d ON d.id = t.decision_id
"""


class Asker(NamedTuple):
    """Who asks for a seat: ids as the database keeps them, and their pseudonyms as a subject."""

    person: Any
    actor: str
    pseudonyms: list[str]
    now: datetime

    def eligible(self) -> tuple[str, dict[str, Any]]:
        """The condition on a seat, with its parameters by name."""
        own = {f"p{n}": text for n, text in enumerate(self.pseudonyms or ["-"])}
        marks = {name: f"%({name})s" for name in ("now", "person", "actor")}
        sql = ELIGIBLE.format(**marks, pseudonyms=", ".join(f"%({name})s" for name in own))
        rank = Seat._meta.get_field("rank")
        person = Seat._meta.get_field("holder")
        return sql, {
            "now": rank.get_db_prep_value(self.now, connection),
            "person": person.get_db_prep_value(self.person, connection),
            "actor": self.actor,
            **own,
        }


def seat_of(sql: str, parameters: dict[str, Any]) -> Seat | None:
    """The one seat that the query gives."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
    return None if row is None else SEAT.instance(row)


def _database() -> ModuleType:
    from apps.reviews.claiming import postgresql, sqlite

    return {"postgresql": postgresql, "sqlite": sqlite}[connection.vendor]


def first_free(asker: Asker, pools: Sequence[int]) -> Seat | None:
    """The first eligible free seat of the pools by rank, locked until the transaction ends.

    None only when there is no free seat that others do not hold: a seat that is locked is waited
    for, once.
    """
    found: Seat | None = _database().first_free(asker, list(pools)) if pools else None
    return found


def first_assigned(asker: Asker, pools: Sequence[int], people: Sequence[Any]) -> Seat | None:
    """The first eligible free seat that was given to one of the people, locked likewise."""
    found: Seat | None = None
    if pools and people:
        field = Seat._meta.get_field("assigned_to")
        keys = [field.get_db_prep_value(key, connection) for key in people]
        found = _database().first_assigned(asker, list(pools), keys)
    return found
