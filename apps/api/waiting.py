"""Long polls: a caller waits for people to answer, without a transaction and without crowding out.

Each waiter holds a thread of its process, so only a few may wait at a time; the others are
answered at once and told to come back.
"""

from __future__ import annotations

import threading
import time
from uuid import UUID

from django.conf import settings

from apps.decisions.domain.lifecycle import Status
from apps.decisions.models import Decision

POLL_S = 0.25

_lock = threading.Lock()
_waiting = 0


def wait_until_settled(decision_id: UUID, timeout_s: int) -> bool:
    """Return when the decision leaves ``pending`` or the time is over; False: no slot was free."""
    if not _enter():
        return False
    try:
        deadline = time.monotonic() + timeout_s
        while _pending(decision_id) and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(POLL_S, left))
    finally:
        _leave()
    return True


def _pending(decision_id: UUID) -> bool:
    found: bool = Decision.objects.filter(pk=decision_id, status=Status.PENDING).exists()
    return found


def _enter() -> bool:
    global _waiting
    with _lock:
        if _waiting >= settings.WAIT_SLOTS:
            return False
        _waiting += 1
        return True


def _leave() -> None:
    global _waiting
    with _lock:
        _waiting -= 1
