"""Makes a worker halt in the middle of its third day: counted, blobs written, nothing committed.

A worker loads it with ``-I tests.tasks.halting_builder``; it then leaves the file ``halted`` in
DATA_DIR and waits to be killed.
"""

from __future__ import annotations

import time
from typing import Any

from celery.signals import worker_process_init

THIRD = 3


@worker_process_init.connect(weak=False)
def halt_after_storing(**kwargs: Any) -> None:
    from django.conf import settings

    from apps.metrics.cells import refreshing

    store, done = refreshing.day_store, []

    def halt(*args: Any) -> bool:
        changed = store(*args)
        done.append(changed)
        if len(done) == THIRD:
            (settings.DATA_DIR / "halted").touch()
            time.sleep(120)
        return changed

    refreshing.day_store = halt
