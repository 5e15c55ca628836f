"""What people will have to decide in the days to come, and how many it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from math import ceil, sqrt
from typing import Any, Final

from apps.metrics.domain.estimates import LEVEL, z_of
from apps.reviews.domain.load import staffing_for

METHOD: Final = "weekday_mean"
WEEKS: Final = 8
AHEAD: Final = 7
LEAST_DAYS: Final = 7
HOURS_A_DAY: Final = 8.0
IN_TIME: Final = 0.95


def forecast(
    arrivals: Mapping[date, int],
    last: date,
    seconds_per_case: float | None,
    sla_minutes: float | None,
    hours_a_day: float = HOURS_A_DAY,
) -> dict[str, Any]:
    """The cases and the hours of the next seven days.

    Definition: a day's expected cases are the mean of the same weekday over the last eight weeks of
    the history, and the range is that of one such day: mean +- z sqrt(v (1 + 1/k)) over k weeks,
    cut at 0, with v the variance over these weeks, and at least the mean (Poisson). With one week
    v is the mean. hours = cases x seconds_per_case / 3600. people: for the busiest day, the fewest
    with whom 95 % of the cases are settled within the limit if they come evenly over the hours of
    work (Erlang C); without a limit, the hours over the hours of work, rounded up. It knows of no
    trend, holiday or change of policy. Lower is less work.
    Parameters: ``arrivals``, day -> cases that came for people, a day without any left out or 0;
    ``last``, the last day of the history; ``seconds_per_case``, active time, None where nobody
    stated any; ``sla_minutes``, None without a limit; ``hours_a_day`` > 0.
    Returns: {"method", "n": days of history, "days": [{"date", "cases", "low", "high", "hours"}],
    "cases", "hours", "people", "assumes"}; null and why below seven days of history.
    Source: S. Makridakis et al., Forecasting (1998), ch. 2 (seasonal mean); load.staffing_for.
    """
    first = min(arrivals, default=last)
    n = (last - first).days + 1 if arrivals else 0
    found: dict[str, Any] = {"method": METHOD, "n": n, "days": [], "cases": None, "hours": None}
    found |= {"people": None, "assumes": _assumes(hours_a_day)}
    if n < LEAST_DAYS:
        why = f"not enough data (n = {n}): fewer than {LEAST_DAYS} days of history"
        return found | {"why": why}
    start = max(first, last - timedelta(days=7 * WEEKS - 1))
    days = [
        _day(last + timedelta(days=ahead), arrivals, start, last, seconds_per_case)
        for ahead in range(1, AHEAD + 1)
    ]
    found |= {"days": days, "cases": sum(one["cases"] for one in days)}
    if seconds_per_case is None:
        return found | {"why_no_hours": f"not enough data (n = {n}): no review states its time"}
    found["hours"] = sum(one["hours"] for one in days)
    busiest = max(one["cases"] for one in days)
    return found | _people(busiest, seconds_per_case / 60, sla_minutes, hours_a_day)


def _day(
    day: date, arrivals: Mapping[date, int], start: date, last: date, seconds: float | None
) -> dict[str, Any]:
    same = _same_weekday(day, arrivals, start, last)
    mean = sum(same) / len(same)
    spread = sum((x - mean) ** 2 for x in same) / (len(same) - 1) if len(same) > 1 else 0.0
    half = z_of(LEVEL) * sqrt(max(spread, mean) * (1 + 1 / len(same)))
    return {
        "date": day.isoformat(),
        "cases": mean,
        "low": max(0.0, mean - half),
        "high": mean + half,
        "hours": None if seconds is None else mean * seconds / 3600,
    }


def _same_weekday(
    day: date, arrivals: Mapping[date, int], start: date, last: date
) -> Sequence[int]:
    """The cases of the days of the history that fall on the same day of the week."""
    found = []
    before = day - timedelta(days=7)
    while before > last:
        before -= timedelta(days=7)
    while before >= start:
        found.append(arrivals.get(before, 0))
        before -= timedelta(days=7)
    return found


def _people(
    cases: float, minutes: float, sla_minutes: float | None, hours_a_day: float
) -> dict[str, Any]:
    if not cases or not minutes:
        return {"people": 0}
    if sla_minutes is None:
        return {"people": ceil(cases * minutes / 60 / hours_a_day)}
    try:
        return {"people": staffing_for(cases / hours_a_day, minutes, sla_minutes, IN_TIME)}
    except ValueError as fault:
        return {"people": None, "why_no_people": str(fault)}


def _assumes(hours_a_day: float) -> str:
    return f"the weeks to come are like those before; {hours_a_day:g} hours of work a day"
