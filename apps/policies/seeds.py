"""The secret seeds of the random audit: one a use case and year, bound to the ledger when it is
made and told when its year is over, so that every draw can be checked and none foreseen."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime

from django.db import transaction

from apps.audit.events import Event, record_event
from apps.audit.models import AccessEvent
from apps.common.actor import Actor
from apps.common.columns import Reading, Rows
from apps.policies.models import SamplingSeed
from apps.registry.guards import use_case_lock

SEED_BYTES = 32
STARTED, DISCLOSED = "sampling_seed_started", "sampling_seed_disclosed"
SAMPLER = Actor.system("sampling")


def seed_for(use_case_slug: str, year: int) -> bytes:
    """The seed of the use case's draws in ``year`` (UTC), made at the first call."""
    return stored_seed(use_case_slug, year) or _make(use_case_slug, year)


def stored_seed(slug: str, year: int) -> bytes | None:
    """The seed of the use case's draws in ``year``, None before its first draw."""
    return seed_reading(slug, year).now()


def seed_reading(slug: str, year: int) -> Reading[bytes | None]:
    sql = "SELECT seed FROM policies_samplingseed WHERE use_case_id = %s AND year = %s"
    return Reading(sql, [slug, year], _seed)


def _seed(rows: Rows) -> bytes | None:
    return bytes(rows[0][0]) if rows else None


@transaction.atomic
def _make(slug: str, year: int) -> bytes:
    use_case = use_case_lock(slug)
    standing = stored_seed(slug, year)  # by somebody else, while this one waited for the lock
    if standing is not None:
        return standing
    seed = secrets.token_bytes(SEED_BYTES)
    SamplingSeed(use_case=use_case, year=year, seed=seed).save()
    _record(STARTED, slug, year, sha256=hashlib.sha256(seed).hexdigest())
    return seed


def _record(kind: str, slug: str, year: int, **detail: str) -> None:
    event = Event(
        kind, SAMPLER, target=_target(slug, year), use_case=slug, detail={"year": year, **detail}
    )
    record_event(event)


def _target(slug: str, year: int) -> str:
    return f"sampling_seed:{slug}:{year}"


def disclose_ended(now: datetime) -> int:
    """Tell the seeds of years that are over, each once; returns how many that were."""
    ended = SamplingSeed.objects.filter(year__lt=now.astimezone(UTC).year).order_by("year", "pk")
    told = set(AccessEvent.objects.filter(kind=DISCLOSED).values_list("target", flat=True))
    untold = [
        (slug, year)
        for slug, year in ended.values_list("use_case_id", "year")
        if _target(slug, year) not in told
    ]
    return sum(_disclose(slug, year) for slug, year in untold)


@transaction.atomic
def _disclose(slug: str, year: int) -> int:
    use_case_lock(slug)
    seed = stored_seed(slug, year)
    target = _target(slug, year)
    if seed is None or AccessEvent.objects.filter(kind=DISCLOSED, target=target).exists():
        return 0
    _record(DISCLOSED, slug, year, seed=seed.hex())
    return 1
