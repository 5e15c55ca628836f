"""The main job on real input: from a file of past decisions to figures and evidence.

1,000 people assessed by a deployed risk tool, 19,760 judgements of the same people by 966 reviewers,
and what happened in the two years after. The figures were computed from that file apart from this
code.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.accounts.models import User
from apps.decisions.models import Decision
from apps.notifications.models import OutboxEvent
from apps.outcomes.models import Outcome
from apps.reviews.models import Review, ReviewTask

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/recidivism"
SLUG = "recidivism-risk"


def run(*arguments: object, exit_code: int = 0) -> Any:
    """A command's JSON document; it must end with the exit code."""
    out = StringIO()
    ended = 0
    try:
        call_command(*map(str, arguments), "--json", stdout=out, stderr=StringIO())
    except SystemExit as exit_:
        ended = int(exit_.code or 0)
    assert ended == exit_code
    return json.loads(out.getvalue())


def taken_in(command: str, file: Path, map_name: str, *options: str, exit_code: int = 0) -> Any:
    mapping = EXAMPLE / map_name
    return run(command, file, "--use-case", SLUG, "--map", mapping, *options, exit_code=exit_code)


def rounded(estimate: dict[str, Any]) -> float:
    return round(estimate["value"], 4)


def check_figures(accuracy: dict[str, Any]) -> None:
    ai, human, majority = (accuracy[name] for name in ("ai", "human", "human_consensus"))
    assert (ai["value"], ai["n"]) == (0.639, 1000)
    assert (rounded(human), human["n"]) == (0.5840, 19_720)
    assert (majority["value"], majority["n"]) == (0.607, 1000)
    rates = {
        side: tuple(rounded(table[name]) for name in ("fpr", "fnr"))
        for side, table in accuracy["confusion"].items()
        if side in ("ai", "human")
    }
    assert rates == {"ai": (0.3200, 0.4063), "human": (0.5329, 0.2866)}
    for name in ("ai", "human", "human_consensus", "combined", "team_gain", "ece", "brier"):
        assert accuracy[name]["low"] < accuracy[name]["value"] < accuracy[name]["high"]
    assert accuracy["team_gain"]["against"] == "ai"
    gain = accuracy["combined"]["value"] - ai["value"]
    assert accuracy["team_gain"]["value"] == pytest.approx(gain)
    assert accuracy["automatic_lane"]["value"] is None
    assert sum(one["n"] for one in accuracy["ece"]["bins"]) == 1000


def check_rows() -> None:
    """Past decisions are released and wake nobody; reviewers of a file cannot sign in."""
    assert set(Decision.objects.values_list("status", "past")) == {("released", True)}
    assert Outcome.objects.count() == 1000
    assert Review.objects.filter(imported=True, saw_ai=False).count() == 19_720
    assert not ReviewTask.objects.exists()
    assert not OutboxEvent.objects.exclude(type="policy.activated").exists()
    assert User.objects.filter(signs_in=False).count() == 966


def check_bundle(bundle: Path, records: int) -> None:
    """The verifier that the bundle carries, alone with the standard library."""
    with zipfile.ZipFile(bundle) as archive:
        script = Path(archive.extract("verify.py", bundle.parent))
    command = [sys.executable, "-I", "-S", str(script), str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == f"PASS {records} records"


@pytest.mark.real_data
def test_a_file_of_past_decisions_becomes_figures_and_evidence(
    committed_db: Any, shared: Path, tmp_path: Path
) -> None:
    file = Path(shutil.copy(shared / "data" / "recidivism-judgements.csv", tmp_path))

    loaded = run("load_use_case", EXAMPLE / "use_case.json")
    assert (loaded["use_case"], loaded["created"]) == (SLUG, True)
    assert (loaded["policy"]["number"], loaded["policy"]["status"]) == (1, "active")

    decisions = taken_in("ingest", file, "decisions.toml", "--past")
    assert (decisions["accepted"], decisions["rejected"]) == (1000, 0)

    reviews = taken_in("import_reviews", file, "reviews.toml", exit_code=1)
    assert (reviews["accepted"], reviews["rejected"]) == (19_720, 40)
    assert len(Path(reviews["rejected_file"]).read_text().splitlines()) == 40

    outcomes = taken_in("import_outcomes", file, "outcomes.toml")
    assert (outcomes["accepted"], outcomes["rejected"]) == (1000, 0)
    check_rows()

    report = run("run_reports", "--use-case", SLUG, "--kind", "accuracy")
    assert (report["use_case"], report["from"], report["to"]) == (SLUG, None, None)
    check_figures(report["accuracy"])

    sealed = run("seal")
    verified = run("verify_audit", "--full")
    assert (verified["ok"], verified["findings"]) == (True, [])
    assert verified["tree_size"] == verified["records"] == sealed["tree_size"] > 21_720

    bundle = tmp_path / "evidence.zip"
    exported = run("export_audit", bundle, "--use-case", SLUG)
    assert exported["records"] > 21_720
    check_bundle(bundle, exported["records"])
