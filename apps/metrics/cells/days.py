"""Days: a decision belongs to the UTC day on which it was made."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.db.models.functions import Coalesce

DAY = timedelta(days=1)


def moment_of(prefix: str = "") -> Coalesce:
    """When a decision was made, as an expression that its index knows."""
    return Coalesce(f"{prefix}decided_at", f"{prefix}created_at")


def midnight(day: date) -> datetime:
    """The beginning of a day, in UTC."""
    return datetime.combine(day, time(), UTC)


def bounds(day: date) -> tuple[datetime, datetime]:
    """The beginning of a day and of the next."""
    return midnight(day), midnight(day) + DAY
