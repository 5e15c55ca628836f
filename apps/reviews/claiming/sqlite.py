"""Claims on SQLite: one writer at a time, so that whoever claims has the seats to themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.reviews.claiming import JOINED, SEAT, seat_of

if TYPE_CHECKING:
    from apps.reviews.claiming import Asker
    from apps.reviews.models import Seat


def first_free(asker: Asker, pools: list[int]) -> Seat | None:
    """Pool by pool, so that each is read by its index."""
    where = "s.assigned_to_id IS NULL AND s.pool_id = %(pool)s"
    found = [seat for pool in pools if (seat := _one(asker, where, {"pool": pool}))]
    return min(found, key=lambda seat: (seat.rank, seat.pk), default=None)


def first_assigned(asker: Asker, pools: list[int], people: list[Any]) -> Seat | None:
    listed = {f"to{n}": key for n, key in enumerate(people)}
    kept = {f"in{n}": key for n, key in enumerate(pools)}
    where = f"s.assigned_to_id IN ({_marks(listed)}) AND s.pool_id IN ({_marks(kept)})"
    return _one(asker, where, {**listed, **kept})


def _marks(named: dict[str, Any]) -> str:
    return ", ".join(f"%({name})s" for name in named)


def _one(asker: Asker, where: str, more: dict[str, Any]) -> Seat | None:
    eligible, parameters = asker.eligible()
    return seat_of(
        f"SELECT {SEAT.of('s')} FROM {JOINED} WHERE {where} AND {eligible} "
        "ORDER BY s.rank, s.id LIMIT 1",
        {**parameters, **more},
    )
