"""An import killed anywhere goes on where it stopped: every line once, the totals right."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from apps.audit import sealing
from apps.audit.verification import verify
from apps.decisions.models import Decision, IngestRun, Payload
from apps.reviews.models import Review
from apps.workflow.lines import CHUNK_ROWS
from tests.services.files import json_lines, rejections
from tests.services.gates import body, gate, send
from tests.tasks.workers import ROOT, environment

LINES = 30_000
LEFT = 2 * CHUNK_ROWS + 50  # beyond this it might come to its end before the kill
EVERY = 1_000  # each so many lines one is refused


def start(folder: Path, command: str, path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", command, str(path), "--use-case", "loan", "--json"],
        cwd=ROOT,
        env={
            **environment(folder, "filesystem://"),
            "DJANGO_SETTINGS_MODULE": "hitl_platform.settings",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def line_of(kind: str) -> int:
    run = IngestRun.objects.filter(kind=kind).first()
    return 0 if run is None else run.line


def kill_in_the_middle(folder: Path, command: str, kind: str, path: Path) -> int:
    """Start it, kill -9 at a random moment after it has gone on; returns the line it came to."""
    before = line_of(kind)
    process = start(folder, command, path)
    while line_of(kind) == before and process.poll() is None:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.2))
    os.killpg(process.pid, signal.SIGKILL)
    _out, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()
    return line_of(kind)


def kill_again_and_again(
    folder: Path, command: str, kind: str, path: Path, lines: int
) -> list[int]:
    """The lines that it came to, one a kill."""
    reached = []
    while line_of(kind) < lines - LEFT:
        reached.append(kill_in_the_middle(folder, command, kind, path))
    return reached


def finish(folder: Path, command: str, path: Path) -> dict[str, Any]:
    process = start(folder, command, path)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors.decode()  # some lines are refused
    document: dict[str, Any] = json.loads(out)
    return document


def sound() -> bool:
    sealing.seal_all()
    found = verify(full=True).findings
    return [f for f in found if not f["table"].startswith("witness")] == []


def test_an_ingest_killed_several_times_takes_every_line_in_once(
    committed_db: Any, tmp_path: Path
) -> None:
    gate(policy={"confidence_threshold": 0.5})
    bodies = (
        body(f"case-{n}", label="no" if n % EVERY == 0 else "deny", confidence=n % 10 / 10)
        for n in range(1, LINES + 1)
    )
    path = json_lines(tmp_path / "d.jsonl", bodies)
    reached = kill_again_and_again(tmp_path, "ingest", "decisions", path, LINES)
    assert len(reached) >= 2
    assert reached == sorted(set(reached))
    said = finish(tmp_path, "ingest", path)
    refused = LINES // EVERY
    assert (said["accepted"], said["duplicates"], said["rejected"]) == (LINES - refused, 0, refused)
    assert said["resumed_after"] == reached[-1]
    ids = Counter(Decision.objects.values_list("external_id", flat=True))
    assert set(ids.values()) == {1}
    assert len(ids) == LINES - refused == Payload.objects.count() == Decision.history.count()
    assert [r["line"] for r in rejections(path)] == [EVERY * n for n in range(1, refused + 1)]
    assert sound()


def test_an_import_of_reviews_that_was_killed_still_knows_the_repeats_of_its_file(
    committed_db: Any, tmp_path: Path
) -> None:
    use_case = gate()
    send(use_case, *(body(f"case-{n}") for n in range(100)))
    verdicts = [
        {"external_id": f"case-{n % 100}", "reviewer": f"p{n // 100}", "label": "deny"}
        for n in range(20_000)
    ]
    # at the very end, repeats of the first lines
    path = json_lines(tmp_path / "r.jsonl", [*verdicts, *verdicts[:50]])
    assert kill_again_and_again(tmp_path, "import_reviews", "reviews", path, 20_050)
    said = finish(tmp_path, "import_reviews", path)
    assert (said["accepted"], said["duplicates"], said["rejected"]) == (20_000, 0, 50)
    assert Review.objects.count() == Review.history.count() == 20_000
    assert [r["line"] for r in rejections(path)] == list(range(20_001, 20_051))
    assert sound()
