"""Makes a worker's export halt before it is recorded: the bundle is written, and has no name yet.

A worker loads it with ``-I tests.tasks.halting_exporter``; it then leaves the file ``halted`` in
DATA_DIR and waits to be killed.
"""

from __future__ import annotations

import time
from typing import Any

from celery.signals import worker_process_init


@worker_process_init.connect(weak=False)
def halt_before_recording(**kwargs: Any) -> None:
    from django.conf import settings

    from apps.exports import services

    def halt(*args: Any) -> None:
        (settings.DATA_DIR / "halted").touch()
        time.sleep(120)

    services._record = halt
