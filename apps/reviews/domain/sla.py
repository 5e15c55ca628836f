"""Service levels: when a task is due, what pauses its clock, and who is next when it lapses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from apps.reviews.domain.business_hours import Calendar, add_minutes, minutes_between

FALLBACKS: Final = ("withhold", "release")


class Step(NamedTuple):
    """What a lapse leads to: ``kind`` escalate with the next ``role``, or fallback with its
    ``outcome``, withhold or release."""

    kind: str
    role: str | None
    outcome: str | None = None


class Clock(NamedTuple):
    """A task's service level now.

    ``due_at``: None where there is no limit; while ``paused`` it is what it would be if the pause
    ended now. ``paused_minutes``: working minutes that did not count so far. ``resumes_at``: when
    a running pause reaches the limit, None where none runs. ``left_minutes``: working minutes to
    ``due_at``, negative when lapsed, None where there is no limit.
    """

    due_at: datetime | None
    paused: bool
    paused_minutes: float
    resumes_at: datetime | None
    left_minutes: float | None


def next_step(chain: Sequence[str], level: int, fallback: str) -> Step:
    """What happens when the limit lapses.

    Definition: the task goes to the role at place ``level`` of the chain; past its end the
    fallback takes effect and the task is closed.
    Parameters: ``chain``, roles in order, may be empty; ``level`` >= 0, how many escalations there
    have been; ``fallback``, withhold or release.
    Returns: Step. Errors: ValueError for another fallback or a negative level.
    """
    if fallback not in FALLBACKS:
        raise ValueError(f"fallback={fallback!r}; allowed are: {', '.join(FALLBACKS)}")
    if level < 0:
        raise ValueError(f"level={level}; at least 0 is allowed")
    if level < len(chain):
        return Step("escalate", chain[level])
    return Step("fallback", None, fallback)


def clock(
    calendar: Calendar | None,
    started_at: datetime,
    minutes: float | None,
    pauses: Iterable[tuple[datetime, datetime | None]],
    now: datetime,
    *,
    pause_limit_minutes: float,
) -> Clock:
    """A task's service level, with the pauses in which it waited for information.

    Definition: due_at is ``minutes`` plus the paused minutes of working time after the start. A
    pause counts from its beginning to its end, an open one until now; of several that overlap each
    minute counts once; together they count up to the limit, after which the clock runs although
    the answer is missing.
    Parameters: ``calendar``, None for round the clock; ``started_at``, ``now``, aware;
    ``minutes`` >= 0, None for no limit; ``pauses``, pairs of begin and end, None for one that
    still lasts, in any order; ``pause_limit_minutes`` >= 0, working minutes.
    Returns: Clock. Errors: ValueError for a pause that ends before it begins, a negative number.
    """
    if pause_limit_minutes < 0 or (minutes is not None and minutes < 0):
        raise ValueError(
            f"minutes={minutes}, pause_limit_minutes={pause_limit_minutes}; at least 0 is allowed"
        )
    used, resumes_at = 0.0, None
    for begin, end in _merged(pauses, started_at, now):
        left = pause_limit_minutes - used
        used += min(left, minutes_between(calendar, begin, end or now))
        if end is None and used < pause_limit_minutes:
            resumes_at = add_minutes(calendar, begin, left)
    if minutes is None:
        return Clock(None, resumes_at is not None, used, resumes_at, None)
    due = add_minutes(calendar, started_at, minutes + used)
    left_minutes = minutes_between(calendar, now, due)
    return Clock(due, resumes_at is not None, used, resumes_at, left_minutes)


def _merged(
    pauses: Iterable[tuple[datetime, datetime | None]], start: datetime, now: datetime
) -> list[tuple[datetime, datetime | None]]:
    """The pauses within [start, now], in order and apart; None ends one that still lasts."""
    found: list[tuple[datetime, datetime | None]] = []
    for begin, end in sorted(pauses, key=lambda pause: pause[0]):
        if end is not None and end < begin:
            raise ValueError(f"the pause of {begin} ends before it begins, at {end}")
        begin, end = max(begin, start), None if end is None or end > now else end
        if begin >= (end or now):
            continue
        last = found[-1] if found else None
        if last is not None and (last[1] is None or begin <= last[1]):
            longer = None if last[1] is None or end is None else max(last[1], end)
            found[-1] = (last[0], longer)
        else:
            found.append((begin, end))
    return found
