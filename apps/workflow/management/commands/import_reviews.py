"""``manage.py import_reviews``: past human verdicts from a file."""

from __future__ import annotations

from typing import Any

from apps.registry.models import UseCase
from apps.workflow.file_command import FileCommand
from apps.workflow.review_import import ReviewIntake


class Command(FileCommand):
    help = (
        "Take in past human verdicts from a file. Nothing waits for them and nothing moves; a "
        "reviewer not yet known becomes a person who cannot sign in."
    )
    records = "reviews"
    right = "decision.submit"

    def intake(self, use_case: UseCase, options: dict[str, Any]) -> ReviewIntake:
        return ReviewIntake(use_case)
