"""``manage.py import_outcomes``: what turned out to be true, from a file."""

from __future__ import annotations

from typing import Any

from apps.registry.models import UseCase
from apps.workflow.file_command import FileCommand
from apps.workflow.outcome_import import OutcomeIntake


class Command(FileCommand):
    help = (
        "Take in true outcomes from a file. A later outcome of a decision supersedes the one "
        "before it; one equal to the newest is a duplicate."
    )
    records = "outcomes"
    right = "outcome.record"

    def intake(self, use_case: UseCase, options: dict[str, Any]) -> OutcomeIntake:
        return OutcomeIntake(use_case)
