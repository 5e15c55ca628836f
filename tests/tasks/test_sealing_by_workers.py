"""Sealing by real workers: within seconds, and whole after a kill in the middle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.db import connection

from apps.audit.delivery import undelivered
from apps.audit.models import Checkpoint, Leaf, LedgerKey, Node, PendingRecord
from apps.audit.sealing import seal_all
from apps.audit.verification import verify
from apps.common.actor import Actor
from apps.registry.services import ai_system_register
from tests.tasks.workers import until, worker

ANN = Actor("person", "7", "ann")
BROKER = "filesystem://"

PATIENCE = 90  # the machine may be busy with another test


def test_worker_and_scheduler_seal_what_is_pending_within_seconds(
    committed_db: Any, tmp_path: Path
) -> None:
    write("scorer", 5)
    with worker(tmp_path, BROKER, "--beat"):
        until(lambda: not PendingRecord.objects.exists(), "an empty pending list", PATIENCE)
        write("later", 1)
        until(lambda: sealed_names()[5:] == ["later-0"], "the later record sealed", PATIENCE)
        until(lambda: undelivered("file") == 0, "every checkpoint at the witness", PATIENCE)
    assert sealed_names() == [*(f"scorer-{n}" for n in range(5)), "later-0"]
    result = verify(full=True)
    assert (result.ok, result.findings) == (True, [])


def test_a_worker_killed_while_it_seals_leaves_nothing_half_done(
    committed_db: Any, tmp_path: Path
) -> None:
    write("scorer", 3)
    seal_all()
    write("more", 4)
    before = trail()
    assert before["PendingRecord"] == 4
    with worker(tmp_path, BROKER, "--beat", "-I", "tests.tasks.halting_sealer") as running:
        until(lambda: (tmp_path / "halted").exists(), "a sealer in the middle of its work")
        running.kill()
    assert trail() == before
    assert seal_all() == 4
    assert sealed_names()[3:] == [f"more-{n}" for n in range(4)]
    result = verify(full=True)
    assert (result.ok, result.findings) == (True, [])


def write(name: str, count: int) -> None:
    for number in range(count):
        ai_system_register(actor=ANN, name=f"{name}-{number}")


def sealed_names() -> list[str]:
    leaves = Leaf.objects.filter(record_type="ai_system").order_by("index")
    return [json.loads(data)["name"] for data in leaves.values_list("data", flat=True)]


def trail() -> dict[str, int]:
    connection.close()  # a fresh look, as another process would have it
    models = (PendingRecord, Leaf, Node, Checkpoint, LedgerKey)
    return {model.__name__: model.objects.count() for model in models}
