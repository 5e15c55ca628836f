"""A clock that tests move: everywhere but in the trail, whose times the database checks."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django.utils import timezone

# Where the times of the trail are taken: the database refuses any but its own clock's.
TRAIL = ("apps.common.history", "apps.audit.events", "apps.decisions.bulk.sqlite")


class Clock:
    """What time it is, everywhere in the product."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def to(self, moment: datetime) -> datetime:
        self.now = moment
        return moment

    def on(self, step: timedelta) -> datetime:
        return self.to(self.now + step)


def moved_clock(monkeypatch: Any, now: datetime) -> Clock:
    true, clock = timezone.now, Clock(now)
    for module in TRAIL:
        monkeypatch.setattr(f"{module}.timezone", SimpleNamespace(now=true))
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock
