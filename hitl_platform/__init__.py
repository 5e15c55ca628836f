"""Wiring: settings, URLs, Celery. Knows the apps by name and holds no rule."""

import os

# Before numpy is loaded: its threads wait for work by counting, on the processor of another process,
# and how many they are changes the last bit of a sum.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hitl_platform.celery import app as celery_app

__all__ = ["celery_app"]
