"""Wiring: settings, URLs, Celery. Knows the apps by name and holds no rule."""

from hitl_platform.celery import app as celery_app

__all__ = ["celery_app"]
