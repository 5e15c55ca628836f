"""``manage.py ingest``: decisions from a file."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from apps.registry.models import UseCase
from apps.workflow.file_command import FileCommand
from apps.workflow.ingest import DecisionIntake


class Command(FileCommand):
    help = (
        "Take in decisions from a file, in bulk. A run that was cut off goes on where it stopped; "
        "rejected rows go to FILE.rejected.jsonl."
    )
    records = "decisions"
    right = "decision.submit"

    def arguments(self, parser: ArgumentParser) -> None:
        super().arguments(parser)
        parser.add_argument(
            "--past",
            action="store_true",
            help="acted on before: routed for the record and released, without task and event",
        )

    def intake(self, use_case: UseCase, options: dict[str, Any]) -> DecisionIntake:
        return DecisionIntake(use_case, past=options["past"])
