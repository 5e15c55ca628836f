"""kill -9 at the gate: a web process in the middle of a batch, and PostgreSQL with all it runs."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.accounts.services import service_key_create
from apps.audit.sealing import seal_all
from apps.audit.verification import verify
from apps.decisions.models import Decision, Payload
from apps.notifications.models import OutboxEvent
from tests.flows.clusters import Cluster, cluster
from tests.flows.processes import free_port, group, web
from tests.services.gates import LEAD, body, gate
from tests.tasks.workers import ROOT, environment, until

LINES = 5_000
# where in its life the request is when the process dies, and how many of its lines stay
MOMENTS = {"routed": 0, "half written": 0, "uncommitted": 0, "committed": LINES}


class Sender:
    """A program that posts batches and must live with a server that dies on it."""

    def __init__(self, port: int) -> None:
        self.port = port
        _row, self.key = service_key_create(actor=LEAD, name="sender", role="integration")

    def post(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/x-ndjson",
            "Accept": "application/json",
        }
        content = "".join(json.dumps(line) + "\n" for line in lines)
        try:
            client.request("POST", "/api/v1/decisions/batch/", content.encode(), headers)
            answer = client.getresponse()
            text = answer.read()
        finally:
            client.close()
        assert answer.status == 200, text
        return dict(json.loads(text))


def test_a_web_process_killed_in_a_batch_leaves_all_of_it_or_nothing(
    committed_db: Any, tmp_path: Path
) -> None:
    gate()
    port = free_port()
    sender = Sender(port)
    with web(tmp_path, port):
        for moment, kept in MOMENTS.items():
            lines = [body(f"{moment}-{i}") for i in range(LINES)]
            (tmp_path / "moment").write_text(moment)
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                sender.post(lines)
            assert not (tmp_path / "moment").exists()
            assert stored(moment) == kept
            answer = sender.post(lines)
            assert (answer["accepted"], answer["duplicates"]) == (LINES - kept, kept)
            assert answer["rejected"] == []
            assert stored(moment) == LINES
    total = LINES * len(MOMENTS)
    released = OutboxEvent.objects.filter(type="decision.released")
    assert Payload.objects.count() == Decision.history.count() == released.count() == total
    seal_all()
    result = verify(full=True)
    assert (result.ok, result.findings) == (True, [])


def stored(moment: str) -> int:
    connection.close()  # a fresh look, as another process would have it
    return int(Decision.objects.filter(external_id__startswith=f"{moment}-").count())


BATCH, BATCHES = 500, 12


def test_a_postgresql_killed_in_a_batch_loses_no_answered_one_and_keeps_no_half(
    committed_db: Any, tmp_path: Path
) -> None:
    if connection.vendor == "sqlite":
        return  # it has no server; that a process dies in the middle is the test above
    with cluster() as server:
        env = {**environment(tmp_path, "filesystem://"), "DATABASE_URL": server.url}
        prepare(tmp_path, env)
        job = {"name": "sender", "use_case": "loan", "do": "send_number", "batch": BATCH}
        job["count"] = BATCH * BATCHES
        answered = sent_until_killed(server, job, tmp_path, env)
        server.start()
        counts = stored_by_batch(server)
        assert all(counts[number] == BATCH for number in range(answered))
        assert set(counts.values()) == {BATCH}
        said = sent_again(job, tmp_path, env)
        known = sum(line["states"].get("duplicate", 0) for line in said if "states" in line)
        assert known == BATCH * len(counts) < BATCH * BATCHES
        assert stored_by_batch(server) == dict.fromkeys(range(BATCHES), BATCH)
    assert (said[-1]["ok"], said[-1]["findings"]) == (True, [])
    assert said[-1]["sealed"] > BATCH * BATCHES


def prepare(folder: Path, env: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    with group(
        folder / "gate", {"name": "gate", "use_case": "loan", "do": "open_gate"}, env=env
    ) as one:
        one.start()
        one.end()


def sent_again(job: dict[str, Any], folder: Path, env: dict[str, str]) -> list[dict[str, Any]]:
    """All batches from the first, then the audit, which speaks last."""
    with group(folder / "again", job, {"name": "audit", "do": "audit"}, env=env) as again:
        again.start()
        until(lambda: len(again.said("sender")) == BATCHES, "every batch answered", 60)
        return again.end()


def sent_until_killed(
    server: Cluster, job: dict[str, Any], folder: Path, env: dict[str, str]
) -> int:
    """How many batches were answered when the server died in the middle of a later one."""
    with group(folder / "first", job, env=env) as first:
        first.start()
        until(lambda: len(first.said("sender")) >= 2, "two batches answered")
        until(lambda: writing(server), "a transaction that has written")
        server.kill()
        said = first.end(code=1)
    assert "OperationalError" in said[-1]["error"]
    return len(said) - 1


def writing(server: Cluster) -> bool:
    busy = server.ask("SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL")
    return bool(busy[0][0])


def stored_by_batch(server: Cluster) -> dict[int, int]:
    rows = server.ask("SELECT external_id FROM decisions_decision")
    names = Counter(name for (name,) in rows)
    assert set(names.values()) <= {1}
    return dict(Counter(int(name.split("-")[1]) for name in names))
