"""How often Python's collector walks through what is in memory."""

from __future__ import annotations

import gc
from typing import Any

NEW_OBJECTS = 50_000  # by default 700, of which a batch or a report makes hundreds of thousands
OLDER_EVERY = 20


def collect_rarely(**_signal: Any) -> None:
    """For a process that has loaded all that it needs: that is looked at no more, and what is new
    only after many objects, most of which live as long as the work that they are made for."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, OLDER_EVERY, OLDER_EVERY)
