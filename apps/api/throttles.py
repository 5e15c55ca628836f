"""Rate limits by caller, counted in the cache: they never write to the main database."""

from __future__ import annotations

from time import time
from typing import Any

from django.core.cache import cache
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from apps.accounts.callers import Caller

PERIODS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_rate(rate: str) -> tuple[int, int]:
    """``"60/min"`` as (60 requests, 60 seconds)."""
    number, _, period = rate.partition("/")
    return int(number), PERIODS_S[period[0]]


class CallerThrottle(BaseThrottle):
    """So many requests a period for each person or key; far fewer for strangers.

    One counter a window: unlike a list of times, it costs the same at any rate.
    """

    def allow_request(self, request: Any, view: Any) -> bool:
        scope, who = self._who(request)
        allowed, period_s = parse_rate(str(api_settings.DEFAULT_THROTTLE_RATES[scope]))
        now = time()
        window = int(now) // period_s
        self.wait_s = max(1.0, (window + 1) * period_s - now)
        key = f"throttle:{scope}:{who}:{window}"
        cache.add(key, 0, timeout=2 * period_s)
        try:
            return cache.incr(key) <= allowed
        except ValueError:  # evicted between the two calls: this request is the first again
            cache.set(key, 1, timeout=2 * period_s)
            return True

    def wait(self) -> float:
        return self.wait_s

    def _who(self, request: Any) -> tuple[str, str]:
        """A stranger is an address. Not X-Forwarded-For, which a stranger can write at will."""
        if isinstance(request.user, Caller):
            return "caller", request.user.actor.id
        return "anonymous", request.META.get("REMOTE_ADDR", "")
