"""``manage.py demo``: load the demonstration on the first start, then serve it.

Loading ends with a seal, a full verification and the figures of every use case; a start that was
cut off before is completed by the next one. On a later day that day's decisions arrive first.

The data folder of a demonstration holds a mark, so that neither the demonstration's people come
into a real installation, nor a real installation is deleted by ``--reset``.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from apps.accounts.callers import caller_of_command
from apps.accounts.models import User
from apps.audit import delivery, sealing, verification
from apps.common.commands import PlatformCommand
from apps.common.errors import BadInput, Conflict
from apps.metrics.reports import run_reports
from apps.metrics.watch.evaluating import alerts_evaluate
from apps.registry.models import UseCase
from apps.web.management.commands.up import (
    address,
    alone,
    chosen_port,
    prepare,
    refuse_production,
    refuse_taken,
    serve,
)

MARK = "demonstration.json"
SMALLEST, LARGEST = 0.01, 1000.0


class Command(PlatformCommand):
    help = (
        "Load the demonstration into DATA_DIR on the first start, verify the trail, then serve it."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, help="default: PORT, else 8000")
        parser.add_argument(
            "--reset", action="store_true", help="delete the demonstration, begin anew"
        )
        parser.add_argument("--no-serve", action="store_true", help="load and verify alone")

    def run(self, **options: Any) -> dict[str, Any]:
        refuse_production()
        port, scale = chosen_port(options["port"]), chosen_scale()
        if options["reset"]:
            with alone():
                delete_demonstration(Path(settings.DATA_DIR), settings.DATABASES["default"])
            start_again()
        with alone():
            if not options["no_serve"]:
                refuse_taken(port)
            self.load(scale)
            if not options["no_serve"]:
                self.exit_code = serve(
                    port, say=self.stderr.write, on_ready=lambda: self.say(guide_of(port))
                )
        return {"address": address(port), "use_cases": UseCase.objects.count()}

    def load(self, scale: float) -> None:
        """Everything that is not there yet; a load that was not completed is sealed and verified."""
        from fixtures.loading import load

        began = time.monotonic()
        self.stderr.write("preparing the database")
        prepare(self.stderr)
        folder = Path(settings.DATA_DIR)
        claim_folder(folder, scale)
        fresh = load(scale=scale, progress=self.stderr.write)
        if fresh or not is_complete(folder):
            self.seal_and_verify()
            self.compute()
            complete(folder)
        else:
            self.arrive()
        self.stderr.write(f"ready to serve after {time.monotonic() - began:.1f} s")

    def arrive(self) -> None:
        """On a later day than the last: that day's decisions."""
        from fixtures.loading import arrive_today
        from fixtures.use_cases import SCENARIOS

        scale = float(marked(Path(settings.DATA_DIR)).get("scale", 1))
        arrived = sum(arrive_today(scenario, scale=scale) for scenario in SCENARIOS)
        if arrived:
            self.stderr.write(f"{arrived} decisions of today arrived")

    def compute(self) -> None:
        """The figures of every use case, which dashboards read. One that fails is named, and keeps
        nobody from the rest: the worker counts again every few minutes."""
        began, caller = time.monotonic(), caller_of_command("demo")
        for slug in UseCase.objects.order_by("slug").values_list("slug", flat=True):
            try:
                run_reports(caller=caller, use_case=slug)
            except Exception as error:  # noqa: BLE001 - said, and the rest goes on
                self.stderr.write(f"no figures of {slug}: {type(error).__name__}: {error}")
        raised = alerts_evaluate(timezone.now())
        sealing.seal_all()
        self.stderr.write(f"alerts raised: {len(raised)}")
        self.stderr.write(f"computed the figures in {time.monotonic() - began:.1f} s")

    def seal_and_verify(self) -> None:
        sealed = sealing.seal_all()
        delivery.deliver_all()
        result = verification.verify(full=True)
        self.stderr.write(f"sealed {sealed} records; root {result.root}")
        for finding in result.findings:
            self.stderr.write(
                f"FINDING {finding['kind']} in {finding['table']}: {finding['detail']}"
            )
        if not result.ok:
            raise CommandError("the audit trail does not verify: nothing is served")
        self.stderr.write(f"verified all {result.records} records: sound")


def chosen_scale() -> float:
    raw = os.environ.get("DEMO_SCALE", "").strip() or "1"
    try:
        scale = float(raw)
    except ValueError:
        scale = math.nan
    if not SMALLEST <= scale <= LARGEST:  # false for a NaN too
        raise BadInput(
            f"DEMO_SCALE={raw!r} is not valid: allowed is a number from {SMALLEST} to {LARGEST:.0f}"
        )
    return scale


def claim_folder(folder: Path, scale: float) -> None:
    """Mark ``folder`` as a demonstration's; refuse one that holds anything else."""
    if (folder / MARK).exists():
        return
    if User.objects.exists() or UseCase.objects.exists():
        raise Conflict(
            f"{folder} holds an installation that is not a demonstration: set another DATA_DIR"
        )
    _write_mark(folder, {"demonstration": True, "scale": scale})


def marked(folder: Path) -> dict[str, Any]:
    """What the mark says; of an empty one nothing."""
    found: dict[str, Any] = json.loads((folder / MARK).read_text(encoding="utf-8") or "{}")
    return found


def is_complete(folder: Path) -> bool:
    """Whether loading came to its end once: sealed, verified, computed."""
    return bool(marked(folder).get("complete"))


def complete(folder: Path) -> None:
    _write_mark(folder, {**marked(folder), "complete": True})


def _write_mark(folder: Path, said: dict[str, Any]) -> None:
    """Whole or not at all, whenever the power goes."""
    draft = folder / f"{MARK}.new"
    draft.write_text(json.dumps(said) + "\n", encoding="utf-8")
    draft.replace(folder / MARK)


def delete_demonstration(folder: Path, database_settings: dict[str, Any]) -> None:
    """Delete ``folder`` if it is a demonstration's, database included."""
    if database_settings["ENGINE"].endswith("postgresql"):
        raise Conflict("DATABASE_URL names a PostgreSQL database: drop that one yourself")
    database = Path(database_settings["NAME"])
    if database.exists() and not (folder / MARK).exists():
        raise Conflict(f"{folder} is not a demonstration's folder: there is no {MARK} in it")
    if database.exists() and folder not in database.parents:
        raise Conflict(f"{database} lies outside {folder}: delete it yourself")
    shutil.rmtree(folder)


def start_again() -> None:
    """As a new process: this one holds the secrets of the folder that is gone."""
    words = [word for word in sys.argv if word != "--reset"]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606


def guide_of(port: int) -> str:
    from fixtures.tour import guide

    return guide(address(port))
