"""The Celery application: wiring only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init, worker_process_init, worker_ready

from apps.common.memory import collect_rarely
from hitl_platform import file_broker  # noqa: F401 - makes it the transport of filesystem://

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_platform.settings")
app = Celery("hitl_platform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def make_broker_folders(**kwargs: Any) -> None:
    options = app.conf.broker_transport_options or {}
    for key, folder in options.items():
        if key.endswith(("_in", "_out", "_folder")):
            Path(folder).mkdir(parents=True, exist_ok=True)


celeryd_init.connect(make_broker_folders)
beat_init.connect(make_broker_folders)
worker_ready.connect(collect_rarely)
worker_process_init.connect(collect_rarely)
