"""Times of calls, ours and the peers'. The peers run where the platform is not installed."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

TURNS = 7


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work returns, and its seconds."""
    began = time.perf_counter()
    done = work()
    return done, time.perf_counter() - began


def middle(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work returns, and the median of its seconds after a turn that does not count."""
    done = work()
    return done, median(timed(work)[1] for _ in range(TURNS))
