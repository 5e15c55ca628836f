"""``manage.py demo``: load the demonstration on the first start, then serve it.

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

from apps.accounts.models import User
from apps.audit import delivery, sealing, verification
from apps.common.commands import PlatformCommand
from apps.common.errors import BadInput, Conflict
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
                    port, say=self.stderr.write, on_ready=lambda: self.say(guide(port))
                )
        return {"address": address(port), "use_cases": UseCase.objects.count()}

    def load(self, scale: float) -> None:
        """Everything that is not there yet; a first or completed load is sealed and verified."""
        from fixtures.loading import load

        began = time.monotonic()
        self.stderr.write("preparing the database")
        prepare(self.stderr)
        claim_folder(Path(settings.DATA_DIR), scale)
        if load(scale=scale, progress=self.stderr.write):
            self.seal_and_verify()
        self.stderr.write(f"ready to serve after {time.monotonic() - began:.1f} s")

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
    mark = folder / MARK
    if mark.exists():
        return
    if User.objects.exists() or UseCase.objects.exists():
        raise Conflict(
            f"{folder} holds an installation that is not a demonstration: set another DATA_DIR"
        )
    mark.write_text(json.dumps({"demonstration": True, "scale": scale}) + "\n", encoding="utf-8")


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


def guide(port: int) -> str:
    """What a person needs to begin: the address, the logins, where to look first."""
    from fixtures.people import PASSWORD, PEOPLE

    where = address(port)
    logins = [f"  {p.login:<18} {p.role.replace('_', ' '):<19} {p.name}{_where(p)}" for p in PEOPLE]
    return "\n".join(
        [
            "",
            f"The demonstration runs on {where}/",
            "",
            f"Sign in with any of these logins; the password of all is {PASSWORD}",
            *logins,
            "",
            "Look first at:",
            f"  {where}/use-cases/      fourteen use cases in twelve industries (any login)",
            f"  {where}/audit/          who did what, when and why (compliance, auditor)",
            f"  {where}/audit/health/   verifications, signed checkpoints, witnesses (auditor)",
            f"  {where}/people/         who holds which role (administrator)",
            f"  {where}/api/v1/docs/    the API, for programs",
            "",
            "Ctrl-C stops it and keeps everything; make demo-reset begins anew.",
        ]
    )


def _where(person: Any) -> str:
    return f" (in {', '.join(person.use_cases)} alone)" if person.use_cases else ""
