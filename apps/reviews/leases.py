"""Leases that ran out: their seats go back into the queue with nothing lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from apps.reviews.models import Seat

CHUNK = 500
NOBODY = {
    "state": "free",
    "holder": None,
    "lease": None,
    "leased_at": None,
    "lease_expires_at": None,
    "shown_hash": None,
    "shown": None,
}


def leases_lapse(now: datetime) -> int:
    """Free every seat whose lease is over; returns how many. Drafts stay.

    A seat whose blind answer is given stays as it is: the answer counts, and is made final
    elsewhere. Safe to run twice and beside claims: a seat that somebody locks is left for later.
    """
    done = 0
    while freed := free_lapsed(now, limit=CHUNK):
        done += freed
    return done


@transaction.atomic
def free_lapsed(now: datetime, *, pools: Sequence[int] | None = None, limit: int = CHUNK) -> int:
    """At most ``limit`` of them, those of ``pools`` alone where they are named."""
    lapsed: Any = Seat.objects.filter(state="leased", lease_expires_at__lte=now, answered=False)
    if pools is not None:
        lapsed = lapsed.filter(pool__in=pools)
    skips = connection.features.has_select_for_update_skip_locked
    if connection.features.has_select_for_update:
        lapsed = lapsed.select_for_update(no_key=True, skip_locked=skips)
    keys = list(lapsed.order_by("lease_expires_at").values_list("pk", flat=True)[:limit])
    return int(Seat.objects.filter(pk__in=keys).update(**NOBODY)) if keys else 0
