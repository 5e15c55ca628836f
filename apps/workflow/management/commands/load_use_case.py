"""``manage.py load_use_case``: a use case and its active policy, from one file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from apps.common.commands import PlatformCommand
from apps.common.errors import BadInput
from apps.workflow.use_case_files import Loaded, use_case_load


class Command(PlatformCommand):
    help = (
        "Create a use case and its active policy from a JSON file, or bring both up to the file; "
        "the same file again changes nothing."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, metavar="FILE.json", help="use_case, policy, proposer, approver"
        )

    def run(self, **options: Any) -> dict[str, Any]:
        try:
            raw = options["file"].read_bytes()
        except OSError as error:
            raise BadInput(f"{options['file']} cannot be read: {error.strerror}") from None
        loaded = use_case_load(actor=self.actor, raw=raw)
        self.say(_words(loaded))
        return loaded.document()


def _words(loaded: Loaded) -> str:
    changed = ", ".join(loaded.changed) or "nothing"
    what = "created" if loaded.created else f"changed: {changed}"
    added = "added" if loaded.policy_added else "there already"
    return (
        f"{loaded.use_case.slug}: {what}; policy version {loaded.policy.number} {added}, "
        f"{loaded.policy.status}"
    )
