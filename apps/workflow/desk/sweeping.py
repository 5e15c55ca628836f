"""One fault must not hold up a sweep: the others are served first, then it is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import DatabaseError

from apps.common.errors import PlatformError

K = TypeVar("K")


def for_each(keys: Iterable[K], step: Callable[[K], int]) -> int:
    """Take ``step`` for each key, each in its own transaction; how much was done.

    Raises: the first fault of a step, after all the others were taken.
    """
    done, first = 0, None
    for key in keys:
        try:
            done += step(key)
        except (PlatformError, DatabaseError) as fault:
            first = first or fault
    if first is not None:
        raise first
    return done
