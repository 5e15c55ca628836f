"""Claims on PostgreSQL: each pool's first seats by its index, the first that nobody locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection, transaction

from apps.reviews.claiming import JOINED, SEAT, seat_of

if TYPE_CHECKING:
    from apps.reviews.claiming import Asker
    from apps.reviews.models import Seat

WINDOW = 32  # seats looked at in each pool: more than are being claimed at one moment
WIDE = 2_000
WAIT_MS = 2_000

_FREE = f"""
    SELECT {{columns}} FROM (
        SELECT c.id, c.rank FROM unnest(%(pools)s::bigint[]) AS p(id)
        CROSS JOIN LATERAL (
            SELECT s.id, s.rank FROM {JOINED}
            WHERE s.pool_id = p.id AND s.assigned_to_id IS NULL AND {{eligible}}
            ORDER BY s.rank, s.id LIMIT %(window)s
        ) c ORDER BY c.rank, c.id
    ) f JOIN reviews_seat s ON s.id = f.id
    WHERE s.state = 'free' AND s.assigned_to_id IS NULL
    ORDER BY f.rank, f.id LIMIT 1 FOR NO KEY UPDATE OF s {{skip}}
"""
_ASSIGNED = f"""
    SELECT {{columns}} FROM {JOINED}
    WHERE s.assigned_to_id = ANY(%(people)s::uuid[]) AND s.pool_id = ANY(%(pools)s::bigint[])
    AND {{eligible}}
    ORDER BY s.rank, s.id LIMIT 1 FOR NO KEY UPDATE OF s {{skip}}
"""
_ANY_ASSIGNED = """
    SELECT EXISTS (
        SELECT FROM reviews_seat WHERE state = 'free' AND assigned_to_id = ANY(%(people)s::uuid[]))
"""
SKIP, WAIT = "SKIP LOCKED", ""
LOCK_NOT_AVAILABLE = "55P03"


def first_free(asker: Asker, pools: list[int]) -> Seat | None:
    """Without waiting; then, where seats are free but all locked, waiting for their holders once.

    A holder who commits takes the seat out of the condition, which PostgreSQL asks again of each
    row that it waited for; so nothing is found only when each was taken.
    """
    more = {"pools": pools}
    return (
        _one(_FREE, SKIP, asker, {**more, "window": WINDOW})
        or _one(_FREE, SKIP, asker, {**more, "window": WIDE})
        or _waiting(_FREE, asker, {**more, "window": WIDE})
    )


def first_assigned(asker: Asker, pools: list[int], people: list[Any]) -> Seat | None:
    """Most people are given nothing: to plan the whole query costs more than to ask for that."""
    more = {"pools": pools, "people": people}
    with connection.cursor() as cursor:
        cursor.execute(_ANY_ASSIGNED, more)
        (is_any,) = cursor.fetchone()
    return _one(_ASSIGNED, SKIP, asker, more) if is_any else None


def _waiting(sql: str, asker: Asker, more: dict[str, Any]) -> Seat | None:
    """None too when a holder keeps a seat for longer than a claim can take."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [str(WAIT_MS)])
            found = _one(sql, WAIT, asker, more)
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
            return found
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != LOCK_NOT_AVAILABLE:
            raise
        return None


def _one(sql: str, skip: str, asker: Asker, more: dict[str, Any]) -> Seat | None:
    eligible, parameters = asker.eligible()
    text = sql.format(columns=SEAT.of("s"), eligible=eligible, skip=skip)
    return seat_of(text, {**parameters, **more})
