"""Wiring: settings, URLs, Celery. Knows the apps by name and holds no rule."""

import os

# Before numpy is loaded: its threads would wait for work by counting, on another's processor.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hitl_platform.celery import app as celery_app

__all__ = ["celery_app"]
