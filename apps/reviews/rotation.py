"""Rotation: after many cases of one use case in a row the next comes from another, where time allows.

Who has seen the same kind of case for long confirms out of habit. Urgent work comes first all the
same: a seat is passed over only while it has time to spare.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection

from apps.common.columns import fetched
from apps.reviews.claiming import Asker, first_free
from apps.reviews.models import Review, Seat
from apps.reviews.pools import Served

IN_A_ROW: Final = 20
SPARE: Final = timedelta(hours=2)  # from now to a seat's rank, which lies before its time limit
LAST: Final = (
    "SELECT use_case_id FROM reviews_review WHERE reviewer_id = %s AND imported = %s "
    "ORDER BY id DESC LIMIT %s"
)


def first_free_rotated(asker: Asker, served: Served, person: UUID, now: datetime) -> Seat | None:
    """The first free seat by rank; of another use case after a long run, where there is one."""
    found = first_free(asker, served.pools)
    if found is None or len(served.use_cases) < 2 or found.rank - now < SPARE:
        return found
    slug = served.of[found.pool_id]
    if run_of(person) != slug:
        return found
    others = [pool for pool, use_case in served.of.items() if use_case != slug]
    return first_free(asker, others) or found


def run_of(person: UUID) -> str | None:
    """The use case of a person's last 20 reviews, if it is one; ids are ordered by time."""
    reviewer = Review._meta.get_field("reviewer")
    key = reviewer.get_db_prep_value(person, connection)
    rows = fetched(LAST, [key, False, IN_A_ROW])
    slugs = {slug for (slug,) in rows}
    return slugs.pop() if len(rows) == IN_A_ROW and len(slugs) == 1 else None
