"""When a figure breaks its limit, and over which windows that is asked."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from apps.metrics.domain.figures import Figure

OPS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
WORDS: Final = {"<": "below", "<=": "at or below", ">": "above", ">=": "at or above"}


class Limit(NamedTuple):
    """A figure's path, the side that is out of bounds, the bound, and the least n that counts."""

    metric: str
    op: str
    value: float
    smallest: int


def broken(limit: Limit, figure: Figure) -> bool:
    """Whether one figure breaks a limit; never on fewer than ``smallest`` cases or without a value.

    A figure that rests on no cases, such as how many tasks wait, is taken as it is.
    Errors: KeyError for an ``op`` that is none of OPS.
    """
    few = figure.n is not None and figure.n < limit.smallest
    if figure.value is None or few:
        return False
    return OPS[limit.op](figure.value, limit.value)


def broken_in_a_row(limit: Limit, figures: Sequence[Figure]) -> bool:
    """Whether every one of some windows in a row breaks a limit, so that one that strays is none.

    Parameters: ``figures``, a window each. Returns: False without a window.
    """
    return bool(figures) and all(broken(limit, figure) for figure in figures)


def sentence(limit: Limit, figures: Sequence[Figure]) -> str:
    """What was found, newest window first, for people and for the trail."""
    shown = ", ".join(
        f"{figure.value:.6g}" + ("" if figure.n is None else f" (n = {figure.n})")
        for figure in figures
    )
    return f"{limit.metric} is {WORDS[limit.op]} {limit.value:g}: {shown}"


def midnight(day: date) -> datetime:
    """The beginning of a day, in UTC."""
    return datetime.combine(day, time(), UTC)


def past_windows(now: datetime, days: int, count: int) -> list[tuple[datetime, datetime]]:
    """The last windows of whole days that are over, newest first, none overlapping.

    Parameters: ``now``, aware; ``days`` of a window; ``count`` of windows.
    Returns: (begin, end) each, UTC midnights.
    """
    end, length = midnight(now.astimezone(UTC).date()), timedelta(days=days)
    return [(end - (i + 1) * length, end - i * length) for i in range(count)]


def running_window(now: datetime, days: int, since: datetime | None) -> tuple[datetime, datetime]:
    """The window of so many days up to and with today, without what lies before ``since``.

    Parameters: ``since``: when a person settled the matter; what came before was looked at then.
    Returns: (begin, end): the end is the next midnight in UTC, so that cells of whole days serve.
    """
    end = midnight(now.astimezone(UTC).date()) + timedelta(days=1)
    begin = end - timedelta(days=days)
    return (begin if since is None else max(begin, since)), end
