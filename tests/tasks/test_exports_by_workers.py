"""Exports by real workers: a bundle whose maker was killed half-way is made again, whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apps.accounts.callers import caller_of_user
from apps.audit.models import AccessEvent
from apps.exports import jobs
from apps.exports.models import ExportJob
from apps.exports.selectors import EXPORT_MADE, ExportFilter
from tests.services.ledgers import small_ledger
from tests.services.test_exports import verified
from tests.tasks.workers import until, worker

BROKER = "filesystem://"


def test_an_export_whose_worker_is_killed_half_way_is_made_by_the_next(
    committed_db: Any, tmp_path: Path, settings: Any, make_person: Any
) -> None:
    settings.DATA_DIR = tmp_path
    small_ledger()
    caller = caller_of_user(make_person("cora", "compliance_officer"))
    job = jobs.export_ask(caller=caller, filters=ExportFilter(), purpose="yearly review")
    with worker(tmp_path, BROKER, "--beat", "-I", "tests.tasks.halting_exporter") as running:
        until((tmp_path / "halted").exists, "an export in the middle of its work", 40)
        assert jobs.export_job_run(job.pk) is False  # somebody is at it
        running.kill()
    job.refresh_from_db()
    assert (job.status, job.begun) == ("running", 1)
    assert not jobs.bundle_path(job).exists()
    assert not AccessEvent.objects.filter(kind=EXPORT_MADE).exists()
    (tmp_path / "halted").unlink()
    with worker(tmp_path, BROKER, "--beat"):
        until(lambda: ExportJob.objects.get().status == "done", "the export made", 40)
    job.refresh_from_db()
    assert (job.begun, job.progress) == (2, 1.0)
    assert verified(jobs.bundle_path(job)) == f"PASS {job.records} records"
    made = AccessEvent.objects.get(kind=EXPORT_MADE)
    assert (made.actor_name, made.detail["sha256"]) == ("cora", job.sha256)
    assert [one.name for one in jobs.folder().glob(".*.zip.*")] == []
