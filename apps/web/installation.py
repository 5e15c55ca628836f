"""How this installation stands: what is set, on what it runs, whether its parts are alive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.metrics.code_version import release
from apps.web.models import Heartbeat
from apps.web.trail import TrailState, trail_state

WORKER: Final = "worker"
LATE_AFTER: Final = timedelta(minutes=2)
BROKERS: Final = {
    "filesystem": "files in DATA_DIR",
    "redis": "Redis",
    "rediss": "Redis, by TLS",
    "amqp": "RabbitMQ",
    "amqps": "RabbitMQ, by TLS",
}


@dataclass(frozen=True, slots=True)
class Installation:
    """``given``: name of each setting, and whether the environment sets it; values stay out, since
    some are secrets. ``beat_at``: the last sign of life of scheduler and worker."""

    version: str
    django: str
    mode: str
    database: str
    broker: str
    cache: str
    beat_at: datetime | None
    is_late: bool
    trail: TrailState
    given: dict[str, bool]


def beat() -> None:
    """Note that scheduler and worker are alive."""
    Heartbeat.objects.update_or_create(part=WORKER, defaults={"at": timezone.now()})


def installation() -> Installation:
    beat_at = Heartbeat.objects.filter(part=WORKER).values_list("at", flat=True).first()
    return Installation(
        version=release(),
        django=django.get_version(),
        mode=settings.MODE,
        database=database_words(),
        broker=broker_words(settings.CELERY_BROKER_URL),
        cache="Redis" if settings.CACHE_URL else "memory of this process",
        beat_at=beat_at,
        is_late=beat_at is None or timezone.now() - beat_at > LATE_AFTER,
        trail=trail_state(),
        given=dict(settings.SETTINGS_GIVEN),
    )


def database_words() -> str:
    """The database and its version: "PostgreSQL 16.4"."""
    found = connection.get_database_version()
    return f"{connection.display_name} {'.'.join(map(str, found))}"


def broker_words(url: str) -> str:
    """The kind of broker; its address may hold a password."""
    scheme = urlsplit(url).scheme
    return BROKERS.get(scheme, scheme or "none")
