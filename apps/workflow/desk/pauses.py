"""How much a reviewer has done today and without a break, and when a pause is suggested.

It is a suggestion: people know their day better than a count does. What is suggested is said with
the figure that says it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from apps.accounts.models import User
from apps.common.prepared import Prepared
from apps.policies.selectors import PolicyInForce
from apps.reviews.models import Review

BREAK: Final = timedelta(minutes=10)  # without a verdict for so long, a streak is over
LOOKED_AT: Final = 500
GIVEN_SINCE: Final = Prepared(
    lambda reviewer, since: (
        Review.objects.filter(reviewer=reviewer, imported=False, final=True, reviewed_at__gte=since)
        .order_by("-reviewed_at")
        .values_list("reviewed_at")[:LOOKED_AT]
    ),
    reviewer=Review.reviewer,
    since=Review.reviewed_at,
)


class Load(NamedTuple):
    """``today``: verdicts since midnight of the person's own day; ``streak``: verdicts in a row
    without a break of ten minutes; ``pause``: one sentence where a pause is suggested."""

    today: int
    streak: int
    pause: str | None


def load_of(person: User, policy: PolicyInForce | None, now: datetime) -> Load:
    """What ``person`` has done until now in all use cases, against the limits of one policy."""
    midnight = now.astimezone(ZoneInfo(person.time_zone)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    newest = GIVEN_SINCE.rows(reviewer=person.pk, since=min(midnight, now - BREAK))
    times = [at for (at,) in newest]
    today, streak = sum(at >= midnight for at in times), streak_of(times, now)
    document = {} if policy is None else policy.document
    return Load(
        today,
        streak,
        suggestion(today, streak, document.get("daily_limit"), document.get("streak_limit")),
    )


def streak_of(times: list[datetime], now: datetime) -> int:
    """How many verdicts, newest first, came without a break between them or since."""
    count, last = 0, now
    for at in times:
        if last - at > BREAK:
            break
        count, last = count + 1, at
    return count


def suggestion(today: int, streak: int, daily: int | None, in_a_row: int | None) -> str | None:
    if daily is not None and today >= daily:
        return f"{today} cases today; the policy suggests to stop at {daily}."
    if in_a_row is not None and streak >= in_a_row:
        minutes = int(BREAK.total_seconds() // 60)
        return f"{streak} cases in a row; a pause of {minutes} minutes is suggested at {in_a_row}."
    return None
