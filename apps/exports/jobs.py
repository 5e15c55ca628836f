"""Exports as jobs: the row is the job, a sweep makes the file, and a killed worker's is made again."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.callers import Caller, caller_of_key, caller_of_user
from apps.accounts.models import ServiceKey, User
from apps.audit.events import Event, record_event
from apps.common.errors import BadInput, Conflict, NotPermitted, PlatformError
from apps.exports import formats as table
from apps.exports.models import ExportJob
from apps.exports.selectors import (
    ExportFilter,
    check_filter,
    described,
    matching_leaves,
)
from apps.exports.services import (
    ACTION,
    check_purpose,
    checked_formats,
    export_audit,
    require_export,
)

log = logging.getLogger(__name__)
WAITING, RUNNING, DONE, FAILED, REMOVED = "waiting", "running", "done", "failed", "removed"
OPEN: Final = (WAITING, RUNNING)
BEGUN_AT_MOST: Final = 3
KEPT_FOR: Final = timedelta(days=30)
TOLD_EVERY_S: Final = 0.5
ASKED, DOWNLOADED = "export_asked", "export_downloaded"


def folder() -> Path:
    """Where finished bundles lie; web and worker share it."""
    return Path(settings.DATA_DIR) / "exports"


def bundle_path(job: ExportJob) -> Path:
    return folder() / f"{job.pk}.zip"


# --- Asking ---------------------------------------------------------------------------------


def export_ask(
    *, caller: Caller, filters: ExportFilter, purpose: str, formats: Sequence[str] = table.DEFAULT
) -> ExportJob:
    """Ask for a bundle; it is made in the background.

    Raises: NotPermitted, BadInput, NotFound as ``export_audit`` does, before anything is written;
    BadInput where no purpose is stated.
    """
    require_export(caller, filters.use_case)
    names = checked_formats(formats)
    if not purpose.strip():
        raise BadInput("say what the records are taken out for", "/purpose")
    check_purpose(purpose)
    check_filter(filters)
    matching_leaves(filters)  # NotFound for an actor that nobody is
    stored = described(filters)
    job = ExportJob(
        asked_kind=caller.actor.kind,
        asked_by=caller.actor.id,
        asked_name=caller.actor.name,
        asked_at=timezone.now(),
        use_case=filters.use_case or "",
        filters=stored,
        formats=list(names),
        purpose=purpose.strip(),
    )
    detail = {"filter": stored, "formats": list(names), "purpose": job.purpose}
    event = Event(ASKED, caller.actor, ACTION, str(job.pk), job.use_case, detail)
    with transaction.atomic():
        job.save(force_insert=True)
        record_event(event)
    return job


def filter_of(job: ExportJob) -> ExportFilter:
    """What a job asks for, read back from its row."""
    stored = dict(job.filters)
    decision, begin, end = stored["decision"], stored["from"], stored["to"]
    return ExportFilter(
        use_case=stored["use_case"],
        type=stored["type"],
        actor=stored["actor"],
        pseudonyms=tuple(stored["subject_pseudonyms"] or ()),
        decision=UUID(decision) if decision else None,
        begin=datetime.fromisoformat(begin) if begin else None,
        end=datetime.fromisoformat(end) if end else None,
    )


def visible_jobs(caller: Caller) -> QuerySet[ExportJob]:
    """Exports of the use cases that the caller may export; of the whole trail for who may that."""
    slugs = caller.visible(ACTION)
    jobs: QuerySet[ExportJob] = ExportJob.objects.order_by("-pk")
    return jobs if slugs is None else jobs.filter(use_case__in=slugs)


# --- Making ---------------------------------------------------------------------------------


def export_jobs_run() -> int:
    """Make what is asked for, oldest first; returns how many bundles that were."""
    waiting = ExportJob.objects.filter(status__in=OPEN).order_by("asked_at", "pk")
    return sum(export_job_run(key) for key in list(waiting.values_list("pk", flat=True)))


def export_job_run(key: UUID) -> bool:
    """Make one bundle; False where it is made already, failed, or somebody is at it.

    Who is at it holds a lock on a file, which goes with the process: what a killed worker left is
    begun again, a few times at most.
    """
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder() / f".{key}.lock") as is_mine:
        job = ExportJob.objects.filter(pk=key, status__in=OPEN).first() if is_mine else None
        if job is None:
            return False
        for left in folder().glob(f".{key}.zip.*"):  # by one who was killed
            shutil.rmtree(left, ignore_errors=True)
        if job.begun >= BEGUN_AT_MOST:
            _fail(job, f"it was begun {job.begun} times and never finished")
            return False
        job.status, job.begun, job.progress = RUNNING, job.begun + 1, 0.0
        job.save(update_fields=["status", "begun", "progress"])
        return _make(job)


def _make(job: ExportJob) -> bool:
    try:
        result = export_audit(
            caller=_asker(job),
            filters=filter_of(job),
            out=bundle_path(job),
            formats=job.formats,
            purpose=job.purpose,
            progress=_teller(job),
        )
    except PlatformError as error:
        _fail(job, str(error))
        return False
    job.status, job.progress, job.finished_at = DONE, 1.0, timezone.now()
    job.records, job.tree_size = result.records, result.tree_size
    job.root, job.sha256, job.size = result.root, result.sha256, result.path.stat().st_size
    job.save()
    return True


def _fail(job: ExportJob, why: str) -> None:
    log.warning("export %s failed: %s", job.pk, why)
    job.status, job.error, job.finished_at = FAILED, why, timezone.now()
    job.save()


def _asker(job: ExportJob) -> Caller:
    """Who asked, with the rights of now: they may have been lost since."""
    if job.asked_kind == "person":
        person = User.objects.filter(pk=job.asked_by, is_active=True).first()
        if person is not None:
            return caller_of_user(person)
    if job.asked_kind == "program":
        key = ServiceKey.objects.filter(pk=job.asked_by).first()
        if key is not None and key.is_usable:
            return caller_of_key(key)
    raise NotPermitted(
        f"{job.asked_name}, who asked for it, may do nothing any more", action=ACTION
    )


def _teller(job: ExportJob) -> Callable[[float], None]:
    """Writes how far it is, but not more often than anybody looks."""
    told = 0.0

    def tell(progress: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= TOLD_EVERY_S:
            told = now
            ExportJob.objects.filter(pk=job.pk).update(progress=min(progress, 0.99))

    return tell


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether nobody else holds the lock, which is held until the block ends or the process dies."""
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


# --- Afterwards -----------------------------------------------------------------------------


def export_open(*, caller: Caller, job: ExportJob) -> Path:
    """The finished bundle, for the caller to take; the access is recorded first.

    Raises: NotPermitted, and Conflict where there is no file to take.
    """
    require_export(caller, job.use_case or None)
    path = bundle_path(job)
    if job.status != DONE:
        raise Conflict(f"the export is {job.status}: there is no file to take")
    if not path.is_file():
        raise Conflict("the file is not in DATA_DIR any more: ask for the export again")
    detail = {"sha256": job.sha256, "records": job.records, "purpose": job.purpose}
    event = Event(DOWNLOADED, caller.actor, ACTION, str(job.pk), job.use_case, detail)
    record_event(event)
    return path


def download_name(job: ExportJob) -> str:
    return f"audit-{job.use_case or 'all'}-{job.tree_size}.zip"


def exports_tidy(now: datetime) -> int:
    """Remove files that have lain long enough, and locks of jobs that are over; returns how many
    exports lost their file."""
    over = list(ExportJob.objects.filter(status=DONE, finished_at__lt=now - KEPT_FOR))
    for job in over:
        bundle_path(job).unlink(missing_ok=True)
        job.status = REMOVED
        job.save(update_fields=["status"])
    locks = list(folder().glob(".*.lock"))  # before the keys: a job that comes now keeps its own
    keys = ExportJob.objects.filter(status__in=OPEN).values_list("pk", flat=True)
    open_locks = {f".{key}.lock" for key in keys}
    for lock in locks:
        if lock.name not in open_locks:
            lock.unlink(missing_ok=True)
    return len(over)
