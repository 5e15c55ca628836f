"""Makes a worker's sealer halt before it signs: leaves and nodes written, nothing committed.

A worker loads it with ``-I tests.tasks.halting_sealer``; it then leaves the file ``halted`` in
DATA_DIR and waits to be killed.
"""

from __future__ import annotations

import time
from typing import Any

from celery.signals import worker_process_init


@worker_process_init.connect(weak=False)
def halt_before_signing(**kwargs: Any) -> None:
    from django.conf import settings

    from apps.audit import sealing

    def halt(*args: Any) -> None:
        (settings.DATA_DIR / "halted").touch()
        time.sleep(120)

    sealing._sign = halt
